"""A Generation counts the processes that run on one wiring, and knows when the last has ended."""

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from heddle.runtime.process import Process


T = TypeVar("T")


class Generation:
    """One state of the symbol table, by number. Processes begin on the current one and end on it."""

    __slots__ = ("_tasks", "awaited", "number", "processes")

    def __init__(self, number: int) -> None:
        self.number = number
        self.processes: set[Process] = set()
        self.awaited: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def left(self, process: "Process") -> None:
        """A process has ended."""
        self.processes.discard(process)
        if self.awaited is not None and not self.processes:
            self.awaited.set_result(None)
            self.awaited = None

    def spawn(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Run work that outlives the task that starts it."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def idle(self) -> None:
        """Wait until no process runs on it. New ones may begin while it is the current one."""
        while self.processes:
            if self.awaited is None:
                self.awaited = asyncio.get_running_loop().create_future()
            await asyncio.shield(self.awaited)
