"""`await run(workflow, …)` begins a run and returns its handle."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from heddle.extensions.extension import Error, NodeError
from heddle.extensions.tasks.authoring.inline import InlineWorkflow, inline_of, opened
from heddle.extensions.tasks.authoring.run_handle import RUNS, RunHandle
from heddle.extensions.tasks.authoring.workflow import Workflow
from heddle.extensions.tasks.scheduler.context import RunRoot
from heddle.extensions.tasks.scheduler.watched_journal import WatchedJournal
from heddle.extensions.tasks.workflow import EXECUTE
from heddle.runtime.flow.finish import finish
from heddle.runtime.flow.process import LiveProcess
from heddle.schemas.types.hints import plain_value
from heddle.specs.model.names import new_id


async def run(
    workflow: Workflow,
    /,
    *,
    run_store: str | None = None,
    idempotency_key: str | None = None,
    inputs: Mapping[str, Any] | None = None,
    **values: Any,
) -> RunHandle:
    """Begin a run of a workflow on the event loop that runs here, and return its handle.

    The inputs are given by name, or as a map. Without `run_store` the run is in memory; with the
    address of one (`runs.sqlite`, `memory://`, a folder) it is durable and can be resumed; of runs with
    one `idempotency_key`, only the first begins, and the others get its handle. SpecError has every
    Problem of the workflow, RunStoreError says why a run cannot be recorded. What goes wrong later is in the
    answer of the handle. A workflow that says `durable` has to be given a `run_store`.
    """
    durable = workflow.options.get("durable") or "idempotency_key" in workflow.options
    if run_store is None and (durable or idempotency_key is not None):
        reason = (
            "an idempotency_key needs"
            if not workflow.options.get("durable")
            else "it is durable, which needs"
        )
        raise ValueError(
            f"run of {workflow.name}: {reason} a run_store, such as run_store='runs.sqlite'"
        )
    record = plain_value({**(inputs or {}), **values})
    compiled = inline_of(workflow)
    if run_store is not None:
        from heddle.extensions.tasks.authoring.durable_run import begin_durable

        return await begin_durable(compiled, workflow.name, record, run_store, idempotency_key)
    return _begin(compiled, workflow.name, record)


def _begin(compiled: InlineWorkflow, name: str, record: Any) -> RunHandle:
    """Begin a run in memory."""
    id_ = new_id()
    work = _MemoryRun(id_, compiled, record)
    handle = RunHandle(id_, name, work.cancel)
    work.journal = WatchedJournal(lambda: id_, (handle.take,), _report)
    handle.start(RUNS.start(work.run(), awaited=True))
    return handle


class _MemoryRun:
    """The work of one run in memory."""

    def __init__(self, run: UUID, compiled: InlineWorkflow, record: Any) -> None:
        self._id = run
        self._compiled = compiled
        self._record = record
        self._process: LiveProcess | None = None
        self._reason: Error | None = None
        self.journal: WatchedJournal | None = None

    def cancel(self, reason: str = "") -> None:
        """Cancel it, whether or not it has begun."""
        self._reason = Error(
            f"the run was cancelled: {reason}" if reason else "the run was cancelled",
            code="cancelled",
        )
        if self._process is not None:
            self._process.cancel(self._reason)

    async def run(self) -> Any:
        """Return the answer, or the Error."""
        compiled = self._compiled
        try:
            compiled.check(self._record)
        except NodeError as failure:
            return failure.error
        async with opened(compiled) as wiring:
            root = RunRoot(self.journal, self._id) if self.journal is not None else RunRoot()
            process = self._process = compiled.begin(wiring, root)
            if self._reason is not None:
                process.cancel(self._reason)
            return await finish(
                process, process.run(wiring.entry(compiled.id, EXECUTE), self._record)
            )


def _report(error: BaseException) -> None:
    """Report what a watcher raises: it harms nothing else."""
    asyncio.get_running_loop().call_exception_handler(
        {"message": "a watcher of a run failed", "exception": error}
    )
