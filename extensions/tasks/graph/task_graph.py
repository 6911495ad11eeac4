"""A TaskGraph is a compiled workflow: numbered tasks, counters, outgoing dataflows, and their order.

Tasks are numbered so that a smaller number begins first if two are ready: by priority, and by their
place in the list if their priorities are equal.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import msgspec

from heddle.extensions.extension import Error
from heddle.extensions.tasks.fields import ForEachFields, TaskFields
from heddle.extensions.tasks.functions import TaskFunction
from heddle.runtime.assembly.retry_rule import RetryRule

if TYPE_CHECKING:
    from networkx import DiGraph

Get: TypeAlias = Callable[[Any], Any]
"""Takes the part of a value that a dataflow carries; it raises what goes wrong."""

Prepare: TypeAlias = Callable[[dict[Any, Any]], "dict[str, Any] | None"]
"""Makes the record that a task is sent of its raw inputs; None if the task is skipped.

It may raise ElsewhereError, and changes nothing that it is given.
"""


class Outgoing(NamedTuple):
    """One dataflow: to which task, to which input (None: order alone), and which part (None: all)."""

    task: int
    input: str | None
    get: Get | None = None


class Arrivals(NamedTuple):
    """The data of one task for a dependent that does not simply wait for everything.

    `flows` carry outputs, `errors` the error of the task: those have a value only if it failed.
    """

    task: int
    flows: tuple[Outgoing, ...] = ()
    errors: tuple[Outgoing, ...] = ()


class GraphWork(msgspec.Struct, frozen=True, eq=False):
    """The worker of a task: the port by which the workflow sends to it, and its function.

    `nested` tells that it is a workflow of its own, whose tasks belong to the same run. `fitting`
    are the inputs that are known to have a type that fits. `sole` is set if the work is sent the
    value of its only input, `in`, instead of a record.
    """

    port: str
    name: str
    function: TaskFunction | None = None
    nested: bool = False
    fitting: frozenset[str] = frozenset()
    sole: bool = False


class GraphTask(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """One task of a graph, as the scheduler needs it.

    `place` is its place in the list. `template` has every input in order, with the values that are
    known beforehand, and of references what stands for a value that never comes. `over` are the inputs whose items a `for_each` works on. `rule` says when a failed attempt is repeated; `timeout` is in seconds.
    `fallback` is a value (in a tuple), the work of each fallback task, or None.
    """

    place: int
    fields: TaskFields
    work: GraphWork
    template: dict[str, Any]
    prepare: Prepare | None = None
    each: ForEachFields | None = None
    over: tuple[str, ...] = ()
    rule: RetryRule | None = None
    timeout: float | None = None
    on_error: str = "stop"
    fallback_value: tuple[Any] | None = None
    fallbacks: tuple[GraphWork, ...] = ()
    join: str | int = "all"

    @property
    def name(self) -> str:
        """Its name."""
        return self.fields.name

    @property
    def simple(self) -> bool:
        """Whether an attempt is nothing but a call: no condition, items, or limit of time."""
        return self.prepare is None and self.each is None and self.timeout is None


class InputFlow(NamedTuple):
    """An input of a task that comes from the inputs of the run: its task, its name, and the part."""

    task: int
    input: str
    name: str
    get: Get | None = None


class RunFlow(NamedTuple):
    """An input of a task that comes from the run itself: `id` or `token`, and what is made of it."""

    task: int
    input: str
    value: str
    get: Get | None = None


class TaskResult(NamedTuple):
    """An output of the workflow: a function of the outputs of tasks and the inputs of the run."""

    name: str
    take: "Callable[[Results], Any]"


class Results:
    """The sources of the outputs of a workflow. `values` has the outputs of completed tasks."""

    __slots__ = ("errors", "inputs", "run", "values")

    def __init__(
        self,
        values: Mapping[int, Any],
        errors: Mapping[int, Error],
        inputs: Mapping[str, Any],
        run: Callable[[str], Any],
    ) -> None:
        """`run` gives the values of the run itself by name."""
        self.values = values
        self.errors = errors
        self.inputs = inputs
        self.run = run


class TaskGraph:
    """The tasks of one workflow, and what flows between them.

    `outgoing` lists what each task feeds when it is completed, for dependents that wait for all
    that they need; `needs` counts that. `arrivals` has what it has for all other dependents:
    they are among `joins`. `feeds` and `runs` are the inputs that are known when a run begins.
    `kept` are the tasks whose outputs the outputs of the workflow need. `sole` tells that the
    output of the workflow is that of a single task, `single` that it is the value of its only result.
    """

    __slots__ = (
        "arrivals",
        "feeds",
        "flows",
        "handled",
        "kept",
        "names",
        "needs",
        "numbers",
        "order",
        "outgoing",
        "results",
        "runs",
        "single",
        "sole",
        "tasks",
        "totals",
    )

    def __init__(
        self,
        tasks: Sequence[GraphTask],
        outgoing: Sequence[Sequence[Outgoing]],
        arrivals: Sequence[Sequence[Arrivals]] = (),
        *,
        feeds: Sequence[InputFlow] = (),
        runs: Sequence[RunFlow] = (),
        results: Sequence[TaskResult] = (),
        kept: frozenset[int] = frozenset(),
        sole: int | None = None,
        single: bool = False,
    ) -> None:
        self.tasks = tuple(tasks)
        self.names = tuple(task.name for task in tasks)
        self.numbers: Mapping[str, int] = {name: number for number, name in enumerate(self.names)}
        self.outgoing = tuple(tuple(flows) for flows in outgoing)
        self.arrivals = tuple(tuple(arrival) for arrival in arrivals) or ((),) * len(tasks)
        self.feeds, self.runs, self.results = tuple(feeds), tuple(runs), tuple(results)
        self.kept = kept
        self.sole = sole
        self.single = single
        self.needs = [0] * len(self.names)
        self.totals = [0] * len(self.names)
        self.handled = frozenset(
            number
            for number, entries in enumerate(self.arrivals)
            if any(entry.errors for entry in entries)
        )
        self.flows = self._pairs()
        self._count()
        self.order = tuple(self._sorted())

    def __len__(self) -> int:
        return len(self.names)

    def upstream(self, number: int) -> tuple[int, ...]:
        """Return the tasks that this one reads or comes after, in order."""
        return tuple(source for source, targets in enumerate(self.flows) if number in targets)

    def dependents(self, number: int) -> tuple[int, ...]:
        """Return the tasks that read this one or come after it, in order."""
        return self.flows[number]

    def path(self, number: int, prefix: str = "") -> str:
        """Return the task path of a task: its name, after that of the task that holds the workflow."""
        return f"{prefix}/{self.names[number]}" if prefix else self.names[number]

    def levels(self) -> list[list[str]]:
        """Return the names of the tasks by their distance from the first ones: for display only."""
        from heddle.extensions.tasks.graph.analysis import levels

        return levels(self)

    def networkx(self) -> "DiGraph[str]":
        """Return the graph of the task names, for whoever wants to ask it more."""
        from heddle.extensions.tasks.graph.analysis import digraph

        return digraph(self)

    def _pairs(self) -> tuple[tuple[int, ...], ...]:
        pairs = []
        for number in range(len(self.names)):
            numbers = {flow.task for flow in self.outgoing[number]}
            numbers |= {arrival.task for arrival in self.arrivals[number]}
            pairs.append(tuple(sorted(numbers)))
        return tuple(pairs)

    def _count(self) -> None:
        for flows in self.outgoing:
            for flow in flows:
                self.needs[flow.task] += 1
        for entries in self.arrivals:
            for entry in entries:
                self.needs[entry.task] += 1
                self.totals[entry.task] += 1

    def _sorted(self) -> Iterator[int]:
        """Yield the tasks so that each comes after all that it needs; those of a cycle are left out."""
        missing = [0] * len(self.names)
        for targets in self.flows:
            for target in targets:
                missing[target] += 1
        ready = [number for number, count in enumerate(missing) if not count]
        ready.reverse()
        while ready:
            number = ready.pop()
            yield number
            for target in reversed(self.flows[number]):
                missing[target] -= 1
                if not missing[target]:
                    ready.append(target)


def item_path(path: str, item: int) -> str:
    """Return the task path of one item of a `for_each`: `page#17`."""
    return f"{path}#{item}"


def walk_outward(path: str) -> Iterator[str]:
    """Yield a task path and those that hold it, innermost first: `page#3/load`, `page#3`, `page`."""
    yield path
    for place in range(len(path) - 1, 0, -1):
        if path[place] in "#/":
            yield path[:place]
