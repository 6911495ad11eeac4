"""A pool leaves nothing behind: no connection, no task, whatever happens while it is used."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import psycopg
import pytest

from heddle.schemas.errors import StoreError
from heddle.specs.model.store import Put
from heddle.specs.stores.contract_story import Watch, spec
from heddle.specs.stores.postgres.pool import (
    Connection,
    ConnectionPool,
    PoolBusyError,
    PoolClosedError,
)
from heddle.specs.stores.postgres.store import PostgresStore
from tests.postgres import Line, server
from tests.specs.stores.postgres.databases import fresh, in_schema, opened, schema_of

pytestmark = pytest.mark.anyio


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Return both loops: sockets behave differently on them."""
    return request.param


NAME = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"


@asynccontextmanager
async def nothing_left(name: str) -> AsyncIterator[None]:
    """Fail if a task, or a connection of this application, is left when the block ends."""
    before = asyncio.all_tasks()
    yield
    async with await psycopg.AsyncConnection.connect(server(), autocommit=True) as raw:
        async with asyncio.timeout(20):
            # The server notices a moment later that a client is gone.
            while await (await raw.execute(NAME.encode(), [name])).fetchone() != (0,):  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == before


async def test_a_store_that_is_opened_twice_is_closed_once() -> None:
    async with fresh(application_name="twice") as url, nothing_left("twice"):
        store = PostgresStore(url)
        await asyncio.gather(store.open(), store.open())
        await store.open()
        watch = await Watch.begin(store)
        await store.apply([Put(resource=spec("one"))])
        await watch.stop()
        await store.close()
        with pytest.raises(StoreError, match="is not open"):
            await store.specs()
        await store.open()
        assert len(await store.specs()) == 1
        await store.close()


async def test_closing_without_a_server_leaves_nothing() -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh())
        line = Line(server())
        await line.mend()
        through = in_schema(line.url, schema_of(url), application_name="gone", pool_min=3)
        store = await stack.enter_async_context(opened(through))
        await asyncio.gather(*(store.specs() for _ in range(4)))
        watch = await Watch.begin(store)
        await line.cut()
        with pytest.raises(StoreError):
            await watch.next()
        asking = asyncio.ensure_future(store.specs())
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await store.close()
        with pytest.raises(StoreError):
            await asking
        await watch.stop()
        left = {each.get_name() for each in asyncio.all_tasks() - {asyncio.current_task()}}
        assert not [name for name in left if "worker" in name]


async def test_a_store_that_cannot_be_opened_leaves_nothing() -> None:
    async with fresh(application_name="never") as url, nothing_left("never"):
        for moment in range(12):
            store = PostgresStore(url)
            opening = asyncio.ensure_future(store.open())
            for _ in range(moment * 3):
                await asyncio.sleep(0)
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            await store.close()
        store = PostgresStore(url.replace(schema_of(url), "t0none") + "&migrate=off")
        with pytest.raises(StoreError, match="are not there"):
            await store.open()


async def test_a_cancelled_close_closes_all_the_same() -> None:
    async with fresh(application_name="cancelled") as url, nothing_left("cancelled"):
        store = PostgresStore(url)
        await store.open()
        asking = [asyncio.ensure_future(store.specs()) for _ in range(8)]
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(store.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, *asking, return_exceptions=True)


async def connect() -> Connection:
    return await psycopg.AsyncConnection.connect(server(), autocommit=True)


async def test_borrowers_take_turns_and_a_turn_is_never_lost() -> None:
    pool = ConnectionPool(connect, 1, 2)
    done: list[int] = []

    async def borrow(number: int) -> None:
        async with pool.connection(20) as connection:
            await connection.execute("SELECT pg_sleep(0.005)")
            done.append(number)

    tasks = [asyncio.ensure_future(borrow(number)) for number in range(30)]
    for task in tasks[3::4]:
        asyncio.get_running_loop().call_later(0.02, task.cancel)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(done) >= 22
    assert pool.size <= 2
    async with pool.connection(1), pool.connection(1):
        with pytest.raises(PoolBusyError):
            async with pool.connection(0.05):
                pass
    await pool.close()
    assert pool.size == 0


async def test_who_works_or_waits_while_it_closes_is_told() -> None:
    pool = ConnectionPool(connect, 1, 1)
    begun = asyncio.Event()

    async def work() -> None:
        async with pool.connection(20) as connection:
            begun.set()
            await connection.execute("SELECT pg_sleep(60)")

    async def wait() -> None:
        async with pool.connection(20):
            pass

    tasks = [asyncio.ensure_future(work()), asyncio.ensure_future(wait())]
    await begun.wait()
    async with asyncio.timeout(20):
        await pool.close()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in found] == [PoolClosedError, PoolClosedError]
    with pytest.raises(PoolClosedError):
        await wait()
