"""One clock for all timeouts of a server, and for the Date of its responses.

It ticks a few times in the shortest timeout and at least once a second, and only while there are
connections; so a request costs no timer. Deadlines are late by up to one tick, never early.
"""

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from math import inf
from typing import Final

from heddle.extensions.net.http.limits import HttpLimits
from heddle.extensions.net.http.response import phrase

_SLOWEST: Final = 1.0
_QUICKEST: Final = 0.01


class LoopClock:
    """`now` is the loop's time as of the last tick; `after(seconds)` a deadline that may be set."""

    def __init__(self, on_tick: Callable[[float, float], None], server_name: str = "") -> None:
        """`on_tick(now, lag)`: lag is how long the loop stood still beyond a tick."""
        self.now = 0.0
        self.tick = _SLOWEST
        self._on_tick = on_tick
        self._server = f"Server: {server_name}\r\n".encode() if server_name else b""
        self._handle: asyncio.TimerHandle | None = None
        self._second = 0
        self._prefixes: dict[int, bytes] = {}

    def pace(self, limits: HttpLimits) -> None:
        """Tick often enough for these limits."""
        waits = (
            limits.header_timeout,
            limits.body_timeout,
            limits.idle_timeout,
            limits.answer_timeout,
            limits.send_timeout,
        )
        shortest = min((wait for wait in waits if wait is not None), default=inf)
        self.tick = min(max(shortest / 4, _QUICKEST), _SLOWEST)
        if self._handle is not None:
            self.stop()
            self.start()

    def start(self) -> None:
        """Tick from now on; a clock that ticks goes on ticking."""
        if self._handle is None:
            loop = asyncio.get_running_loop()
            self.now = loop.time()
            self._keep_date()
            self._handle = loop.call_later(self.tick, self._strike, loop)

    def stop(self) -> None:
        """Tick no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def after(self, seconds: float | None) -> float:
        """Return the deadline that many seconds from now; never, for None."""
        return inf if seconds is None else self.now + self.tick + seconds

    def prefix(self, status: int) -> bytes:
        """Return the status line and the Date of a response that is sent now."""
        prefix = self._prefixes.get(status)
        if prefix is None:
            line = f"HTTP/1.1 {status} {phrase(status)}\r\nDate: {formatdate(self._second, usegmt=True)}\r\n"
            prefix = self._prefixes[status] = line.encode() + self._server
        return prefix

    def undated(self, status: int) -> bytes:
        """Return the status line of a response that has the Date of somebody else."""
        return f"HTTP/1.1 {status} {phrase(status)}\r\n".encode() + self._server

    def _strike(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        lag = max(now - self.now - 2 * self.tick, 0.0)
        self.now = now
        self._keep_date()
        self._handle = loop.call_later(self.tick, self._strike, loop)
        self._on_tick(now, lag)

    def _keep_date(self) -> None:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._prefixes.clear()
