"""Turns let connections take turns: none of them keeps the event loop for longer than a moment.

A connection does a bounded amount of work for what has arrived, stops reading, and puts the rest
off. What was put off is done in slices, one of each connection after the other, for a few
milliseconds; then the loop serves everybody else before it goes on.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Final
from weakref import WeakKeyDictionary

TURN: Final = 0.004
"""Seconds of put-off work in one turn of the event loop, over all connections."""

SLICE: Final = 0.002
"""Seconds that one connection should take for a slice."""


class DeferredWork:
    """The work that the connections of one event loop have put off."""

    __slots__ = ("_queue", "_scheduled")

    def __init__(self) -> None:
        # No reference to the loop: it is the weak key under which this is kept.
        self._queue: deque[Callable[[], None]] = deque()
        self._scheduled = False

    def later(self, work: Callable[[], None]) -> None:
        """Call this once everybody else has had a turn."""
        self._queue.append(work)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        queue = self._queue
        end = perf_counter() + TURN
        try:
            # Each connection once: what it puts off again is for the next turn.
            for _ in range(len(queue)):
                queue.popleft()()
                if perf_counter() >= end:
                    break
        finally:
            # A slice that raised costs the others nothing: the loop reports it.
            self._scheduled = bool(queue)
            if queue:
                asyncio.get_running_loop().call_soon(self._run)


_TURNS: "WeakKeyDictionary[asyncio.AbstractEventLoop, DeferredWork]" = WeakKeyDictionary()


def turns() -> DeferredWork:
    """Return the Turns of the running event loop."""
    loop = asyncio.get_running_loop()
    work = _TURNS.get(loop)
    if work is None:
        work = _TURNS[loop] = DeferredWork()
    return work
