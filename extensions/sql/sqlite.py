"""SQLite: each connection has a thread of its own, and those who write take turns in order."""

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

from heddle.extensions.extension import NodeError
from heddle.extensions.sql.booleans import BooleanColumns
from heddle.extensions.sql.database import Isolation, Row, StatementResult, columns, too_many
from heddle.extensions.sql.errors import failed, rejected
from heddle.extensions.sql.statement import Statement
from heddle.extensions.sql.threaded import Thread

T = TypeVar("T")

_PRAGMA = re.compile(r"_[a-z_]+", re.ASCII)
_VALUE = re.compile(r"[\w.-]+", re.ASCII)
_MEMORY = (":memory:", "")


class SqliteDatabase:
    """A file, or memory: what is in memory has one connection, and is gone when that closes.

    `source` is a path, `:memory:`, `sqlite:///path` or `file:path?…`. A parameter that begins with
    `_` is a pragma: `app.db?_journal_mode=wal&_foreign_keys=off`. Raise ValueError if it cannot be.
    """

    dialect = "sqlite"

    def __init__(self, source: str) -> None:
        text = re.sub(r"^(sqlite3?:(///?)?|file:)", "", source)
        path, _, query = text.partition("?")
        options = dict(parse_qsl(query, keep_blank_values=True))
        self.memory = path in _MEMORY or options.get("mode") == "memory"
        self.pragmas = {"foreign_keys": "on"}
        for name in [name for name in options if _PRAGMA.fullmatch(name)]:
            value = options.pop(name)
            if not _VALUE.fullmatch(value):
                raise ValueError(f'the pragma {name[1:]} cannot be "{value}"')
            self.pragmas[{"_fk": "foreign_keys"}.get(name, name[1:])] = value
        self.path = path
        self.name = f"sqlite:{':memory:' if self.memory else path}"
        self.most = 1 if self.memory else 1000
        self.writing = asyncio.Lock()
        self.writers = 0
        self._options = options

    async def connect(self) -> "SqliteConnection":
        """Open the file, in a thread of its own."""
        thread = Thread(self.name)
        try:
            raw, snapshots = await thread.call(self._open)
        except BaseException:
            thread.stop()
            raise
        thread.interrupt = raw.interrupt
        return SqliteConnection(self, raw, thread, snapshots=snapshots)

    def _open(self) -> tuple[sqlite3.Connection, bool]:
        """Return the connection, and whether readers keep a snapshot while others write (WAL)."""
        if self.memory:
            uri = ":memory:"
        else:
            folder = Path(self.path).parent
            if not folder.is_dir():
                raise FileNotFoundError(f"there is no folder {folder}")
            options = f"?{urlencode(self._options)}" if self._options else ""
            uri = f"file:{quote(self.path)}{options}"
        raw = sqlite3.connect(
            uri, uri=not self.memory, isolation_level=None, check_same_thread=False, timeout=5.0
        )
        try:
            for name, value in self.pragmas.items():
                raw.execute(f"PRAGMA {name} = {value}").fetchall()
            # A file that is not a database is found out now, and not by the first statement.
            raw.execute("PRAGMA schema_version").fetchall()
            snapshots = raw.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        except BaseException:
            raw.close()
            raise
        return raw, snapshots


class SqliteConnection:
    """One connection and its thread."""

    def __init__(
        self, database: SqliteDatabase, raw: sqlite3.Connection, thread: Thread, *, snapshots: bool
    ) -> None:
        self._database = database
        self._snapshots = snapshots
        self._has_read = False
        self._raw = raw
        self._thread = thread
        self._booleans = BooleanColumns(raw)
        self._wait = 5.0
        self._writes = False
        self._within = False
        self._begins = ""
        self._closed = False

    @property
    def lost(self) -> str:
        """A file does not go away under its connection."""
        return "it is closed" if self._closed else ""

    async def begin(self, isolation: Isolation, *, writes: bool, wait: float) -> None:
        """Begin; a transaction that is serializable waits for those that write before it reads."""
        self._wait = wait
        if writes or isolation == "serializable":
            await self._take_turn()
        # It goes to the thread together with the first statement: each way there costs time.
        self._begins = f"BEGIN {'IMMEDIATE' if self._writes else 'DEFERRED'}"
        self._within = True

    async def _take_turn(self) -> None:
        """Become the one that writes: in order, and without asking the file again and again."""
        if self._writes:
            return
        if self._has_read and not self._snapshots and self._database.writers:
            # Without snapshots the others cannot commit before this one is done with reading.
            raise _late(self._database.name, TimeoutError())
        self._database.writers += 1
        try:
            async with asyncio.timeout(self._wait):
                await self._database.writing.acquire()
        except BaseException as error:
            self._database.writers -= 1
            if not isinstance(error, TimeoutError):
                raise
            raise failed(
                f"another process has been writing to {self._database.name} for {self._wait:g} s",
                "SQLITE_BUSY",
                TimeoutError(),
            ) from None
        self._writes = True

    async def run(
        self, statement: Statement, sets: Sequence[list[Any]], *, most: int, apart: bool = False
    ) -> StatementResult:
        """SQLite undoes a statement that fails by itself; `apart` is for several sets."""
        given = [[_bound(value) for value in values] for values in sets]
        if not statement.reads:
            await self._take_turn()
        try:
            if not apart or len(given) < 2:
                return await self._do(lambda: self._run(statement, given, most))
            return await self._do(lambda: self._run_apart(statement, given, most))
        except NodeError as failure:
            raise self._judged(failure) from None
        finally:
            self._has_read = self._within
            if not self._within:
                self._done()

    def _judged(self, failure: NodeError) -> NodeError:
        """Return `serialization` instead of `locked` if this one has read, and is too late to write."""
        if not self._has_read or failure.error.code != "locked":
            return failure
        return _late(self._database.name, failure)

    def _run_apart(self, statement: Statement, sets: list[list[Any]], most: int) -> StatementResult:
        self._raw.execute("SAVEPOINT heddle_apart")
        try:
            return self._run(statement, sets, most)
        except BaseException:
            if self._raw.in_transaction:
                self._raw.execute("ROLLBACK TO heddle_apart")
            raise
        finally:
            if self._raw.in_transaction:
                self._raw.execute("RELEASE heddle_apart")

    def _run(self, statement: Statement, sets: list[list[Any]], most: int) -> StatementResult:
        whole = StatementResult(None)
        for values in sets:
            cursor = self._raw.execute(statement.sql, values)
            if cursor.description is not None:
                whole.rows = whole.rows if whole.rows is not None else []
                _gather(cursor, whole.rows, most, self._booleans.of(statement))
            affected = max(cursor.rowcount, 0)
            whole.affected += affected
            if cursor.description is None and affected:
                whole.key = cursor.lastrowid
            cursor.close()
        return whole

    async def stream(
        self, statement: Statement, values: list[Any], *, size: int
    ) -> AsyncIterator[list[Row]]:
        """Yield batches; the cursor stays open between them."""
        given = [_bound(value) for value in values]
        if not statement.reads:
            await self._take_turn()
        cursor = await self._do(lambda: self._raw.execute(statement.sql, given))
        self._has_read = self._within
        try:
            names = _names(cursor)
            flags = [
                names[number] for number in await self._do(lambda: self._booleans.of(statement))
            ]
            while rows := await self._do(lambda: cursor.fetchmany(size)):
                batch = [dict(zip(names, row, strict=True)) for row in rows]
                for row in batch if flags else ():
                    _flag(row, flags)
                yield batch
        finally:
            cursor.close()

    async def commit(self) -> None:
        """NodeError if SQLite has given the transaction up by itself."""
        if not self._begins:
            if not self._raw.in_transaction:
                raise rejected(
                    "the transaction was rolled back: SQLite had to give it up after an error"
                )
            await self._do(lambda: self._raw.execute("COMMIT"))
        self._done()

    async def rollback(self) -> None:
        """Undo what was done."""
        try:
            await self._thread.call(self._undo)
        except sqlite3.Error:
            await self.close()
        finally:
            self._done()

    def _undo(self) -> None:
        if self._raw.in_transaction:
            self._raw.execute("ROLLBACK")

    def _done(self) -> None:
        self._begins = ""
        self._within = self._has_read = False
        if self._writes:
            self._writes = False
            self._database.writers -= 1
            self._database.writing.release()

    async def close(self) -> None:
        """Close it, and let its thread end."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._thread.call(self._close)
        except sqlite3.Error:
            return
        finally:
            self._thread.stop()

    def _close(self) -> None:
        self._booleans.close()
        self._raw.close()

    def _beginning(self, act: Callable[[], T]) -> Callable[[], T]:
        """Return the same, with the transaction begun before it."""
        begins, self._begins = self._begins, ""

        def both() -> T:
            self._raw.execute(begins)
            return act()

        return both

    async def _do(self, act: Callable[[], T]) -> T:
        """Run something in the thread; what SQLite raises becomes a NodeError."""
        try:
            return await self._thread.call(self._beginning(act) if self._begins else act)
        except sqlite3.Error as error:
            raise _failed(error) from error
        except OverflowError as error:
            raise rejected("a number is too large for SQLite: 64 bits are the most") from error


def _names(cursor: sqlite3.Cursor) -> list[str]:
    return columns([column[0] for column in cursor.description or ()])


def _gather(cursor: sqlite3.Cursor, rows: list[Row], most: int, booleans: tuple[int, ...]) -> None:
    """Add the rows of a cursor, with true and false in these columns; NodeError past the limit."""
    names = _names(cursor)
    begun = len(rows)
    for row in cursor:
        if most and len(rows) >= most:
            raise too_many(most)
        rows.append(dict(zip(names, row, strict=True)))
    flags = [names[number] for number in booleans]
    for made in rows[begun:] if flags else ():
        _flag(made, flags)


def _flag(row: Row, names: list[str]) -> None:
    """Make true and false of 1 and 0; whatever else stands there stays."""
    for name in names:
        value = row[name]
        if type(value) is int and 0 <= value <= 1:
            row[name] = value == 1


def _bound(value: Any) -> Any:
    """Return a value as SQLite takes it: lists and maps are JSON text there."""
    if value is None or isinstance(value, str | int | float | bytes):
        return value
    if isinstance(value, list | dict):
        try:
            return json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError) as error:
            raise rejected(f"an argument cannot be JSON text: {error}") from error
    raise rejected(f"an argument cannot be a {type(value).__name__}")


def _late(name: str, cause: Exception) -> NodeError:
    """Return the rejection of a process that has read, and would write what others write."""
    message = (
        f"others have begun to write to {name} since this process began to read; with isolation: "
        "serializable it would have waited for them"
    )
    return failed(message, "SQLITE_BUSY_SNAPSHOT", cause)


def _failed(error: sqlite3.Error) -> NodeError:
    state = getattr(error, "sqlite_errorname", "") or ""
    message = str(error)
    if state == "SQLITE_BUSY_SNAPSHOT":
        message += (
            ": others have written since this process began to read; with isolation: serializable "
            "it would have waited for them"
        )
    return failed(message, state, error)
