"""A packet goes as deep as its flow is, and a ring without an end is stopped."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from heddle.runtime.flow import machine
from heddle.runtime.flow.errors import NOTHING, Answer, Error, Payload
from heddle.runtime.flow.finish import settle
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.node import Node
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.wiring import Wiring
from tests.runtime.flow.machine_support import process_ended, same_node
from tests.runtime.nodes import (
    act,
    ask,
    chain,
    choose,
    fail,
    later,
    nop,
    run,
    visit,
    wire,
    wired,
)

pytestmark = pytest.mark.anyio

# -- depth -----------------------------------------------------------------------------------------

DEEP = 10_000


async def add_one_later(payload: Payload) -> Payload:
    return payload + 1


async def wait_and_add_one(payload: Payload) -> Payload:
    await asyncio.sleep(0)
    return payload + 1


async def visit_and_add_one(flow: Flow, payload: Payload) -> Answer:
    return await flow.send("out", payload + 1)


def plus(payload: Payload) -> Payload:
    return payload + 1


MAKERS: dict[str, Callable[[], Node]] = {
    "actions": lambda: act(plus),
    "process actions": lambda: act(lambda payload, _: payload + 1, process=True),
    "choices": lambda: choose(lambda payload: ("out", payload + 1)),
    "visits": lambda: visit(visit_and_add_one),
    "waiting actions": lambda: act(add_one_later),
    "really waiting actions": lambda: act(wait_and_add_one),
    "waiting visits": lambda: visit(visit_and_add_one, waits=True),
    "visits in turns": lambda: visit(visit_and_add_one, turns=True),
}


@pytest.mark.parametrize("sort", MAKERS)
async def test_a_chain_of_ten_thousand_works(sort: str) -> None:
    flow = chain(DEEP, lambda _: MAKERS[sort]())
    assert await ask(flow, 0, 0) == DEEP


async def test_a_chain_of_ten_thousand_of_everything_works() -> None:
    makers = list(MAKERS.values())
    flow = chain(DEEP, lambda number: makers[number % len(makers)]())
    assert await ask(flow, 0, 0) == DEEP


def test_a_plain_chain_of_forty_thousand_is_answered_at_once() -> None:
    makers = [MAKERS["actions"], MAKERS["choices"], MAKERS["process actions"]]
    flow = chain(40_000, lambda number: makers[number % 3]())
    assert run(flow, 0, 0) == 40_000


def fans(count: int, leaf: Node, make: Callable[[], Node]) -> Wiring:
    """Return a chain whose every node is linked to a leaf and to the next node."""
    nodes: dict[Any, Any] = {
        number: (make(), {"out": (("leaf", "in"), (number + 1, "in"))}) for number in range(count)
    }
    nodes[count] = (act(plus), {})
    nodes["leaf"] = (leaf, {})
    return wired(nodes)


@pytest.mark.parametrize("sort", ["actions", "choices", "process actions"])
def test_ten_thousand_fan_outs_below_each_other_work(sort: str) -> None:
    assert run(fans(DEEP, nop(), MAKERS[sort]), 0, 0) == DEEP + 1


@pytest.mark.parametrize("sort", ["actions", "waiting actions", "visits"])
async def test_ten_thousand_concurrent_fan_outs_below_each_other_work(sort: str) -> None:
    async def nothing_later(_: Payload) -> Answer:
        await asyncio.sleep(0)
        return NOTHING

    leaf = act(nothing_later, out=None)
    flow = fans(DEEP // 10, leaf, MAKERS[sort])
    flow_end = act(wait_and_add_one)
    flow = wired(
        {
            **{key: (one.node, one.links) for key, one in flow.symbols.items()},
            DEEP // 10: (flow_end, {}),
        }
    )
    assert await ask(flow, 0, 0) == DEEP // 10 + 1


async def test_deep_concurrent_fan_outs_are_cancelled_without_recursion() -> None:
    async def for_ever(_: Payload) -> Answer:
        return await asyncio.get_running_loop().create_future()

    plain = fans(3000, act(for_ever, out=None), MAKERS["actions"])
    nodes = {key: (one.node, one.links) for key, one in plain.symbols.items()}
    nodes[3000] = (act(for_ever), {})
    answer = await ask(wired(nodes), 0, 0, deadline=0.5)
    assert isinstance(answer, Error)
    assert answer.code == "timeout"


def test_a_wide_and_deep_tree_is_walked_to_its_last_leaf() -> None:
    nodes: dict[Any, Any] = {}
    for level in range(12):
        links = {"out": ((level + 1, "in"), (level + 1, "in"))} if level < 11 else {}
        nodes[level] = (act(plus), links)

    def flat(answer: Any) -> int:
        return sum(map(flat, answer)) if isinstance(answer, list) else 1

    assert flat(run(wired(nodes), 0, 0)) == 2**11


# -- rings -----------------------------------------------------------------------------------------


async def test_a_ring_with_an_exit_is_left_by_it() -> None:
    nodes = {
        "a": act(plus),
        "b": choose(lambda n: ("out" if n < 200_000 else "out[1]", n)),
        "c": act(lambda n: f"done at {n}"),
    }
    flow = wire(nodes, {"a.out": "b", "b.out": "a", "b.out[1]": "c"})
    assert await ask(flow, 0) == "done at 200000"


@pytest.mark.parametrize("sort", [sort for sort in MAKERS if "visits" not in sort])
async def test_a_ring_without_end_lets_loop_live_and_stops_at_its_deadline(
    sort: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However quick the machine is, the deadline comes first.
    monkeypatch.setattr(machine, "ROUNDS", 10**12)
    flow = wire({"a": MAKERS[sort](), "b": MAKERS[sort]()}, {"a.out": "b", "b.out": "a"})
    process = LiveProcess(flow)
    waiting = asyncio.ensure_future(settle(process.run(flow.entry("a", "in"), 0)))
    # The ring goes on all the while, and lets everything else have its turn.
    for _ in range(5):
        await asyncio.sleep(0.001)
    assert not waiting.done()
    process.deadline = asyncio.get_running_loop().time()
    error = await waiting
    assert isinstance(error, Error)
    assert error.code == "timeout"
    await process_ended(process)


@pytest.mark.parametrize("sort", [sort for sort in MAKERS if "visits" in sort])
async def test_a_ring_of_visits_without_an_end_is_answered_with_depth(sort: str) -> None:
    nodes = {"a": MAKERS[sort](), "b": MAKERS["actions"]()}
    error = await ask(wire(nodes, {"a.out": "b", "b.out": "a"}), 0, deadline=60)
    assert isinstance(error, Error)
    assert error.code == "depth"


async def test_a_ring_that_forks_is_answered_with_depth() -> None:
    nodes = {"a": act(plus), "nop": nop()}
    error = await ask(wire(nodes, {"a.out": ["nop", "a"]}), 0, deadline=60)
    assert isinstance(error, Error)
    assert error.code == "depth"


async def test_a_ring_that_forks_into_waiting_nodes_can_be_cancelled() -> None:
    nodes = {"a": act(later), "b": act(later)}
    flow = wire(nodes, {"a.out": ["b", "a"]})
    process = LiveProcess(flow)
    waiting = asyncio.ensure_future(settle(process.run(flow.entry("a", "in"), 0)))
    for _ in range(200):
        await asyncio.sleep(0)
    process.cancel(Error("enough", code="cancelled"))
    assert (await waiting).message == "enough"
    await process_ended(process)


async def test_depth_counts_through_concurrent_fan_outs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "DEPTH", 50)
    nodes = {"a": act(later), "b": act(later)}
    error = await ask(wire(nodes, {"a.out": ["a", "b"]}), 0, deadline=20)
    assert isinstance(error, Error)
    assert error.code == "depth"


async def test_ring_in_which_errors_are_tried_again_for_ever_can_be_stopped() -> None:
    async def again(flow: Flow, payload: Payload) -> Answer:
        answer = await flow.send("out", payload)
        return await flow.send("error", payload) if isinstance(answer, Error) else answer

    flow = wire({"a": visit(again), "b": fail()}, {"a.out": "b", "a.error": "a"})
    error = await ask(flow, 0, deadline=0.3)
    assert isinstance(error, Error)
    assert error.code in ("timeout", "depth")


async def test_a_visit_that_sends_without_end_does_not_pile_up_calls() -> None:
    async def many(flow: Flow, payload: Payload) -> Answer:
        for number in range(machine.HOPS * 20):
            payload = await flow.send("out", number)
        return payload

    flow = wire({"a": visit(many), "b": same_node()}, {"a.out": "b"})
    assert run(flow) == machine.HOPS * 20 - 1


async def test_a_visit_in_turns_lets_its_own_packet_come_back() -> None:
    async def down(flow: Flow, payload: Payload) -> Answer:
        return await flow.send("out", payload - 1) if payload else "bottom"

    flow = wire({"a": visit(down, turns=True), "b": act(later)}, {"a.out": "b", "b.out": "a"})
    assert await ask(flow, 50, deadline=5) == "bottom"


async def test_visit_in_turns_lets_its_own_packet_come_back_through_fan_out() -> None:
    async def down(flow: Flow, payload: Payload) -> Answer:
        return await flow.send("out", payload - 1) if payload else "bottom"

    nodes = {"a": visit(down, turns=True), "b": act(later), "c": act(later)}
    flow = wire(nodes, {"a.out": ["b", "c"], "b.out": "a"})
    assert await ask(flow, 2, deadline=5) == [["bottom", 0], 1]
