"""A Pool lends the connections of one database, and brings them back when the database was away.

Nothing is connected before the first statement. A database that cannot be reached is told of once;
from then on the pool tries by itself, ever more slowly, and tells when it is back.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from heddle.extensions.extension import Tasks
from heddle.extensions.sql.database import Database, SqlConnection
from heddle.extensions.sql.errors import UnreachableError

IDLE = 300.0
"""Seconds after which a connection that nobody used is closed."""

FIRST, LAST = 0.1, 30.0
"""Seconds between the first two attempts to come back, and the longest that they grow to."""

Emit = Callable[..., None]
"""Told an event: `tell("database gone", level="error", reason=…)`."""


class SqlPool:
    """At most `size` connections; who comes when all are lent waits in order."""

    def __init__(self, database: Database, report: Emit, size: int) -> None:
        self.database = database
        self.size = size
        self.down = ""
        self._emit = report
        self._idle: deque[tuple[SqlConnection, float]] = deque()
        self._count = 0
        self._waiting: deque[asyncio.Future[SqlConnection | None]] = deque()
        self._returning: asyncio.Task[None] | None = None
        self._tasks = Tasks(self._failed)
        self._reaper: asyncio.TimerHandle | None = None
        self._closed = False
        self._attempt = 0

    def snapshot(self) -> dict[str, Any]:
        """Return what people may want to see of it."""
        shown = {
            "database": self.database.name,
            "connections": self._count,
            "idle": len(self._idle),
            "waiting": len(self._waiting),
        }
        return shown | ({"down": self.down} if self.down else {})

    def degraded(self) -> str:
        """Return why the database is gone; "" if it is there, as far as is known."""
        return f"{self.database.name} cannot be reached: {self.down}" if self.down else ""

    # -- lending -------------------------------------------------------------------------------

    async def acquire(self, wait: float) -> SqlConnection:
        """Return a connection, within `wait` seconds; UnreachableError says why there is none."""
        if self._idle and not self._idle[-1][0].lost:
            return self._idle.pop()[0]
        try:
            async with asyncio.timeout(wait):
                return await self._acquire()
        except TimeoutError:
            name = self.database.name
            down = self.down
            if not down and self._count < self.size:
                # There was room for another: it was still being opened.
                down = f"no answer within {wait:.3g} s"
            if down:
                raise UnreachableError(f"{name} cannot be reached: {down}") from None
            raise UnreachableError(
                f"no connection to {name} came free within {wait:.3g} s ({self._count} are in use)"
            ) from None

    async def _acquire(self) -> SqlConnection:
        while True:
            if self._closed:
                raise UnreachableError(f"the connections to {self.database.name} are closed")
            while self._idle:
                connection, _ = self._idle.pop()
                if not connection.lost:
                    return connection
                self._drop(connection)
            if self._count < self.size and not self.down:
                sql_connection = await self._connect()
                if sql_connection is not None:
                    return sql_connection
                continue
            given = await self._wait()
            if given is not None:
                return given

    async def _wait(self) -> SqlConnection | None:
        """Wait in the queue: a connection, or None if it is time to look again."""
        turn: asyncio.Future[SqlConnection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            if turn.done() and not turn.cancelled():
                given = turn.result()
                if given is not None:
                    self.release(given)
                else:
                    self._wake()
            raise

    async def _connect(self) -> SqlConnection | None:
        """Return a new connection; None if the database cannot be reached."""
        self._count += 1
        try:
            return await self.database.connect()
        except BaseException as error:
            self._count -= 1
            if not isinstance(error, Exception):
                self._wake()
                raise
            self._fell(error)
            return None

    def release(self, connection: SqlConnection) -> None:
        """Give a connection back; one that is lost says that the database may be gone."""
        if connection.lost:
            self._drop(connection)
            self._fell(ConnectionError(connection.lost))
            return
        if self._closed or self._count > self.size:
            self._drop(connection)
            return
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        loop = asyncio.get_running_loop()
        self._idle.append((connection, loop.time()))
        if self._reaper is None:
            self._reaper = loop.call_later(IDLE, self._reap)

    def _drop(self, connection: SqlConnection) -> None:
        """Close a connection, and let somebody open another in its place."""
        self._count -= 1
        self._tasks.start(connection.close())
        self._wake()

    def _wake(self) -> None:
        """Let whoever waits longest look again."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _reap(self) -> None:
        """Close what nobody used for long."""
        loop = asyncio.get_running_loop()
        self._reaper = None
        while self._idle and self._idle[0][1] <= loop.time() - IDLE:
            self._drop(self._idle.popleft()[0])
        if self._idle:
            self._reaper = loop.call_at(self._idle[0][1] + IDLE, self._reap)

    # -- away and back -------------------------------------------------------------------------

    def _fell(self, error: Exception) -> None:
        """Report once that the database is gone, drop idle connections, and try to reconnect."""
        if self.down or self._closed:
            return
        self.down = _message(error)
        while self._idle:
            self._drop(self._idle.pop()[0])
        self._emit("database gone", level="error", database=self.database.name, reason=self.down)
        self._attempt = 0
        self._returning = self._tasks.start(self._return())

    async def _return(self) -> None:
        """Try until it is back, ever more slowly."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        pause = FIRST
        while True:
            self._attempt += 1
            self._count += 1
            try:
                connection = await self.database.connect()
                break
            except Exception as error:
                self._count -= 1
                self.down = _message(error)
            except BaseException:
                self._count -= 1
                raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST)
        self.down = ""
        self._emit(
            "database back",
            database=self.database.name,
            attempts=self._attempt,
            seconds=round(loop.time() - since, 3),
        )
        self.release(connection)
        for _ in range(min(len(self._waiting), self.size)):
            self._wake()

    async def close(self) -> None:
        """Close everything that is idle; what is lent closes when it is given back."""
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
        if self._returning is not None:
            self._returning.cancel()
        while self._waiting:
            self._wake()
        while self._idle:
            self._drop(self._idle.pop()[0])
        await self._tasks.wait()

    def _failed(self, error: Exception) -> None:
        self._emit(
            "task failed", level="error", database=self.database.name, reason=_message(error)
        )


def _message(error: BaseException) -> str:
    """Return the first line of what an exception says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
