"""Work of one packet that goes on at the same time, and stops at the same time."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from heddle.extensions.extension import Process
from heddle.runtime.flow.machine import PendingAnswer

T = TypeVar("T")


async def together(
    process: Process, works: Sequence["PendingAnswer | Coroutine[Any, Any, T]"]
) -> list[T]:
    """Return what each of these comes to, in order; the first failure stops the others and is raised.

    Where whoever waits here is cancelled, so are they all.
    """
    tasks = [process.tasks.start(work, awaited=True) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        if not all(task.done() for task in tasks):
            await stop(tasks)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
    return [task.result() for task in tasks]


async def stop(tasks: "Sequence[asyncio.Task[Any]]") -> None:
    """Cancel these and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        # What it raised on its way out is nobody's any more.
        if not task.cancelled():
            task.exception()
