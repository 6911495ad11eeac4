"""A BoundGraph is a TaskGraph in one generation: for each task the step that does its work, and how."""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, Final, TypeAlias

from heddle.extensions.tasks.functions import ItemCall, TaskFunction
from heddle.extensions.tasks.graph.task_graph import GraphWork, TaskGraph
from heddle.runtime.assembly.expansion import HELD
from heddle.runtime.flow.contracts import Target
from heddle.runtime.flow.step import RUN, WAIT, ActionStep, Step
from heddle.runtime.flow.wiring import Wiring

CALL: Final = 0
"""Work that is a plain function: it is called with the record."""

STEP: Final = 1
"""Work that does not wait: its packet is sent in the Process of the run."""

AWAIT: Final = 2
"""Work that is a function that waits: its coroutine is awaited in the Process of the run."""

FORK: Final = 3
"""Work that waits or may open something: it has a Process of its own."""

GENERAL: Final = 4
"""A task with more than its work: a condition, items, a limit of time, another stage."""


ItemCaller: TypeAlias = Callable[[str, dict[str, Any]], ItemCall]
"""Given the name of an input and the others: the call with a value of it."""


class BoundWork:
    """The work of a task in one generation: how it is done, and its step or call.

    `action` is the step if it is a single action that waits, so that it can be awaited without the
    machine. `back` makes plain data of what the awaited call gives, unless that is of one of the types
    `plain`. `owner` is the id of the symbol that does it, `label` its name for people.
    """

    __slots__ = (
        "action",
        "back",
        "call",
        "item_call",
        "label",
        "mode",
        "name",
        "nested",
        "owner",
        "plain",
        "sole",
        "step",
    )

    def __init__(self, holder: Hashable, work: GraphWork, wiring: Wiring) -> None:
        port = HELD + work.port
        targets = wiring.targets(holder, port)
        self.owner: Hashable = targets[0][0] if targets else None
        self.label = wiring.label(self.owner) if targets else work.name
        self.name = work.name
        self.nested = work.nested
        self.sole = work.sole
        self.step: Step | None = None
        self.action: ActionStep | None = None
        self.call: Callable[[Any], Any] = _never
        self.back: Callable[[Any], Any] | None = None
        self.plain: frozenset[type] = frozenset()
        self.item_call: ItemCaller | None = None
        function = _function_at(targets[0], wiring) if len(targets) == 1 else None
        if function is not None:
            fitting = work.fitting if function is work.function else ()
            if function.waits:
                self.mode = AWAIT
                self.call, self.back, self.plain = function.starter(fitting)
            else:
                self.mode = CALL
                self.call = function.caller(fitting)
                self.item_call = partial(function.item_caller, fitting)
            return
        self.step = wiring.out(holder, port)
        self.action = _alone(self.step)
        waits = any(wiring.may_wait(*target) for target in targets)
        plain = self.nested or (self.step is not None and self.step.op == RUN)
        self.mode = FORK if waits or not plain else STEP


def _never(record: Any) -> Any:
    raise RuntimeError(f"work without a function was called with {record!r}")


def _alone(step: Step | None) -> ActionStep | None:
    """Return the step if it is an action that waits, and nothing follows it."""
    if isinstance(step, ActionStep) and step.op == WAIT and step.following() is None:
        return step
    return None


def _function_at(target: Target, wiring: Wiring) -> TaskFunction | None:
    """Return the function that a packet at this in port is answered by; None if there is more to it.

    There is more if somebody watches the port, or if limits stand round the node, or if links lead on.
    """
    if wiring.is_observed:
        return None
    wired = wiring.symbols[target[0]]
    function, action = getattr(wired.node, "function", None), getattr(wired.node, "action", None)
    if not isinstance(function, TaskFunction) or wired.links or target[1] != "in":
        return None
    return function if wiring.handler(target) is action else None


class BoundGraph:
    """A TaskGraph with the work of each task. `modes` has a byte for each task.

    `calls` are the functions of the tasks of mode CALL and AWAIT. `waits` has for the latter all that
    the loop needs of one: its call, the types of results that need nothing more, whether its output is
    kept or more has to be done than to hand it on, and the dataflows. `extra` tells of each task whether
    it has more to do, when it is settled, than to hand its output on.
    """

    __slots__ = (
        "calls",
        "extra",
        "fallbacks",
        "firsts",
        "graph",
        "modes",
        "outgoing",
        "records",
        "waits",
        "works",
    )

    def __init__(self, graph: TaskGraph, holder: Hashable, wiring: Wiring) -> None:
        self.graph = graph
        self.works = tuple(BoundWork(holder, task.work, wiring) for task in graph.tasks)
        self.fallbacks = tuple(
            tuple(BoundWork(holder, work, wiring) for work in task.fallbacks)
            for task in graph.tasks
        )
        self.modes = bytearray(
            work.mode if task.simple and not work.nested and not work.sole else GENERAL
            for task, work in zip(graph.tasks, self.works, strict=True)
        )
        self.calls = tuple(work.call for work in self.works)
        # Plain tuples of what carries data: the loop unpacks them quickest.
        self.outgoing = tuple(
            tuple((flow.task, flow.input, flow.get) for flow in flows if flow.input is not None)
            for flows in graph.outgoing
        )
        self.extra = bytearray(
            bool(graph.arrivals[number]) or any(flow.input is None for flow in flows)
            for number, flows in enumerate(graph.outgoing)
        )
        self.waits = tuple(
            (
                work.call,
                work.plain,
                bool(self.extra[number]) or number in graph.kept,
                self.outgoing[number],
            )
            for number, work in enumerate(self.works)
        )
        self.records = tuple(task.template for task in graph.tasks)
        self.firsts = tuple(number for number, count in enumerate(graph.needs) if not count)
