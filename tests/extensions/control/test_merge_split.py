"""split and merge, as flows: nothing is echoed, and nothing gets lost."""

import asyncio
from typing import Any

import pytest

from heddle.runtime.flow.errors import NOTHING, Error
from tests.clock import JUMPING
from tests.support import running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> Any:
    return JUMPING


APART = """
- kind: split
  name: apart
  ports:
    out[0]: [{name: a, port: in}]
    out[1]: [{name: b, port: in}]
- {kind: snippet, name: a, language: cel, code: "'a' + self"}
- {kind: snippet, name: b, language: cel, code: "'b' + self"}
"""


async def test_each_element_goes_its_own_way_and_answers_keep_their_order() -> None:
    async with running(APART) as rt:
        assert await rt.send("apart", ["x", "y"]) == ["ax", "by"]
        assert await rt.send("apart", ["x"]) == "ax"
        assert await rt.send("apart", "x") == "ax"


async def test_an_empty_list_is_answered_nothing_not_echoed() -> None:
    async with running(APART) as rt:
        assert await rt.send("apart", []) is NOTHING


async def test_an_element_without_a_way_is_an_error_before_anything_is_sent() -> None:
    async with running(APART) as rt:
        watch = rt.agent.watch([rt.table.get("a").id])  # type: ignore[union-attr]
        answer = await rt.send("apart", ["x", "y", "z"])
        assert isinstance(answer, Error)
        assert "element 2 of 3 has no way to go: out[2] is not linked" in answer.message
        assert answer.symbol == "apart"
        assert not watch.frames


async def test_the_rest_goes_where_it_is_said() -> None:
    async with running(APART.replace("name: apart", "name: apart\n  rest: out[2]")) as rt:
        [problem] = rt.status().problems
        assert problem.path == "apart.rest"
    flow = """
- kind: split
  name: apart
  rest: out[1]
  ports:
    out[0]: [{name: a, port: in}]
    out[1]: [{name: b, port: in}]
- {kind: snippet, name: a, language: cel, code: "{'first': self}"}
- {kind: snippet, name: b, language: cel, code: "{'rest': self}"}
"""
    async with running(flow) as rt:
        assert await rt.send("apart", [1, 2, 3]) == [{"first": 1}, {"rest": [2, 3]}]
        assert await rt.send("apart", [1]) == {"first": 1}
        assert await rt.send("apart", []) is NOTHING


async def test_ways_that_wait_do_so_at_the_same_time() -> None:
    flow = """
- kind: split
  name: apart
  ports:
    out[0]: [{name: a, port: in}]
    out[1]: [{name: b, port: in}]
    out[2]: [{name: c, port: in}]
- {kind: sleep, name: a, interval: 150ms}
- {kind: sleep, name: b, interval: 150ms}
- {kind: snippet, name: c, language: cel, code: self}
"""
    async with running(flow) as rt:
        begun = asyncio.get_running_loop().time()
        assert await rt.send("apart", [1, 2, 3]) == [1, 2, 3]
        assert asyncio.get_running_loop().time() - begun == pytest.approx(0.15)
        answer = await rt.send("apart", [1, 2, 3], timeout=0.01)
        assert isinstance(answer, Error)
        assert answer.code == "timeout"


def diamond(way: str = "", fields: str = "") -> str:
    """Split to two ways, and merge behind them."""
    return f"""
- kind: split
  name: apart
  ports:
    out[0]: [{{name: first, port: in}}]
    out[1]: [{{name: both, port: 'in[1]'}}]
- kind: {way or "snippet, language: cel, code: self"}
  name: first
  ports:
    out: [{{name: both, port: 'in[0]'}}]
- kind: merge
  name: both
  {fields}
""".replace(
        "- kind: snippet, language: cel, code: self",
        "- kind: snippet\n  language: cel\n  code: self",
    )


@pytest.mark.parametrize("way", ["", "sleep\n  interval: 20ms"])
async def test_a_merge_is_answered_once_in_the_order_of_its_ports(way: str) -> None:
    """Whichever packet comes first: it is not echoed, and the list is the same."""
    async with running(diamond(way)) as rt:
        for _ in range(3):
            assert await rt.send("apart", ["x", "y"]) == ["x", "y"]
        assert await rt.send("apart", [None, None]) == [None, None]


async def test_packets_that_nothing_completes_are_an_error_of_their_process() -> None:
    async with running(diamond()) as rt:
        answer = await rt.send("apart", ["x"])
        assert isinstance(answer, Error)
        assert answer.message == "packets still wait to be merged: 1 at in"
        assert (answer.code, answer.symbol) == ("incomplete", "both")
        assert await rt.send("apart", ["x", "y"]) == ["x", "y"]


async def test_incomplete_merges_may_only_be_told() -> None:
    async with running(diamond("", "incomplete: tell")) as rt:
        told = asyncio.ensure_future(rt.events.wait("merge incomplete"))
        await asyncio.sleep(0)
        assert await rt.send("both", "y", port="in[1]") is NOTHING
        async with asyncio.timeout(60):
            event = await told
    assert event.symbol == "both"
    assert "1 at in[1]" in event.reason


async def test_different_processes_are_never_merged() -> None:
    async with running(diamond()) as rt:
        both = await asyncio.gather(rt.send("both", 1, port="in"), rt.send("both", 2, port="in[1]"))
        assert all(isinstance(answer, Error) for answer in both)


async def test_a_second_packet_at_a_port_waits_for_the_next_group() -> None:
    flow = """
- kind: pipe
  name: twice
  ports:
    out[0]: [{name: numbers, port: in}]
    out[1]: [{name: letters, port: in}]
- kind: for
  name: numbers
  ports:
    out[0]: [{name: both, port: in}]
- kind: snippet
  name: letters
  language: json
  code: '["a", "b", "c"]'
  ports:
    out: [{name: spell, port: in}]
- kind: for
  name: spell
  ports:
    out[0]: [{name: both, port: 'in[1]'}]
- {kind: merge, name: both}
"""
    async with running(flow) as rt:
        assert await rt.send("twice", [1, 2, 3]) == [[1, "a"], [2, "b"], [3, "c"]]


async def test_an_error_among_the_packets_goes_to_the_error_port() -> None:
    flow = """
- kind: merge
  name: both
  ports:
    out: [{name: never, port: in}]
    error: [{name: excuse, port: in}]
- {kind: throw, name: never}
- {kind: snippet, name: excuse, language: cel, code: "'sorry: ' + string(self)"}
"""
    async with running(flow) as rt:
        assert await rt.send("both", Error("lost")) == "sorry: lost"


async def test_the_packets_that_may_wait_are_bounded() -> None:
    flow = """
- kind: for
  name: all
  ports:
    out: [{name: both, port: in}]
- {kind: merge, name: both, limit: 3, incomplete: tell}
- {kind: nop, name: other, ports: {init: []}}
- {kind: if, name: link, when: 'true', ports: {out: {name: both, port: 'in[1]'}}}
"""
    async with running(flow) as rt:
        answer = await rt.send("all", [1, 2, 3, 4])
    assert isinstance(answer, Error)
    assert answer.code == "limit"
