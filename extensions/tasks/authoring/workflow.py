"""A Workflow holds tasks and says how their outputs flow; it is built into the same Spec as YAML.

report = Workflow("report")
day = report.input("day", str)
rows = report.add(load, {"day": day})
report.add(total, {"rows": rows.output})
report.specs()
"""

from collections.abc import Callable, Mapping, Sequence
from threading import RLock
from typing import Any
from uuid import UUID

import msgspec

from heddle.extensions.tasks.authoring.auto_connect import connect_inputs, has_code, names_read
from heddle.extensions.tasks.authoring.operators import Operand, Vertex
from heddle.extensions.tasks.authoring.options import (
    TASK_OPTIONS,
    WORKFLOW_OPTIONS,
    check_name,
    written_options,
)
from heddle.extensions.tasks.authoring.output import Output, Written, written_input
from heddle.extensions.tasks.authoring.task import Task, task_of_function, task_of_spec
from heddle.extensions.tasks.authoring.task_call import TaskCall, calling_place
from heddle.extensions.tasks.authoring.task_table import TaskTable
from heddle.extensions.tasks.authoring.trace import current_tracer, tracing
from heddle.extensions.tasks.authoring.workflow_inputs import (
    WorkflowInput,
    input_of_fields,
    input_of_hint,
    inputs_of_body,
)
from heddle.schemas.link import DEFAULT_NAMESPACE, Link
from heddle.schemas.path import Path
from heddle.schemas.problem import Place
from heddle.schemas.suggestion import did_you_mean
from heddle.specs.model.names import NAME_RULE, legal_name, named_id
from heddle.specs.model.spec import Binding, Spec

_UNSET: Any = msgspec.UNSET


class Workflow(TaskTable, Operand):
    """Tasks, their inputs and their order. It grows by `add`, `input`, `output`, `connect` and `>>`.

    `inputs` are types by name, or the fields of an input as YAML writes them. `body` is the function
    of `@workflow`: it is traced once, when the workflow is first used. The options are the fields of
    a workflow: max_parallel, timeout, on_error, durable, schedule, …
    """

    def __init__(
        self,
        name: str,
        tasks: Sequence[Task[Any, Any]] = (),
        *,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        namespace: str = DEFAULT_NAMESPACE,
        id: UUID | None = None,  # noqa: A002
        annotations: Mapping[str, str] | None = None,
        env: Mapping[str, Binding] | None = None,
        ports: Mapping[str, Any] | None = None,
        body: Callable[..., Any] | None = None,
        **options: Any,
    ) -> None:
        if not legal_name(name):
            raise ValueError(f'"{name}" is not a name for a workflow ({NAME_RULE})')
        TaskTable.__init__(self, name)
        self.namespace = namespace
        self.annotations = dict(annotations or {})
        self.env = dict(env or {})
        self.ports = _links(ports or {})
        self.id = id or named_id("spec", namespace, name)
        self.place = calling_place()
        self.options = written_options(options, WORKFLOW_OPTIONS, f"workflow {name}")
        self._inputs: dict[str, WorkflowInput] = {}
        self._outputs: dict[str, Any] = {}
        self._body = body
        self._lock = RLock()
        self._stage = "new"
        self._as_written: Mapping[str, Any] = {}
        self._is_read = False
        self.compiled: Any = None
        """The result of compiling it by `call`."""
        if body is not None:
            self.__doc__ = body.__doc__
            self.__name__ = getattr(body, "__name__", name)
            self._inputs = inputs_of_body(body, inputs)
        else:
            for key, hint in (inputs or {}).items():
                self._inputs[key] = input_of_hint(key, hint)
        self.take_along(tasks)
        for key, value in (outputs or {}).items():
            self.output(key, value)

    # -- what authors add ------------------------------------------------------------------------

    def input(
        self,
        name: str,
        type: Any = Any,  # noqa: A002
        *,
        default: Any = _UNSET,
        help: str = "",  # noqa: A002
    ) -> Output:
        """Add an input, and return the reference to it. Raise ValueError if the name is taken or bad."""
        self._trace()
        if name in self._inputs:
            raise ValueError(f'workflow {self.name} has the input "{name}" already')
        added = self._inputs[name] = input_of_hint(name, type, default=default, help=help)
        return added.output

    def output(self, name: str, value: Output | Written | TaskCall) -> "Workflow":
        """Add an output: the output of a task, or a part of it."""
        self._trace()
        check_name(name, "workflow output")
        if name in self._outputs:
            raise ValueError(f'workflow {self.name} has the output "{name}" already')
        self._outputs[name] = self._written_output(name, value)
        return self

    def add(
        self,
        task: "Task[Any, Any] | Workflow | Mapping[str, Any] | Callable[..., Any]",
        inputs: Mapping[str, Any] | None = None,
        /,
        *,
        name: str = "",
        after: Operand | Sequence[Operand] = (),
        **options: Any,
    ) -> TaskCall:
        """Add a task and return it. `task` may be a function, a Spec of any kind or a workflow, too.

        ValueError if the name is taken. Nothing is added if something is wrong with it.
        """
        self._trace()
        made = self._as_task(task, name)
        call = TaskCall(self, made, name or self.free_name(made.name))
        if name:
            self.check_free(check_name(name))
        call.set_inputs(inputs or {})
        call.configure(**options)
        waits_for = [after] if isinstance(after, Operand) else list(after)
        self._calls[call.name] = call
        try:
            call.run_after(*waits_for)
        except BaseException:
            del self._calls[call.name]
            raise
        return call

    def connect(self, source: Any, output: str, target: TaskCall, input: str) -> "Workflow":  # noqa: A002
        """Let the output of one task flow to an input of another: `connect(load, "rows", sum, "rows")`.

        An empty output, or `out`, is the whole answer.
        """
        self._trace()
        value = source.output if isinstance(source, TaskCall) else source
        if not isinstance(value, Output):
            raise TypeError(f"{source!r} is not a task of workflow {self.name}")
        if output not in ("", "out"):
            value = value[output]
        target.set_inputs({input: value})
        return self

    def task(self, function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
        """Make a task of a function and add it, with and without parentheses, as `@task` does."""
        name = options.pop("name", "")
        namespace, override = options.pop("namespace", ""), options.pop("override", False)
        written = written_options(options, TASK_OPTIONS, f"task {name}".rstrip())

        def make(function: Callable[..., Any]) -> Task[..., Any]:
            given = name or str(getattr(function, "__name__", ""))
            self.check_free(given)
            bound = task_of_function(
                function,
                name=name,
                namespace=namespace,
                override=override,
                options=written,
                home=self,
            )
            self.add_bare(bound)
            return bound

        return make if function is None else make(function)

    # -- what a Spec says ------------------------------------------------------------------------

    def take_fields(self, fields: Mapping[str, Any], calls: Sequence[TaskCall]) -> None:
        """Take what a Spec says, as it is written: its fields without the tasks, and the tasks."""
        given = dict(fields)
        if given.get("inputs"):
            for name, written in given.pop("inputs").items():
                self._inputs[name] = input_of_fields(name, written)
        if given.get("outputs"):
            self._outputs = dict(given.pop("outputs"))
        self.options = {name: given.pop(name) for name in WORKFLOW_OPTIONS if name in given}
        self._as_written, self._is_read = given, True
        self._calls = {call.name: call for call in calls}

    # -- what it is built into -------------------------------------------------------------------

    @property
    def tasks(self) -> tuple[TaskCall, ...]:
        """Its tasks, in their order."""
        self._trace()
        return tuple(self._calls.values())

    @property
    def inputs(self) -> tuple[WorkflowInput, ...]:
        """Its inputs, in their order."""
        self._trace()
        return tuple(self._inputs.values())

    def get(self, name: str) -> TaskCall:
        """Return the task of this name; KeyError with the nearest name."""
        self._trace()
        if name not in self._calls:
            hint = did_you_mean(name, self._calls)
            raise KeyError(f'workflow {self.name} has no task "{name}". {hint}'.rstrip(". "))
        return self._calls[name]

    def specs(self) -> tuple[Spec, ...]:
        """Return the Specs of the workflow: those that the same workflow in YAML stands for.

        The same workflow gives the same Specs each time. Raise AutoConnectError if an input of a bare task
        stays open, with what was tried.
        """
        spec = Spec(
            id=self.id,
            kind="workflow",
            namespace=self.namespace,
            name=self.name,
            annotations=self.annotations,
            env=self.env,
            ports=self.ports,
            fields=self.fields(),
            places=self._place_of,
        )
        return (spec,)

    def fields(self) -> dict[str, Any]:
        """Return the fields of the Spec, plain data."""
        self._trace()
        fields: dict[str, Any] = {}
        if "help" in self.options:
            fields["help"] = self.options["help"]
        if self._inputs:
            fields["inputs"] = {name: given.field() for name, given in self._inputs.items()}
        if self._calls or not self._is_read:
            fields["tasks"] = [self._task_fields(call) for call in self._calls.values()]
        if self._outputs:
            fields["outputs"] = dict(self._outputs)
        fields |= {name: value for name, value in self.options.items() if name != "help"}
        return {**fields, **self._as_written}

    def call(self, **inputs: Any) -> Any:
        """Run the workflow in memory, here and now, and return its answer.

        No event loop is begun if no task waits. See `call_workflow` for the errors.
        """
        from heddle.extensions.tasks.authoring.inline import call_workflow

        return call_workflow(self, inputs)

    def __call__(self, *args: Any, **inputs: Any) -> Any:
        """Add it to the workflow that is traced, as one task; anywhere else, call it."""
        tracer = current_tracer()
        if tracer is not None:
            return tracer.add_call(self._as_nested(), args, inputs)
        if args:
            raise TypeError(f"the inputs of workflow {self.name} are given by name")
        return self.call(**inputs)

    def vertices(self) -> list[Vertex]:
        """Reject a workflow beside an operator: it is not clear which of its tasks is meant."""
        raise TypeError(f"workflow {self.name} is not a task: call it, or add it with .add(…)")

    def __repr__(self) -> str:
        return f"<Workflow: {self.name}>"

    # -- how -------------------------------------------------------------------------------------

    def _trace(self) -> None:
        """Trace the body, if there is one and it was not traced yet."""
        body = self._body
        if body is None or self._stage == "traced":
            return
        with self._lock:
            # What the body itself asks for is asked for in the same thread.
            if self._stage != "new":
                return
            self._stage = "tracing"
            try:
                given = {name: each.output for name, each in self._inputs.items()}
                with tracing(self):
                    answer = body(**given)
                self._keep_answer(answer)
                self._stage = "traced"
            except BaseException:
                # What is half traced is nothing: the next use begins anew, and fails again.
                self.clear()
                self._outputs.clear()
                self._stage = "new"
                raise

    def _keep_answer(self, answer: Any) -> None:
        """Make outputs of what the body returns: one Output, or a map of them."""
        answer = self._replace_tasks(answer)
        if answer is None:
            return
        if isinstance(answer, Mapping):
            for name, value in answer.items():
                self.output(str(name), value)
            return
        if isinstance(answer, Output) and answer._vertex is not None and not answer._parts:
            calls = list(self._calls.values())
            read = {name for call in calls for name in names_read(call.inputs)}
            last = [call for call in calls if not call.after and call.name not in read]
            if last == [answer._vertex] and not any(has_code(call.inputs) for call in calls):
                # The only task without dependents answers anyway.
                return
        self.output("out", answer)

    def _replace_tasks(self, answer: Any) -> Any:
        """Return the output for a task, a map of outputs for several, and all else as it is."""
        if isinstance(answer, Task):
            return self.find_bare(answer).output
        if isinstance(answer, Sequence) and all(isinstance(each, Task) for each in answer):
            return {each.name: self.find_bare(each).output for each in answer}
        return answer

    def _written_output(self, name: str, value: Any) -> Any:
        value = value.output if isinstance(value, TaskCall) else value
        if not isinstance(value, Output | Written | Mapping | Sequence):
            raise TypeError(
                f"the output {name} of workflow {self.name} is {value!r}, not the output of a task"
            )
        written, reads = written_input(value)
        for output in reads:
            self.check_own(output)
        return written

    def _as_task(self, task: Any, name: str) -> Task[Any, Any]:
        if isinstance(task, Task):
            return task
        if isinstance(task, Workflow):
            return task._as_nested()
        if isinstance(task, Mapping):
            return task_of_spec(task, name=name or self.free_name(str(task.get("kind", "task"))))
        return task_of_function(task, name=name)

    def _as_nested(self) -> Task[Any, Any]:
        """Return a task whose work is this workflow."""
        return Task(
            None,
            {"do": {"kind": "workflow", **self.fields()}},
            name=self.name,
            signature=self._signature(),
        )

    def _signature(self) -> Any:
        from heddle.schemas.types.signature import Signature

        known = tuple(each.definition() for each in self._inputs.values())
        return Signature(inputs=known, outputs=())

    def _task_fields(self, call: TaskCall) -> dict[str, Any]:
        inputs, after = connect_inputs(self, call)
        fields: dict[str, Any] = {"name": call.name, **call.task.target}
        if inputs:
            fields["inputs"] = inputs
        if after:
            fields["after"] = after
        return {**fields, **call.options}

    def _place_of(self, path: Path) -> Place:
        if len(path) > 1 and path[0] == "tasks" and isinstance(path[1], int):
            calls = list(self._calls.values())
            if path[1] < len(calls):
                return calls[path[1]].place
        return self.place


def _links(ports: Mapping[str, Any]) -> Mapping[str, tuple[Link, ...]]:
    """Return links under `ports` as a Spec has them."""
    linked = {}
    for port, links in ports.items():
        several = links if isinstance(links, list | tuple) else [links]
        linked[port] = tuple(
            link if isinstance(link, Link) else msgspec.convert(link, Link) for link in several
        )
    return linked
