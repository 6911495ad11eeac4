"""Tables are made and brought up by themselves, once, by whoever may."""

import asyncio

import psycopg
import pytest

from heddle.schemas.errors import StoreError
from heddle.specs.model.store import Put
from heddle.specs.stores.contract_story import spec
from heddle.specs.stores.postgres.admin import bring_up, look
from heddle.specs.stores.postgres.migrator import migrations, newest, script
from heddle.specs.stores.postgres.store import PostgresStore
from tests.postgres import server
from tests.specs.stores.postgres.databases import fresh, opened, role, schema_of

pytestmark = pytest.mark.anyio


def test_versions_have_no_gap() -> None:
    assert [one.version for one in migrations()] == list(range(1, newest() + 1))


async def test_many_may_open_a_store_that_is_not_there_yet() -> None:
    async with fresh() as url:
        stores = [PostgresStore(url) for _ in range(6)]
        try:
            await asyncio.gather(*(store.open() for store in stores))
            await stores[0].apply([Put(resource=spec("one"))])
            assert [each.name for each in await stores[5].specs()] == ["one"]
        finally:
            await asyncio.gather(*(store.close() for store in stores))
        async with await psycopg.AsyncConnection.connect(server()) as connection:
            rows = await connection.execute(
                f"SELECT version, by FROM {schema_of(url)}.migrations".encode()
            )
            assert [row[0] for row in await rows.fetchall()] == list(range(1, newest() + 1))


async def test_newer_tables_are_left_alone() -> None:
    async with fresh() as url:
        await bring_up(url)
        async with await psycopg.AsyncConnection.connect(server(), autocommit=True) as connection:
            await connection.execute(
                f"INSERT INTO {schema_of(url)}.migrations (version, name, by) "
                f"VALUES ({newest() + 1}, 'later', 'heddle 9')".encode()
            )
        with pytest.raises(StoreError, match=f"have version {newest() + 1}, which is newer"):
            await PostgresStore(url).open()
        with pytest.raises(StoreError, match="Use the Heddle that the others use"):
            await bring_up(url)


async def test_who_may_not_make_tables_is_given_the_sql_for_who_may() -> None:
    async with fresh() as url, role(url) as theirs:
        with pytest.raises(StoreError, match="may not change that") as caught:
            await PostgresStore(theirs.url).open()
        told = str(caught.value)
        assert script(schema_of(url)) in told
        async with await psycopg.AsyncConnection.connect(server(), autocommit=True) as connection:
            await connection.execute(told.partition("\n\n")[2].encode())
        assert (await look(url)).version == newest()
        async with opened(url) as store:
            await store.apply([Put(resource=spec("one"))])


async def test_a_schema_that_was_made_for_a_role_is_enough() -> None:
    async with fresh() as url, role(url) as theirs:
        async with await psycopg.AsyncConnection.connect(server(), autocommit=True) as connection:
            await connection.execute(
                f"CREATE SCHEMA {schema_of(url)} AUTHORIZATION {theirs.name}".encode()
            )
        async with opened(theirs.url) as store:
            await store.apply([Put(resource=spec("one"))])
            assert len(await store.specs()) == 1
