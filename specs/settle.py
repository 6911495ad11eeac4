"""Settling gathers paths that changed until they lie still, and gives them as one batch."""

import asyncio

QUICK = 0.003
"""Seconds to wait after a finished write for what was saved together with it."""

SLOW = 0.1
"""Seconds that a vanished, emptied or half-written file has to become whole again."""

LONGEST = 0.5
"""Seconds after which a batch is given though changes keep coming."""


class Settling:
    """Paths on their way into a batch. Made and used inside one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._due: dict[str, float] = {}
        self._first = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._ready = asyncio.Event()

    def touch(self, path: str, wait: float = QUICK) -> None:
        """Note that a path changed; the batch is given when none of its paths has to wait."""
        now = self._loop.time()
        if not self._due:
            self._first = now
        self._due[path] = now + wait
        self._ready.clear()
        if self._timer is None:
            self._timer = self._loop.call_at(self._when(), self._check)

    async def batch(self) -> frozenset[str]:
        """The next batch; waits until there is one."""
        await self._ready.wait()
        self._ready.clear()
        paths = frozenset(self._due)
        self._due.clear()
        return paths

    def close(self) -> None:
        """Forget what is on its way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due.clear()

    def _when(self) -> float:
        return min(max(self._due.values()), self._first + LONGEST)

    def _check(self) -> None:
        self._timer = None
        if not self._due:
            return
        when = self._when()
        if when <= self._loop.time() + 0.0005:
            self._ready.set()
        else:
            self._timer = self._loop.call_at(when, self._check)
