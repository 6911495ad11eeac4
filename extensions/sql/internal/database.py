"""The internal database: SQL over what is managed here, through SQLite's virtual tables.

What a statement asks for is read in one moment in the event loop, and the statement then runs over
that in a thread of its own: neither does it see half of a change, nor does it hold anything up.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, cast

import apsw
import msgspec

from heddle.extensions.extension import NodeError
from heddle.extensions.sql.database import Isolation, Row, StatementResult, columns, too_many
from heddle.extensions.sql.errors import failed, rejected
from heddle.extensions.sql.internal import bounded
from heddle.extensions.sql.internal import runtime_tables as running
from heddle.extensions.sql.internal import store_tables as written
from heddle.extensions.sql.internal.edit_batch import EditBatch
from heddle.extensions.sql.internal.frames import FrameLog
from heddle.extensions.sql.internal.table import Frames, View, VirtualTable
from heddle.extensions.sql.internal.virtual import Module, TableRows
from heddle.extensions.sql.statement import Statement
from heddle.extensions.sql.threaded import Thread
from heddle.runtime.managed import ManagedStores
from heddle.schemas.suggestion import did_you_mean
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource
from heddle.specs.model.value import Value

TABLES: Final[Mapping[str, VirtualTable]] = {
    table.name: table for table in (*written.TABLES, *running.TABLES)
}

_WORDS: Final = re.compile(r"\w+")
_WATCHED: Final = 60.0
"""Seconds for which frames are noted after somebody asked for them."""

LARGEST: Final = 256 * 1024 * 1024
"""Bytes that the rows of a statement may hold: they are all kept until it has run."""

_READING: Final = frozenset(
    {apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE}
)
_CHANGING: Final = frozenset({apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE})
_FORBIDDEN: Final = frozenset({"load_extension", "readfile", "writefile", "edit"})


class InternalDatabase:
    """The managed namespace, as a database. With `writes`, Specs and Values may be changed.

    `seconds` is how long a statement may run. `author` stands in the revisions that it makes.
    """

    dialect = "sqlite"
    most = 4

    def __init__(
        self,
        managed: ManagedStores,
        *,
        writes: bool = False,
        author: str = "sql",
        seconds: float = 10.0,
    ) -> None:
        self.name = "internal"
        self.managed = managed
        self.writes = writes
        self.author = author
        self.seconds = seconds
        self._watches: dict[str, FrameLog] = {}
        self._unwatch: asyncio.TimerHandle | None = None

    async def connect(self) -> "InternalConnection":
        """Return a connection with a thread of its own."""
        return InternalConnection(self)

    def frames(self) -> Mapping[str, FrameLog]:
        """Return the frames that were noted; from now on, and for a while, they are."""
        loop = asyncio.get_running_loop()
        for runtime in self.managed.runtimes:
            if runtime is self.managed.home:
                # Whoever may look at frames must not find the tokens of those who may do more.
                continue
            if runtime.namespace not in self._watches and self.managed.covers(runtime.namespace):
                self._watches[runtime.namespace] = FrameLog(runtime)
        if self._unwatch is not None:
            self._unwatch.cancel()
        self._unwatch = loop.call_later(_WATCHED, self.unwatch)
        return self._watches

    def unwatch(self) -> None:
        """Note frames no more: it costs nothing from here on."""
        if self._unwatch is not None:
            self._unwatch.cancel()
            self._unwatch = None
        for log in self._watches.values():
            log.close()
        self._watches.clear()


class InternalConnection:
    """One connection, and what its transaction changes."""

    def __init__(self, database: InternalDatabase) -> None:
        self._database = database
        self._view = View(database.managed, Frames(database.frames))
        self._editing = EditBatch(database.managed, database.author, "by SQL")
        self._module = Module(TABLES, self._edit)
        self._stored: dict[str, list[Resource | None]] = {}
        self._raw = apsw.Connection(":memory:")
        for name in TABLES:
            self._raw.create_module(
                name, cast("Any", self._module), eponymous_only=True, use_bestindex_object=True
            )
        bounded.bind(self._raw)
        self._raw.authorizer = self._allows
        self._until = 0.0
        self._late = False
        self._raw.set_progress_handler(self._over, 10_000)
        self._thread = Thread("sql.internal", self._raw.interrupt)
        self._closed = False

    @property
    def lost(self) -> str:
        """It lives in this process: only when it is closed is it of no use."""
        return "it is closed" if self._closed else ""

    async def begin(self, isolation: Isolation, *, writes: bool, wait: float) -> None:
        """Begin to gather changes; `commit` makes one change set of them."""

    async def run(
        self, statement: Statement, sets: Sequence[list[Any]], *, most: int, apart: bool = False
    ) -> StatementResult:
        """Read what the statement names, then run it."""
        before = self._editing.state()
        whole = StatementResult(None)
        try:
            for values in sets:
                await self._read(statement.text)
                await self._call(statement, values, most, whole)
        except BaseException:
            self._editing.back_to(before)
            raise
        return whole

    async def stream(
        self, statement: Statement, values: list[Any], *, size: int
    ) -> AsyncIterator[list[Row]]:
        """Yield all rows at once, given in pieces: they were read in one moment."""
        outcome = await self.run(statement, [values], most=0)
        rows = outcome.rows or []
        for start in range(0, len(rows), size):
            yield rows[start : start + size]

    async def commit(self) -> None:
        """Make one change set of what was changed; raise NodeError if it cannot be one."""
        if self._editing.changed:
            await self._editing.commit()
        self._editing.forget()

    async def rollback(self) -> None:
        """Forget what was to be changed."""
        self._editing.forget()

    async def close(self) -> None:
        """Let go of it."""
        if self._closed:
            return
        self._closed = True
        await self._thread.call(self._raw.close)
        self._thread.stop()

    # --- reading ---

    async def _read(self, text: str) -> None:
        """Read the rows of every table that the statement may mean, as they are now."""
        words = {word.lower() for word in _WORDS.findall(text)}
        self._module.rows = {}
        self._stored = {}
        for name in words & TABLES.keys():
            table = TABLES[name]
            if table.writable:
                stored: list[Any] = await (
                    written.specs_of(self._view)
                    if name == "specs"
                    else written.values_of(self._view)
                )
                resources = self._editing.over(stored, Spec if name == "specs" else Value)
                self._stored[name] = list(resources)
                row: Any = written.spec_row if name == "specs" else written.value_row
                self._module.rows[name] = TableRows([row(each) for each in resources])
            else:
                self._module.rows[name] = TableRows(list(await table.rows(self._view)))

    async def _call(
        self, statement: Statement, values: list[Any], most: int, whole: StatementResult
    ) -> None:
        self._until = time.monotonic() + self._database.seconds
        self._late = False
        try:
            await self._thread.call(lambda: self._execute(statement.sql, values, most, whole))
        except apsw.Error as error:
            raise self._failed(error) from error
        except KeyError as error:
            raise rejected(f"the table {error} is named in a way that cannot be seen") from error

    def _execute(self, sql: str, values: list[Any], most: int, whole: StatementResult) -> None:
        before = self._raw.total_changes()
        cursor = self._raw.cursor()
        cursor.execute(sql, [_bound(value) for value in values], can_cache=False)
        try:
            described = cursor.get_description()
        except apsw.ExecutionCompleteError:
            # No rows came, and it is over: what its columns would have been is not told any more.
            described = ()
        if described or not _changes(sql):
            names = columns([name for name, _ in described])
            sorts = [str(sort or "").upper() for _, sort in described]
            whole.rows = whole.rows if whole.rows is not None else []
            held = 0
            for row in cursor:
                held += sum(len(value) for value in row if isinstance(value, str | bytes))
                if held > LARGEST:
                    cursor.close(True)
                    raise rejected(f"the rows hold more than {LARGEST >> 20} MiB: ask for less")
                if most and len(whole.rows) >= most:
                    cursor.close(True)
                    raise too_many(most)
                given = [_converted(value, sort) for value, sort in zip(row, sorts, strict=True)]
                whole.rows.append(dict(zip(names, given, strict=True)))
        whole.affected += self._raw.total_changes() - before

    def _over(self) -> bool:
        self._late = time.monotonic() > self._until
        return self._late

    def _allows(
        self, action: int, first: str | None, second: str | None, _db: str | None, _by: str | None
    ) -> int:
        """Allow nothing but reading, and changing Specs and Values if that is allowed."""
        if action == apsw.SQLITE_FUNCTION and second in _FORBIDDEN:
            return int(apsw.SQLITE_DENY)
        if action in _READING:
            return int(apsw.SQLITE_OK)
        table = TABLES.get(first or "")
        if action in _CHANGING and self._database.writes and table is not None and table.writable:
            return int(apsw.SQLITE_OK)
        return int(apsw.SQLITE_DENY)

    def _failed(self, error: apsw.Error) -> NodeError:
        message = str(error).removeprefix(f"{type(error).__name__}: ")
        if isinstance(error, apsw.InterruptError) or self._late:
            return failed(
                f"the statement ran for more than {self._database.seconds:g} s",
                "SQLITE_INTERRUPT",
                error,
            )
        if isinstance(error, apsw.AuthError | apsw.ReadOnlyError):
            text = "this database is read, not written: only with `source: write` may specs and values change."
            if self._database.writes:
                text = "only the tables specs and values can be changed, and nothing else be done"
            return failed(text, "SQLITE_READONLY", error)
        if message.startswith("no such table: "):
            known = list(TABLES)
            near = did_you_mean(message.partition(": ")[2], known)
            message = f"{message} (there are: {', '.join(known)}). {near}".rstrip(". ")
        return failed(message, type(error).__name__, error)

    # --- changing ---

    def _edit(self, table: VirtualTable, row: int | None, fields: Sequence[Any] | None) -> int:
        stored = self._stored[table.name]
        old = stored[row] if row is not None else None
        new = self._editing.edit(table, old, fields)
        if row is None:
            stored.append(new)
            return len(stored) - 1
        stored[row] = new
        return row


def _changes(sql: str) -> bool:
    return (
        re.match(
            r"\s*(?:with\b.*?\)\s*)?(insert|update|delete|replace)\b",
            sql,
            re.IGNORECASE | re.DOTALL,
        )
        is not None
    )


def _bound(value: Any) -> Any:
    """Return a value as SQLite takes it: lists and maps are JSON text there."""
    if value is None or isinstance(value, str | int | float | bytes):
        return value
    try:
        return msgspec.json.encode(value).decode()
    except TypeError as error:
        raise rejected(f"an argument cannot be JSON text: {error}") from error


def _converted(value: Any, sort: str) -> Any:
    """Return a value of a column as a flow wants it: JSON is what it says, a boolean is one."""
    if sort == "JSON" and isinstance(value, str):
        return msgspec.json.decode(value)
    return bool(value) if sort == "BOOLEAN" and value is not None else value
