"""Tasks is the owner of asyncio tasks: it keeps them, reports their failures, and ends them."""

import asyncio
from collections.abc import Awaitable, Callable
from types import MethodType
from typing import Any, TypeAlias, TypeVar
from weakref import WeakMethod

T = TypeVar("T")

Report: TypeAlias = Callable[[Exception], None]
"""Called with the exception of a task that nobody awaits; it must not wait, and must not raise."""


def to_loop(error: Exception) -> None:
    """Report a failure to the handler of the event loop, which logs it if nothing else is set."""
    asyncio.get_running_loop().call_exception_handler(
        {"message": "a task failed that nobody awaits", "exception": error}
    )


class Tasks:
    """The tasks of one owner: a node, a process, a server, a pool.

    A task that fails is reported and stops no other task. Tasks that go on when the owner closes
    are cancelled and waited for. Used inside one event loop. For work that belongs together, so
    that one failure has to stop the rest, start one task with an anyio task group in it.
    """

    __slots__ = ("_closed", "_members", "_report")

    def __init__(
        self, report: Report = to_loop, members: "set[asyncio.Task[Any]] | None" = None
    ) -> None:
        """Without a `report`, the handler of the event loop gets the failures.

        A report that is a method is kept weakly: an owner and its Tasks do not keep each other.
        """
        self._report: Callable[[], Report | None]
        if isinstance(report, MethodType):
            self._report = WeakMethod(report)
        else:
            self._report = lambda: report
        self._members = members if members is not None else set()
        self._closed = False

    def __len__(self) -> int:
        """Return how many tasks go on."""
        return len(self._members)

    def start(
        self, work: Awaitable[T], *, awaited: bool = False, guarded: bool = True
    ) -> "asyncio.Task[T]":
        """Start a task and return it. Once the owner is closed, the task is cancelled at once.

        If the caller takes the result or the exception of the task itself, it is `awaited`: then
        its failure is not reported. Work that never raises need not be `guarded` by its owner.
        """
        # The loop keeps no strong reference to its tasks.
        task: asyncio.Task[T] = asyncio.ensure_future(work)
        self._members.add(task)
        task.add_done_callback(self._members.discard if awaited else self._ended)
        if self._closed:
            task.cancel()
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._members.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        # The loop raises what is not an Exception (SystemExit, KeyboardInterrupt) by itself.
        if isinstance(error, Exception):
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        report = self._report() or to_loop
        report(error)

    def cancel(self) -> None:
        """Cancel all tasks but the current one, without waiting for them."""
        for task in self._others():
            task.cancel()

    async def wait(self) -> None:
        """Wait until no task but the current one goes on; new ones are waited for too."""
        while others := self._others():
            await asyncio.wait(others)

    async def stop(self) -> None:
        """Cancel all tasks but the current one, and wait until they have ended."""
        self.cancel()
        await self.wait()

    async def close(self) -> None:
        """Stop all tasks, now and from now on."""
        self._closed = True
        await self.stop()

    def _others(self) -> "list[asyncio.Task[Any]]":
        current = current_task()
        return [task for task in self._members if task is not current]


def current_task() -> "asyncio.Task[Any] | None":
    """Return the task that runs now; None if there is none, or no event loop."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
