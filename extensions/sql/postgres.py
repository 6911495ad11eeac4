"""PostgreSQL, through psycopg 3: placeholders are the server's own, values never become SQL."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import count
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb, JsonbDumper, set_json_loads
from psycopg.types.string import TextLoader

from heddle.extensions.extension import NodeError
from heddle.extensions.sql.database import Isolation, Row, StatementResult, columns, too_many
from heddle.extensions.sql.errors import failed, rejected, unconfirmed
from heddle.extensions.sql.statement import Statement
from heddle.extensions.sql.values import number

_AS_TEXT = ("date", "time", "timetz", "interval", "uuid", "inet", "cidr", "macaddr")
_RANGES = ("int4", "int8", "num", "date", "ts", "tstz")

CONNECT = 10.0
"""Seconds until an attempt to connect is given up, if the source says nothing."""


class PostgresDatabase:
    """A database behind a URL or a `key=value` text. Raise ValueError if the source is neither."""

    dialect = "postgres"
    most = 1000

    def __init__(self, source: str) -> None:
        text = source
        for scheme in ("pgx://", "pg://"):
            if source.startswith(scheme):
                text = f"postgresql://{source.removeprefix(scheme)}"
        try:
            mapping = conninfo_to_dict(text)
        except psycopg.ProgrammingError as error:
            # What libpq complains of may hold the password.
            raise ValueError("it is not a URL and no connection text of PostgreSQL") from error
        where = str(mapping.get("host") or mapping.get("hostaddr") or "localhost")
        port = f":{mapping['port']}" if mapping.get("port") else ""
        self.name = (
            f"postgresql://{where}{port}/{mapping.get('dbname') or mapping.get('user') or ''}"
        )
        self._source = text
        self._timeout = None if "connect_timeout" in mapping else int(CONNECT)

    async def connect(self) -> "PostgresConnection":
        """Return a connection of its own; psycopg.Error says why there is none."""
        more: dict[str, Any] = {"connect_timeout": self._timeout} if self._timeout else {}
        raw = await psycopg.AsyncConnection.connect(
            self._source, autocommit=True, cursor_factory=psycopg.AsyncRawCursor, **more
        )
        _adapt(raw)
        return PostgresConnection(raw)


class PostgresConnection:
    """One connection, which begins and ends its transactions itself."""

    def __init__(self, raw: "psycopg.AsyncConnection[Any]") -> None:
        self._raw = raw
        self._why = ""
        self._cursors = count(1)
        self._spoilt: NodeError | None = None
        self._within = False

    @property
    def lost(self) -> str:
        """Why the server is not at the other end any more."""
        if not self._raw.closed:
            return ""
        return self._why or "the connection was lost"

    async def begin(self, isolation: Isolation, *, writes: bool, wait: float) -> None:
        """Begin; PostgreSQL keeps those who write apart row by row."""
        del writes, wait
        self._spoilt = None
        level = "" if isolation == "default" else f" ISOLATION LEVEL {isolation.upper()}"
        await self._execute(f"BEGIN{level}")
        self._within = True

    async def run(
        self, statement: Statement, sets: Sequence[list[Any]], *, most: int, apart: bool = False
    ) -> StatementResult:
        """Return a statement that fails spoils the transaction, unless it is kept `apart`."""
        if self._spoilt is not None:
            raise rejected(f"an earlier error has spoilt the transaction: {self._spoilt}")
        if not apart:
            return await self._run(statement, sets, most)
        await self._execute("SAVEPOINT heddle_apart")
        try:
            outcome = await self._run(statement, sets, most)
        except BaseException:
            if not self._raw.closed:
                await self._execute("ROLLBACK TO SAVEPOINT heddle_apart")
                self._spoilt = None
            raise
        await self._execute("RELEASE SAVEPOINT heddle_apart")
        return outcome

    async def _run(
        self, statement: Statement, sets: Sequence[list[Any]], most: int
    ) -> StatementResult:
        whole = StatementResult(None)
        for values in sets:
            given = [_bound(value) for value in values]
            cursor = await self._execute(statement.sql, given, prepare=None if given else True)
            if cursor.description is None:
                whole.affected += max(cursor.rowcount, 0)
                continue
            rows = whole.rows if whole.rows is not None else []
            if most and len(rows) + cursor.rowcount > most:
                raise too_many(most)
            names = _names(cursor)
            rows += [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]
            whole.rows = rows
        return whole

    async def stream(
        self, statement: Statement, values: list[Any], *, size: int
    ) -> AsyncIterator[list[Row]]:
        """Through a cursor of the server: only a SELECT or VALUES has one."""
        cursor: psycopg.AsyncRawServerCursor[Any] = psycopg.AsyncRawServerCursor(
            self._raw, f"heddle_{next(self._cursors)}"
        )
        try:
            await cursor.execute(statement.sql.encode(), [_bound(value) for value in values])
            names = _names(cursor)
            while rows := await cursor.fetchmany(size):
                yield [dict(zip(names, row, strict=True)) for row in rows]
        except psycopg.Error as error:
            raise self._failed(error) from error
        finally:
            with suppress(psycopg.Error):
                await cursor.close()

    async def commit(self) -> None:
        """NodeError if PostgreSQL rolls back instead, as it does after an error."""
        self._within = False
        try:
            cursor = await self._execute("COMMIT")
        except NodeError as error:
            if not self._raw.closed:
                raise
            state = error.error.data["state"] if isinstance(error.error.data, dict) else ""
            raise unconfirmed(error.error.message, state, error) from error
        if cursor.statusmessage != "COMMIT":
            why = f": {self._spoilt}" if self._spoilt is not None else ""
            raise rejected(
                f"nothing was committed: an earlier error has spoilt the transaction{why}"
            )

    async def rollback(self) -> None:
        """Undo what was done; a connection that cannot is closed."""
        self._within = False
        if self._raw.closed:
            return
        if self._raw.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            return
        try:
            await self._execute("ROLLBACK")
        except (NodeError, asyncio.CancelledError):
            await self._raw.close()
            raise

    async def close(self) -> None:
        """Let go of it."""
        with suppress(psycopg.Error):
            await self._raw.close()

    async def _execute(
        self, sql: str, values: Sequence[Any] = (), *, prepare: bool | None = False
    ) -> "psycopg.AsyncCursor[Any]":
        """Run it; what is prepared is one statement, without values it might else be several."""
        try:
            return await self._raw.execute(sql.encode(), values or None, prepare=prepare)
        except psycopg.Error as error:
            raise self._failed(error) from error
        except ValueError as error:
            raise rejected(f"an argument cannot be sent to PostgreSQL: {error}") from error

    def _failed(self, error: psycopg.Error) -> NodeError:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        if self._raw.closed:
            self._why = lines[0]
        diag = error.diag
        failure = failed(
            diag.message_primary or lines[0],
            error.sqlstate or "",
            error,
            detail=diag.message_detail,
            hint=diag.message_hint,
            constraint=diag.constraint_name,
            table=diag.table_name,
            column=diag.column_name,
        )
        if self._within and self._spoilt is None:
            self._spoilt = failure
        return failure


class _NumericLoader(Loader):
    """A numeric as a number."""

    def load(self, data: Buffer) -> int | float:
        return number(Decimal(bytes(data).decode()))


class _Timestamp(Loader):
    """A timestamp as ISO 8601: `2024-01-31T10:00:00+00:00`."""

    def load(self, data: Buffer) -> str:
        text = bytes(data).decode().replace(" ", "T", 1)
        return f"{text}:00" if text[-3:-2] in ("+", "-") and ":" in text else text


def _adapt(raw: "psycopg.AsyncConnection[Any]") -> None:
    """Say how values go in and come out of this connection."""
    adapters = raw.adapters
    ranges = [f"{name}{kind}" for name in _RANGES for kind in ("range", "multirange")]
    for name in (*_AS_TEXT, *ranges):
        adapters.register_loader(name, TextLoader)
    adapters.register_loader("numeric", _NumericLoader)
    adapters.register_loader("timestamp", _Timestamp)
    adapters.register_loader("timestamptz", _Timestamp)
    adapters.register_dumper(dict, JsonbDumper)
    set_json_loads(json.loads, raw)


def _bound(value: Any) -> Any:
    """Return a value as psycopg takes it: maps are jsonb, and so are lists with maps or lists in them."""
    if value is None or isinstance(value, str | bool | int | float | bytes | Mapping):
        return value
    if isinstance(value, list):
        if any(isinstance(item, dict) for item in value):
            return Jsonb(value)
        return _array(value)
    raise rejected(f"an argument cannot be a {type(value).__name__}")


def _array(items: list[Any]) -> str:
    """Return a list as the text of an array: like other text, it becomes what is wanted in its place."""
    return "{" + ",".join(_item(item) for item in items) + "}"


def _item(item: Any) -> str:
    if item is None:
        return "NULL"
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, list):
        return _array(item)
    if isinstance(item, bytes):
        return f'"\\\\x{item.hex()}"'
    if isinstance(item, int | float):
        return str(item)
    if isinstance(item, str):
        escaped = item.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    raise rejected(f"a list for an array cannot hold a {type(item).__name__}")


def _names(cursor: "psycopg.AsyncCursor[Any] | psycopg.AsyncRawServerCursor[Any]") -> list[str]:
    return columns([column.name for column in cursor.description or ()])
