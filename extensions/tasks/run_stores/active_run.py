"""An ActiveRun is a run that this worker works on: its Process, its journal, and how it ends."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from heddle.extensions.extension import Answer, Error, NodeError, Process, Tasks
from heddle.extensions.tasks.run_stores.contract import Request, RunRecord
from heddle.extensions.tasks.run_stores.durable_journal import DurableJournal
from heddle.extensions.tasks.scheduler.journal import (
    DRAINED,
    SUSPENDING,
    FencedError,
    UnstorableError,
    Workload,
)
from heddle.extensions.tasks.status import RunStatus

SUSPENDED: Final = Error("the run is suspended", code="suspended")

GIVE_UP: Final = 2.0
"""Seconds that a run which is to end waits for a store that cannot be written."""


class ActiveRun:
    """One run while it is worked on here. `done` gives its answer once its end is recorded.

    A suspended run answers an Error with the code `suspended`, one that another owner has taken an Error
    with the code `fenced`. `status` is how it ended, or `running`; `reason` says why it is suspended.
    """

    def __init__(self, workload: Workload, journal: DurableJournal, record: Any) -> None:
        self.id = journal.run
        self.workload = workload
        self.journal = journal
        self.status = RunStatus.RUNNING
        self.reason = ""
        self.process: Process = workload.start()
        self._record = record
        self._actor = ""
        self._wake: float | None = None
        self._requests: Sequence[Request] = ()
        self._tasks = Tasks()
        self._task: asyncio.Task[Answer] | None = None
        self._draining = False
        self.unrecorded = ""
        self.resumed: asyncio.Future[ActiveRun | RunRecord | None] | None = None
        """The task that goes on with it here after a person has decided about it; None if there is none."""

    def start(self, ended: Callable[["ActiveRun"], None]) -> None:
        """Begin to work; `ended` is called once the end is recorded."""
        self._task = self._tasks.start(self._work())
        self._task.add_done_callback(lambda _: ended(self))

    async def wait(self) -> Answer:
        """Return the answer of the run, once its end is recorded. Who waits may leave: the run goes on."""
        if self._task is None:
            raise RuntimeError("the run was not started")
        return await asyncio.shield(self._task)

    # -- how it is stopped -------------------------------------------------------------------------

    def cancel(
        self, actor: str = "", requests: Sequence[Request] = (), *, reason: str = ""
    ) -> None:
        """Cancel it for good: whatever runs is stopped, and the status is `cancelled`.

        `actor` is who cancels it, `reason` why; the Error of the run names both.
        """
        by = f" by {actor}" if actor else ""
        why = f": {reason}" if reason else ""
        self._actor, self._requests = actor, requests
        self.process.cancel(Error(f"the run was cancelled{by}{why}", code="cancelled"))

    async def drain(self, seconds: float, reason: str = DRAINED, wake: float | None = None) -> None:
        """Suspend it: begin nothing more, give running attempts this long, then interrupt them.

        With `wake` (seconds since 1970) a run controller goes on with it then. A second call waits for
        the first.
        """
        if self._draining and self._task is not None:
            await asyncio.wait([self._task])
            return
        self._draining = True
        self.reason, self._wake = reason, wake
        journal = self.journal
        journal.draining = True
        if journal.at_work:
            journal.idle = asyncio.Event()
            task = self._task
            idle = self._tasks.start(journal.idle.wait())
            waits: list[asyncio.Future[Any]] = [idle]
            if task is not None:
                waits.append(task)
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            idle.cancel()
            # The loop of the scheduler has a moment to report what has just ended.
            await asyncio.sleep(0)
        if self._task is not None and not self._task.done():
            self.process.cancel(Error("the run is suspended: its runtime stops", code=DRAINED))
            await self._leave(self._task)

    async def _leave(self, task: "asyncio.Task[Answer]") -> None:
        """Wait until the suspension is recorded; give that up while nothing can be written.

        What is recorded stays, and the next owner goes on with it, as after a crash: a full disk must
        not keep a runtime from its end. `unrecorded` is the reason then.
        """
        while not task.done():
            await asyncio.wait([task], timeout=GIVE_UP)
            condition = self.journal.condition
            if not task.done() and condition:
                self.unrecorded = condition
                self.journal.abandon()

    # -- how it is worked on -----------------------------------------------------------------------

    async def _work(self) -> Answer:
        process = self.process
        cause: Error | None = None
        try:
            try:
                # A task of the Process: to cancel the Process cancels it.
                answer = await process.tasks.start(self._execute(), awaited=True)
            except FencedError:
                raise
            except asyncio.CancelledError:
                # Without a reason nobody cancelled the run: its event loop ends.
                answer = process.reason or Error("the run is suspended", code=DRAINED)
            except Exception as error:
                answer = error.error if isinstance(error, NodeError) else Error.of(error)
            cause = process.reason
            ended = process.end(answer if type(answer) is Error else None)
            if isinstance(ended, Awaitable):
                ended = await ended
            if type(answer) is not Error and ended is not None:
                answer = ended
            if self.journal.fenced:
                return await self._lose(process)
            return await self._finish(answer, cause)
        except FencedError:
            return await self._lose(process)
        except asyncio.CancelledError:
            if not self.unrecorded:
                raise
            self.reason = self.unrecorded
            return SUSPENDED

    async def _execute(self) -> Answer:
        answer = self.workload.execute(self.process, self._record, self.journal, self.journal.run)
        return await answer if isinstance(answer, Awaitable) else answer

    async def _lose(self, process: Process) -> Answer:
        """Stop: another owner has the run, and goes on with it."""
        self.status, self.reason = RunStatus.RUNNING, "fenced"
        lost = Error("another owner has taken the run", code="fenced")
        process.cancel(lost)
        ended = process.end(lost)
        if isinstance(ended, Awaitable):
            await ended
        return lost

    async def _finish(self, answer: Answer, cause: Error | None) -> Answer:
        """Record how it ended; return what its caller gets."""
        journal = self.journal
        await journal.land()
        code = answer.code if type(answer) is Error else ""
        if (cause is not None and cause.code in SUSPENDING) or code == DRAINED:
            self.status = RunStatus.SUSPENDED
            self.reason = self.reason or DRAINED
            wake = self._wake
            if cause is not None and cause.code == "dropped":
                wake = wake or journal.now()
            journal.suspend(self.reason, wake=wake)
            answer = SUSPENDED
        elif cause is not None and cause.code == "cancelled":
            self.status = RunStatus.CANCELLED
            journal.answer_requests(*(each.id for each in self._requests))
            journal.finish(RunStatus.CANCELLED, cause, actor=self._actor)
            answer = cause
        elif type(answer) is Error:
            self.status = RunStatus.FAILED
            journal.finish(RunStatus.FAILED, answer)
        else:
            self.status = RunStatus.COMPLETED
            try:
                journal.finish(RunStatus.COMPLETED, answer)
            except UnstorableError as error:
                answer = Error(f"the output of the run: {error}", code="unstorable")
                self.status = RunStatus.FAILED
                journal.finish(RunStatus.FAILED, answer)
        waits = journal.commit()
        if waits is not None:
            await waits
        return answer
