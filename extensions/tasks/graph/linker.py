"""The linker numbers the tasks of a workflow that has no mistakes, and makes its TaskGraph."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from heddle.extensions.extension import Build, Error, Program
from heddle.extensions.tasks.fields import (
    FallbackFields,
    TaskFields,
    TaskValueFields,
    WorkflowFields,
)
from heddle.extensions.tasks.functions import TaskFunction
from heddle.extensions.tasks.graph.code import names_in
from heddle.extensions.tasks.graph.dataflow import CodeKey, Dataflow
from heddle.extensions.tasks.graph.reference import Reference, getter
from heddle.extensions.tasks.graph.source import InputSource
from heddle.extensions.tasks.graph.task_graph import (
    Arrivals,
    Get,
    GraphTask,
    GraphWork,
    InputFlow,
    Outgoing,
    Prepare,
    Results,
    RunFlow,
    TaskGraph,
    TaskResult,
)
from heddle.extensions.tasks.graph.transforms import Transform
from heddle.runtime.assembly.retry_rule import RetryRule, error_data
from heddle.schemas.path import Path

Functions = Mapping[tuple[int, int], TaskFunction | None]


class Linker:
    """Makes the TaskGraph. `functions` are those of the tasks, by place and number of the fallback."""

    def __init__(
        self,
        fields: WorkflowFields,
        build: Build,
        functions: Functions,
        places: Mapping[str, int],
    ) -> None:
        self._fields = fields
        self._build = build
        self._functions = functions
        self._places = places
        ranked = sorted(
            range(len(fields.tasks)), key=lambda number: (-fields.tasks[number].rank, number)
        )
        self._order = ranked
        self._number = {place: number for number, place in enumerate(ranked)}

    def link(self, flows: Sequence[Dataflow], fitting: Sequence[frozenset[str]]) -> TaskGraph:
        """Return the graph; raise SpecError if code of it does not compile."""
        tasks = [self._task(place, flows, fitting[place]) for place in self._order]
        outgoing: list[list[Outgoing]] = [[] for _ in tasks]
        arrivals: list[dict[int, tuple[list[Outgoing], list[Outgoing]]]] = [{} for _ in tasks]
        for flow in flows:
            source, target = self._number[flow.source], self._number[flow.target]
            made = Outgoing(target, self._key(flow), self._get(flow))
            if flow.of_error or tasks[target].join != "all":
                data, errors = arrivals[source].setdefault(target, ([], []))
                (errors if flow.of_error else data).append(made)
            else:
                outgoing[source].append(made)
        results, kept = self._results()
        sinks = self._sinks(flows) if self._fields.outputs is None else []
        return TaskGraph(
            tasks,
            outgoing,
            [
                [
                    Arrivals(task, tuple(data), tuple(errors))
                    for task, (data, errors) in sources.items()
                ]
                for sources in arrivals
            ],
            feeds=self._feeds(),
            runs=self._runs(),
            results=results or [self._sink_result(number, tasks) for number in sinks],
            kept=frozenset(kept) | frozenset(sinks),
            sole=sinks[0] if len(sinks) == 1 else None,
            single=list(self._fields.outputs or ()) == ["out"],
        )

    # -- tasks ---------------------------------------------------------------------------------

    def _task(self, place: int, flows: Sequence[Dataflow], fitting: frozenset[str]) -> GraphTask:
        fields = self._fields.tasks[place]
        function = self._functions.get((place, 0))
        fallback = fields.fallback
        works = fallback if isinstance(fallback, list) else []
        return GraphTask(
            place=place,
            fields=fields,
            work=_work(fields, fields.name, function, self._fitting(fields, function, fitting)),
            template=self._template(fields, function),
            prepare=self._prepare(place, fields, flows),
            each=fields.each,
            over=tuple(
                self._input_name(fields, function, name)
                for name in (fields.each.names if fields.each is not None else ())
            ),
            rule=self._rule(place, fields),
            timeout=float(fields.timeout) if fields.timeout is not None else None,
            on_error=fields.on_error or self._fields.on_error,
            fallback_value=(fallback.value,) if isinstance(fallback, TaskValueFields) else None,
            fallbacks=tuple(
                _work(
                    fallback_fields,
                    f"{fields.name}|{fallback_fields.name}",
                    self._functions.get((place, number + 1)),
                )
                for number, fallback_fields in enumerate(works)
            ),
            join=fields.join,
        )

    def _fitting(
        self, fields: TaskFields, function: TaskFunction | None, fitting: frozenset[str]
    ) -> frozenset[str]:
        renamed = {self._input_name(fields, function, name) for name in fitting}
        # Code that runs before the task may give anything.
        return frozenset(name for name in renamed if not self._has_code(fields, name))

    def _has_code(self, fields: TaskFields, name: str) -> bool:
        source = fields.inputs.get(name)
        return source is not None and any(transform.expression for transform in source.through)

    def _input_name(self, fields: TaskFields, function: TaskFunction | None, name: str) -> str:
        """Return the name that an input has in the record: a sole `in` is the first parameter."""
        if name == "in" and set(fields.inputs) == {"in"} and function is not None:
            return function.first or name
        return name

    def _template(self, fields: TaskFields, function: TaskFunction | None) -> dict[str, Any]:
        return {
            self._input_name(fields, function, name): (
                source.value if source.has_value else _absent(source.through)
            )
            for name, source in fields.inputs.items()
        }

    def _rule(self, place: int, fields: TaskFields) -> RetryRule | None:
        again = fields.again
        if again is None or again.attempts < 2:
            return None
        when = again.when
        return RetryRule(
            most=again.attempts,
            delay=float(again.delay),
            factor=again.factor,
            longest=float(again.max_delay),
            jitter=again.jitter,
            when=(
                self._build.condition(when, "tasks", place, "retry", "when")
                if when is not None
                else None
            ),
        )

    def _prepare(self, place: int, fields: TaskFields, flows: Sequence[Dataflow]) -> Prepare | None:
        """Return what runs before an attempt: code of inputs, and the condition of the task."""
        path: Path = ("tasks", place)
        function = self._functions.get((place, 0))
        codes: list[tuple[str, Program, tuple[CodeKey, ...]]] = []
        chains: list[tuple[str, Get]] = []
        for name, source in fields.inputs.items():
            given = self._input_name(fields, function, name)
            if source.expression is not None:
                program = self._build.program(source.expression, *path, "inputs", name)
                keys = tuple(
                    CodeKey(name, self._fields.tasks[flow.source].name)
                    for flow in flows
                    if flow.code and flow.target == place and flow.input == name
                )
                codes.append((given, program, keys))
            elif any(transform.expression is not None for transform in source.through):
                chains.append((given, self._chain(source.through, (*path, "inputs", name))))
        when = fields.when
        condition = self._build.condition(when, *path, "when") if when is not None else None
        if not codes and not chains and condition is None:
            return None
        return _prepared(codes, chains, condition)

    def _chain(self, through: Sequence[Transform], path: Path) -> Get:
        """Return the transforms from the first that is code on, one after the other."""
        steps: list[Get] = []
        started = False
        for number, transform in enumerate(through):
            started = started or transform.expression is not None
            if not started:
                continue
            if transform.expression is not None:
                steps.append(self._build.program(transform.expression, *path, "through", number))
            else:
                steps.append(transform.apply)
        return _composed(steps)

    # -- flows ---------------------------------------------------------------------------------

    def _key(self, flow: Dataflow) -> Any:
        if flow.input is None:
            return None
        if flow.code:
            return CodeKey(flow.input, self._fields.tasks[flow.source].name)
        fields = self._fields.tasks[flow.target]
        return self._input_name(fields, self._functions.get((flow.target, 0)), flow.input)

    def _get(self, flow: Dataflow) -> Get | None:
        if flow.reference is None or flow.code:
            return None
        path = flow.reference.path[1:] if flow.of_error else flow.reference.path
        each = self._fields.tasks[flow.source].each is not None and not flow.of_error
        through = flow.written.through if flow.written is not None else ()
        return _part(path, str(flow.reference), through, each=each)

    def _feeds(self) -> list[InputFlow]:
        feeds = []
        for place, fields in enumerate(self._fields.tasks):
            for name, source in fields.inputs.items():
                reference = source.reference
                if reference is not None and reference.of_input:
                    given = self._input_name(fields, self._functions.get((place, 0)), name)
                    feeds.append(self._feed(self._number[place], given, reference, source))
        return feeds

    def _feed(self, number: int, name: str, reference: Reference, source: InputSource) -> InputFlow:
        if not reference.path:
            return InputFlow(number, name, "", _part((), "in", source.through))
        get = _part(reference.path[1:], str(reference), source.through)
        return InputFlow(number, name, str(reference.path[0]), get)

    def _runs(self) -> list[RunFlow]:
        runs = []
        for place, fields in enumerate(self._fields.tasks):
            for name, source in fields.inputs.items():
                reference = source.reference
                if reference is not None and reference.of_run:
                    given = self._input_name(fields, self._functions.get((place, 0)), name)
                    value, get = str(reference.path[0]), _part((), "run", source.through)
                    runs.append(RunFlow(self._number[place], given, value, get))
        return runs

    # -- outputs -------------------------------------------------------------------------------

    def _sinks(self, flows: Sequence[Dataflow]) -> list[int]:
        """Return the tasks that have no dependents, in the order of the list.

        A dependent that takes the error of a task does not stand for its output.
        """
        read = {flow.source for flow in flows if not flow.of_error}
        return [self._number[place] for place in range(len(self._order)) if place not in read]

    def _sink_result(self, number: int, tasks: Sequence[GraphTask]) -> TaskResult:
        return TaskResult(tasks[number].name, lambda results: results.values.get(number))

    def _results(self) -> tuple[list[TaskResult], set[int]]:
        """Return the outputs that are written, and the tasks that they need."""
        linked, kept = [], set[int]()
        for name, source in (self._fields.outputs or {}).items():
            result, needs = self._result(name, source)
            linked.append(result)
            kept |= needs
        return linked, kept

    def _result(self, name: str, source: InputSource) -> tuple[TaskResult, set[int]]:
        path: Path = ("outputs", name)
        if source.expression is not None:
            program = self._build.program(source.expression, *path)
            names = names_in(source.expression, self._build, path, self._places)
            numbers = {name: self._number[self._places[name]] for name in names}

            def run(results: Results) -> Any:
                return program({text: results.values.get(n) for text, n in numbers.items()})

            return TaskResult(name, run), set(numbers.values())
        reference = source.reference
        if reference is None:
            return TaskResult(name, lambda _results: source.value), set()
        if any(transform.expression is not None for transform in source.through):
            chain = self._chain(source.through, path)
        else:
            chain = None
        absent = _absent(source.through)
        if reference.of_run:
            flow = RunFlow(0, name, str(reference.path[0]), _part((), "run", source.through))
            return TaskResult(name, _run_result(flow, chain)), set()
        if reference.of_input:
            feed = self._feed(0, name, reference, source)
            return TaskResult(name, _input_result(feed, chain, absent)), set()
        number = self._number[self._places[reference.source]]
        if reference.of_error:
            get = _part(reference.path[1:], str(reference), source.through)
            return TaskResult(name, _error_result(number, get, chain, absent)), {number}
        each = self._fields.tasks[self._places[reference.source]].each is not None
        get = _part(reference.path, str(reference), source.through, each=each)
        return TaskResult(name, _task_result(number, get, chain, absent)), {number}


def _work(
    fields: TaskFields | FallbackFields,
    port: str,
    function: TaskFunction | None,
    fitting: frozenset[str] = frozenset(),
) -> GraphWork:
    nested = fields.do is not None and fields.do.get("kind") == "workflow"
    sole = isinstance(fields, TaskFields) and set(fields.inputs) == {"in"} and function is None
    return GraphWork(port, fields.name, function, nested, fitting, sole)


def _part(
    path: Sequence[str | int],
    whole: str,
    through: Sequence[Transform] = (),
    *,
    each: bool = False,
) -> Get | None:
    """Return what takes a part of an output and changes it by the transforms before any code.

    With `each`, the output is a list of results, and a name takes that part of each.
    """
    steps: list[Get] = []
    if each and path and isinstance(path[0], str):
        inner = getter(path, whole)
        if inner is not None:
            steps.append(_of_each(inner))
    else:
        own = getter(path, whole)
        if own is not None:
            steps.append(own)
    for transform in through:
        if transform.expression is not None:
            break
        steps.append(transform.apply)
    return _composed(steps) if steps else None


def _of_each(get: Get) -> Get:
    def take(values: Any) -> list[Any]:
        # What failed and is kept in its place has no such part.
        return [None if _failed(value) else get(value) for value in values or ()]

    return take


def _failed(value: Any) -> bool:
    return value is None or (type(value) is dict and len(value) == 1 and "error" in value)


def _composed(steps: Sequence[Get]) -> Get:
    if len(steps) == 1:
        return steps[0]

    def run(value: Any) -> Any:
        for step in steps:
            value = step(value)
        return value

    return run


def _prepared(
    codes: Sequence[tuple[str, Program, tuple[CodeKey, ...]]],
    chains: Sequence[tuple[str, Get]],
    condition: Program | None,
) -> Prepare:
    def prepare(raw: dict[Any, Any]) -> dict[str, Any] | None:
        record = {key: value for key, value in raw.items() if type(key) is not CodeKey}
        for name, program, keys in codes:
            record[name] = program({key.task: raw.get(key) for key in keys})
        for name, chain in chains:
            record[name] = chain(record[name])
        return None if condition is not None and not condition(record) else record

    return prepare


def _absent(through: Sequence[Transform]) -> Any:
    """Return what the transforms before any code make of a value that never comes."""
    value: Any = None
    for transform in through:
        if transform.expression is not None:
            break
        value = transform.default(value)
    return value


def _run_result(flow: RunFlow, chain: Get | None) -> Callable[[Results], Any]:
    def take(results: Results) -> Any:
        value: Any = results.run(flow.value)
        if flow.get is not None:
            value = flow.get(value)
        return chain(value) if chain is not None else value

    return take


def _input_result(feed: InputFlow, chain: Get | None, absent: Any) -> Callable[[Results], Any]:
    def take(results: Results) -> Any:
        value: Any = results.inputs.get(feed.name) if feed.name else results.inputs
        if value is None:
            value = absent
        elif feed.get is not None:
            value = feed.get(value)
        return chain(value) if chain is not None else value

    return take


def _task_result(
    number: int, get: Get | None, chain: Get | None, absent: Any
) -> Callable[[Results], Any]:
    def take(results: Results) -> Any:
        if number not in results.values:
            return absent
        value = results.values[number]
        if get is not None:
            value = get(value)
        return chain(value) if chain is not None else value

    return take


def _error_result(
    number: int, get: Get | None, chain: Get | None, absent: Any
) -> Callable[[Results], Any]:
    def take(results: Results) -> Any:
        error: Error | None = results.errors.get(number)
        if error is None:
            return absent
        value: Any = error_data(error)
        if get is not None:
            value = get(value)
        return chain(value) if chain is not None else value

    return take
