"""A durable run that is begun in Python: it is recorded in a RunStore, and can be resumed."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from heddle.extensions.extension import Answer, NodeError, Process, Tasks
from heddle.extensions.tasks.authoring.inline import InlineWorkflow, RunFailedError, opened
from heddle.extensions.tasks.authoring.run_handle import RUNS, RunHandle
from heddle.extensions.tasks.run_stores.active_run import ActiveRun
from heddle.extensions.tasks.run_stores.contract import RunRecord, RunStoreError
from heddle.extensions.tasks.run_stores.durable_runs import DurableRuns
from heddle.extensions.tasks.run_stores.opener import open_run_store
from heddle.extensions.tasks.run_stores.runs import Runs
from heddle.extensions.tasks.scheduler.journal import RunJournal
from heddle.extensions.tasks.status import Transition
from heddle.extensions.tasks.workflow import WorkflowNode
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.wiring import Wiring


class AuthoredWorkload:
    """A workflow in Python as durable runs see it: the Workload of its compiled form."""

    def __init__(self, compiled: InlineWorkflow, wiring: Wiring) -> None:
        spec = compiled.specs[0]
        self._node: WorkflowNode = compiled.node
        self._wiring = wiring
        self.namespace = spec.namespace
        self.name = str(spec.name)
        self.specs = self._node.define(spec)
        self.code: Sequence[str] = self._node.code

    def is_idempotent(self, path: str) -> bool:
        """Return whether the task may run again after a crash; True if it is not known."""
        return self._node.is_idempotent(path)

    def mask(self, value: Any) -> Any:
        """Return the same plain data with every known secret masked."""
        return self._node.mask(value)

    def start(self) -> Process:
        """Return a new Process."""
        return LiveProcess(self._wiring, None, self._node.label)

    def execute(self, process: Process, record: Any, journal: RunJournal, run: UUID) -> Answer:
        """Run the tasks that are not settled yet: the output of the run, its Error, or a Pending."""
        return self._node.execute(process, record, journal, run)


async def begin_durable(
    compiled: InlineWorkflow, name: str, record: Any, address: str, key: str | None
) -> RunHandle:
    """Begin a run in the RunStore at this address; return the run that has the key, if there is one.

    RunFailedError lists every mistake in the inputs, RunStoreError says why it cannot be recorded.
    """
    try:
        compiled.check(record)
        record, own_key = await compiled.node.read_record(record)
    except NodeError as failure:
        raise RunFailedError(failure.error) from None
    key = own_key if key is None else key
    work = _DurableRun(compiled, record, address, key)
    begun: asyncio.Future[UUID] = asyncio.get_running_loop().create_future()
    task = RUNS.start(work.run(begun), awaited=True)
    try:
        await asyncio.wait([begun, task], return_when=asyncio.FIRST_COMPLETED)
        if not begun.done():
            # It ended before it began: this raises why.
            await task
        run = begun.result()
    except BaseException:
        task.cancel()
        raise
    handle = RunHandle(run, name, work.cancel, work.listen)
    work.handle = handle
    work.ready.set()
    handle.start(task)
    return handle


class _DurableRun:
    """The work of one durable run, and what reads its transitions for the handle."""

    def __init__(
        self, compiled: InlineWorkflow, record: Any, address: str, key: str | None
    ) -> None:
        self._compiled = compiled
        self._record = record
        self._address = address
        self._key = key
        self._runs: DurableRuns | None = None
        self._tasks = Tasks()
        self._recorded = asyncio.Event()
        self._seen = 0
        self.ready = asyncio.Event()
        self.handle: RunHandle | None = None

    def cancel(self, reason: str = "") -> None:
        """Cancel the run, for good: here, or by a request to whoever works on it."""
        runs, handle = self._runs, self.handle
        if runs is None or handle is None:
            return
        active = runs.active.get(handle.id)
        if active is not None:
            active.cancel(reason=reason)
        else:
            self._tasks.start(self._request_cancel(Runs(runs.store), handle.id))

    def listen(self) -> None:
        """Read each transition from now on as soon as it is recorded: somebody waits for them."""
        if self._runs is not None and self.handle is not None:
            self._runs.watch(self.handle.id, lambda _: self._recorded.set())
            self._recorded.set()

    async def run(self, begun: "asyncio.Future[UUID]") -> Answer:
        """Return the answer, or the Error; `begun` gets the id of the run."""
        store = await open_run_store(self._address)
        runs = self._runs = DurableRuns(store)
        try:
            async with opened(self._compiled) as wiring:
                workload = AuthoredWorkload(self._compiled, wiring)
                run = await runs.begin(workload, self._record, key=self._key)
                begun.set_result(run.id)
                await self.ready.wait()
                try:
                    reading = self._tasks.start(self._read(Runs(store), run), awaited=True)
                    answer = await runs.answer(run)
                    reading.cancel()
                    await self._take(Runs(store), run.id)
                finally:
                    self._runs = None
                    await self._tasks.close()
                    await runs.close()
                return answer
        finally:
            await store.close()

    async def _read(self, runs: Runs, run: ActiveRun | RunRecord) -> None:
        """Hand each transition to the handle once it is recorded, if that is listened to."""
        if not isinstance(run, ActiveRun):
            # Nobody tells this process what another one records: it has to look.
            async for transition in runs.follow(run.id):
                self._hand_over(transition)
        while True:
            await self._recorded.wait()
            self._recorded.clear()
            await self._take(runs, run.id)

    async def _take(self, runs: Runs, run: UUID) -> None:
        """Hand over the transitions that are new."""
        for transition in await runs.events(run, self._seen):
            self._hand_over(transition)

    def _hand_over(self, transition: Transition) -> None:
        if self.handle is not None and transition.seq > self._seen:
            self._seen = transition.seq
            self.handle.take(transition)

    async def _request_cancel(self, runs: Runs, run: UUID) -> None:
        # A run that is settled by then has nothing to cancel.
        with suppress(RunStoreError):
            await runs.cancel(run)
