"""nodes: ten plain functions as nodes, beside a loop over the same ten functions."""

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.calls import compare
from benchmarks.measure import Measure, at_most
from benchmarks.row import AnswerMismatchError, Row, Say
from benchmarks.scale import Scale
from heddle.runtime.flow.contracts import Target
from heddle.runtime.flow.errors import NOTHING
from heddle.runtime.flow.node import Action, Choice, Handler, Node
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.wiring import WiredSymbol, Wiring

COUNT = 10


class _Plain(Node):
    """A node of one handler."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def handler(self, port: str) -> Handler | None:
        return self._handler if port == "in" else None


def _functions() -> list[Callable[[Any], Any]]:
    """Ten functions that are ten objects, as those of ten nodes are."""
    return [eval("lambda x: x + 1") for _ in range(COUNT)]


def loop(functions: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """Return the floor: what one would write in Python."""

    def run(value: Any) -> Any:
        for function in functions:
            value = function(value)
        return value

    return run


def straight(functions: Sequence[Callable[[Any], Any]]) -> Wiring:
    """Nodes in a row."""
    return Wiring(
        {
            index: WiredSymbol(
                f"n{index}",
                _Plain(Action(function)),
                {"out": ((index + 1, "in"),)} if index < len(functions) - 1 else {},
            )
            for index, function in enumerate(functions)
        }
    )


def branching(functions: Sequence[Callable[[Any], Any]], *, last: bool = False) -> Wiring:
    """Return each out port has two links: to the next node and, before it or after it, to one beside it."""

    def links(index: int) -> tuple[Target, ...]:
        both = ((index + 1, "in"), (f"beside{index}", "in"))
        return both if last else both[::-1]

    symbols: dict[Any, WiredSymbol] = {}
    for index, function in enumerate(functions):
        onward = {"out": links(index)} if index < COUNT - 1 else {}
        symbols[index] = WiredSymbol(f"n{index}", _Plain(Action(function)), onward)
        symbols[f"beside{index}"] = WiredSymbol(
            f"beside{index}", _Plain(Action(lambda _: NOTHING, out=None))
        )
    return Wiring(symbols)


def choosing(functions: Sequence[Callable[[Any], Any]]) -> Wiring:
    """Behind each node stands one that only chooses where to go on: twenty nodes."""
    symbols: dict[Any, WiredSymbol] = {}
    for index, function in enumerate(functions):
        symbols[index] = WiredSymbol(
            f"n{index}", _Plain(Action(function)), {"out": ((f"choice{index}", "in"),)}
        )
        symbols[f"choice{index}"] = WiredSymbol(
            f"choice{index}",
            _Plain(Choice(lambda x: ("out[1]" if x < 0 else "out", x))),
            {"out": ((index + 1, "in"),)} if index < COUNT - 1 else {},
        )
    return Wiring(symbols)


def _nothing(_owner: Any, _port: str, _inbound: bool) -> None:
    """Want to see no port."""


def run(scale: Scale, say: Say) -> list[Measure]:
    """Return each shape of ten nodes, in a process that is there already."""
    functions = _functions()
    floor = loop(functions)
    shapes = (
        ("one after the other", straight(functions), at_most(2.0)),
        ("each out with two links, the way on last", branching(functions), at_most(8.0)),
        (
            "each out with two links, the way on first",
            branching(functions, last=True),
            at_most(8.0),
        ),
        ("a choice behind each", choosing(functions), None),
        # Others may be watched: what nobody watches costs what it costs without a lens.
        ("a lens that wants none", straight(functions).observed(_nothing), at_most(2.0)),
        (
            "a lens that wants none, two links",
            branching(functions).observed(_nothing),
            at_most(8.0),
        ),
    )
    measures = []
    for name, wiring, reach in shapes:
        say(name)
        process = LiveProcess(wiring)
        entry = wiring.entry(0, "in")
        answer = process.run(entry, 0)
        if answer != floor(0):
            raise AnswerMismatchError(f"{name}: ten nodes answered {answer!r}, wanted {floor(0)!r}")
        names = {"floor": floor, "run": process.run, "entry": entry}
        measures.append(
            compare(
                name,
                floor="floor(0)",
                subject="run(entry, 0)",
                names=names,
                scale=scale,
                reach=reach,
            )
        )
        process.end()
    return measures


ROW = Row(
    title="a packet through ten plain-function nodes, and its answer back",
    floor="a Python loop over the same ten functions",
    run=run,
)
