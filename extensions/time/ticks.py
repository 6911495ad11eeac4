"""Ticks are the runs of one timer: what runs, what waits, and what was left out.

They outlive the node: a timer that was changed hands them to its successor, so that the next tick
stays due when it was, and a tick that still runs counts as running.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias

import msgspec

from heddle.extensions.extension import Error, Tasks

Overlap: TypeAlias = Literal["skip", "queue", "parallel"]


class Tick(msgspec.Struct, frozen=True):
    """One tick: when it was due, which one it is, and how many were left out before it."""

    at: float
    count: int
    missed: int


class Ticks:
    """Runs ticks as the policy says; `start` is what one run is.

    `emit` is called once when ticks begin to be left out.
    """

    def __init__(self) -> None:
        self.next: float | None = None
        self.count = 0
        self.left_out = 0
        self.start: Callable[[Tick], Awaitable[None]] | None = None
        self.emit: Callable[..., Any] = lambda *_, **__: None
        self.overlap: Overlap = "skip"
        self.limit = 1
        self._running = Tasks(self._failed)
        self._waiting: deque[Tick] = deque()
        self._missed = 0
        self._reported = False

    def snapshot(self) -> dict[str, Any]:
        """Return what people may want to see of them."""
        return {
            "ticks": self.count,
            "running": len(self._running),
            "waiting": len(self._waiting),
            "left_out": self.left_out,
        }

    @property
    def running(self) -> int:
        """How many ticks run."""
        return len(self._running)

    def add(self, at: float, missed: int = 0) -> None:
        """Add a tick that is due, and the number of ticks missed before it."""
        if self._running and self.overlap != "parallel":
            full = self.overlap == "skip" or len(self._waiting) >= self.limit
        else:
            full = len(self._running) >= self.limit and self.overlap == "parallel"
        if full:
            self._leave_out(1 + missed)
            return
        self.count += 1
        missed += self._missed
        self._missed = 0
        tick = Tick(at, self.count, missed)
        if self._running and self.overlap == "queue":
            self._waiting.append(tick)
            return
        self._reported = False
        self._run(tick)

    def miss(self, missed: int) -> None:
        """So many ticks are not made up for."""
        self.left_out += missed
        self._missed += missed

    def _leave_out(self, missed: int) -> None:
        self.miss(missed)
        if not self._reported:
            self._reported = True
            why = {
                "skip": "the last one still runs",
                "queue": f"{len(self._waiting)} wait already",
                "parallel": f"{len(self._running)} run already",
            }[self.overlap]
            self.emit("tick left out", level="warning", reason=why)

    def _run(self, tick: Tick) -> None:
        if self.start is None:
            return
        self._running.start(self.start(tick)).add_done_callback(self._ended)

    def _failed(self, error: Exception) -> None:
        self.emit("tick failed", level="error", error=Error.of(error))

    def _ended(self, task: "asyncio.Task[None]") -> None:
        del task
        if self._waiting and not self._running:
            self._run(self._waiting.popleft())

    def stop(self) -> None:
        """Begin no more."""
        self.start = None
        self._waiting.clear()

    async def wait(self) -> None:
        """Wait until nothing runs."""
        await self._running.wait()
