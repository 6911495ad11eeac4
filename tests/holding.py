"""How long the event loop is held by some work."""

import asyncio
from collections.abc import Awaitable
from time import thread_time
from typing import TypeVar

T = TypeVar("T")


async def held(work: Awaitable[T]) -> tuple[T, float]:
    """Return what comes of the work, and the most seconds of the processor that the loop was held by it."""
    task = asyncio.ensure_future(work)
    longest, begun = 0.0, thread_time()
    while not task.done():
        await asyncio.sleep(0)
        now = thread_time()
        longest, begun = max(longest, now - begun), now
    return await task, longest
