"""A node of a plain function: one-to-one, one-to-many, many-to-one."""

import asyncio
from typing import Any

import pytest

from heddle.runtime.flow.errors import NOTHING, Answer, Error, Payload
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.node import Node
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.shapes import ManyToOne, many_to_one, one_to_many, one_to_one
from heddle.runtime.flow.wiring import Wiring
from heddle.runtime.runtime import Runtime
from tests.runtime.nodes import act, add, ask, choose, fail, later, nop, run, say, visit, wire
from tests.runtime.worlds import kind_of, linked, world

pytestmark = pytest.mark.anyio

# -- one to one ------------------------------------------------------------------------------------


def test_one_to_one_maps_each_payload() -> None:
    assert run(wire({"a": one_to_one(str.upper), "b": add("!")}, {"a.out": "b"})) == "X!"


def test_one_to_one_sends_what_it_raises_to_its_error_port() -> None:
    def breaks(_: Payload) -> Payload:
        raise ValueError("broken")

    assert run(wire({"a": one_to_one(breaks), "e": act(str)}, {"a.error": "e"})) == "broken"


async def test_one_to_one_may_wait() -> None:
    assert await ask(wire({"a": one_to_one(later), "b": add("!")}, {"a.out": "b"})) == "x!"


# -- one to many -----------------------------------------------------------------------------------


def test_one_to_many_sends_a_list_by_number() -> None:
    node = one_to_many(lambda payload: [payload + "0", payload + "1", payload + "2"])
    nodes = {"a": node, "b": add("b"), "c": add("c"), "d": nop()}
    flow = wire(nodes, {"a.out": "b", "a.out[1]": "d", "a.out[2]": "c"})
    assert run(flow) == ["x0b", "x2c"]


def test_one_to_many_sends_a_mapping_by_name_in_its_order() -> None:
    node = one_to_many(lambda payload: {"out[1]": payload + "1", "out": payload + "0"})
    flow = wire({"a": node, "b": add("b"), "c": add("c")}, {"a.out": "b", "a.out[1]": "c"})
    assert run(flow) == ["x1c", "x0b"]


def test_one_to_many_drops_nothing_in_silence() -> None:
    node = one_to_many(lambda payload: [payload + "0", payload + "1"])
    assert run(wire({"a": node})) == ["x0", "x1"]
    assert run(wire({"a": node, "b": add("b")}, {"a.out[1]": "b"})) == ["x0", "x1b"]


def test_one_to_many_leaves_out_only_what_it_is_told_to() -> None:
    node = one_to_many(lambda payload: [NOTHING, None, payload])
    assert run(wire({"a": node, "b": say("never")}, {"a.out": "b"})) == [None, "x"]
    assert run(wire({"a": one_to_many(lambda _: [])})) is NOTHING


def test_one_to_many_fails_where_it_gives_neither_form() -> None:
    error = run(wire({"a": one_to_many(lambda _: "text")}))
    assert isinstance(error, Error)
    assert error.message.startswith("str was returned (expected: a mapping")


def test_errors_of_one_branch_dominate_the_others() -> None:
    node = one_to_many(lambda payload: [payload, payload])
    nodes = {"a": node, "b": say("b"), "c": fail("broken"), "e": say("never")}
    flow = wire(nodes, {"a.out": "b", "a.out[1]": "c", "a.error": "e"})
    assert run(flow) == Error("broken")


async def test_one_to_many_may_wait() -> None:
    async def halves(payload: Payload) -> list[Payload]:
        await asyncio.sleep(0)
        return [payload[:1], payload[1:]]

    flow = wire({"a": one_to_many(halves), "b": act(later)}, {"a.out": "b"})
    assert await ask(flow, "xyz") == ["x", "yz"]


def test_ten_thousand_one_to_many_below_each_other_work() -> None:
    nodes: dict[str, Node] = {
        str(number): one_to_many(lambda payload: [payload + 1]) for number in range(10_000)
    }
    flow = wire(nodes, {f"{number}.out": str(number + 1) for number in range(9_999)})
    assert run(flow, 0, "0") == 10_000


# -- many to one -----------------------------------------------------------------------------------


def merging(*, ports: int = 2, to: Node | None = None) -> Wiring:
    """Return a flow that sends its payload's items to the ports of one many-to-one node."""

    async def sends(flow: Flow, payload: Payload) -> Answer:
        return [await flow.send(port, item) for port, item in payload]

    names = ["in", *(f"in[{number}]" for number in range(1, ports))]
    nodes = {"a": visit(sends), "m": many_to_one(list), "n": to or act(lambda row: row)}
    links = {f"a.{port.replace('in', 'out')}": f"m:{port}" for port in names}
    return wire(nodes, {**links, "m.out": "n"})


def test_a_row_is_complete_when_each_linked_port_has_a_packet() -> None:
    assert run(merging(), [("out", 1), ("out[1]", 2)]) == [NOTHING, [1, 2]]


def test_the_order_of_arrival_does_not_matter() -> None:
    assert run(merging(), [("out[1]", 2), ("out", 1)]) == [NOTHING, [1, 2]]
    found = run(merging(ports=12), [(f"out[{n}]" if n else "out", n) for n in reversed(range(12))])
    assert found[-1] == list(range(12))


def test_rows_are_first_in_first_out_at_each_port() -> None:
    sent = [("out", 1), ("out", 2), ("out[1]", "a"), ("out", 3), ("out[1]", "b"), ("out[1]", "c")]
    answers = run(merging(), sent)
    assert answers == [NOTHING, NOTHING, [1, "a"], NOTHING, [2, "b"], [3, "c"]]


def test_a_split_and_a_merge_answer_with_the_merge_alone() -> None:
    nodes = {"s": one_to_many(lambda pair: list(pair)), "m": many_to_one(sum)}
    flow = wire(nodes, {"s.out": "m", "s.out[1]": "m:in[1]"})
    assert run(flow, [3, 4], "s") == 7


def test_a_single_linked_port_makes_rows_of_one() -> None:
    assert run(merging(ports=1), [("out", 1), ("out", 2)]) == [[1], [2]]


def test_processes_do_not_share_rows() -> None:
    flow = merging()
    assert run(flow, [("out", 1)]) == [NOTHING]
    assert run(flow, [("out[1]", 2)]) == [NOTHING]
    assert run(flow, [("out[1]", 2), ("out", 1)]) == [NOTHING, [1, 2]]


def test_what_a_row_fails_with_goes_to_the_error_port() -> None:
    def breaks(_: list[Payload]) -> Payload:
        raise ValueError("no row")

    nodes = {"a": add(""), "m": many_to_one(breaks), "e": act(str)}
    assert run(wire(nodes, {"a.out": "m", "m.error": "e"})) == "no row"


async def test_many_to_one_may_wait_and_rows_go_in_order() -> None:
    async def slowly(row: list[Payload]) -> Payload:
        for _ in range(3 - row[0]):
            await asyncio.sleep(0)
        return row

    nodes = {"a": one_to_many(lambda n: [n, n]), "m": many_to_one(slowly)}
    flow = wire(nodes, {"a.out": "m", "a.out[1]": "m:in[1]"})
    process = LiveProcess(flow)
    writer = process.writer("start", "out")
    writer._step = flow.entry("a", "in")
    for number in range(3):
        writer.write(number)
    assert [await writer.receive() for _ in range(3)] == [[0, 0], [1, 1], [2, 2]]
    process.end()
    await flow.generation.idle()


def test_nothing_of_a_process_is_kept_once_it_has_ended() -> None:
    flow = merging()
    node = flow.symbols["m"].node
    assert isinstance(node, ManyToOne)
    process = LiveProcess(flow)
    process.run(flow.entry("m", "in"), 1)
    assert node.snapshot() == {"waiting": 1}
    process.end()
    assert node.snapshot() == {"waiting": 0}


MERGE = kind_of("merge", lambda: many_to_one(list), ins=("in",))
SPLIT = kind_of(
    "some", lambda: choose(lambda n: ("out" if n % 2 else "out[1]", n)), outs=("out", "error")
)


async def test_an_incomplete_row_is_told_when_its_process_ends() -> None:
    specs = [
        linked("some", "split", {"out[0]": "merge", "out[1]": "merge:in[1]"}),
        linked("merge", "merge"),
    ]
    async with world(specs, [MERGE, SPLIT]) as rt:
        assert await rt.send("split", 1) is NOTHING
        (told,) = [one for one in rt.events.recent if one.event == "row incomplete"]
        assert (told.level, told.symbol) == ("warning", "merge")
        assert told.reason == "the process ended with packets at in (1), and none at in[1]"
        assert await complete_row(rt) == [NOTHING, [1, 2]]
        assert sum(one.event == "row incomplete" for one in rt.events.recent) == 1


async def complete_row(rt: Runtime) -> list[Any]:
    """Send both halves in one process."""
    process = rt.start()
    split = rt.table.get("split")
    assert split is not None
    entry = process.wiring.entry(split.id, "in")
    answers = [process.run(entry, 1), process.run(entry, 2)]
    process.end()
    return answers
