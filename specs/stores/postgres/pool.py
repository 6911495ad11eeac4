"""A Pool lends a few connections, each to one borrower at a time.

It has no task of its own: the borrower that needs a new connection opens it itself. So nothing is
left behind when the pool is closed, whether the server is there or not.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg.pq import TransactionStatus

Connection: TypeAlias = psycopg.AsyncConnection[Any]

IDLE = 600.0
"""Seconds without use after which a connection beyond the least number is closed."""

SHORTEST = 1.0
"""Seconds that an attempt to connect may take at least, however little time is left."""


class PoolBusyError(Exception):
    """Every connection is lent, and none came back in time."""


class PoolClosedError(Exception):
    """The pool is closed."""


class ConnectError(Exception):
    """A new connection could not be opened; the cause says why."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class ConnectionPool:
    """At most `most` connections, made by `connect`; the last `least` that are idle stay open."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], least: int, most: int) -> None:
        self._connect = connect
        self._least = least
        self._most = most
        self._idle: deque[tuple[Connection, float]] = deque()
        self._scopes: set[asyncio.Timeout] = set()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._reaper: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._closed = False

    @property
    def size(self) -> int:
        """How many connections there are: idle, lent, and being opened."""
        return len(self._idle) + len(self._scopes)

    @asynccontextmanager
    async def connection(self, wait: float) -> AsyncIterator[Connection]:
        """Lend a connection for the block; one that is not idle afterwards is closed.

        PoolBusyError if none comes free within `wait` seconds, ConnectError if a new one cannot be opened,
        PoolClosedError if the pool is closed, also while the block runs.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + wait
        while not (self._idle or self._closed or self.size < self._most):
            await self._turn(end - loop.time())
        if self._closed:
            raise PoolClosedError
        scope = asyncio.timeout(None)
        held = self._take()
        self._scopes.add(scope)
        try:
            async with scope:
                if held is None:
                    held = await self._opened(max(end - loop.time(), SHORTEST))
                yield held
        except TimeoutError:
            # Nothing else lets it expire but to close the pool.
            if scope.expired():
                raise PoolClosedError from None
            raise
        finally:
            self._scopes.discard(scope)
            await self._give_back(held)

    async def close(self) -> None:
        """Close every connection; whoever works on one, or waits for one, gets PoolClosedError."""
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
            self._reaper = None
        while self._waiting:
            self._wake()
        await self.forget()
        now = asyncio.get_running_loop().time()
        for scope in self._scopes:
            scope.reschedule(now)
        while self._scopes:
            self._empty.clear()
            await self._empty.wait()

    async def forget(self) -> None:
        """Close what is idle: the server was lost, and most likely all connections with it."""
        idle, self._idle = self._idle, deque()
        for connection, _ in idle:
            await connection.close()

    # --- lending ---

    def _take(self) -> Connection | None:
        """Return an idle connection, the one that was used last; None if there is none."""
        while self._idle:
            connection, _ = self._idle.pop()
            if not connection.closed:
                return connection
        return None

    async def _opened(self, seconds: float) -> Connection:
        """Open one more connection."""
        try:
            async with asyncio.timeout(seconds):
                return await self._connect()
        except TimeoutError:
            if self._closed:
                raise
            raise ConnectError(TimeoutError(f"no answer within {seconds:g} s")) from None
        except (psycopg.Error, OSError) as error:
            raise ConnectError(error) from error

    async def _turn(self, seconds: float) -> None:
        """Wait until it makes sense to look again; PoolBusyError after so many seconds."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await turn
        except BaseException as error:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif turn.done() and not turn.cancelled():
                # It was its turn, and it cannot take it any more: that is for the next one.
                self._wake()
            if isinstance(error, TimeoutError):
                raise PoolBusyError from None
            raise

    async def _give_back(self, connection: Connection | None) -> None:
        """Keep a connection for the next borrower if it is of use, close it otherwise."""
        loop = asyncio.get_running_loop()
        usable = connection is not None and not (connection.closed or self._closed)
        if connection is None:
            pass
        elif usable and connection.pgconn.transaction_status == TransactionStatus.IDLE:
            self._idle.append((connection, loop.time()))
            if len(self._idle) > self._least and self._reaper is None:
                self._reaper = loop.call_later(IDLE, self._reap)
        else:
            # Nothing is waited for here: the socket is closed at once.
            await connection.close()
        self._wake()
        self._empty.set()

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
        while len(self._idle) > self._least and self._idle[0][1] <= loop.time() - IDLE:
            connection, _ = self._idle.popleft()
            connection.pgconn.finish()
        if len(self._idle) > self._least:
            self._reaper = loop.call_at(self._idle[0][1] + IDLE, self._reap)
