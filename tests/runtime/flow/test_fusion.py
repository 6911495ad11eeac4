"""Fusing makes one function of a tree of plain nodes; what is fused answers as what is walked."""

from typing import Any

import pytest

from heddle.runtime.flow.errors import NOTHING, Answer, Error, Payload
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.fusion import DEPTH, SIZE, WIDTH, Fuser
from heddle.runtime.flow.node import LIFECYCLE, Node, Visit
from heddle.runtime.flow.step import RunStep
from heddle.runtime.flow.wiring import Wiring
from tests.runtime.nodes import (
    act,
    add,
    choose,
    fail,
    later,
    nop,
    run,
    same,
    say,
    through,
    visit,
    wire,
    wired,
)


def fused(wiring: Wiring, start: Any = "a") -> bool:
    """Return whether everything behind an in port is one function."""
    step = wiring.entry(start, "in")
    return isinstance(step, RunStep) and len(step.actions) == 1 and step.next is None


def fork() -> dict[str, Node]:
    return {"a": act(same), "b": add("b"), "c": add("c")}


def test_a_tree_that_branches_is_one_function() -> None:
    flow = wire(fork(), {"a.out": ["b", "c"]})
    assert fused(flow)
    assert run(flow) == ["xb", "xc"]


def test_a_choice_is_fused_with_all_its_ways() -> None:
    nodes = {**fork(), "a": choose(lambda n: (n, "x"))}
    flow = wire(nodes, {"a.out": "b", "a.out[1]": ["b", "c"], "a.error": "c"})
    assert fused(flow)
    assert run(flow, "out[0]") == "xb"
    assert run(flow, "out[1]") == ["xb", "xc"]
    assert run(flow, "elsewhere") == "x"
    assert run(flow, None) == "x"


async def twice(flow: Flow, payload: Payload) -> Answer:
    """Look at two answers, and at what goes wrong with the second."""
    first = await flow.send("out", payload)
    if first is NOTHING:
        raise ValueError("nothing came")
    second = await flow.send("out[1]", [first])
    return await flow.send("caught", second) if type(second) is Error else second


ANSWERS: list[Answer] = ["x", None, 0, [], NOTHING, Error("answered")]


@pytest.mark.parametrize("linked", [True, False], ids=["linked", "unlinked"])
@pytest.mark.parametrize("second", ["says", "fails"])
@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
def test_a_fused_visit_answers_as_one_that_is_walked(
    answer: Answer, second: str, linked: bool
) -> None:
    def flow(*, plain: bool) -> Wiring:
        nodes = {
            "first": act(same),
            "a": visit(twice, plain=plain),
            "b": say(answer),
            "c": fail() if second == "fails" else act(lambda found: {"found": found}),
            "caught": act(lambda error: f"caught {error.message}"),
            "own": act(lambda error: f"own {error.message}"),
        }
        links: dict[str, Any] = {"first.out": "a", "a.out": "b", "a.out[1]": ["c"]}
        more = {"a.caught": "caught", "a.error": "own"} if linked else {}
        return wire(nodes, links | more)

    walked, whole = flow(plain=False), flow(plain=True)
    assert (fused(walked, "first"), fused(whole, "first")) == (False, True)
    assert run(whole, start="first") == run(walked, start="first")
    assert run(whole) == run(walked)


def test_a_visit_in_visit_is_fused_with_all_that_it_leads_to() -> None:
    nodes = {
        "a": visit(through, plain=True),
        "b": visit(through, plain=True),
        "c": act(same),
        "d": add("d"),
        "e": add("e"),
    }
    flow = wire(nodes, {"a.out": "b", "b.out": "c", "c.out": ["d", "e"]})
    assert fused(flow)
    assert run(flow) == ["xd", "xe"]
    assert not fused(wire({**nodes, "c": act(later)}, {"a.out": "b", "b.out": "c"}))


def test_a_visit_that_is_watched_is_walked() -> None:
    flow = wire({"a": visit(through, plain=True), "b": add("b")}, {"a.out": "b"})
    seen: list[tuple[Any, str]] = []

    def lens(symbol: Any, port: str, into: bool) -> None:
        del into
        seen.append((symbol, port))

    assert fused(flow)
    assert run(flow.observed(lens)) == "xb"
    assert ("b", "in") in seen


def test_a_straight_run_needs_no_fusing() -> None:
    flow = wire(fork(), {"a.out": "b", "b.out": "c"})
    assert Fuser(flow).fuse(("a", "in")) is None


@pytest.mark.parametrize(
    "node",
    [act(later), visit(through), act(lambda payload, _: payload, process=True)],
    ids=["waits", "visit", "process"],
)
def test_what_is_not_plain_is_walked(node: Node) -> None:
    for links in ({"a.out": ["b", "c"]}, {"a.out": ["b"], "b.out": ["d", "c"]}):
        flow = wire({**fork(), "c": node, "d": nop()}, links)
        assert not fused(flow)
    assert not fused(wire({**fork(), "c": node}, {"a.out": ["b", "b"], "b.error": "c"}))


def test_rings_are_walked() -> None:
    flow = wire({**fork(), "a": choose(lambda n: ("out", n))}, {"a.out": "b", "b.out": "a"})
    assert not fused(flow)
    assert not fused(flow, "b")


@pytest.mark.parametrize("port", sorted(LIFECYCLE))
def test_lifecycle_flows_do_not_count(port: str) -> None:
    nodes = {**fork(), "a": choose(lambda n: ("out", n)), "w": act(later)}
    assert fused(wire(nodes, {"a.out": ["b", "c"], f"a.{port}": "w", f"b.{port}": "w"}))


@pytest.mark.parametrize(
    ("owner", "port"), [("a", "in"), ("a", "out"), ("a", "error"), ("b", "in"), ("b", "out")]
)
def test_a_tree_with_an_observed_port_is_walked(owner: str, port: str) -> None:
    seen: list[Any] = []

    async def note(flow: Flow, payload: Any) -> Any:
        seen.append(payload)
        return await flow.send("", payload)

    def lens(key: Any, name: str, inbound: bool) -> Visit | None:
        return Visit(note) if (key, name) == (owner, port) and inbound is (port == "in") else None

    flow = wire(fork(), {"a.out": ["b", "c"]}, lens=lens)
    assert not fused(flow)
    assert run(flow) == ["xb", "xc"]
    assert bool(seen) is (port != "error")


def test_a_lens_that_wants_no_port_of_a_tree_leaves_it_fused() -> None:
    asked: list[Any] = []

    def lens(*port: Any) -> None:
        asked.append(port)

    flow = wire(fork(), {"a.out": ["b", "c"]}, lens=lens)
    assert fused(flow)
    assert run(flow) == ["xb", "xc"]
    assert ("b", "in", True) in asked
    assert ("b", "out", False) in asked


@pytest.mark.parametrize("observed", [None, ("b", "in"), ("b", "out"), ("d", "out")])
def test_a_straight_run_ends_at_an_observed_port(observed: Any) -> None:
    seen: list[Any] = []

    async def note(flow: Flow, payload: Any) -> Any:
        seen.append(payload)
        return await flow.send("", payload)

    def lens(key: Any, name: str, inbound: bool) -> Visit | None:
        return Visit(note) if (key, name) == observed and inbound is (name == "in") else None

    nodes = {name: act(lambda text, name=name: text + name) for name in "abcd"}
    flow = wire(nodes, {"a.out": "b", "b.out": "c", "c.out": "d"}, lens=lens)
    step = flow.entry("a", "in")
    assert isinstance(step, RunStep)
    length = {None: 4, ("b", "in"): 1, ("b", "out"): 2, ("d", "out"): 4}[observed]
    assert len(step.actions) == length
    assert run(flow) == "xabcd"
    assert (
        seen
        == {None: [], ("b", "in"): ["xa"], ("b", "out"): ["xab"], ("d", "out"): ["xabcd"]}[observed]
    )


def test_failures_name_the_node_and_the_port_where_they_arose() -> None:
    flow = wire({**fork(), "c": fail("broken")}, {"a.out": ["b", "c"]})
    assert fused(flow)
    error = run(flow)
    assert (error.message, error.symbol, error.port) == ("broken", "c", "in")


def test_error_ports_are_part_of_the_tree() -> None:
    nodes = {**fork(), "c": fail("broken"), "e": act(str), "f": say("f")}
    flow = wire(nodes, {"a.out": ["b", "c"], "c.error": ["e", "f"]})
    assert fused(flow)
    assert run(flow) == ["xb", ["broken", "f"]]


def test_a_choice_that_names_no_port_is_its_own_failure() -> None:
    nodes = {**fork(), "b": choose(lambda n: ([], n)), "e": act(lambda error: error.symbol)}  # type: ignore[arg-type,return-value]
    flow = wire(nodes, {"a.out": ["b", "c"], "b.out": "c", "b.error": "e", "a.error": "c"})
    assert fused(flow)
    assert run(flow) == ["b", "xc"]


def ladder(count: int) -> Wiring:
    """Return each node leads to the next one twice, and to a leaf: without memory, 2^count calls to fuse."""
    nodes: dict[Any, Any] = {
        number: (act(same), {"out": ((number + 1, "in"), ("leaf", "in"))})
        for number in range(count - 1)
    }
    nodes[count - 1] = (act(same), {})
    nodes["leaf"] = (nop(), {})
    return wired(nodes)


def test_depth_is_bounded() -> None:
    assert fused(ladder(DEPTH), 0)
    assert not fused(ladder(DEPTH + 1), 0)
    deep = ladder(DEPTH * 3)
    assert run(deep, "x", 0) == "x"
    assert fused(deep, DEPTH * 2 + 1)


def test_what_was_fused_before_does_not_make_what_comes_later_deeper() -> None:
    flow = ladder(DEPTH * 3)
    depths = []
    fuser = Fuser(flow)
    for start in reversed(range(DEPTH * 3 - 1)):
        fuser.fuse((start, "in"))
        known = fuser._fused.get((start, "in"))
        if isinstance(known, tuple):
            depths.append(known.depth)
    assert max(depths) <= DEPTH


def test_width_is_bounded() -> None:
    def star(count: int) -> Wiring:
        nodes: dict[Any, Any] = {"leaf": (say("leaf"), {})}
        ways = {f"out[{number}]" if number else "out": (("leaf", "in"),) for number in range(count)}
        return wired({**nodes, "a": (choose(lambda n: ("out[5]", n)), ways)})

    assert fused(star(WIDTH))
    assert not fused(star(WIDTH + 1))
    assert run(star(WIDTH + 1)) == "leaf"


def test_size_is_bounded() -> None:
    def tree(depth: int) -> Wiring:
        nodes: dict[Any, Any] = {}
        for number in range(2**depth - 1):
            below = tuple((child, "in") for child in (2 * number + 1, 2 * number + 2))
            nodes[number] = (act(same), {"out": below} if below[1][0] < 2**depth - 1 else {})
        return wired(nodes)

    assert 2**8 - 1 <= SIZE < 2**9
    assert fused(tree(8), 0)
    large = tree(9)
    assert not fused(large, 0)
    assert fused(large, 1)

    def leaves(answer: Any) -> int:
        return sum(map(leaves, answer)) if isinstance(answer, list) else 1

    assert leaves(run(large, "x", 0)) == 2**8


def test_diamonds_are_fused_once() -> None:
    count = 30
    nodes: dict[Any, Any] = {
        number: (act(same), {"out": ((number + 1, "in"), (number + 1, "in"))} if number < 8 else {})
        for number in range(count)
    }
    flow = wired(nodes)
    fuser = Fuser(flow)
    assert fuser.fuse((0, "in")) is not None
    assert len(fuser._fused) == 9


def test_an_error_from_below_passes_untouched() -> None:
    error = Error("below")
    nodes = {**fork(), "c": say(error), "e": say("never")}
    flow = wire(nodes, {"a.out": ["b", "c"], "a.error": "e", "c.error": "e"})
    assert fused(flow)
    assert run(flow) is error
