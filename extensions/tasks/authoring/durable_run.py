"""A durable run that is begun in Python: it is recorded in a RunStore, and can be resumed."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from heddle.extensions.extension import Answer, Process, Tasks
from heddle.extensions.tasks.authoring.inline import InlineWorkflow, opened
from heddle.extensions.tasks.authoring.run_handle import RUNS, RunHandle
from heddle.extensions.tasks.run_stores.active_run import ActiveRun
from heddle.extensions.tasks.run_stores.contract import RunRecord
from heddle.extensions.tasks.run_stores.durable_runs import DurableRuns
from heddle.extensions.tasks.run_stores.opener import open_run_store
from heddle.extensions.tasks.run_stores.runs import Runs
from heddle.extensions.tasks.scheduler.context import RUN, RunContext, RunRoot
from heddle.extensions.tasks.scheduler.journal import Journal
from heddle.runtime.flow.process import LiveProcess, settle
from heddle.runtime.flow.wiring import Wiring
from heddle.specs.model.entry import data_of


class AuthoredWorkload:
    """A workflow in Python as durable runs see it: the Workload of its compiled form."""

    def __init__(self, compiled: InlineWorkflow, wiring: Wiring) -> None:
        spec = compiled.specs[0]
        self._compiled = compiled
        self._wiring = wiring
        self.namespace = spec.namespace
        self.name = str(spec.name)
        self.specs = msgspec.json.encode([data_of(each) for each in compiled.specs], order="sorted")
        self.code: Sequence[str] = tuple(dict.fromkeys(_modules(spec.fields)))

    def is_idempotent(self, path: str) -> bool:
        """Return whether the task may run again after a crash; True if it is not known."""
        fields: Any = self._compiled.specs[0].fields
        for step in path.split("/"):
            name = step.partition("#")[0]
            tasks = fields.get("tasks") if isinstance(fields, Mapping) else None
            found = next((task for task in tasks or () if task.get("name") == name), None)
            if found is None:
                return True
            if found.get("idempotent") is False:
                return False
            fields = found.get("do") or {}
        return True

    def start(self) -> Process:
        """Return a new Process."""
        return LiveProcess(self._wiring, None, self._compiled.label)

    async def execute(self, process: Process, record: Any, journal: Journal, run: UUID) -> Answer:
        """Run the tasks that are not settled yet; return the output of the run, or its Error."""
        compiled = self._compiled
        process.set(RUN, RunContext(RunRoot(journal, run), "", compiled.id))
        return await settle(process.run(self._wiring.entry(compiled.id, "in"), record))


async def begin_durable(
    compiled: InlineWorkflow, name: str, record: Any, address: str, key: str | None
) -> RunHandle:
    """Begin a run in the RunStore at this address; return the run that has the key, if there is one.

    RunStoreError if it cannot be opened or written.
    """
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
    handle = RunHandle(run, name, work.cancel)
    work.handle = handle
    work.ready.set()
    handle.start(task)
    return handle


class _DurableRun:
    """The work of one durable run, and whoever reads its transitions for the handle."""

    def __init__(
        self, compiled: InlineWorkflow, record: Any, address: str, key: str | None
    ) -> None:
        self._compiled = compiled
        self._record = record
        self._address = address
        self._key = key
        self._active: ActiveRun | None = None
        self.ready = asyncio.Event()
        self.handle: RunHandle | None = None

    def cancel(self, reason: str = "") -> None:
        """Cancel the run, for good."""
        if self._active is not None:
            self._active.cancel(reason)

    async def run(self, begun: "asyncio.Future[UUID]") -> Answer:
        """Return the answer, or the Error; `begun` gets the id of the run."""
        store = await open_run_store(self._address)
        runs = DurableRuns(store)
        try:
            async with opened(self._compiled) as wiring:
                workload = AuthoredWorkload(self._compiled, wiring)
                run = await runs.begin(workload, self._record, key=self._key)
                self._active = run if isinstance(run, ActiveRun) else None
                begun.set_result(run.id)
                await self.ready.wait()
                reader = Tasks()
                try:
                    reading = reader.start(self._read(Runs(store), run), awaited=True)
                    answer = await runs.answer(run)
                    await reading
                finally:
                    await reader.close()
                    await runs.close()
                return answer
        finally:
            await store.close()

    async def _read(self, runs: Runs, run: ActiveRun | RunRecord) -> None:
        """Hand each recorded transition to the handle."""
        async for transition in runs.follow(run.id):
            if self.handle is not None:
                self.handle.take(transition)


def _modules(fields: Any) -> list[str]:
    """Return the modules of the functions that a workflow runs, with those of workflows inside it."""
    found: list[str] = []
    if isinstance(fields, Mapping):
        target = fields.get("run")
        if isinstance(target, str) and ":" in target:
            found.append(target.partition(":")[0])
        for value in fields.values():
            found += _modules(value)
    elif isinstance(fields, list):
        for value in fields:
            found += _modules(value)
    return found
