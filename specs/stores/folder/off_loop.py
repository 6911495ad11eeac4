"""Aside is where a store works on its files: on the event loop if that takes a moment, else in a thread."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from heddle.schemas.collector import COLLECTOR
from heddle.schemas.pieces import Pieces, by_turns

T = TypeVar("T")


class Aside:
    """Does one piece of work after the other, so that two never see each other's half."""

    def __init__(self, after: Callable[[], None] | None = None) -> None:
        """`after` is called on the event loop after each piece of work, before the next one begins.

        It is called too if the work failed, or if its caller was cancelled meanwhile.
        """
        self._turn = asyncio.Lock()
        self._after = after

    @property
    def free(self) -> bool:
        """Whether nothing is being done."""
        return not self._turn.locked()

    async def do(self, work: Callable[[], T], *, long: bool) -> T:
        """Return what comes of the work. What takes `long` is done in a thread, to its end.

        A caller that is cancelled meanwhile gets its CancelledError once the thread has ended.
        """
        async with self._turn:
            try:
                if not long:
                    return work()
                with COLLECTOR.hold():
                    return await _in_thread(work)
            finally:
                if self._after is not None:
                    self._after()

    async def by_turns(self, work: Callable[[], Pieces[T]]) -> T:
        """Return what comes of work in pieces; nothing else is done here between two of them."""
        async with self._turn:
            return await by_turns(work())


async def _in_thread(work: Callable[[], T]) -> T:
    running = asyncio.get_running_loop().run_in_executor(None, work)
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as error:
            # A thread cannot be stopped: the next one waits until it is done, however often this
            # one is cancelled.
            cancelled = error
    if cancelled is not None:
        raise cancelled from running.exception()
    return running.result()
