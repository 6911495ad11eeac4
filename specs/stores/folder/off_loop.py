"""Aside is where a store works on its files: on the event loop if that takes a moment, else in a thread."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from heddle.schemas.collector import COLLECTOR

T = TypeVar("T")


class Aside:
    """Does one piece of work after the other, so that two never see each other's half."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    @property
    def free(self) -> bool:
        """Whether nothing is being done."""
        return not self._turn.locked()

    async def do(self, work: Callable[[], T], *, long: bool) -> T:
        """Return what comes of the work. What takes `long` is done in a thread, to its end."""
        async with self._turn:
            if not long:
                return work()
            with COLLECTOR.hold():
                running = asyncio.get_running_loop().run_in_executor(None, work)
                try:
                    return await asyncio.shield(running)
                except asyncio.CancelledError:
                    # A thread cannot be stopped: the next one waits until it is done.
                    await asyncio.wait([running])
                    raise
