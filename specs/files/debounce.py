"""Settling gathers paths that changed until they lie still, and gives them as one batch."""

import asyncio
from collections.abc import Callable

QUICK = 0.003
"""Seconds to wait after a finished write for what was saved together with it."""

SLOW = 0.1
"""Seconds that a vanished, emptied or half-written file has to become whole again."""

LONGEST = 0.5
"""Seconds after which a batch is given though changes keep coming."""


class PathDebounce:
    """Paths on their way into a batch, which `deliver` gets. Used inside one event loop."""

    def __init__(self, deliver: Callable[[frozenset[str]], None]) -> None:
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._due: dict[str, float] = {}
        self._first = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def pending(self) -> frozenset[str]:
        """The paths that changed and are not delivered yet."""
        return frozenset(self._due)

    def touch(self, path: str, wait: float = QUICK) -> None:
        """Note that a path changed; the batch is given when none of its paths has to wait."""
        now = self._loop.time()
        if not self._due:
            self._first = now
        self._due[path] = now + wait
        # A shorter wait for the same path may bring the end nearer.
        if self._timer is None or self._when() < self._timer.when():
            self._arm()

    def close(self) -> None:
        """Forget what is on its way."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due.clear()

    def _when(self) -> float:
        return min(max(self._due.values()), self._first + LONGEST)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._when(), self._check)

    def _check(self) -> None:
        self._timer = None
        # The loop's clock is coarse: a timer may fire a moment early.
        if self._when() > self._loop.time() + 0.0015:
            self._arm()
            return
        paths = frozenset(self._due)
        self._due.clear()
        self._deliver(paths)
