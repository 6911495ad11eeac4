"""Any other database, through SQLAlchemy and the driver that its URL names, in threads."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from heddle.extensions.extension import NodeError
from heddle.extensions.sql.database import Isolation, Row, StatementResult, columns, too_many
from heddle.extensions.sql.errors import failed, unconfirmed
from heddle.extensions.sql.statement import Statement
from heddle.extensions.sql.threaded import Thread
from heddle.extensions.sql.values import plain

T = TypeVar("T")


class AlchemyDatabase:
    """A database behind a SQLAlchemy URL. ValueError or ImportError if there is no such driver."""

    dialect = "other"
    most = 1000

    def __init__(self, source: str) -> None:
        try:
            url = sqlalchemy.make_url(source)
            self._engine = sqlalchemy.create_engine(url, poolclass=NullPool)
        except NoSuchModuleError as error:
            name = source.partition("://")[0]
            raise ValueError(f'SQLAlchemy knows no database "{name}" here') from error
        except ArgumentError as error:
            raise ValueError(str(error).partition("\n")[0]) from error
        self.name = url.set(query={}).render_as_string(hide_password=True)

    async def connect(self) -> "AlchemyConnection":
        """Return a connection in a thread of its own."""
        thread = Thread(self.name)
        try:
            raw = await thread.call(self._engine.connect)
        except BaseException:
            thread.stop()
            raise
        return AlchemyConnection(raw, thread)


class AlchemyConnection:
    """One connection and its thread."""

    def __init__(self, raw: sqlalchemy.Connection, thread: Thread) -> None:
        self._raw = raw
        self._thread = thread
        self._why = ""
        self._closed = False

    @property
    def lost(self) -> str:
        """Why it is of no use any more, as far as the driver tells."""
        return self._why

    async def begin(self, isolation: Isolation, *, writes: bool, wait: float) -> None:
        """Begin, as isolated as the driver can."""
        del writes, wait

        def act() -> None:
            if isolation != "default":
                self._raw.execution_options(isolation_level=isolation.upper())
            self._raw.begin()

        await self._do(act)

    async def run(
        self, statement: Statement, sets: Sequence[list[Any]], *, most: int, apart: bool = False
    ) -> StatementResult:
        """Outside of a transaction it commits by itself; `apart` takes a savepoint."""

        def act() -> StatementResult:
            if not self._raw.in_transaction():
                with self._raw.begin():
                    return self._run(statement, sets, most)
            if not apart:
                return self._run(statement, sets, most)
            with self._raw.begin_nested():
                return self._run(statement, sets, most)

        return await self._do(act)

    def _run(self, statement: Statement, sets: Sequence[list[Any]], most: int) -> StatementResult:
        whole = StatementResult(None)
        for values in sets:
            with self._raw.execute(sqlalchemy.text(statement.sql), _named(values)) as result:
                if not result.returns_rows:
                    whole.affected += max(result.rowcount, 0)
                    whole.key = _key(result) if result.rowcount > 0 else whole.key
                    continue
                rows = whole.rows if whole.rows is not None else []
                names = columns(list(result.keys()))
                for row in result:
                    if most and len(rows) >= most:
                        raise too_many(most)
                    rows.append(_row(names, row))
                whole.rows = rows
        return whole

    async def stream(
        self, statement: Statement, values: list[Any], *, size: int
    ) -> AsyncIterator[list[Row]]:
        """Yield the driver keeps a cursor of the server if it can."""
        text = sqlalchemy.text(statement.sql).execution_options(stream_results=True)
        result = await self._do(lambda: self._raw.execute(text, _named(values)))
        try:
            names = columns(list(result.keys()))
            while rows := await self._do(lambda: result.fetchmany(size)):
                yield [_row(names, row) for row in rows]
        finally:
            result.close()

    async def commit(self) -> None:
        """Make it last."""
        try:
            await self._do(self._raw.commit)
        except NodeError as error:
            if not self._why:
                raise
            raise unconfirmed(error.error.message, "", error) from error

    async def rollback(self) -> None:
        """Undo what was done; a connection that cannot is closed."""
        try:
            await self._do(self._raw.rollback)
        except NodeError as error:
            self._why = self._why or str(error)

    async def close(self) -> None:
        """Close it, and let its thread end."""
        if self._closed:
            return
        self._closed = True
        self._why = self._why or "it is closed"
        try:
            await self._thread.call(self._raw.close)
        except SQLAlchemyError:
            return
        finally:
            self._thread.stop()

    async def _do(self, act: Callable[[], T]) -> T:
        try:
            return await self._thread.call(act)
        except DBAPIError as error:
            message = (str(error.orig).strip() or str(error)).splitlines()[0]
            if error.connection_invalidated:
                self._why = message
            state = getattr(error.orig, "sqlstate", None) or getattr(
                error.orig, "sqlite_errorname", ""
            )
            raise failed(message, str(state or ""), error) from error
        except SQLAlchemyError as error:
            raise failed(str(error).splitlines()[0], "", error) from error


def _named(values: Sequence[Any]) -> dict[str, Any]:
    return {f"p{number}": value for number, value in enumerate(values, 1)}


def _row(names: Sequence[str], row: Sequence[Any]) -> Row:
    return {name: plain(value) for name, value in zip(names, row, strict=True)}


def _key(result: "sqlalchemy.CursorResult[Any]") -> Any:
    """Return the key that the driver was told, if it is one that tells."""
    try:
        return plain(result.lastrowid) or None
    except (AttributeError, SQLAlchemyError):
        return None
