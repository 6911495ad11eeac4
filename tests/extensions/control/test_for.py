"""for, as flows: what becomes of lists, maps and streams."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from heddle.runtime.flow.errors import NOTHING, Error
from heddle.runtime.flow.stream import ByteStream
from tests.clock import JUMPING
from tests.support import change, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> Any:
    return JUMPING


DOUBLE = """
- kind: for
  name: each
  ports:
    out[0]: [{name: double, port: in}]
- {kind: snippet, name: double, language: cel, code: self * 2}
"""


def each(more: str = "", code: str = "self * 2") -> str:
    """Return a `for` with these fields, over a snippet."""
    return f"""
- kind: for
  name: each
  {more}
  ports:
    out[0]: [{{name: body, port: in}}]
- {{kind: snippet, name: body, language: cel, code: "{code}"}}
"""


def stream(*chunks: bytes) -> ByteStream:
    """Return a stream of these chunks."""

    async def give() -> AsyncIterator[bytes]:
        for chunk in chunks:
            await asyncio.sleep(0)
            yield chunk

    return ByteStream(give())


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        ([1, 2, 3], [2, 4, 6]),
        ([7], [14]),
        ([], []),
        ({"a": 1, "b": 2}, {"a": 2, "b": 4}),
        ({}, {}),
        (21, 42),
    ],
)
@pytest.mark.parametrize("concurrency", [1, 3])
async def test_results_keep_the_shape_of_what_was_given(
    payload: Any, answer: Any, concurrency: int
) -> None:
    async with running(each(f"concurrency: {concurrency}")) as rt:
        async with asyncio.timeout(60):
            assert await rt.send("each", payload) == answer


async def test_results_go_to_the_second_port() -> None:
    flow = """
- kind: for
  name: each
  ports:
    out: [{name: body, port: in}]
    out[1]: [{name: after, port: in}]
- {kind: snippet, name: body, language: cel, code: self + 1}
- {kind: snippet, name: after, language: cel, code: "{'all': self}"}
"""
    async with running(flow) as rt:
        assert await rt.send("each", [1, 2]) == {"all": [2, 3]}
        assert await rt.send("each", []) == {"all": []}


async def test_with_nothing_linked_the_list_is_the_answer() -> None:
    async with running("- {kind: for, name: each}") as rt:
        assert await rt.send("each", [1, [2], None]) == [1, [2], None]


async def test_the_index_is_there_for_who_wants_it() -> None:
    code = "string(index) + key + string(value)"
    async with running(each("entries: true", code)) as rt:
        assert await rt.send("each", {"a": 5, "b": 6}) == {"a": "0a5", "b": "1b6"}
    async with running(each("entries: true", "[index, key, value]")) as rt:
        assert await rt.send("each", ["x", "y"]) == [[0, 0, "x"], [1, 1, "y"]]


async def test_items_answered_with_nothing_are_left_out() -> None:
    flow = """
- kind: for
  name: each
  ports:
    out: [{name: big, port: in}]
- kind: if
  name: big
  when: self > 1
  ports:
    out[1]: [{name: drop, port: in}]
- {kind: nop, name: drop}
"""
    async with running(flow) as rt:
        assert await rt.send("each", [1, 2, 3]) == [2, 3]
        assert await rt.send("each", [1]) == []
        assert await rt.send("each", {"a": 0, "b": 2}) == {"b": 2}
        assert await rt.send("each", 1) is NOTHING


@pytest.mark.parametrize("concurrency", [1, 2])
@pytest.mark.parametrize(
    ("policy", "answer"),
    [
        ("skip", [10, 2]),
        ("collect", "zero"),
        ("fail", "zero"),
        ("keep", [10, None, 2]),
    ],
)
async def test_each_policy_for_items_that_fail(policy: str, answer: Any, concurrency: int) -> None:
    flow = each(f"on_error: {policy}\n  concurrency: {concurrency}", "10 / self")
    async with running(flow) as rt:
        found = await rt.send("each", [1, 0, 5])
    if isinstance(answer, str):
        assert isinstance(found, Error)
        assert answer in found.message
    else:
        kept = [None if isinstance(item, dict) else item for item in found]
        assert kept == answer
        if policy == "keep":
            assert found[1]["error"]["code"] == "failed"
            assert "zero" in found[1]["error"]["message"]


async def test_every_error_is_in_the_one_that_is_collected() -> None:
    flow = """
- kind: for
  name: each
  ports:
    out: [{name: boom, port: in}]
    error: [{name: count, port: in}]
- {kind: throw, name: boom}
- {kind: snippet, name: count, language: cel, code: "string(self)"}
"""
    async with running(flow) as rt:
        assert await rt.send("each", ["a", "b"]) == "a\nb"


SLOW = """
- kind: for
  name: each
  concurrency: %d
  %s
  ports:
    out: [{name: wait, port: in}]
- {kind: sleep, name: wait, interval: %s}
"""


async def test_items_run_at_the_same_time_and_answers_keep_their_order() -> None:
    flow = """
- kind: for
  name: each
  concurrency: 3
  ports:
    out: [{name: pick, port: in}]
- kind: if
  name: pick
  when: self == 0
  ports:
    out[0]: [{name: slow, port: in}]
- {kind: sleep, name: slow, interval: 50ms}
"""
    async with running(flow) as rt:
        assert await rt.send("each", [0, 1, 0, 2]) == [0, 1, 0, 2]
    async with running(SLOW % (50, "", "20ms")) as rt:
        begun = asyncio.get_running_loop().time()
        assert await rt.send("each", list(range(50))) == list(range(50))
        assert asyncio.get_running_loop().time() - begun == pytest.approx(0.02)


async def test_no_more_items_run_at_once_than_allowed() -> None:
    async with running(SLOW % (4, "", "5ms")) as rt:
        most = 0
        watch = rt.agent.watch([rt.table.get("wait").id], ["in"])  # type: ignore[union-attr]
        inside = 0

        def note(frame: Any) -> None:
            nonlocal inside, most
            inside += -1 if frame.answered else 1
            most = max(most, inside)

        watch._on_frame = note
        await rt.send("each", list(range(20)))
    assert most == 4


async def test_the_first_error_stops_the_items_under_way() -> None:
    flow = """
- kind: for
  name: each
  concurrency: 2
  on_error: fail
  ports:
    out: [{name: pick, port: in}]
- kind: if
  name: pick
  when: self == 'bad'
  ports:
    out[0]: [{name: boom, port: in}]
    out[1]: [{name: slow, port: in}]
- {kind: sleep, name: slow, interval: 1h}
- {kind: throw, name: boom}
"""
    async with running(flow) as rt:
        async with asyncio.timeout(60):
            answer = await rt.send("each", ["good", "bad", "more"])
        assert isinstance(answer, Error)
        assert answer.message == "bad"
        assert not rt.processes


async def test_a_deadline_stops_every_item() -> None:
    async with running(SLOW % (3, "", "1h")) as rt:
        answer = await rt.send("each", [1, 2, 3, 4], timeout=0.02)
        assert isinstance(answer, Error)
        assert answer.code == "timeout"
        assert not rt.processes


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_a_stream_is_visited_line_by_line(concurrency: int) -> None:
    async with running(each(f"concurrency: {concurrency}", "self + '!'")) as rt:
        answer = await rt.send("each", stream(b"one\ntw", b"o\r\nthr", b"ee"))
        assert answer == ["one!", "two!", "three!"]
        assert await rt.send("each", stream()) == []


async def test_a_stream_may_be_visited_in_chunks_and_counted() -> None:
    async with running(each("stream: chunks\n  results: count", "size(self)")) as rt:
        assert await rt.send("each", stream(b"ab\n", b"c")) == 2


async def test_more_items_than_the_limit_are_an_error() -> None:
    async with running(each("limit: 2")) as rt:
        assert await rt.send("each", [1, 2]) == [2, 4]
        answer = await rt.send("each", [1, 2, 3])
        assert isinstance(answer, Error)
        assert answer.code == "limit"
        assert answer.symbol == "each"
        answer = await rt.send("each", stream(b"1\n2\n3"))
        assert isinstance(answer, Error)


async def test_a_stream_that_breaks_is_an_error_of_the_for() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"one\n"
        raise OSError("the wire was cut")

    for more in ("concurrency: 1", "concurrency: 3"):
        async with running(each(more, "self")) as rt:
            answer = await rt.send("each", ByteStream(broken()))
        assert isinstance(answer, Error)
        assert "the wire was cut" in answer.message


async def test_a_link_that_nothing_would_ever_take_is_a_problem() -> None:
    flow = "- {kind: for, name: each, ports: {'out[2]': {name: x}}}\n- {kind: nop, name: x}"
    async with running(flow) as rt:
        [problem] = rt.status().problems
    assert 'nothing is ever sent to "out[2]"' in str(problem)
    assert problem.path == "each.ports.out[2]"


async def test_ten_thousand_items_take_no_recursion_and_no_tasks() -> None:
    async with running(DOUBLE) as rt:
        async with asyncio.timeout(60):
            assert await rt.send("each", list(range(10_000))) == list(range(0, 20_000, 2))


async def test_an_edited_for_is_live_with_the_next_packet() -> None:
    async with running(each()) as rt:
        assert await rt.send("each", [1, 2, 3]) == [2, 4, 6]
        await change(rt, each("results: count"))
        assert await rt.send("each", [1, 2, 3]) == 3
