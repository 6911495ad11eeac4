"""The compiler makes a TaskGraph of the fields of a workflow, and reports everything that is wrong with it.

An unknown task, an unknown output, a type that cannot fit, a missing required input and a cycle are
five different Problems, each at its line, all of them together.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from heddle.extensions.extension import Build, Expression
from heddle.extensions.tasks.fields import TaskFields, WorkflowFields
from heddle.extensions.tasks.functions import (
    FunctionError,
    TaskFunction,
    find_registered,
    import_function,
)
from heddle.extensions.tasks.graph.analysis import find_cycle
from heddle.extensions.tasks.graph.code import names_in
from heddle.extensions.tasks.graph.dataflow import Dataflow
from heddle.extensions.tasks.graph.linker import Linker
from heddle.extensions.tasks.graph.reference import RUN_VALUES, Reference
from heddle.extensions.tasks.graph.signatures import (
    UNKNOWN,
    WorkTypes,
    declared,
    types_of_function,
    types_of_spec,
)
from heddle.extensions.tasks.graph.source import InputSource
from heddle.extensions.tasks.graph.task_graph import TaskGraph
from heddle.extensions.tasks.graph.type_check import TypeCheck
from heddle.schemas.errors import SpecError
from heddle.schemas.path import Path
from heddle.schemas.problem import Problem
from heddle.schemas.suggestion import did_you_mean


def compile_graph(fields: WorkflowFields, build: Build) -> tuple[TaskGraph | None, list[Problem]]:
    """Return the TaskGraph of a workflow, or None, and every Problem with it."""
    compiler = Compiler(fields, build)
    graph = compiler.compile()
    return graph, compiler.problems


class Compiler:
    """Compiles one workflow; `problems` has what is wrong with it."""

    def __init__(self, fields: WorkflowFields, build: Build) -> None:
        self.fields = fields
        self.problems: list[Problem] = []
        self._build = build
        self._incomplete = False
        self._numbers: dict[str, int] = {}
        self._functions: dict[tuple[int, int], TaskFunction | None] = {}

    def compile(self) -> TaskGraph | None:
        """Return the graph; None if something is wrong with it."""
        self._name_tasks()
        types = [self._types(number, task) for number, task in enumerate(self.fields.tasks)]
        flows = list(self._flows())
        self._check_runs(flows)
        self._check_joins(flows)
        check = TypeCheck(self.fields, types, self._report)
        fitting = check.inputs(flows)
        check.outputs(self._numbers)
        self._check_cycle(flows)
        if self.problems or self._incomplete:
            self._check_code()
            return None
        linker = Linker(self.fields, self._build, self._functions, self._numbers)
        try:
            return linker.link(flows, fitting)
        except SpecError:
            # The linker stops at the first.
            self._check_code()
            return None

    # -- tasks ---------------------------------------------------------------------------------

    def _name_tasks(self) -> None:
        for number, task in enumerate(self.fields.tasks):
            names: list[tuple[str, Path]] = [(task.name, ("tasks", number, "name"))]
            if isinstance(task.fallback, list):
                names += [
                    (f"{task.name}|{fields.name}", ("tasks", number, "fallback", place, "name"))
                    for place, fields in enumerate(task.fallback)
                ]
            for name, path in names:
                if name in self._numbers:
                    first = f"tasks[{self._numbers[name]}]"
                    self._report(path, "duplicate-name", f'the name "{name}" is taken by {first}')
                self._numbers.setdefault(name, number)
        self._numbers = {name: number for name, number in self._numbers.items() if "|" not in name}

    def _types(self, number: int, task: TaskFields) -> WorkTypes:
        """Return what the work of a task takes and gives."""
        if isinstance(task.fallback, list):
            for place, fields in enumerate(task.fallback):
                self._functions[number, place + 1] = self._function(fields.run, fields.uses)
        function = self._functions[number, 0] = self._function(task.run, task.uses)
        if function is not None:
            return declared(types_of_function(function), task.outputs)
        known = self._build.languages.type_of
        entry = types_of_spec(task.do, known) if task.do is not None else UNKNOWN
        return declared(entry, task.outputs)

    def _function(self, run: str | None, uses: str | None) -> TaskFunction | None:
        try:
            if run is not None:
                return import_function(run)
            if uses is not None:
                return find_registered(uses)
        except FunctionError:
            # The Spec of kind `task` that this is short for reports it.
            self._incomplete = True
        return None

    # -- dataflows -----------------------------------------------------------------------------

    def _flows(self) -> Iterator[Dataflow]:
        """Yield every dataflow between two tasks; a task that is not there is reported."""
        for number, task in enumerate(self.fields.tasks):
            for name, source in task.inputs.items():
                path: Path = ("tasks", number, "inputs", name)
                if source.expression is not None:
                    yield from self._code_flows(number, name, source.expression, path)
                    continue
                upstream = self._upstream(source.reference, path, source)
                if upstream is not None:
                    yield Dataflow(
                        source=upstream,
                        target=number,
                        input=name,
                        written=source,
                        reference=source.reference,
                        path=path,
                    )
            for place, name in enumerate(task.after):
                path = ("tasks", number, "after", place)
                if name in self._numbers:
                    yield Dataflow(source=self._numbers[name], target=number, path=path)
                else:
                    self._unknown_task(name, path)
        for name, source in (self.fields.outputs or {}).items():
            if source.expression is None:
                self._upstream(source.reference, ("outputs", name), source)

    def _code_flows(
        self, number: int, name: str, expression: Expression, path: Path
    ) -> Iterator[Dataflow]:
        """Yield a dataflow from each task that the code of an input names."""
        for task in names_in(expression, self._build, path, self._numbers):
            yield Dataflow(
                source=self._numbers[task],
                target=number,
                input=name,
                reference=Reference(task),
                code=True,
                path=path,
            )

    def _upstream(self, reference: Reference | None, path: Path, source: InputSource) -> int | None:
        """Return the task that a reference names, if it names one."""
        if reference is None:
            return None
        if source.long:
            path = (*path, "from")
        if reference.of_input:
            self._check_input(reference, path)
            return None
        if reference.of_run:
            if reference.path[:1] not in {(value,) for value in RUN_VALUES}:
                self._report(
                    path,
                    "unknown-output",
                    f'"{reference}" names no value of the run',
                    expected="run.id or run.token",
                )
            return None
        number = self._numbers.get(reference.source)
        if number is None:
            self._unknown_task(reference.source, path)
        return number

    def _check_input(self, reference: Reference, path: Path) -> None:
        inputs = self.fields.inputs
        if not reference.path:
            return
        name = str(reference.path[0])
        if name not in inputs:
            self._report(
                path,
                "unknown-input",
                f'the workflow has no input "{name}" (it has: {", ".join(inputs) or "none"})',
                hint=did_you_mean(name, inputs) or "Declare it under inputs of the workflow.",
            )

    def _unknown_task(self, name: str, path: Path) -> None:
        known = ", ".join(self._numbers)
        hint = did_you_mean(name, self._numbers)
        if not hint and name in self.fields.inputs:
            hint = f"An input of the workflow is in.{name}."
        self._report(
            path, "unknown-task", f'there is no task "{name}" (there is: {known})', hint=hint
        )

    def _check_code(self) -> None:
        """Report all code that does not compile."""
        build = self._build
        for number, task in enumerate(self.fields.tasks):
            path: Path = ("tasks", number)
            for name, source in task.inputs.items():
                self._check_source(source, (*path, "inputs", name))
            conditions: list[tuple[Expression | None, Path]] = [(task.when, (*path, "when"))]
            if task.again is not None:
                conditions.append((task.again.when, (*path, "retry", "when")))
            for when, place in conditions:
                if when is not None:
                    with self._reported():
                        build.condition(when, *place)
        for name, source in (self.fields.outputs or {}).items():
            self._check_source(source, ("outputs", name))

    def _check_source(self, source: InputSource, path: Path) -> None:
        places: list[tuple[Expression | None, Path]] = [(source.expression, path)]
        places += [
            (transform.expression, (*path, "through", number))
            for number, transform in enumerate(source.through)
        ]
        for expression, place in places:
            if expression is not None:
                with self._reported():
                    self._build.program(expression, *place)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Report the Problems that the block raises."""
        try:
            yield
        except SpecError as error:
            self.problems += error.problems

    def _check_runs(self, flows: Sequence[Dataflow]) -> None:
        """Report a number of `join` that can never be reached."""
        for number, task in enumerate(self.fields.tasks):
            if isinstance(task.join, int):
                upstream = len({flow.source for flow in flows if flow.target == number})
                if task.join > upstream:
                    self._report(
                        ("tasks", number, "join"),
                        "range",
                        f"it waits for {task.join} tasks and has {upstream} upstream",
                        expected=f"at most {upstream}" if upstream else "all",
                    )

    def _check_joins(self, flows: Sequence[Dataflow]) -> None:
        """Report a task that wants both the output and the error of another, and can never begin."""
        incoming: dict[int, list[Dataflow]] = {}
        for flow in flows:
            if self.fields.tasks[flow.target].join == "all":
                incoming.setdefault(flow.target, []).append(flow)
        for own in incoming.values():
            errors = {flow.source for flow in own if flow.of_error}
            for flow in own:
                if flow.source in errors and not flow.of_error:
                    name = self.fields.tasks[flow.source].name
                    self._report(
                        flow.path,
                        "join",
                        f'"{name}" cannot both complete and fail',
                        hint="With join: settled a missing value is null.",
                    )

    def _check_cycle(self, flows: Sequence[Dataflow]) -> None:
        """Report the first cycle with its path, at the dataflow that closes it."""
        tasks = self.fields.tasks
        names = [(tasks[flow.source].name, tasks[flow.target].name) for flow in flows]
        if not _has_cycle(len(tasks), flows):
            return
        cycle = find_cycle([task.name for task in tasks], names)
        closing = (cycle[-2], cycle[-1])
        flow = next(flow for flow, pair in zip(flows, names, strict=True) if pair == closing)
        self._report(
            flow.path,
            "cycle",
            f"the tasks wait for each other: {' → '.join(cycle)}",
            hint="A task can only read tasks that end before it begins.",
        )

    def _report(
        self, path: Path, code: str, actual: str, *, expected: str = "", hint: str = ""
    ) -> None:
        spec = self._build.spec
        self.problems.append(
            Problem(
                code=code,
                found=actual,
                expected=expected,
                hint=hint,
                place=spec.place(path),
                path=spec.at(path),
            )
        )


def _has_cycle(count: int, flows: Sequence[Dataflow]) -> bool:
    """Return whether tasks are left over when each is taken once all that it needs is taken."""
    missing = [0] * count
    outgoing: Mapping[int, list[int]] = {number: [] for number in range(count)}
    for flow in flows:
        missing[flow.target] += 1
        outgoing[flow.source].append(flow.target)
    ready = [number for number in range(count) if not missing[number]]
    taken = 0
    while ready:
        taken += 1
        for target in outgoing[ready.pop()]:
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    return taken < count
