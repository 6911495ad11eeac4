"""What a store does while its server is away, busy or not what it was; and without psycopg."""

import asyncio
import subprocess
import sys
import time
from contextlib import AsyncExitStack

import psycopg
import pytest

from heddle.schemas.errors import StoreError
from heddle.specs.model.report import Report
from heddle.specs.model.store import Put
from heddle.specs.stores.contract_story import Watch, spec
from heddle.specs.stores.postgres import change_feed as listening
from heddle.specs.stores.postgres.pool import Connection
from heddle.specs.stores.postgres.store import PostgresStore
from tests.postgres import Line, server
from tests.specs.stores.postgres.databases import fresh, in_schema, opened, schema_of

pytestmark = pytest.mark.anyio


async def test_requests_wait_for_a_server_that_comes_back() -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh())
        line = Line(server())
        await line.mend()
        stack.push_async_callback(line.cut)
        through = in_schema(line.url, schema_of(url), wait=30)
        store = await stack.enter_async_context(opened(through))
        await store.apply([Put(resource=spec("one"))])
        await line.cut()
        asked = [asyncio.ensure_future(store.specs()) for _ in range(6)]
        putting = asyncio.ensure_future(store.apply([Put(resource=spec("two"))]))
        await asyncio.wait(asked, timeout=0.1)
        assert not [each for each in (*asked, putting) if each.done()]
        await line.mend()
        (put,) = await putting
        assert put.revision == 2
        for found in await asyncio.gather(*asked):
            assert "one" in [each.name for each in found]


async def test_a_server_that_stays_away_is_the_reason_that_is_told() -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh())
        line = Line(server())
        await line.mend()
        through = in_schema(line.url, schema_of(url), wait=0.2)
        store = await stack.enter_async_context(opened(through))
        await line.cut()
        with pytest.raises(StoreError, match=r"cannot be reached: .*refused"):
            await store.specs()
        with pytest.raises(StoreError, match=r"cannot be reached: .*refused"):
            await PostgresStore(through).open()


async def test_a_pool_that_is_used_up_is_the_reason_that_is_told() -> None:
    async with fresh(pool_max=1, wait=0.3) as url, opened(url) as store:
        enough = asyncio.Event()

        async def hold(_: Connection) -> bool:
            return await enough.wait()

        assert store._connections is not None
        holding = asyncio.ensure_future(store._connections.run(hold))
        await asyncio.sleep(0)
        with pytest.raises(StoreError, match=r"no connection came free.*pool_max"):
            await store.newest()
        enough.set()
        assert await holding
        assert list(await store.specs()) == []


async def test_connections_that_the_server_ended_are_replaced_unnoticed() -> None:
    async with fresh() as url, opened(url) as store:
        watch = await Watch.begin(store)
        await asyncio.gather(*(store.specs() for _ in range(4)))
        async with await psycopg.AsyncConnection.connect(server(), autocommit=True) as raw:
            for _ in range(3):
                await raw.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'heddle' AND query LIKE %s",
                    [f"%{schema_of(url)}%"],
                )
                await store.apply([Put(resource=spec("one", fields={"at": time.time()}))])
                assert len(await store.specs()) == 1
        await watch.stop()


async def test_too_many_changes_are_announced_as_one_new_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening, "MOST", 3)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh())
        line = Line(server())
        await line.mend()
        stack.push_async_callback(line.cut)
        store = await stack.enter_async_context(opened(in_schema(line.url, schema_of(url))))
        other = await stack.enter_async_context(opened(url))
        watch = await Watch.begin(store)
        await other.apply([Put(resource=spec("one"))])
        await watch.next()
        await line.cut()
        with pytest.raises(StoreError, match="cannot be reached"):
            await watch.next()
        for number in range(5):
            await other.apply([Put(resource=spec("one", fields={"n": number}))])
        again = await Watch.begin(store)
        await line.mend()
        with pytest.raises(StoreError, match="went on by 5 revisions: it is looked at anew"):
            await again.next()
        last = await Watch.begin(store)
        await other.apply([Put(resource=spec("two"))])
        await last.until([spec("two").id])
        await last.stop()


async def test_reports_of_the_dead_are_swept_away_by_the_living() -> None:
    async with fresh() as url, opened(url) as store:
        dead = Report(runtime="dead", namespace="default", seen=time.time() - 60)
        alive = Report(runtime="alive", namespace="default", seen=time.time())
        await store.report(dead)
        await store.report(alive)
        assert [each.runtime for each in await store.reports()] == ["alive"]
        async with await psycopg.AsyncConnection.connect(server()) as raw:
            rows = await raw.execute(f"SELECT runtime FROM {schema_of(url)}.reports".encode())
            assert await rows.fetchall() == [("alive",)]


def test_without_psycopg_the_extra_is_named() -> None:
    story = """
import sys
sys.modules["psycopg"] = None
from heddle.schemas.errors import StoreError
from heddle.specs.stores.opener import Stores
try:
    Stores().make("postgresql://db/flows")
except StoreError as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", story], capture_output=True, text=True, check=True)
    assert "pip install 'heddle-runtime[postgres]'" in told.stdout


def test_help_and_folders_do_not_import_psycopg() -> None:
    story = "import sys, heddle.specs.stores.opener as o; o.Stores().make('flows'); print('psycopg' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", story], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
