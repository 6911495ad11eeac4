"""A packet is a call: what a sender is answered, whatever the flow is made of."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.errors import NOTHING, Answer, Error, NodeError, Payload
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.node import Action, Node, Visit
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.wiring import Wiring
from tests.runtime.flow.machine_support import same_node
from tests.runtime.nodes import (
    act,
    add,
    ask,
    choose,
    fail,
    nop,
    run,
    say,
    through,
    visit,
    wire,
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


# -- helps -----------------------------------------------------------------------------------------


async def through_any(flow: Flow, payload: Payload) -> Answer:
    return await flow.send("", payload)


def raising(raised: BaseException) -> Callable[..., Any]:
    def raises(*_: Any) -> Any:
        raise raised

    return raises
