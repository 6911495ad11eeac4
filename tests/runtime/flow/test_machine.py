"""A packet is a call: what a sender is answered, whatever the flow is made of."""

import asyncio
import gc
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from heddle.runtime.flow import machine
from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.errors import NOTHING, Answer, Error, NodeError, Payload
from heddle.runtime.flow.finish import settle
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.machine import PendingAnswer
from heddle.runtime.flow.node import Action, Node, Visit
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.reader import Reader
from heddle.runtime.flow.wiring import Wiring
from tests.runtime.nodes import (
    act,
    add,
    ask,
    chain,
    choose,
    fail,
    later,
    made,
    nop,
    run,
    same,
    say,
    talk,
    through,
    visit,
    wire,
    wired,
)

pytestmark = pytest.mark.anyio

# -- answers ---------------------------------------------------------------------------------------


def test_a_node_with_nowhere_further_to_send_answers_with_its_result() -> None:
    assert run(wire({"a": add("!")}), "hello") == "hello!"


def test_a_port_without_a_link_answers_with_the_packet_itself() -> None:
    process = LiveProcess(wire({"a": add("!")}))
    assert process.send("a", "nowhere", "hello") == "hello"


def test_one_link_answers_what_its_node_answers() -> None:
    flow = wire({"a": add("1"), "b": add("2"), "c": say("end")}, {"a.out": "b", "b.out": "c"})
    assert run(flow) == "end"


def test_several_links_are_answered_in_their_order() -> None:
    nodes = {"a": same_node(), "b": say("b"), "c": say("c"), "d": say("d")}
    assert run(wire(nodes, {"a.out": ["c", "b", "d"]})) == ["c", "b", "d"]


def test_nothing_is_dropped_from_several_answers() -> None:
    nodes = {"a": same_node(), "b": say("b"), "nop": nop()}
    assert run(wire(nodes, {"a.out": ["nop", "b"]})) == "b"
    assert run(wire(nodes, {"a.out": ["nop", "nop"]})) is NOTHING
    assert run(wire(nodes, {"a.out": ["b", "nop", "b"]})) == ["b", "b"]


def test_an_error_dominates_several_answers() -> None:
    nodes = {"a": same_node(), "b": say("b"), "c": fail("one"), "d": fail("two")}
    assert run(wire(nodes, {"a.out": ["b", "c"]})) == Error("one")
    both = run(wire(nodes, {"a.out": ["d", "b", "c"]}))
    assert [error.message for error in both.errors] == ["two", "one"]


def test_an_action_that_gives_nothing_ends_the_way() -> None:
    flow = wire({"a": act(lambda _: NOTHING), "b": say("never")}, {"a.out": "b"})
    assert run(flow) is NOTHING


def test_a_null_result_goes_on() -> None:
    flow = wire({"a": act(lambda _: None), "b": act(lambda payload: [payload])}, {"a.out": "b"})
    assert run(flow) == [None]


def test_a_nodes_own_failure_goes_to_its_error_port() -> None:
    nodes = {"a": fail("broken"), "b": say("never"), "e": act(lambda error: f"saw {error}")}
    assert run(wire(nodes, {"a.out": "b", "a.error": "e"})) == "saw broken"


def test_a_failure_without_a_linked_error_port_is_the_answer() -> None:
    error = run(wire({"a": add("1"), "b": fail("broken")}, {"a.out": "b"}))
    assert (error.message, error.symbol, error.port) == ("broken", "b", "in")
    assert isinstance(error.cause, ValueError)


def test_a_failure_names_the_in_port_where_it_arose() -> None:
    class Two(Node):
        def handler(self, port: str) -> Action | None:
            return Action(raising(ValueError("broken"))) if port == "in[1]" else None

    error = run(wire({"a": add("1"), "b": Two()}, {"a.out": "b:in[1]"}))
    assert (error.symbol, error.port) == ("b", "in[1]")


def test_an_error_from_downstream_passes_back_untouched() -> None:
    error = Error("from below")
    nodes = {"a": add("1"), "b": say(error), "e": say("never")}
    assert run(wire(nodes, {"a.out": "b", "a.error": "e"})) is error


def test_an_error_payload_travels_like_any_other() -> None:
    nodes = {"a": act(lambda _: Error("made")), "b": act(lambda error: error.message), "e": nop()}
    assert run(wire(nodes, {"a.out": "b", "a.error": "e"})) == "made"


def test_an_error_port_may_have_several_links_and_fail_itself() -> None:
    nodes = {"a": fail("one"), "b": say("b"), "c": fail("two"), "d": say("d")}
    links = {"a.error": ["b", "c"], "c.error": "d"}
    assert run(wire(nodes, links)) == ["b", "d"]


def test_a_choice_sends_one_way_only() -> None:
    nodes = {"a": choose(lambda n: (f"out[{n}]", n)), "b": say("b"), "c": say("c")}
    flow = wire(nodes, {"a.out": "b", "a.out[1]": "c"})
    assert [run(flow, n) for n in (0, 1, 2)] == ["b", "c", 2]


def test_a_choice_may_answer_at_once_and_may_fail() -> None:
    assert run(wire({"a": choose(lambda n: (None, n)), "b": nop()}, {"a.out": "b"}), 5) == 5
    nodes = {"a": choose(raising(ValueError("no way"))), "e": act(str)}
    assert run(wire(nodes, {"a.error": "e"})) == "no way"


def test_a_choice_that_names_no_port_fails_by_itself() -> None:
    wrongs: list[Any] = [None, 7, ("out",), ([], 1)]
    for wrong in wrongs:
        flow = wire({"a": add(""), "b": choose(lambda _, w=wrong: w)}, {"a.out": "b"})  # type: ignore[misc]
        error = run(flow)
        assert isinstance(error, Error)
        assert error.symbol == "b"


def test_a_visit_sees_the_answer_and_gives_its_own() -> None:
    async def twice(flow: Flow, payload: Payload) -> Answer:
        return [await flow.send("out", payload), await flow.send("out[1]", payload)]

    nodes = {"a": visit(twice), "b": add("b"), "c": add("c")}
    assert run(wire(nodes, {"a.out": "b", "a.out[1]": "c"})) == ["xb", "xc"]
    assert run(wire(nodes, {"a.out[1]": "c"})) == ["x", "xc"]


def test_a_visit_that_fails_goes_to_its_error_port() -> None:
    async def breaks(flow: Flow, payload: Payload) -> Answer:
        raise NodeError(Error(f"after {await flow.send('out', payload)}", code="late"))

    nodes = {"a": visit(breaks), "b": add("b"), "e": act(lambda error: error.code)}
    assert run(wire(nodes, {"a.out": "b", "a.error": "e"})) == "late"


def test_a_visit_that_names_no_port_hears_of_it_where_it_sent() -> None:
    async def wrong(flow: Flow, payload: Payload) -> Answer:
        try:
            return await flow.send([], payload)  # type: ignore[arg-type]
        except TypeError:
            return "told"

    assert run(wire({"a": visit(wrong)})) == "told"


def test_a_visit_knows_where_its_packet_came_in_and_what_is_linked() -> None:
    async def looks(flow: Flow, payload: Payload) -> Answer:
        return [flow.port, list(flow.inputs), flow.linked("out"), flow.linked("out[0]"), payload]

    nodes = {"a": add(""), "b": visit(looks), "c": nop()}
    flow = wire(nodes, {"a.out": "b"})
    assert run(flow) == ["in", ["in"], False, False, "x"]
    # Whoever looks on does not make it look as if something were linked.
    assert run(flow.observed(lambda *_: Visit(through_any))) == ["in", ["in"], False, False, "x"]
    assert run(wire(nodes, {"a.out": "b", "b.out": "c"}))[2:4] == [True, True]


def test_an_action_may_ask_for_its_process() -> None:
    def count(payload: Payload, process: Process) -> Payload:
        process.set("seen", process.get("seen", 0) + 1)
        return process.get("seen")

    nodes = {"a": act(count, process=True), "b": act(count, process=True)}
    assert run(wire(nodes, {"a.out": "b"})) == 2


@pytest.mark.parametrize(
    "raised",
    [
        ValueError("x"),
        SystemExit(3),
        RecursionError("x"),
        MemoryError("x"),
        StopIteration("x"),
        GeneratorExit("x"),
        asyncio.CancelledError("x"),
        AssertionError("x"),
    ],
    ids=lambda raised: type(raised).__name__,
)
async def test_whatever_a_node_raises_is_the_error_of_its_packet(raised: BaseException) -> None:
    async def raises_later(_: Payload) -> Payload:
        await asyncio.sleep(0)
        raise raised

    async def raises_in_visit(flow: Flow, payload: Payload) -> Answer:
        await flow.send("out", payload)
        raise raised

    ways: list[Node] = [
        act(raising(raised)),
        act(raising(raised), process=True),
        choose(raising(raised)),
    ]
    if not isinstance(raised, GeneratorExit):
        ways += [act(raises_later), visit(raises_in_visit)]
    for node in ways:
        flow = wire({"a": add(""), "b": node}, {"a.out": "b"})
        error = await ask(flow)
        assert isinstance(error, Error), node
        assert error.symbol == "b"
        handled = wire({"a": node, "e": say("handled")}, {"a.error": "e"})
        assert await ask(handled) == "handled"


def test_a_node_that_runs_out_of_stack_fails_by_itself() -> None:
    def endless(payload: Payload) -> Payload:
        return endless(payload)

    nodes = {"a": act(endless), "e": act(lambda error: type(error.cause).__name__)}
    assert run(wire(nodes, {"a.error": "e"})) == "RecursionError"


# -- plain flows are plain calls -----------------------------------------------------------------


def everything_plain() -> Wiring:
    nodes = {
        "a": add("a"),
        "b": visit(through),
        "c": choose(lambda payload: ("out[1]", payload)),
        "d": act(lambda payload, _: payload + "d", process=True),
        "e": add("e"),
        "f": fail("f"),
        "g": act(lambda error: error.message),
    }
    links = {"a.out": "b", "b.out": "c", "c.out[1]": ["d", "f"], "d.out": "e", "f.error": "g"}
    return wire(nodes, links)


def test_plain_nodes_need_no_coroutine_no_task_and_no_loop() -> None:
    assert run(everything_plain()) == ["xade", "f"]


async def test_plain_nodes_make_no_task_where_there_is_a_loop() -> None:
    made_tasks: list[Any] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any) -> "asyncio.Task[Any]":
        made_tasks.append(coro)
        return asyncio.Task(coro, loop=loop)

    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)
    try:
        assert run(everything_plain()) == ["xade", "f"]
    finally:
        loop.set_task_factory(None)
    assert made_tasks == []


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


# -- waiting ---------------------------------------------------------------------------------------


async def test_two_waiting_targets_really_overlap() -> None:
    both = asyncio.Barrier(2)

    async def meets(payload: Payload) -> Payload:
        await both.wait()
        return payload

    nodes = {"a": same_node(), "b": act(meets), "c": act(meets)}
    assert await ask(wire(nodes, {"a.out": ["b", "c"]}), deadline=5) == ["x", "x"]


async def test_one_waiting_target_among_plain_ones_makes_no_task() -> None:
    nodes = {"a": same_node(), "b": act(later), "c": add("c")}
    flow = wire(nodes, {"a.out": ["b", "c"]})
    before = len(asyncio.all_tasks())
    process = LiveProcess(flow)
    pending = process.run(flow.entry("a", "in"), "x")
    assert isinstance(pending, PendingAnswer)
    assert len(asyncio.all_tasks()) == before
    assert await pending == ["x", "xc"]


@pytest.mark.parametrize("wants", [False, True])
async def test_packets_of_one_process_do_not_take_turns_if_action_wants_none(
    wants: bool,
) -> None:
    inside, most = 0, 0

    async def count(payload: Payload, process: Process | None = None) -> Payload:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1
        return (process is not None, payload)

    process = LiveProcess(wire({"a": act(count, process=wants, turns=False)}))
    step = process.wiring.entry("a", "in")
    answers = [
        process.tasks.start(settle(process.run(step, number)), awaited=True) for number in range(3)
    ]
    assert await asyncio.gather(*answers) == [(wants, 0), (wants, 1), (wants, 2)]
    assert most == 3
    process.end()


async def test_packets_of_one_process_pass_waiting_node_one_at_time_in_order() -> None:
    inside, log = 0, list[int]()

    async def alone(payload: Payload) -> Payload:
        nonlocal inside
        inside += 1
        assert inside == 1
        # The first takes longest: only turns keep the order.
        for _ in range(10 - payload):
            await asyncio.sleep(0)
        inside -= 1
        log.append(payload)
        return payload

    async def send_all(flow: Flow, payload: Payload) -> Answer:
        writer = flow.process.writer("a", "out")
        for number in range(10):
            writer.write(number)
        return [await writer.receive() for _ in range(10)]

    flow = wire({"a": visit(send_all, waits=True), "b": act(alone)}, {"a.out": "b"})
    assert await ask(flow) == list(range(10))
    assert log == list(range(10))


async def test_different_processes_do_not_wait_for_each_other() -> None:
    both = asyncio.Barrier(2)

    async def meets(payload: Payload) -> Payload:
        await both.wait()
        return payload

    flow = wire({"a": act(meets)})
    process, other = LiveProcess(flow), LiveProcess(flow)
    step = flow.entry("a", "in")
    answers = asyncio.gather(settle(process.run(step, 1)), settle(other.run(step, 2)))
    assert list(await asyncio.wait_for(answers, 60)) == [1, 2]


async def test_a_cancelled_packet_gives_its_turn_away() -> None:
    let_go = asyncio.Event()

    async def held(payload: Payload) -> Payload:
        await let_go.wait()
        return payload

    flow = wire({"a": act(held)})
    process = LiveProcess(flow)
    step = flow.entry("a", "in")
    tasks: list[asyncio.Task[Answer]] = [
        asyncio.ensure_future(settle(process.run(step, number))) for number in range(3)
    ]
    await asyncio.sleep(0)
    tasks[1].cancel()
    tasks[0].cancel()
    let_go.set()
    assert await asyncio.wait_for(tasks[2], 60) == 2
    assert not process.busy("a")


async def test_a_timeout_inside_a_node_is_that_nodes_failure() -> None:
    async def slow(_: Payload) -> Payload:
        async with asyncio.timeout(0.01):
            await asyncio.get_running_loop().create_future()

    async def tries(flow: Flow, payload: Payload) -> Answer:
        answer = await flow.send("out", payload)
        return f"saw {answer.code}"

    flow = wire({"a": visit(tries), "b": act(slow)}, {"a.out": "b"})
    assert await ask(flow) == "saw timeout"


async def test_a_timeout_around_a_send_reaches_what_waits_below() -> None:
    stopped = asyncio.Event()

    async def slow(_: Payload) -> Payload:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            stopped.set()

    async def limits(flow: Flow, payload: Payload) -> Answer:
        try:
            async with asyncio.timeout(0.01):
                return await flow.send("out", payload)
        except TimeoutError:
            return "in time"

    flow = wire({"a": visit(limits, waits=True), "b": act(slow)}, {"a.out": "b"})
    assert await ask(flow) == "in time"
    assert stopped.is_set()


async def test_what_a_node_waits_for_being_cancelled_is_its_own_failure() -> None:
    async def waits(_: Payload) -> Payload:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        return await future

    error = await ask(wire({"a": act(waits)}))
    assert isinstance(error, Error)
    assert (error.code, error.symbol) == ("cancelled", "a")


async def test_a_node_that_cancels_its_process_begins_nothing_more() -> None:
    began = []

    async def gives_up(payload: Payload, process: Process) -> Payload:
        process.cancel(Error("gave up", code="cancelled"))
        return payload

    async def slow(payload: Payload) -> Payload:
        began.append(payload)
        return await asyncio.get_running_loop().create_future()

    flow = wire({"a": act(gives_up, process=True), "b": act(slow)}, {"a.out": "b"})
    error = await asyncio.wait_for(ask(flow), 60)
    assert error == Error("gave up", code="cancelled")
    assert began == []


async def test_what_a_node_begins_beside_itself_may_overlap() -> None:
    both = asyncio.Barrier(2)

    async def meets(payload: Payload) -> Payload:
        await both.wait()
        return payload

    async def begins(flow: Flow, payload: Payload) -> Answer:
        ways = [flow.begin("out", payload), flow.begin("out[1]", payload)]
        tasks: list[asyncio.Task[Answer]] = [
            flow.process.tasks.start(way, awaited=True)
            for way in ways
            if isinstance(way, PendingAnswer)
        ]
        return [await task for task in tasks]

    nodes = {"a": visit(begins, waits=True), "b": act(meets), "c": act(meets)}
    flow = wire(nodes, {"a.out": "b", "a.out[1]": "c"})
    assert await asyncio.wait_for(ask(flow), 60) == ["x", "x"]


async def test_no_task_outlives_a_process_and_no_coroutine_is_left_unawaited() -> None:
    async def for_ever(_: Payload) -> Answer:
        return await asyncio.get_running_loop().create_future()

    async def talks(reader: Reader) -> None:
        async for _ in reader:
            pass

    nodes = {
        "a": act(later),
        "b": act(for_ever),
        "c": visit(through, turns=True),
        "d": talk(talks),
    }
    flow = wire(nodes, {"a.out": ["b", "c", "d"], "c.out": "b"})
    before = asyncio.all_tasks()
    with warnings.catch_warnings(record=True) as caught, unraised() as unraisable:
        warnings.simplefilter("always")
        for wait in (0, 1, 2, 5):
            process = LiveProcess(flow)
            task = asyncio.ensure_future(settle(process.run(flow.entry("a", "in"), 1)))
            for _ in range(wait):
                await asyncio.sleep(0)
            process.cancel()
            assert (await task).code == "cancelled"
            await process_ended(process)
        dropped = LiveProcess(flow).run(flow.entry("a", "in"), 1)
        assert isinstance(dropped, PendingAnswer)
        dropped.close()
        del dropped
        gc.collect()
        await asyncio.sleep(0)
    assert [str(one.message) for one in caught] == []
    assert unraisable == []
    assert asyncio.all_tasks() == before


async def test_a_pending_answer_wants_a_task() -> None:
    flow = wire({"a": act(later)})
    pending = LiveProcess(flow).run(flow.entry("a", "in"), 1)
    assert isinstance(pending, PendingAnswer)
    seen: list[BaseException] = []

    def elsewhere() -> None:
        try:
            pending.__await__().send(None)
        except RuntimeError as error:
            seen.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(seen) == 1


# -- helps -----------------------------------------------------------------------------------------


async def through_any(flow: Flow, payload: Payload) -> Answer:
    return await flow.send("", payload)


def same_node() -> Node:
    return made(Action(same))


def raising(raised: BaseException) -> Callable[..., Any]:
    def raises(*_: Any) -> Any:
        raise raised

    return raises


async def process_ended(process: Process) -> None:
    ended = process.end()
    if ended is not None and not isinstance(ended, Error):
        await ended
    assert process.wiring.generation.processes == set() or process.ended is not None  # pyright: ignore[reportAttributeAccessIssue] - what a test adds to the contract


class unraised:  # noqa: N801 - reads as the statement it is used in
    """Collects what could not be raised anywhere."""

    def __enter__(self) -> list[Any]:
        self._before = sys.unraisablehook
        self.found: list[Any] = []
        sys.unraisablehook = lambda one: self.found.append(one.exc_value)
        return self.found

    def __exit__(self, *_: object) -> None:
        sys.unraisablehook = self._before
