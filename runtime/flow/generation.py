"""A Generation counts the processes that run on one wiring, and knows when the last has ended."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeAlias, TypeVar

from heddle.runtime.flow.contracts import Process

T = TypeVar("T")


Ended: TypeAlias = Callable[[Process], None]
"""Told of each process that has ended; it must not wait, and must not raise."""


class Ends(set[Process]):
    """The processes of a generation, where somebody wants to hear of their ends."""

    def __init__(self, listeners: list[Ended], processes: Iterable[Process] = ()) -> None:
        super().__init__(processes)
        self._listeners = listeners

    def discard(self, process: Any) -> None:
        """It has ended."""
        super().discard(process)
        for listener in tuple(self._listeners):
            listener(process)


class Generation:
    """One state of the symbol table, by number. Processes begin on the current one and end on it."""

    __slots__ = ("_tasks", "awaited", "number", "processes")

    def __init__(self, number: int, listeners: list[Ended] | None = None) -> None:
        self.number = number
        # A plain set costs nothing where nobody listens.
        self.processes: set[Process] = Ends(listeners) if listeners else set()
        self.awaited: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def tell(self, listeners: list[Ended]) -> None:
        """From now on these are told of each end."""
        self.processes = Ends(listeners, self.processes)

    def left(self, process: Process) -> None:
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
