"""for with `results: stream`: answers are made when they are asked for, in the order of the items."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from heddle.extensions.extension import Error, Stream, node
from tests.clock import JUMPING
from tests.support import running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> Any:
    return JUMPING


@node("gather")
async def gather(payload: Any) -> list[Any]:
    """Read a stream to its end."""
    assert isinstance(payload, Stream)
    return [item async for item in payload]


@node("first")
async def first(payload: Any, *, most: int = 1) -> list[Any]:
    """Read the first items of a stream, and leave it."""
    items: list[Any] = []
    async for item in payload:
        items.append(item)
        if len(items) == most:
            break
    await payload.aclose()
    return items


READERS = [gather, first]


def each(more: str = "", code: str = "payload * 2", reader: str = "kind: gather") -> str:
    """Return a `for` that streams its answers to a reader."""
    return f"""
- {{kind: for, name: each, results: stream, {more} ports: {{'out[0]': body, 'out[1]': read}}}}
- {{kind: snippet, name: body, language: python, code: "{code}"}}
- {{{reader}, name: read}}
"""


DOUBLE = "payload * 2"


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize(
    ("payload", "answers"),
    [([1, 2, 3], [2, 4, 6]), ([], []), ({"a": 1, "b": 2}, [2, 4]), (7, [14])],
)
async def test_answers_come_in_order_whatever_holds_the_items(
    concurrency: int, payload: Any, answers: list[Any]
) -> None:
    text = each(f"concurrency: {concurrency},", DOUBLE)
    async with running(text, extensions=READERS) as rt:
        assert await rt.send("each", payload) == answers
        assert not rt.processes


@pytest.mark.parametrize(
    ("policy", "answer"),
    [
        ("skip", [10.0, 5.0]),
        ("keep", [10.0, "division by zero", 5.0]),
        ("fail", "ZeroDivisionError: division by zero"),
        ("collect", "ZeroDivisionError: division by zero"),
    ],
)
@pytest.mark.parametrize("concurrency", [1, 3])
async def test_an_error_is_left_out_kept_or_ends_the_stream(
    policy: str, answer: Any, concurrency: int
) -> None:
    text = each(f"on_error: {policy}, concurrency: {concurrency},", "10 / payload")
    async with running(text, extensions=READERS) as rt:
        found = await rt.send("each", [1, 0, 2])
    if policy == "keep":
        assert answer[1] in found[1]["error"]["message"]
        assert [found[0], found[2]] == [10.0, 5.0]
    elif isinstance(answer, str):
        assert isinstance(found, Error)
        assert answer in found.message
    else:
        assert found == answer


async def test_an_error_port_gives_the_last_item() -> None:
    text = """
- kind: for
  name: each
  results: stream
  ports: {"out[0]": body, "out[1]": read, error: tell}
- {kind: snippet, name: body, language: python, code: 10 / payload}
- {kind: snippet, name: tell, language: cel, code: "{'failed': self.code}"}
- {kind: gather, name: read}
"""
    async with running(text, extensions=READERS) as rt:
        assert await rt.send("each", [5, 0, 1]) == [2.0, {"failed": "failed"}]


async def test_no_item_is_worked_on_before_its_answer_is_asked_for() -> None:
    made: list[int] = []

    @node("note")
    async def note(payload: int) -> int:
        made.append(payload)
        return payload

    text = """
- {kind: for, name: each, results: stream, ports: {'out[0]': note, 'out[1]': read}}
- {kind: note, name: note}
- {kind: first, name: read, most: 2}
"""
    async with running(text, extensions=[note, *READERS]) as rt:
        assert await rt.send("each", list(range(100))) == [0, 1]
    assert made == [0, 1]


async def test_so_many_are_under_way_at_once_and_no_more() -> None:
    now, most = 0, 0

    @node("work")
    async def work(payload: int) -> int:
        nonlocal now, most
        now += 1
        most = max(most, now)
        # The later ones are done first.
        await asyncio.sleep(10 - payload)
        now -= 1
        return payload

    text = """
- {kind: for, name: each, results: stream, concurrency: 4, ports: {'out[0]': work, 'out[1]': read}}
- {kind: work, name: work}
- {kind: gather, name: read}
"""
    async with running(text, extensions=[work, *READERS]) as rt:
        assert await rt.send("each", list(range(10))) == list(range(10))
        assert not rt.processes
    assert most == 4


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_items_of_an_answer_come_before_its_end(concurrency: int) -> None:
    ends: list[int] = []
    barrier = asyncio.Barrier(concurrency)

    @node("count")
    async def count(payload: int) -> AsyncIterator[int]:
        await barrier.wait()
        try:
            while True:
                yield payload
        finally:
            ends.append(payload)

    text = f"""
- kind: for
  name: each
  results: stream
  concurrency: {concurrency}
  ports: {{"out[0]": count, "out[1]": read}}
- {{kind: count, name: count}}
- {{kind: first, name: read, most: 1000}}
"""
    async with running(text, extensions=[count, *READERS]) as rt:
        assert await rt.send("each", [7, 8, 9, 10]) == [7] * 1000
        assert not rt.processes
    assert sorted(ends) == [7, 8, 9][:concurrency]


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_items_before_a_failure_of_their_stream_are_answered(concurrency: int) -> None:
    @node("burst")
    async def burst(payload: int) -> AsyncIterator[int]:
        yield payload
        raise ValueError("burst")

    text = f"""
- kind: for
  name: each
  results: stream
  concurrency: {concurrency}
  ports: {{"out[0]": burst, "out[1]": read, error: note}}
- {{kind: burst, name: burst}}
- {{kind: snippet, name: note, language: cel, code: self.message}}
- {{kind: gather, name: read}}
"""
    async with running(text, extensions=[burst, *READERS]) as rt:
        first, message = await rt.send("each", [7, 8])
    assert (first, "burst" in message) == (7, True)


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_an_answer_that_is_a_stream_brings_its_items(concurrency: int) -> None:
    text = f"""
- kind: for
  name: each
  results: stream
  concurrency: {concurrency}
  ports: {{"out[0]": body, "out[1]": read}}
- kind: snippet
  name: body
  language: python
  code: |
    def main(payload):
        for number in range(payload):
            yield [payload, number]
- {{kind: gather, name: read}}
"""
    async with running(text, extensions=READERS) as rt:
        assert await rt.send("each", [2, 0, 1]) == [[2, 0], [2, 1], [1, 0]]


async def test_a_limit_is_kept_and_there_is_none_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("heddle.extensions.control.for_.LIMIT", 2)
    async with running(each("limit: 2,"), extensions=READERS) as rt:
        answer = await rt.send("each", [1, 2, 3])
        assert isinstance(answer, Error)
        assert answer.code == "limit"
    async with running(each(), extensions=READERS) as rt:
        assert await rt.send("each", [1, 2, 3]) == [2, 4, 6]


async def test_items_may_be_a_part_of_the_packet() -> None:
    text = each("items: self.rows,", DOUBLE)
    async with running(text, extensions=READERS) as rt:
        assert await rt.send("each", {"rows": [1, 2]}) == [2, 4]
        answer = await rt.send("each", {"other": 1})
        assert isinstance(answer, Error)


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_a_stream_that_breaks_gives_what_came_before(concurrency: int) -> None:
    @node("feed")
    async def feed(payload: Any) -> AsyncIterator[int]:
        yield 1
        yield 2
        raise RuntimeError("broken")

    text = f"""
- {{kind: feed, name: feed, ports: {{out: each}}}}
- kind: for
  name: each
  results: stream
  concurrency: {concurrency}
  ports: {{"out[0]": body, "out[1]": read, error: tell}}
- {{kind: snippet, name: body, language: cel, code: self * 2}}
- {{kind: snippet, name: tell, language: cel, code: self.message}}
- {{kind: gather, name: read}}
"""
    async with running(text, extensions=[feed, *READERS]) as rt:
        assert await rt.send("feed") == [2, 4, "broken"]
