"""A Generation counts the processes that run on one wiring, and knows when the last has ended."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeAlias

from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.tasks import Tasks, to_loop

Ended: TypeAlias = Callable[[Process], None]
"""Told of each process that has ended; it must not wait, and must not raise."""

Failed: TypeAlias = Callable[[Error], None]
"""Called with the failure of a task that nobody awaits; its `symbol` is where the process began."""


class Ends(set[Process]):
    """The processes of a generation, if somebody wants to hear of their ends."""

    def __init__(self, listeners: list[Ended], processes: Iterable[Process] = ()) -> None:
        super().__init__(processes)
        self._listeners = listeners

    def discard(self, process: Any) -> None:
        """Forget a process that has ended."""
        super().discard(process)
        for listener in tuple(self._listeners):
            listener(process)


class Generation:
    """One state of the symbol table, by number. Processes begin on the current one and end on it."""

    __slots__ = ("awaited", "failed", "number", "processes", "tasks")

    def __init__(
        self,
        number: int,
        listeners: list[Ended] | None = None,
        failed: Failed | None = None,
    ) -> None:
        self.number = number
        self.failed = failed
        # A plain set costs nothing if nobody listens.
        self.processes: set[Process] = Ends(listeners) if listeners else set()
        self.awaited: asyncio.Future[None] | None = None
        self.tasks = Tasks(partial(_report, failed, ""))
        """The ends of its processes that have to wait for something."""

    def listen(self, listeners: list[Ended]) -> None:
        """From now on these are told of each end."""
        self.processes = Ends(listeners, self.processes)

    def left(self, process: Process) -> None:
        """Note that a process has ended."""
        self.processes.discard(process)
        if self.awaited is not None and not self.processes:
            self.awaited.set_result(None)
            self.awaited = None

    def report(self, error: Exception, symbol: str) -> None:
        """Report the failure of a task that nobody awaits, of a process that began at this symbol."""
        _report(self.failed, symbol, error)

    async def idle(self) -> None:
        """Wait until no process runs on it. New ones may begin while it is the current one."""
        while self.processes:
            if self.awaited is None:
                self.awaited = asyncio.get_running_loop().create_future()
            await asyncio.shield(self.awaited)


def _report(failed: Failed | None, symbol: str, error: Exception) -> None:
    if failed is not None:
        failed(Error.of(error, symbol=symbol))
    else:
        to_loop(error)
