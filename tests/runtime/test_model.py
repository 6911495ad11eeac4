"""However a flow is run, it answers what the naive reading of it answers.

Random graphs of every sort of node are evaluated by a recursive model of the rules, and by the
machine: fused, unfused, observed, and with some of the nodes waiting.
"""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.errors import NOTHING, Answer, Error, Payload
from heddle.runtime.flow.finish import finish
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.fusion import Fuser
from heddle.runtime.flow.machine import PendingAnswer
from heddle.runtime.flow.node import Action, Choice, Handler, Node, Visit
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.wiring import Lens, WiredSymbol, Wiring
from tests.runtime.nodes import made, wired


class Part(NamedTuple):
    """One node of a random graph: what it is, how it behaves, and where its ports lead."""

    sort: str
    salt: int
    ports: dict[str, list[int]]


Graph = list[Part]
Log = list[tuple[int, Any]]

SORTS = ["action", "process", "end", "choice", "pass", "pair", "try"]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Return a graph without rings: links lead only to higher numbers."""
    count = draw(st.integers(1, 9))
    graph: Graph = []
    for number in range(count):
        later = st.lists(st.integers(number + 1, count - 1), max_size=3)
        none: st.SearchStrategy[list[int]] = st.just([])
        ports = {
            port: draw(later if number + 1 < count else none)
            for port in ("out", "out[1]", "error")
            if draw(st.booleans())
        }
        graph.append(Part(draw(st.sampled_from(SORTS)), draw(st.integers(0, 11)), ports))
    return graph


def result(part: Part, payload: Payload) -> Answer:
    """Return what a node makes of a payload: another, NOTHING, an Error as a value, or a failure."""
    number = payload if isinstance(payload, int) else 5
    turn = (number * 7 + part.salt) % 11
    if turn == 0:
        raise ValueError(f"{part.salt} of {number}")
    if turn == 1:
        return NOTHING
    if turn == 2:
        return Error(f"value {part.salt}")
    if turn == 3:
        return None
    return number * 3 + part.salt


def choice(part: Part, payload: Payload) -> tuple[str | None, Payload]:
    """Return where a choosing node sends a payload."""
    number = payload if isinstance(payload, int) else 4
    turn = (number + part.salt) % 6
    if turn == 0:
        raise ValueError(f"no way for {number}")
    ways: list[str | None] = [None, "out[0]", "out[1]", "out", "nowhere"]
    return ways[turn - 1], payload


# -- the model -------------------------------------------------------------------------------------


def joined(answers: list[Answer]) -> Answer:
    values = [answer for answer in answers if answer is not NOTHING]
    errors = [value for value in values if isinstance(value, Error)]
    if errors:
        return errors[0] if len(errors) == 1 else Error("\n".join(one.message for one in errors))
    return NOTHING if not values else values[0] if len(values) == 1 else values


def send(graph: Graph, number: int, port: str, payload: Payload, log: Log) -> Answer:
    targets = graph[number].ports.get("out" if port == "out[0]" else port, [])
    if not targets:
        return payload
    return joined([answer(graph, target, payload, log) for target in targets])


def answer(graph: Graph, number: int, payload: Payload, log: Log) -> Answer:
    """Return what a node answers, by the book."""
    part = graph[number]
    log.append((number, payload))
    try:
        if part.sort == "choice":
            port, value = choice(part, payload)
        elif part.sort in ("action", "process", "end"):
            port, value = (None if part.sort == "end" else "out"), result(part, payload)
        else:
            port, value = "", payload
    except ValueError as error:
        return send(graph, number, "error", Error(str(error)), log)
    if port == "":
        return visited(graph, number, payload, log)
    if port is None or value is NOTHING:
        return value
    return send(graph, number, port, value, log)


def visited(graph: Graph, number: int, payload: Payload, log: Log) -> Answer:
    sort = graph[number].sort
    first = send(graph, number, "out", payload, log)
    if sort == "pair":
        return [first, send(graph, number, "out[1]", payload, log)]
    if sort == "try" and isinstance(first, Error):
        return send(graph, number, "error", first, log)
    return first


# -- the same as nodes -----------------------------------------------------------------------------


def node(number: int, part: Part, log: Log, waits: bool) -> Node:
    return made(handler(number, part, log, waits))


def handler(number: int, part: Part, log: Log, waits: bool) -> Handler:
    if part.sort == "choice":

        def chooses(payload: Payload) -> tuple[str | None, Payload]:
            log.append((number, payload))
            return choice(part, payload)

        return Choice(chooses)
    if part.sort in ("pass", "pair", "try"):
        return Visit(visiting(number, part, log, waits), waits=waits)
    return action(number, part, log, waits)


def action(number: int, part: Part, log: Log, waits: bool) -> Action:
    def now(payload: Payload, *_: Process) -> Payload:
        log.append((number, payload))
        return result(part, payload)

    async def later(payload: Payload, *_: Process) -> Payload:
        log.append((number, payload))
        if part.salt % 2:
            await asyncio.sleep(0)
        return result(part, payload)

    out = None if part.sort == "end" else "out"
    fn: Callable[..., Any] = later if waits else now
    return Action(fn, out=out, process=part.sort == "process")


def visiting(number: int, part: Part, log: Log, waits: bool) -> Any:
    async def visit(flow: Flow, payload: Payload) -> Answer:
        log.append((number, payload))
        if waits:
            await asyncio.sleep(0)
        first = await flow.send("out", payload)
        if part.sort == "pair":
            return [first, await flow.send("out[1]", payload)]
        if part.sort == "try" and isinstance(first, Error):
            return await flow.send("error", first)
        return first

    return visit


def flow_of(
    graph: Graph, log: Log, waiting: frozenset[int] = frozenset(), lens: Lens | None = None
) -> Wiring:
    return wired(
        {
            number: (
                node(number, part, log, number in waiting),
                {
                    port: tuple((target, "in") for target in targets)
                    for port, targets in part.ports.items()
                },
            )
            for number, part in enumerate(graph)
        },
        lens,
    )


def plain(value: Answer) -> Any:
    """Answers in a form that compares: Errors by what they say."""
    if isinstance(value, Error):
        return ("error", value.message)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def at_once(wiring: Wiring, start: int, payload: Payload) -> Answer:
    process = LiveProcess(wiring)
    found = process.run(wiring.entry(start, "in"), payload)
    assert type(found) is not PendingAnswer
    process.end()
    return found


class NoFuser(Fuser):
    """Fuses nothing, so that every step is walked."""

    def fuse(self, target: Any) -> None:
        return None


@settings(max_examples=250, deadline=None)
@given(graphs(), st.integers(0, 30))
def test_plain_flows_answer_by_the_book_fused_walked_and_observed(
    graph: Graph, payload: int
) -> None:
    expected_log: Log = []
    expected = plain(answer(graph, 0, payload, expected_log))

    def seen_lens(_owner: Any, port: str, _inbound: bool) -> Visit | None:
        async def seen(flow: Flow, passing: Payload) -> Answer:
            frames.append(port)
            return await flow.send("", passing)

        return Visit(seen)

    frames: list[str] = []
    log: Log = []
    fused = flow_of(graph, log)
    walked = flow_of(graph, log)
    walked._fuser = NoFuser(walked)
    for wiring in (fused, walked, flow_of(graph, log, lens=seen_lens)):
        assert not wiring.may_wait(0, "in")
        for _ in range(2):
            log.clear()
            assert plain(at_once(wiring, 0, payload)) == expected
            assert [number for number, _ in log] == [number for number, _ in expected_log]
    assert len(frames) >= 2 * len(expected_log)


@settings(max_examples=250, deadline=None)
@given(graphs(), st.integers(0, 30), st.frozensets(st.integers(0, 8)), st.booleans())
def test_waiting_flows_answer_by_the_book(
    graph: Graph, payload: int, waiting: frozenset[int], observed: bool
) -> None:
    expected_log: Log = []
    expected = plain(answer(graph, 0, payload, expected_log))
    log: Log = []

    def every(_owner: Any, _port: str, _inbound: bool) -> Visit:
        async def seen(flow: Flow, passing: Payload) -> Answer:
            return await flow.send("", passing)

        return Visit(seen)

    async def story() -> None:
        wiring = flow_of(graph, log, waiting, every if observed else None)
        process = LiveProcess(wiring)
        found = process.run(wiring.entry(0, "in"), payload)
        assert type(found) is not PendingAnswer or wiring.may_wait(0, "in")
        async with asyncio.timeout(60):
            assert plain(await finish(process, found)) == expected
        assert not wiring.processes
        assert sorted(number for number, _ in log) == sorted(n for n, _ in expected_log)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(story())


@settings(max_examples=150, deadline=None)
@given(graphs(), st.frozensets(st.integers(0, 8)), st.lists(st.integers(0, 30), max_size=5))
def test_answers_come_back_in_the_order_of_the_questions(
    graph: Graph, waiting: frozenset[int], payloads: list[int]
) -> None:
    expected = [plain(answer(graph, 0, payload, [])) for payload in payloads]

    async def story() -> None:
        wiring = flow_of(graph, [], waiting)
        wiring = Wiring({**wiring.symbols, "start": start_of(wiring)})
        process = LiveProcess(wiring)
        writer = process.writer("start", "out")
        for payload in payloads:
            writer.write(payload)
        async with asyncio.timeout(60):
            assert [plain(await writer.receive()) for _ in payloads] == expected
            await finish(process, None)
        assert not wiring.processes

    asyncio.run(story())


def start_of(wiring: Wiring) -> Any:
    """Return a symbol that leads to the first."""
    return WiredSymbol("start", wiring.symbols[0].node, {"out": ((0, "in"),)})


@settings(max_examples=60, deadline=None)
@given(
    graphs(), st.integers(0, 30), st.frozensets(st.integers(0, 8), min_size=1), st.integers(0, 6)
)
def test_a_cancelled_flow_leaves_nothing_behind(
    graph: Graph, payload: int, waiting: frozenset[int], ticks: int
) -> None:
    async def story() -> None:
        wiring = flow_of(graph, [], waiting)
        process = LiveProcess(wiring)
        found = process.run(wiring.entry(0, "in"), payload)
        task = asyncio.ensure_future(finish(process, found))
        for _ in range(ticks):
            await asyncio.sleep(0)
        answered = task.done() or type(found) is not PendingAnswer
        process.cancel(Error("enough", code="cancelled"))
        async with asyncio.timeout(60):
            found = await task
        assert answered or found == Error("enough", code="cancelled")
        assert not wiring.processes
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(story())


@pytest.mark.parametrize("deep", [1, 39, 40, 41, 80, 200])
def test_fused_trees_are_bounded_in_depth_wherever_packets_come_in(deep: int) -> None:
    def fork(number: int) -> Part:
        return Part("action", 4, {"out": [number + 1, deep]} if number + 1 < deep else {})

    graph = [*map(fork, range(deep)), Part("end", 4, {})]
    wiring = flow_of(graph, [])
    # From the end to the beginning: what is fused already must not make what comes later deeper.
    for start in reversed(range(deep)):
        assert plain(at_once(wiring, start, 4)) == plain(answer(graph, start, 4, []))
