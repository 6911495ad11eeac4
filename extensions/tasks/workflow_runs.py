"""WorkflowRuns is the RunControl of a workflow: the API begins its runs, and follows them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from heddle.extensions.tasks.durable import DurableWorkflow
from heddle.extensions.tasks.fields import InputFields
from heddle.extensions.tasks.run_inputs import convert_texts, read_inputs
from heddle.extensions.tasks.run_stores.active_run import ActiveRun
from heddle.extensions.tasks.run_stores.contract import RunRecord
from heddle.extensions.tasks.run_stores.payloads import error_fields
from heddle.extensions.tasks.run_stores.runs import Runs, read_task_names
from heddle.extensions.tasks.status import RunStatus

ReadRecord: TypeAlias = Callable[[Any], Awaitable[tuple[dict[str, Any], str | None]]]


class WorkflowRuns:
    """The runs of one workflow. `read_record` gives the checked inputs of a run and its idempotency key."""

    def __init__(
        self,
        name: str,
        durable: DurableWorkflow,
        inputs: Mapping[str, InputFields],
        read_record: ReadRecord,
    ) -> None:
        self._name = name
        self._durable = durable
        self._inputs = inputs
        self._read_record = read_record

    async def begin(
        self,
        inputs: Mapping[str, Any],
        texts: Mapping[str, str],
        *,
        key: str | None = None,
        creator: str = "",
    ) -> Mapping[str, Any]:
        """Begin a run as RunControl says."""
        given = {**inputs, **convert_texts(self._inputs, texts)}
        # In a thread: a schema that is written by hand may take long over a large input.
        checked = await asyncio.to_thread(read_inputs, self._inputs, given, strict=True)
        record, own = await self._read_record(checked)
        begun = await self._durable.begin(record, key=key or own, creator=creator)
        if isinstance(begun, ActiveRun):
            service = await self._durable.serve()
            begun = await Runs(service.store).get(begun.id)
        return await self._data(begun, 0)

    async def show(self, run: UUID, after: int = 0) -> Mapping[str, Any] | None:
        """Return a run with its transitions above a number; None if this workflow has no such run."""
        service = await self._durable.serve()
        record = await service.store.get(run)
        if record is None or record.workflow != self._name:
            return None
        return await self._data(record, after)

    async def _data(self, run: RunRecord, after: int) -> dict[str, Any]:
        service = await self._durable.serve()
        # Read before the transitions: a run that is settled has told all of them.
        data: dict[str, Any] = {
            "id": str(run.id),
            "workflow": run.workflow,
            "status": str(run.status),
            "created": run.created,
            "began": run.began,
            "ended": run.ended,
            "reason": run.reason,
        }
        if run.status is RunStatus.COMPLETED:
            data["outputs"] = run.output
        if run.error is not None:
            data["error"] = error_fields(run.error)
        if run.definition is not None and not after:
            definition = await service.store.definition(run.definition)
            if definition is not None:
                data["tasks"] = read_task_names(definition.specs, run.workflow)
        transitions = await service.store.transitions(run.id, after)
        data["transitions"] = msgspec.to_builtins(transitions, str_keys=True)
        return data
