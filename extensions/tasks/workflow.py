"""workflow: holds tasks and states how their outputs flow; each begins when its inputs are there."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import msgspec

from heddle.extensions.extension import (
    ERROR,
    IN,
    OUT,
    Action,
    Answer,
    Build,
    Error,
    Flow,
    Handler,
    Host,
    Kind,
    Node,
    NodeError,
    Payload,
    Port,
    Process,
    Program,
    Schema,
    TypeOfCode,
    Visit,
)
from heddle.extensions.tasks.durable import DurableWorkflow
from heddle.extensions.tasks.event_port import EventPort
from heddle.extensions.tasks.fields import InputFields, WorkflowFields
from heddle.extensions.tasks.graph.compiler import compile_graph
from heddle.extensions.tasks.graph.completions import complete_workflows
from heddle.extensions.tasks.graph.task_graph import TaskGraph
from heddle.extensions.tasks.run_inputs import InputReader, blame_run
from heddle.extensions.tasks.scheduler.bound_graph import BoundGraph
from heddle.extensions.tasks.scheduler.context import RUN, RunContext, RunRoot
from heddle.extensions.tasks.scheduler.graph_run import GraphRun
from heddle.extensions.tasks.scheduler.journal import RunJournal
from heddle.extensions.tasks.scheduler.limit import Limit
from heddle.extensions.tasks.scheduler.watched_journal import WatchedJournal
from heddle.extensions.tasks.status import RunStatus
from heddle.extensions.tasks.workflow_code import modules_of
from heddle.extensions.tasks.workflow_runs import WorkflowRuns
from heddle.runtime.assembly.expansion import End, Expansion
from heddle.runtime.assembly.guard import limit_error
from heddle.runtime.flow.elsewhere import await_program
from heddle.runtime.flow.source import Source
from heddle.runtime.flow.wiring import Wiring
from heddle.schemas.common_fields import SPEC_FIELDS
from heddle.schemas.field import read_field, written
from heddle.schemas.path import Path
from heddle.schemas.problem import Problem
from heddle.specs.model.spec import Spec


class WorkflowNode(Node):
    """Runs its tasks for each record. `graph` is None if there are none to run; `code` are modules of functions."""

    def __init__(self, fields: WorkflowFields, build: Build) -> None:
        self.fields = fields
        self.key = build.spec.id
        self.label = build.spec.label
        self.namespace = build.spec.namespace
        self.name = build.spec.name or ""
        self.code = tuple(sorted(modules_of(fields)))
        self.graph: TaskGraph | None = None
        self.problems: Sequence[Problem] = ()
        if fields.runs:
            self.graph, self.problems = compile_graph(fields, build)
        self._bound: WeakKeyDictionary[Any, BoundGraph] = WeakKeyDictionary()
        self._running: dict[GraphRun, None] = {}
        self._events: EventPort | None = None
        self._host: Host | None = None
        self._read = InputReader(fields.inputs)
        self._durable: DurableWorkflow | None = None
        self._key_of: Program | None = None
        if fields.idempotency_key is not None and fields.runs:
            self._key_of = build.program(fields.idempotency_key, "idempotency_key")
        self._visit = Visit(self._act, waits=fields.is_durable)
        self._only = Visit(self._run)
        self._cancel = Action(self._cancel_runs, out=None)

    def handler(self, port: str) -> Handler | None:
        """Return what it does: `in` begins a run, `cancel` ends runs."""
        if self.graph is None:
            return None
        if port == "in":
            return self._visit
        if port == EXECUTE:
            return self._only
        return self._cancel if port == "cancel" else None

    async def open(self, host: Host) -> None:
        """Take the host, which sends events out."""
        self._host, self._read.mask = host, host.mask
        self._events = EventPort(host)
        if self.fields.is_durable and self.graph is not None:
            await self.durable.open()

    async def pause(self) -> None:
        """Begin to suspend durable runs: they go on with the node that comes after this one."""
        if self._durable is not None:
            self._durable.pause()

    async def close(self) -> None:
        """Suspend the durable runs that are left, and let go of the RunStore."""
        durable, self._durable = self._durable, None
        if durable is not None:
            await durable.close()

    @property
    def durable(self) -> DurableWorkflow:
        """Its durable runs; a command begins them, whatever the Spec says. Raise NodeError if it is not active."""
        if self._durable is None:
            if self._host is None or self.graph is None:
                raise NodeError(Error(f"{self.label} is not active", code="dropped"))
            self._durable = DurableWorkflow(self, self._host, self.fields.durable)
        return self._durable

    @property
    def run_control(self) -> WorkflowRuns:
        """The way in which the API begins and follows its runs. Raise NodeError if it is not active."""
        name = self._host.spec.name if self._host is not None else ""
        return WorkflowRuns(str(name), self.durable, self.fields.inputs, self.read_record)

    def degraded(self) -> str:
        """Return what keeps it from recording runs; empty if nothing does."""
        return self._durable.degraded() if self._durable is not None else ""

    def bound(self, wiring: Any) -> BoundGraph:
        """Return the graph in one generation, made at its first run."""
        bound = self._bound.get(wiring)
        if bound is None:
            if self.graph is None or not isinstance(wiring, Wiring):
                raise RuntimeError(f"{self.label} holds no tasks that can run")
            bound = self._bound[wiring] = BoundGraph(self.graph, self.key, wiring)
        return bound

    # -- what durable runs ask -----------------------------------------------------------------

    def is_idempotent(self, path: str) -> bool:
        """Return whether the task of this task path may run again after a crash; True if unknown."""
        return _is_idempotent(self.fields, path.split("/"))

    def mask(self, value: Any) -> Any:
        """Return the same plain data with every known secret masked."""
        return value if self._host is None else self._host.mask(value)

    def start(self) -> Process:
        """Return a new Process on the current generation; whoever starts it ends it."""
        if self._host is None:
            raise RuntimeError(f"{self.label} is not active")
        return Source(self._host).begin()

    def execute(self, process: Process, record: Any, journal: RunJournal, run: UUID) -> Answer:
        """Run the tasks that are not settled yet: the output of the run, or a Pending of it.

        What fails is raised by that. The journal is told of attempts and tasks, and not of the run.
        """
        process.set(RUN, RunContext(RunRoot(journal, run), "", self.key))
        return process.run(process.wiring.entry(self.key, EXECUTE), record)

    @property
    def specs(self) -> bytes:
        """The Spec with all that it holds as JSON, as it is written: the Definition of its runs."""
        if self._host is None:
            raise RuntimeError(f"{self.label} is not active")
        return self.define(self._host.spec)

    def define(self, spec: Spec) -> bytes:
        """Return the Definition of runs of this Spec of it."""
        fields = dict(spec.fields)
        if "uses" in fields:
            fields = {**fields, **written(self.fields)}
        env = {"env": msgspec.to_builtins(spec.env, enc_hook=str)} if spec.env else {}
        whole = {"kind": spec.kind, "namespace": spec.namespace, "name": spec.name, **env, **fields}
        return msgspec.json.encode([whole], enc_hook=written, order="deterministic")

    # -- runs ----------------------------------------------------------------------------------

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        """Run the tasks, and send the outputs on; `answer: run` answers with the id alone."""
        mocked = flow.process.wiring.is_mocked
        # A run whose tasks are mocked is not recorded: nobody may resume it with the real ones.
        if self.fields.is_durable and not mocked and not self._is_inside(flow.process):
            output = await self._run_durably(payload)
            if self.fields.answer == "run":
                return output
        else:
            output = await self._finished(await self._begin(flow.process, payload))
        return await flow.send("out", output)

    async def _run(self, flow: Flow, payload: Payload) -> Answer:
        """Run the tasks, and answer with the outputs or the Error: nothing leaves by a port."""
        try:
            return await self._finished(await self._begin(flow.process, payload))
        except NodeError as failure:
            return failure.error

    def _is_inside(self, process: Process) -> bool:
        """Return whether it is a part of a run that has begun elsewhere."""
        context = process.get(RUN)
        return isinstance(context, RunContext) and context.owner == self.key

    async def read_record(self, payload: Payload) -> tuple[dict[str, Any], str | None]:
        """Return the checked inputs of a run, and its idempotency key.

        The key is None if the Spec has none, or if its expression gives null for these inputs.
        NodeError lists every mistake in the inputs.
        """
        inputs = await await_program(self._read, payload)
        if self._key_of is None:
            return inputs, None
        key = await await_program(self._key_of, inputs)
        return inputs, None if key is None else str(key)

    async def _run_durably(self, payload: Payload) -> Answer:
        """Record a run, and return its answer, or its id. NodeError with the Error of the run."""
        inputs, key = await self.read_record(payload)
        begun = await self.durable.begin(inputs, key=key)
        if self.fields.answer == "run":
            return {"run": str(begun.id)}
        answer = await self.durable.answer(begun)
        if type(answer) is Error:
            raise NodeError(answer)
        return answer

    def _own_context(self, process: Process) -> RunContext:
        """Return the context of a run in memory that begins here."""
        root = RunRoot()
        events, host = self._events, self._host
        if events is not None and host is not None and events.is_watched(process):
            root.journal = WatchedJournal(
                lambda: root.id, (events.take,), lambda error: self._report(host, error)
            )
        return RunContext(root, "", self.key)

    def _report(self, host: Host, error: BaseException) -> None:
        host.emit("watcher failed", level="warning", error=Error.of(error, symbol=self.label))

    async def _begin(self, process: Process, payload: Payload) -> GraphRun:
        """Begin a run, or the part of a run that this workflow is inside of."""
        context = process.get(RUN)
        if not isinstance(context, RunContext) or context.owner != self.key:
            context = self._own_context(process)
        inputs = await await_program(self._read, payload)
        most = self.fields.max_parallel
        own = (Limit(most),) if most is not None else ()
        bound = self.bound(process.wiring)
        run = GraphRun(bound, process, context.root, context.path, own, context.limits)
        if run.keeps and not context.path and isinstance(run.journal, WatchedJournal):
            run.journal.finish(RunStatus.RUNNING)
        run.begin(inputs)
        return run

    async def _finished(self, run: GraphRun) -> Any:
        """Return the output of a run; NodeError with its Error."""
        watched = not run.path and isinstance(run.journal, WatchedJournal)
        self._running[run] = None
        try:
            if not run.left and not run.failures:
                output = await await_program(run.outputs)
            else:
                await run.finish()
                error = run.failure()
                if error is not None:
                    raise NodeError(blame_run(error))
                output = await await_program(run.outputs)
        except BaseException as error:
            if watched:
                cancelled = run.cancelled is not None or not isinstance(error, Exception)
                reason = run.process.reason or limit_error() or Error.of(error)
                # A run that takes too long has failed: nobody cancelled it.
                failed = not cancelled or reason.code == "timeout"
                run.journal.finish(RunStatus.FAILED if failed else RunStatus.CANCELLED, reason)
            raise
        finally:
            del self._running[run]
        if watched:
            run.journal.finish(RunStatus.COMPLETED, output)
        return output

    def _cancel_runs(self, payload: Payload) -> Answer:
        """Cancel the run with this id, or all runs if the packet names none; return their number."""
        run_id = payload.get("run") if isinstance(payload, dict) else payload
        runs = [
            run
            for run in self._running
            if not run.path
            and (not run.keeps or isinstance(run.journal, WatchedJournal))
            and (not isinstance(run_id, str) or str(run.root.id) == run_id)
        ]
        for run in runs:
            run.cancel(Error("the run was cancelled", code="cancelled", symbol=self.label))
        durable = 0
        if self._durable is not None:
            durable = self._durable.cancel(run_id if isinstance(run_id, str) else None)
        return {"cancelled": len(runs) + durable}

    def snapshot(self) -> dict[str, Any]:
        """Return how many runs are under way."""
        return {"runs": len(self._running), "tasks": len(self.graph) if self.graph else 0}


def compile_workflow(fields: WorkflowFields, build: Build) -> Node:
    """Compile the graph of the tasks; what is wrong with it is reported when the tasks are."""
    return WorkflowNode(fields, build)


def expand_workflow(fields: WorkflowFields, build: Build) -> Expansion | None:
    """Return the Specs that do the work of the tasks, and the flows between them."""
    node = build.node
    if not fields.runs or not isinstance(node, WorkflowNode):
        return None
    places: list[Path] = []
    names: list[str] = []
    made: dict[int, dict[str, Any]] = {}
    problems = list(node.problems)
    numbers: dict[str, int] = {}
    for place, task in enumerate(fields.tasks):
        works: list[tuple[str, Any, Path]] = [(task.name, task, ("tasks", place))]
        if isinstance(task.fallback, list):
            works += [
                (f"{task.name}|{fields.name}", fields, ("tasks", place, "fallback", number))
                for number, fields in enumerate(task.fallback)
            ]
        for name, work, path in works:
            if name in numbers:
                continue
            numbers[name] = len(names)
            if work.do is None:
                key, value = ("run", work.run) if work.run is not None else ("uses", work.uses)
                made[len(names)] = {"kind": "task", key: value}
                places.append(path)
            else:
                places.append((*path, "do"))
                problems += _links_of(work.do, (*path, "do"), build)
            names.append(name)
    return Expansion(
        places=tuple(places),
        names=tuple(names),
        sends={name: ((number, "in"),) for number, name in enumerate(names)},
        flows=_flows(node.graph, numbers),
        made=made,
        problems=tuple(problems),
    )


def _is_idempotent(fields: WorkflowFields, steps: list[str]) -> bool:
    """Follow a task path into a workflow and those inside; True if it leads nowhere."""
    name = steps[0].partition("#")[0]
    task = next((task for task in fields.tasks if task.name == name), None)
    if task is None or not task.idempotent:
        return task is None
    if len(steps) == 1 or task.do is None or task.do.get("kind") != "workflow":
        return True
    try:
        inner = msgspec.convert(
            {key: value for key, value in task.do.items() if key not in SPEC_FIELDS},
            WorkflowFields,
            strict=False,
            dec_hook=read_field,
        )
    except msgspec.ValidationError:
        return True
    return _is_idempotent(inner, steps[1:])


def _flows(graph: TaskGraph | None, numbers: dict[str, int]) -> dict[End, tuple[End, ...]]:
    if graph is None:
        return {}
    return {
        (numbers[graph.names[source]], "out"): tuple(
            (numbers[graph.names[target]], "in") for target in targets
        )
        for source, targets in enumerate(graph.flows)
        if targets
    }


def _links_of(do: dict[str, Any], path: Path, build: Build) -> list[Problem]:
    """Return the Problem of links under `do`: the output of a task goes where inputs name it."""
    if not do.get("ports"):
        return []
    path = (*path, "ports")
    return [
        Problem(
            code="ports",
            found="links of the Spec that does the work of a task",
            hint="Dependents name the task under inputs; a flow of its own stands in a block.",
            place=build.spec.place(path),
            path=build.spec.at(path),
        )
    ]


EXECUTE = "/run"
"""The in port of durable runs: what comes in here is answered with the outputs, and sent nowhere."""

CANCEL = Port("cancel", "A packet cancels the run whose id it is, or all runs if it names none.")
EVENT = Port(
    "event", "Each change of the status of a run or a task; it costs nothing unless linked."
)

_READ: Mapping[str, list[str]] = {
    "integer": ["integer", "string"],
    "number": ["number", "string"],
    "boolean": ["boolean", "integer", "string"],
}
"""The decoders of inputs by their type: also of the text that a command line gives."""


def _accepted(declared: InputFields) -> dict[str, Any]:
    """Return the type of the values that an input is read from."""
    schema = declared.json_schema
    return {"type": _READ[declared.type]} if declared.type in _READ else schema


def _types(fields: WorkflowFields, type_of_code: TypeOfCode) -> dict[str, Any]:
    """Return the types of the record that begins a run, and of the outputs, as far as they are known."""
    del type_of_code
    types: dict[str, Any] = {}
    if len(fields.inputs) > 1 and fields.uses is None:
        # Names that are not declared are left out, and the value of a single input may come alone.
        types["in"] = {
            "type": "object",
            "properties": {name: _accepted(fields) for name, fields in fields.inputs.items()},
            "required": [name for name, fields in fields.inputs.items() if fields.must],
        }
    if fields.outputs and list(fields.outputs) != ["out"]:
        types["out"] = {
            "type": "object",
            "properties": {name: {} for name in fields.outputs},
            "required": list(fields.outputs),
            "additionalProperties": False,
        }
    return types


WORKFLOW: Kind[WorkflowFields] = Kind(
    Schema(
        types=_types,
        completions=complete_workflows,
        kind="workflow",
        fields=WorkflowFields,
        summary="Holds tasks and states how their outputs flow; each begins when its inputs are there.",
        category="tasks",
        ins=(IN, CANCEL),
        outs=(OUT, ERROR, EVENT),
        example="""\
- kind: workflow
  name: order
  inputs:
    items: {type: array}
    discount: {type: number, default: 0}
  tasks:
    - name: sum
      inputs: {items: in.items}
      do: {kind: snippet, language: python, code: 'sum(one["price"] for one in payload["items"])'}
    - name: shipping
      inputs: {items: in.items}
      do: {kind: snippet, language: cel, code: 'items.size() > 3 ? 0.0 : 4.9'}
    - name: total
      inputs: {sum: sum, shipping: shipping, discount: in.discount}
      do: {kind: snippet, language: cel, code: 'double(sum) * (1.0 - double(discount)) + shipping'}
  outputs: {total: total, shipping: shipping}
""",
        details="""\
A packet at `in` is a record of the inputs, and begins a run; its answer are the outputs. Each task has
named inputs. Its work (`do`, `run` or `uses`) is sent the record of them as one packet, and the answer is
its output. A task begins as soon as everything that it reads is there: tasks do not wait for levels.

Inputs name where their values come from: `load` is the output of the task `load`, `load.rows[0]` a part of
it, `in.day` an input of the workflow, `run.id` and `run.token` the run, and `load.error` the error of a task
that failed. `heddle check` reports a task, an output or an input that is not there, a type that cannot fit
and a cycle, each at its line.

A task that fails is tried again (`retry`), replaced (`fallback`), or fails the run (`on_error`). What
cannot begin without it is skipped. Limits of time (`timeout`) hold for each attempt. `for_each` works on
each item of a list.

A workflow inside `do` is part of the same run. Written once with `params`, a workflow can be used many
times: another one `uses` it and gives the values under `with`.
""",
    ),
    compile_workflow,
    expand=expand_workflow,
)
