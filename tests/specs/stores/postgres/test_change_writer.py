"""Writers: one after the other, all or nothing, and once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import psycopg
import pytest

from heddle.schemas.errors import ConflictError, StoreError, UnconfirmedError
from heddle.specs.model.revision import Note
from heddle.specs.model.store import Put
from heddle.specs.stores.contract_story import spec, value
from heddle.specs.stores.postgres.store import PostgresStore
from tests.postgres import Line, server
from tests.specs.stores.postgres.databases import fresh, in_schema, opened, schema_of

pytestmark = pytest.mark.anyio


async def test_of_two_who_change_what_they_read_one_conflicts() -> None:
    async with fresh() as url, opened(url) as first, opened(url) as second:
        (one,) = await first.apply([Put(resource=spec("one", fields={"n": 0}))])
        done = await asyncio.gather(
            *(
                store.apply([Put(resource=spec("one", fields={"n": who}), revision=one.revision)])
                for who, store in enumerate((first, second), start=1)
            ),
            return_exceptions=True,
        )
        (conflict,) = [each for each in done if isinstance(each, BaseException)]
        assert isinstance(conflict, ConflictError)
        assert "revision 2, not 1" in str(conflict)
        assert await first.newest() == 2


async def test_many_writers_lose_nothing_and_leave_no_gap() -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh())
        stores = [await stack.enter_async_context(opened(url)) for _ in range(4)]
        await stores[0].apply([Put(resource=spec("count", fields={"n": 0}))])

        async def count(store: PostgresStore) -> None:
            for _ in range(5):
                while True:
                    (now,) = await store.specs(ids=[spec("count").id])
                    more = spec("count", fields={"n": now.fields["n"] + 1})
                    try:
                        await store.apply([Put(resource=more, revision=now.revision)])
                        break
                    except ConflictError:
                        continue

        await asyncio.gather(*(count(store) for store in stores))
        (now,) = await stores[0].specs()
        assert now.fields == {"n": 20}
        assert [each.number for each in await stores[0].history()] == list(range(21, 0, -1))


async def test_a_reader_that_saw_a_revision_has_seen_all_before_it() -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh())
        stores = [await stack.enter_async_context(opened(url)) for _ in range(4)]
        done = asyncio.Event()

        async def write(store: PostgresStore, who: int) -> None:
            for number in range(15):
                await store.apply([Put(resource=spec(f"w{who}", fields={"n": number}))])

        async def read(store: PostgresStore) -> None:
            while not done.is_set():
                newest = await store.newest()
                missed = await store.missed(0)
                assert missed is not None
                seen = [each.revision for each in missed]
                assert seen == list(range(1, len(seen) + 1))
                assert len(seen) >= newest

        reading = asyncio.ensure_future(read(stores[3]))
        await asyncio.gather(*(write(store, who) for who, store in enumerate(stores[:3])))
        done.set()
        await reading


class Slow:
    """Commits of one schema that wait as long as a test wants them to."""

    def __init__(self, raw: psycopg.AsyncConnection[Any], schema: str) -> None:
        self._raw = raw
        self._schema = schema

    async def begin(self) -> None:
        """Let commits wait from now on."""
        schema = self._schema
        await self._raw.execute(
            f"""
            CREATE FUNCTION {schema}.slow() RETURNS trigger LANGUAGE plpgsql
            SET lock_timeout = 0 AS
            $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('{schema}')); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON {schema}.turns
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {schema}.slow();
            """.encode()
        )
        await self._raw.execute(f"SELECT pg_advisory_lock(hashtext('{schema}'))".encode())

    async def waits(self) -> None:
        """Wait until a commit waits."""
        waits = b"""
            SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
            AND objid = (hashtext(%s)::bigint & 4294967295)::oid
        """
        async with asyncio.timeout(20):
            while await (await self._raw.execute(waits, [self._schema])).fetchone() != (1,):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        """Let them go on."""
        unlock = f"SELECT pg_advisory_unlock(hashtext('{self._schema}'))".encode()
        await self._raw.execute(unlock)


@asynccontextmanager
async def slow(url: str) -> AsyncIterator[Slow]:
    """Provide commits in the schema of this store that wait."""
    async with await psycopg.AsyncConnection.connect(server(), autocommit=True) as raw:
        commits = Slow(raw, schema_of(url))
        await commits.begin()
        yield commits


async def test_a_commit_that_nobody_confirmed_is_not_done_twice() -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh())
        other = await stack.enter_async_context(opened(url))
        line = Line(server())
        await line.mend()
        stack.push_async_callback(line.cut)
        through = in_schema(line.url, schema_of(url), wait=20)
        store = await stack.enter_async_context(opened(through))
        commits = await stack.enter_async_context(slow(url))
        applying = asyncio.ensure_future(
            store.apply([Put(resource=spec("one"), revision=0)], Note("ada", "once"))
        )
        await commits.waits()
        await line.cut()
        await commits.end()
        await line.mend()
        (put,) = await applying
        assert put.revision == 1
        assert [each.message for each in await other.history()] == ["once"]


async def test_an_unconfirmed_change_says_so_and_is_repeated_by_key() -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh())
        line = Line(server())
        await line.mend()
        stack.push_async_callback(line.cut)
        through = in_schema(line.url, schema_of(url), wait=0.3)
        store = await stack.enter_async_context(opened(through))
        commits = await stack.enter_async_context(slow(url))
        changes = [Put(resource=spec("one"), revision=0)]
        applying = asyncio.ensure_future(store.apply(changes, Note("ada", "once")))
        await commits.waits()
        await line.cut()
        with pytest.raises(
            UnconfirmedError, match=r"cannot be reached.*may have been made"
        ) as caught:
            await applying
        await commits.end()
        await line.mend()
        (put,) = await store.apply(changes, Note("ada", "again", caught.value.key))
        assert put.revision == 1
        assert [each.message for each in await store.history()] == ["once"]


async def test_what_was_surely_not_made_is_not_told_as_unsure() -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh())
        line = Line(server())
        await line.mend()
        through = in_schema(line.url, schema_of(url), wait=0.3)
        store = await stack.enter_async_context(opened(through))
        await line.cut()
        with pytest.raises(StoreError, match="cannot be reached") as caught:
            await store.apply([Put(resource=spec("one"))])
        assert not isinstance(caught.value, UnconfirmedError)


async def test_a_store_closed_during_a_commit_says_that_it_may_be_made() -> None:
    async with fresh() as url, opened(url) as store, slow(url) as commits:
        applying = asyncio.ensure_future(store.apply([Put(resource=spec("one"))]))
        await commits.waits()
        await store.close()
        with pytest.raises(UnconfirmedError, match="is not open"):
            await applying


async def test_killed_connections_make_no_failure_of_what_was_made() -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh(wait=5))
        stores = [await stack.enter_async_context(opened(url)) for _ in range(4)]
        raw = await stack.enter_async_context(
            await psycopg.AsyncConnection.connect(server(), autocommit=True)
        )
        over = asyncio.Event()

        async def write(who: int) -> list[str]:
            made: list[str] = []
            while not over.is_set():
                message = f"{who}-{len(made)}"
                one = spec(f"w{who}", fields={"n": len(made)})
                await stores[who].apply([Put(resource=one)], Note("", message))
                made.append(message)
            return made

        writing = [asyncio.ensure_future(write(who)) for who in range(4)]
        for _ in range(15):
            await asyncio.sleep(0.1)
            await raw.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'heddle' AND pid <> pg_backend_pid()"
            )
        over.set()
        made = [message for messages in await asyncio.gather(*writing) for message in messages]
        rows = await raw.execute(f"SELECT message FROM {schema_of(url)}.revisions".encode())
        assert sorted(made) == sorted(message for (message,) in await rows.fetchall())


async def test_a_writer_that_holds_the_store_is_named_as_the_reason() -> None:
    async with fresh(wait=0.3) as url, opened(url) as store:
        raw = await psycopg.AsyncConnection.connect(server())
        async with raw:
            await raw.execute(f"SELECT * FROM {schema_of(url)}.head FOR UPDATE".encode())
            with pytest.raises(StoreError, match="is held by another writer"):
                await store.apply([Put(resource=spec("one"))])
            await raw.rollback()
        await store.apply([Put(resource=spec("one"))])


async def test_awkward_notes_are_kept_as_far_as_text_can_be() -> None:
    async with fresh() as url, opened(url) as store:
        await store.apply([Put(resource=spec("one"))], Note("a\0da", "half \ud800 é"))
        (revision,) = await store.history()
        assert (revision.author, revision.message) == ("ada", "half ? é")


async def test_a_rejected_row_is_not_told() -> None:
    async with fresh() as url, opened(url) as store:
        async with await psycopg.AsyncConnection.connect(server(), autocommit=True) as raw:
            await raw.execute(
                f"ALTER TABLE {schema_of(url)}.values ADD CHECK (name <> 'x')".encode()
            )
        with pytest.raises(StoreError, match="violates check constraint") as caught:
            await store.apply([Put(resource=value("x", "s3cret"))])
        assert "s3cret" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert await store.newest() == 0


async def test_a_change_set_of_thousands_is_one_revision() -> None:
    async with fresh() as url, opened(url) as store:
        many = [spec(f"n{number}", fields={"number": number}) for number in range(3000)]
        put = await store.apply([Put(resource=each) for each in many])
        assert {each.revision for each in put} == {1}
        assert list(await store.specs("default")) == many
        assert len((await store.revision(1)).turns) == 3000
