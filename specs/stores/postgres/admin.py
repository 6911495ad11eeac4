"""The commands of an operator for a store in PostgreSQL: show its state, migrate it, grant rights in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import psycopg

from heddle.specs.stores.postgres.address import Address, read_address
from heddle.specs.stores.postgres.connections import Connections, failed
from heddle.specs.stores.postgres.grants import grants
from heddle.specs.stores.postgres.migrator import migrate, newest, standing
from heddle.specs.stores.postgres.pool import Connection
from heddle.specs.stores.postgres.queries import Queries


class SchemaStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a store's tables: `version` 0 means there are none; `known` is what we know."""

    url: str
    schema: str
    role: str
    server: str
    version: int
    known: int


async def look(url: str) -> SchemaStatus:
    """Return how a store stands; nothing is changed. Raise StoreError if it cannot be reached, or is newer."""
    async with _at(url) as (connection, address):
        number = await standing(connection, address, Queries(address.schema))
        return _standing(connection, address, number)


async def bring_up(url: str) -> tuple[SchemaStatus, int]:
    """Migrate a store, whatever its address says of that; how it stands, and its version before."""
    async with _at(url) as (connection, address):
        before = await migrate(connection, address, Queries(address.schema), requested=True)
        return _standing(connection, address, newest()), before


async def grant(url: str, role: str, sort: str) -> str:
    """Grant a role what it needs to be one of ROLES; the SQL that was run."""
    async with _at(url) as (connection, address):
        sql = grants(role, sort, address.schema)
        try:
            async with connection.transaction():
                await connection.execute(sql.encode())
        except psycopg.Error as error:
            raise failed(address, error) from None
        return sql


@asynccontextmanager
async def _at(url: str) -> AsyncIterator[tuple[Connection, Address]]:
    address = read_address(url)
    connection = await Connections(address, Queries(address.schema)).connect()
    try:
        yield connection, address
    finally:
        await connection.close()


def _standing(connection: Connection, address: Address, number: int) -> SchemaStatus:
    info = connection.info
    return SchemaStatus(
        url=address.shown,
        schema=address.schema,
        role=info.user,
        server=info.parameter_status("server_version") or str(info.server_version),
        version=number,
        known=newest(),
    )
