"""Wiring is frozen links: it knows where every port leads, and what may wait."""

import pytest

from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.node import LIFECYCLE, Action, Handler, Node
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.step import JoinStep, RunStep
from heddle.runtime.flow.wiring import RUN, WiredSymbol, Wiring
from heddle.schemas import port as ports
from tests.runtime.nodes import (
    act,
    add,
    chain,
    choose,
    later,
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


def test_out_and_out_0_are_one_port() -> None:
    nodes = {"a": choose(lambda payload: ("out[0]", payload)), "b": say("b")}
    flow = wire(nodes, {"a.out": "b"})
    assert run(flow) == "b"
    assert flow.out("a", "out[0]") is not None
    assert flow.targets("a", "out[0]") == (("b", "in"),)
    assert flow.entry("b", "in[0]") is not None
    assert run(flow, port="in[0]") == "b"


def test_a_port_that_is_not_there_answers_with_an_error() -> None:
    error = run(wire({"a": add(""), "b": add("")}, {"a.out": "b:side"}))
    assert error == Error('there is no in port "side" at b', code="dropped")
    assert run(wire({"a": add("")}), start="nobody").code == "dropped"


def test_a_link_to_nobody_answers_with_an_error() -> None:
    assert run(wire({"a": add("")}, {"a.out": "ghost"})).code == "dropped"


def test_a_node_that_cannot_say_its_handler_answers_with_that() -> None:
    class Broken(Node):
        def handler(self, port: str) -> Handler | None:
            raise ValueError("no handler")

    nodes = {"a": add(""), "b": Broken(), "e": say("never")}
    error = run(wire(nodes, {"a.out": "b", "a.error": "e"}))
    assert (error.message, error.symbol) == ("no handler", "b")


def test_a_handler_is_asked_for_once() -> None:
    class Counts(Node):
        asked = 0

        def handler(self, port: str) -> Handler | None:
            self.asked += 1
            return Action(same)

    node = Counts()
    flow = wire({"a": add(""), "b": node}, {"a.out": ["b", "b"], "b.out": "b"})
    assert flow.may_wait("a", "in")
    flow.out("a", "out")
    flow.entry("b", "in")
    assert node.asked == 1


def test_a_node_knows_which_of_its_in_ports_are_linked() -> None:
    nodes = {"a": add(""), "b": add(""), "c": add("")}
    flow = wire(nodes, {"a.out": "c:in[1]", "b.out": ["c", "c:in[1]"]})
    assert list(flow.inputs("c")) == ["in", "in[1]"]
    assert list(flow.inputs("a")) == []
    assert list(Wiring(flow.symbols).inputs("c")) == []


# -- waiting ---------------------------------------------------------------------------------------


def test_only_what_leads_to_something_that_waits_may_wait() -> None:
    nodes = {"a": add(""), "b": add(""), "c": act(later), "d": add("")}
    flow = wire(nodes, {"a.out": "b", "b.out": "c", "c.out": "d"})
    assert [flow.may_wait(name, "in") for name in "abcd"] == [True, True, True, False]


def test_what_waits_at_an_error_port_counts() -> None:
    nodes = {"a": add(""), "b": act(later)}
    assert wire(nodes, {"a.error": "b"}).may_wait("a", "in")


@pytest.mark.parametrize("port", sorted(LIFECYCLE))
def test_lifecycle_ports_do_not_count(port: str) -> None:
    nodes = {"a": add(""), "b": choose(lambda payload: ("out", payload)), "c": act(later)}
    flow = wire(nodes, {"a.out": "b", f"a.{port}": "c", f"b.{port}": "c"})
    assert not flow.may_wait("a", "in")
    assert run(flow) == "x"


def test_the_lifecycle_ports_are_those_of_the_schemas() -> None:
    assert {port.name for port in ports.LIFECYCLE} == LIFECYCLE


def test_ports_that_an_action_never_sends_by_do_not_count() -> None:
    nodes = {"a": say("x"), "b": act(later)}
    assert not wire(nodes, {"a.out": "b", "a.out[1]": "b"}).may_wait("a", "in")


def test_rings_count_as_waiting_and_so_does_what_leads_to_them() -> None:
    nodes = {"a": add(""), "b": add(""), "c": add(""), "d": add("")}
    flow = wire(nodes, {"a.out": "b", "b.out": "c", "c.out": ["b", "d"]})
    assert [flow.may_wait(name, "in") for name in "abcd"] == [True, True, True, False]


def test_what_a_visit_says_of_itself_counts() -> None:
    assert not wire({"a": visit(through)}).may_wait("a", "in")
    assert wire({"a": visit(through, waits=True)}).may_wait("a", "in")
    assert wire({"a": visit(through, turns=True)}).may_wait("a", "in")


def test_a_conversation_always_waits() -> None:
    async def silent(_: object) -> None:
        return None

    assert wire({"a": talk(silent)}).may_wait("a", "in")


def test_a_waiting_function_is_known_for_one() -> None:
    assert Action(later).waits
    assert not Action(same).waits
    assert Action(same, waits=True).waits


def test_fan_outs_are_concurrent_where_two_may_wait() -> None:
    nodes = {"a": add(""), "b": act(later), "c": act(later), "d": nop()}
    flow = wire(nodes, {"a.out": ["b", "d"], "a.out[1]": ["b", "c"]})
    one, two = flow.out("a", "out"), flow.out("a", "out[1]")
    assert isinstance(one, JoinStep)
    assert isinstance(two, JoinStep)
    assert (one.concurrent, two.concurrent) == (False, True)


def test_asking_what_may_wait_costs_no_recursion() -> None:
    flow = chain(50_000, lambda _: add(""))
    assert not flow.may_wait(0, "in")


# -- weaving ---------------------------------------------------------------------------------------


def test_long_runs_are_cut_so_that_the_machine_can_look_at_clock() -> None:
    flow = chain(RUN * 3, lambda _: add("."))
    step = flow.entry(0, "in")
    assert isinstance(step, RunStep)
    assert len(step.actions) == RUN
    assert run(flow, "", 0) == "." * RUN * 3


def test_only_the_way_that_packets_take_is_woven() -> None:
    asked: list[str] = []

    class Asked(Node):
        def __init__(self, name: str) -> None:
            self.name = name

        def handler(self, port: str) -> Handler | None:
            asked.append(self.name)
            return Action(same)

    nodes: dict[object, Node] = {"a": choose(lambda payload: (f"out[{payload}]", payload))}
    nodes |= {f"leaf{number}": Asked(f"leaf{number}") for number in range(100)}
    links = {f"a.out[{number}]": f"leaf{number}" for number in range(1, 100)}
    assert run(wire(nodes, links), 7) == 7
    assert asked == ["leaf7"]


def test_an_observed_wiring_shares_the_generation() -> None:
    flow = wire({"a": add("!")})
    seen = flow.observed(lambda *_: None)
    LiveProcess(seen)
    assert seen.generation is flow.generation
    assert len(flow.processes) == 1


def test_a_wiring_of_keys_that_are_no_names_works_as_well() -> None:
    flow = wired({(1, 2): (add("!"), {"out": ((None, "in"),)}), None: (add("?"), {})})
    assert run(flow, "", (1, 2)) == "!?"
    assert flow.label((1, 2)) == "(1, 2)"
    assert flow.symbols[None] == WiredSymbol("None", flow.symbols[None].node, {})
