"""Changes are heard whatever happens on the way, in order, and each once."""

import asyncio
import json
from contextlib import AsyncExitStack

import psycopg
import pytest

from heddle.schemas.errors import StoreError
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import ChangeSet, Delete, Put
from heddle.specs.stores.contract_story import Watch, spec, value
from heddle.specs.stores.postgres.queries import channel
from heddle.specs.stores.postgres.store import PostgresStore
from tests.postgres import Line, server
from tests.specs.stores.postgres.databases import fresh, in_schema, opened, schema_of

pytestmark = pytest.mark.anyio


async def begun(store: PostgresStore, namespace: str | None = None) -> Watch:
    """Return a watch that has begun; of one namespace, or of all."""
    watch = Watch(store.watch(namespace))
    await asyncio.sleep(0)
    return watch


async def test_a_notification_tells_keys_and_never_what_they_hold() -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh())
        store = await stack.enter_async_context(opened(url))
        raw = await stack.enter_async_context(
            await psycopg.AsyncConnection.connect(server(), autocommit=True)
        )
        await raw.execute(f"LISTEN {channel(schema_of(url))}".encode())
        one, hidden = spec("one", fields={"a": "in the body"}), value("v", "s3cret", secret=True)
        await store.apply([Put(resource=one), Put(resource=hidden)])
        (notice,) = [each async for each in raw.notifies(timeout=20, stop_after=1)]
        assert json.loads(notice.payload) == {
            "revision": 1,
            "keys": [
                ["spec", str(one.id), "default", None],
                ["value", str(hidden.id), "default", None],
            ],
        }
        many = [spec(f"n{number}" + "x" * 150, namespace="n" * 190) for number in range(60)]
        await store.apply([Put(resource=each) for each in many])
        (notice,) = [each async for each in raw.notifies(timeout=20, stop_after=1)]
        assert json.loads(notice.payload) == {"revision": 2}


async def test_more_keys_than_a_notification_holds_are_read_from_the_log() -> None:
    async with fresh() as url, opened(url) as store, opened(url) as other:
        watch = await begun(store)
        many = [spec(f"n{number}") for number in range(500)]
        await other.apply([Put(resource=each) for each in many])
        changes = await watch.next()
        assert changes.specs == {each.id for each in many}
        await other.apply([Put(resource=spec("last"))])
        assert (await watch.next()).specs == {spec("last").id}
        await watch.stop()


async def test_another_namespace_is_heard_of_without_its_keys() -> None:
    async with fresh() as url, opened(url) as store:
        watch = await begun(store, "shop")
        await store.apply([Put(resource=spec("one"))])
        assert await watch.next() == ChangeSet(origin=store.url, revision=1)
        there = spec("two", namespace="shop")
        await store.apply([Put(resource=there), Put(resource=spec("two"))])
        assert (await watch.next()).specs == {there.id}
        moved = spec("two", id=there.id, namespace="other")
        await store.apply([Put(resource=moved)])
        assert (await watch.next()).specs == {there.id}
        (turn,) = (await store.revision(3)).turns
        assert (turn.before, turn.after) == (there, moved)
        assert turn.before is not None
        assert turn.before.revision == 2
        await watch.stop()


async def test_everybody_hears_the_revisions_of_many_writers_in_order() -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh())
        stores = [await stack.enter_async_context(opened(url)) for _ in range(4)]
        watches = [await begun(store) for store in stores]

        async def write(store: PostgresStore, who: int) -> None:
            for number in range(10):
                await store.apply([Put(resource=spec(f"w{who}", fields={"n": number}))])

        await asyncio.gather(*(write(store, who) for who, store in enumerate(stores)))
        for watch in watches:
            told = [(await watch.next()).revision for _ in range(40)]
            assert told == list(range(1, 41))
            await watch.stop()


async def test_a_lost_line_ends_watch_once_and_next_tells_what_was_missed() -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh())
        other = await stack.enter_async_context(opened(url))
        line = Line(server())
        await line.mend()
        stack.push_async_callback(line.cut)
        store = await stack.enter_async_context(opened(in_schema(line.url, schema_of(url))))
        one, two, three = spec("one"), spec("two"), spec("three")
        watch = await begun(store)
        await other.apply([Put(resource=one)])
        assert (await watch.next()).specs == {one.id}
        await line.cut()
        with pytest.raises(StoreError, match="cannot be reached"):
            await watch.next()
        again = await begun(store)
        await other.apply([Put(resource=two)])
        await other.apply([Put(resource=three), Delete(type=Spec, id=one.id)])
        await line.mend()
        told = await again.until([one.id, two.id, three.id])
        assert [each.revision for each in told] == [2, 3]
        # Then it is told that we are back.
        assert await again.next() == ChangeSet(origin=store.url, revision=3)
        missed = await store.missed(1)
        assert missed is not None
        assert [each.specs for each in missed] == [{two.id}, {one.id, three.id}]
        await again.stop()


async def test_a_database_that_was_put_back_is_looked_at_anew() -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh())
        line = Line(server())
        await line.mend()
        stack.push_async_callback(line.cut)
        store = await stack.enter_async_context(opened(in_schema(line.url, schema_of(url))))
        other = await stack.enter_async_context(opened(url))
        watch = await begun(store)
        for number in range(3):
            await other.apply([Put(resource=spec("one", fields={"n": number}))])
            await watch.next()
        await line.cut()
        with pytest.raises(StoreError, match="cannot be reached"):
            await watch.next()
        raw = await stack.enter_async_context(
            await psycopg.AsyncConnection.connect(server(), autocommit=True)
        )
        schema = schema_of(url)
        await raw.execute(f"DELETE FROM {schema}.revisions WHERE number > 1".encode())
        await raw.execute(f"UPDATE {schema}.head SET number = 1".encode())
        again = await begun(store)
        await line.mend()
        with pytest.raises(StoreError, match="restored to an older state"):
            await again.next()
        assert await store.missed(3) is None
        last = await begun(store)
        await other.apply([Put(resource=spec("two"))])
        await last.until([spec("two").id])
        await last.stop()


async def test_a_log_that_was_cut_says_that_it_does_not_reach_back() -> None:
    async with fresh() as url, opened(url) as store:
        for number in range(4):
            await store.apply([Put(resource=spec("one", fields={"n": number}))])
        async with await psycopg.AsyncConnection.connect(server(), autocommit=True) as raw:
            await raw.execute(f"DELETE FROM {schema_of(url)}.revisions WHERE number < 3".encode())
        assert await store.missed(0) is None
        assert await store.missed(1) is None
        assert len(await store.missed(2) or ()) == 2
        assert [each.number for each in await store.history()] == [4, 3]
