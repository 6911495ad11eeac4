"""A RunHandle is a run that was begun in Python: its status, its transitions, and its answer.

handle = await run(report, day="2026-11-30")
async for transition in handle:
    print(transition.task, transition.event)
answer = await handle
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator
from itertools import takewhile
from typing import Any
from uuid import UUID

from heddle.extensions.extension import Error, Tasks
from heddle.extensions.tasks.authoring.inline import RunFailedError
from heddle.extensions.tasks.status import SETTLED_RUN, RunStatus, Transition

KEPT = 10_000
"""Transitions that a handle keeps for whoever begins to read them later."""

RUNS = Tasks()
"""The runs that go on: they do so whether or not anybody keeps their handle."""

_STATUSES = frozenset(str(status) for status in RunStatus)

_LASTING = frozenset(SETTLED_RUN | {RunStatus.SUSPENDED, RunStatus.BLOCKED})
"""Statuses in which a run does nothing more until somebody acts."""


class RunHandle:
    """One run. `await handle` gives its answer; `async for` gives its transitions, from the first.

    The handle owns the run: if its event loop ends, a run in memory is cancelled, and a durable one
    is suspended.
    """

    def __init__(
        self,
        run: UUID,
        workflow: str,
        cancel: Callable[[str], None],
        listen: Callable[[], None] = lambda: None,
    ) -> None:
        """`cancel` stops the run, for a reason; `listen` is called when somebody waits for transitions."""
        self.id = run
        self.workflow = workflow
        self.status = RunStatus.RUNNING
        self.error: Error | None = None
        self._cancel = cancel
        self._listen = listen
        self._kept: deque[Transition] = deque(maxlen=KEPT)
        self._waiting: list[asyncio.Future[None]] = []
        self._task: asyncio.Task[Any] | None = None

    def __await__(self) -> Generator[Any, None, Any]:
        return self.result().__await__()

    async def result(self) -> Any:
        """Return the answer of the run, plain data, once it has ended; who waits may leave.

        RunFailedError if it failed, was cancelled, or is suspended; its `error.code` says which.
        """
        if self._task is None:
            raise RuntimeError("the run was not started")
        answer = await asyncio.shield(self._task)
        if isinstance(answer, Error):
            raise RunFailedError(answer)
        return answer

    def cancel(self, reason: str = "") -> None:
        """Cancel the run: no new task begins, and what is running is stopped. Return at once.

        `reason` tells why; the Error of the run names it.
        """
        if self.status not in _LASTING:
            self._cancel(reason)

    async def __aiter__(self) -> AsyncIterator[Transition]:
        """Yield each transition, in order, until the run does nothing more."""
        seen = 0
        self._listen()
        while True:
            for transition in self._after(seen):
                seen = transition.seq
                yield transition
            if self._task is None or self._task.done():
                if not self._kept or self._kept[-1].seq <= seen:
                    return
                continue
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting

    def __repr__(self) -> str:
        return f"<Run {str(self.id)[-8:]} of {self.workflow}: {self.status}>"

    def _after(self, seen: int) -> list[Transition]:
        """Return the kept transitions with numbers above this; what was seen costs nothing."""
        new = list(takewhile(lambda each: each.seq > seen, reversed(self._kept)))
        new.reverse()
        return new

    # -- what the run reports ----------------------------------------------------------------------

    def take(self, transition: Transition) -> None:
        """Keep a transition, and wake whoever waits for it."""
        self._kept.append(transition)
        if not transition.task and transition.event in _STATUSES:
            self.status = RunStatus(transition.event)
        self._wake()

    def start(self, work: "asyncio.Task[Any]") -> None:
        """Take the task that does the run; its result is the answer, or the Error."""
        self._task = work
        work.add_done_callback(self._settle)

    def _settle(self, work: "asyncio.Task[Any]") -> None:
        if work.cancelled():
            self.error = Error("the run was cancelled", code="cancelled")
        elif work.exception() is None and isinstance(work.result(), Error):
            self.error = work.result()
        failed = RunStatus.CANCELLED if self._is_cancelled(work) else RunStatus.FAILED
        if self.status not in _LASTING:
            bad = work.cancelled() or work.exception() is not None or self.error is not None
            self.status = failed if bad else RunStatus.COMPLETED
        self._wake()

    def _is_cancelled(self, work: "asyncio.Task[Any]") -> bool:
        return work.cancelled() or (self.error is not None and self.error.code == "cancelled")

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)
