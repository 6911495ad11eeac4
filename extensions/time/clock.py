"""A Clock tells the time and waits for it; tests put in one that they move by hand."""

import asyncio
import random
import time
from typing import Protocol

SLICE = 30.0
"""Seconds after which a long wait looks at the clock again: it may have been set, or have stood still."""

BACK = 1.0
"""Seconds by which a clock that runs is never found earlier than it was: more, and it was set back."""


class TimerClock(Protocol):
    """The clock of a timer; times are seconds since 1970."""

    def now(self) -> float:
        """Return what time it is."""
        ...

    async def until(self, when: float) -> None:
        """Wait until it is that late; it returns early if the clock was set back meanwhile."""
        ...

    def random(self) -> float:
        """Return a number from 0 up to 1."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Return what time it is."""
        return time.time()

    async def until(self, when: float) -> None:
        """Wait in slices: a machine that sleeps stops the loop's clock, and not the calendar's."""
        seen = time.time()
        while (now := time.time()) < when:
            if now < seen - BACK:
                return
            seen = now
            await asyncio.sleep(min(when - now, SLICE))

    def random(self) -> float:
        """Return a number from 0 up to 1."""
        return random.random()
