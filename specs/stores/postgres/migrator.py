"""Migrations bring the tables of a store to the form that this Heddle knows."""

import re
from functools import cache
from importlib.metadata import version as version_of
from importlib.resources import files
from typing import Any

import msgspec
import psycopg
from psycopg import errors

from heddle.schemas.errors import StoreError
from heddle.specs.stores.postgres.address import SCHEMA, Address
from heddle.specs.stores.postgres.connections import failed, reason
from heddle.specs.stores.postgres.pool import Connection
from heddle.specs.stores.postgres.queries import Queries

_READABLE = re.compile(r"-- readable since (\d+)")


class Migration(msgspec.Struct, frozen=True):
    """One step: from the version before to this one. Its SQL stands in `migrations/`."""

    version: int
    name: str
    sql: str
    readable_since: int
    """Programs that know this version at least may go on with the tables as they are after it."""


@cache
def migrations() -> tuple[Migration, ...]:
    """Return every step, in order."""
    scripts = []
    for file in files("heddle.specs.stores.postgres").joinpath("migrations").iterdir():
        number, _, name = file.name.removesuffix(".sql").partition("_")
        if file.name.endswith(".sql"):
            sql = file.read_text("utf-8")
            since = _READABLE.match(sql)
            readable = int(since[1]) if since else int(number)
            scripts.append(Migration(int(number), name, sql, readable))
    return tuple(sorted(scripts, key=lambda migration: migration.version))


def newest() -> int:
    """Return the version that this Heddle knows."""
    return migrations()[-1].version


def script(schema: str = SCHEMA, since: int = 0) -> str:
    """Return the SQL that a person may run in the place of Heddle, to come from a version to the newest."""
    lines = ["BEGIN;", f"SELECT pg_advisory_xact_lock(1751475308, hashtext('\"{schema}\"'));"]
    if since == 0:
        lines.append(f'CREATE SCHEMA IF NOT EXISTS "{schema}";')
    lines.append(f'SET LOCAL search_path = "{schema}";')
    for migration in migrations():
        if migration.version > since:
            row = f"{migration.version}, '{migration.name}', '{_us()}'"
            lines += [
                f"\n-- {migration.version}: {migration.name}",
                migration.sql.strip(),
                f"INSERT INTO migrations (version, name, by) VALUES ({row});",
            ]
            if migration.version > 1:
                lines.append(
                    f"UPDATE migrations SET readable_since = {migration.readable_since} "
                    f"WHERE version = {migration.version};"
                )
    return "\n".join([*lines, "COMMIT;", ""])


class SchemaVersion(msgspec.Struct, frozen=True):
    """The version of the tables that are there, 0 if there are none; and who may still use them."""

    version: int = 0
    readable_since: int = 0


async def version(connection: Connection, queries: Queries) -> SchemaVersion:
    """Return the version of the tables that are there."""
    if not await _fetch_one(connection, queries.migrations):
        return SchemaVersion()
    row = await (await connection.execute(queries.version)).fetchone()
    return SchemaVersion(*row) if row is not None else SchemaVersion()


async def standing(connection: Connection, address: Address, queries: Queries) -> int:
    """Return the version of the tables; raise StoreError if they are newer than this Heddle."""
    try:
        schema_version = await version(connection, queries)
    except psycopg.Error as error:
        raise failed(address, error) from None
    check(schema_version, address)
    return schema_version.version


async def migrate(
    connection: Connection, address: Address, queries: Queries, *, requested: bool = False
) -> int:
    """Bring the tables to the newest version; the version that they had before.

    What was `asked` for is done though the address says migrate=off.

    Only one does it at a time, and either all of it is done or nothing. Raise StoreError if the tables
    are newer than this Heddle, and, with the SQL to run, where this role may not change them.
    """
    number = await standing(connection, address, queries)
    if number >= newest():
        return number
    if not (address.options.migrate or requested):
        raise StoreError(_behind(address, number, "its address says migrate=off"))
    try:
        return await _migrate(connection, address, queries)
    except errors.InsufficientPrivilege as error:
        why = f"the role {connection.info.user} may not change that: {reason(error)}"
        raise StoreError(_behind(address, number, why)) from None
    except psycopg.Error as error:
        raise failed(address, error) from None


def check(schema_version: SchemaVersion, address: Address) -> None:
    """Raise StoreError if the tables are newer than what this Heddle knows, and say that it matters."""
    if schema_version.readable_since > newest():
        raise StoreError(
            f"the tables of the store {address.shown} have version {schema_version.version}, which is newer than this "
            f"Heddle ({_us()}, which knows {newest()}). Use the Heddle that the others use"
        )


async def _migrate(connection: Connection, address: Address, queries: Queries) -> int:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"the database of the store {address.shown} is encoded as {encoding} (expected: UTF8)"
        )
    async with connection.transaction():
        await connection.execute(queries.alone)
        if not await _fetch_one(connection, queries.schema):
            await connection.execute(f'CREATE SCHEMA "{address.schema}"'.encode())
        # Another may have done it while we waited.
        schema_version = await version(connection, queries)
        check(schema_version, address)
        if schema_version.version >= newest():
            return schema_version.version
        await connection.execute(f'SET LOCAL search_path = "{address.schema}"'.encode())
        for migration in migrations():
            if migration.version > schema_version.version:
                await connection.execute(migration.sql.encode())
                await connection.execute(
                    queries.migrated, [migration.version, migration.name, _us()]
                )
                if migration.version > 1:
                    await connection.execute(
                        queries.readable, [migration.readable_since, migration.version]
                    )
    return schema_version.version


def _behind(address: Address, number: int, why: str) -> str:
    text = f"have version {number}, not {newest()}" if number else "are not there"
    return (
        f"the tables of the store {address.shown} {text}, and {why}. Let the owner of the database "
        f"run `heddle store migrate`, or this SQL:\n\n{script(address.schema, number)}"
    )


async def _fetch_one(connection: Connection, query: bytes) -> Any:
    row = await (await connection.execute(query)).fetchone()
    return row[0] if row is not None else None


def _us() -> str:
    return f"heddle {version_of('heddle-runtime')}"
