"""Pieces of byte streams: the same ones wherever the bytes are cut."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.extensions.extension import ByteStream, NodeError, Stream
from heddle.extensions.pieces import (
    PIECE,
    SPLITTERS,
    EventSplitter,
    JsonLineSplitter,
    LineSplitter,
    bytes_of,
    split,
)

pytestmark = pytest.mark.anyio


def pieces(form: str, data: bytes, cuts: list[int]) -> list[Any]:
    """Return the pieces of data that comes cut at these places."""
    splitter = SPLITTERS[form]()
    found: list[Any] = []
    begin = 0
    for end in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        found += splitter.feed(data[begin:end])
        begin = end
    return found + splitter.finish()


def given_as(*chunks: Any) -> AsyncIterator[Any]:
    async def give() -> AsyncIterator[Any]:
        for chunk in chunks:
            yield chunk

    return give()


CUTS = st.lists(st.integers(0, 10_000), max_size=8)


@given(
    st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b"\xc3\xa4", b"\xff", b"\r"])).map(b"".join),
    CUTS,
)
def test_lines_are_those_of_the_whole_text(data: bytes, cuts: list[int]) -> None:
    whole = data.split(b"\n")
    if not whole[-1]:
        whole.pop()
    expected = [line.removesuffix(b"\r").decode(errors="replace") for line in whole]
    assert pieces("lines", data, cuts) == expected


FIELDS = st.sampled_from(
    (
        *("data: a", "data:b", "data", "data: ", "event: x", "event:", "id: 7", "id: a\0b"),
        *("retry: 10", "retry: 1x", ": comment", "other: x", ""),
    )
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@given(st.lists(FIELDS), ENDS, st.booleans(), CUTS)
def test_events_are_those_of_the_standard_wherever_they_are_cut(
    lines: list[str], end: str, mark: bool, cuts: list[int]
) -> None:
    data = (("\ufeff" if mark else "") + "".join(line + end for line in lines)).encode()
    assert pieces("events", data, cuts) == standard(lines)


def standard(lines: list[str]) -> list[dict[str, Any]]:
    """Return the events of lines, read one by one as the HTML standard says it."""
    events: list[dict[str, Any]] = []
    data: list[str] = []
    event: dict[str, Any] = {}
    for line in lines:
        if not line:
            if data:
                events.append({**event, "data": "\n".join(data)})
            data, event = [], {}
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            event = {**event, "event": value} if value else without(event, "event")
        elif name == "id" and "\0" not in value:
            event = {**event, "id": value}
        elif name == "retry" and value.isdigit():
            event = {**event, "retry": int(value)}
    return events


def without(event: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != name}


@pytest.mark.parametrize("splitter", [LineSplitter(), EventSplitter(), JsonLineSplitter()])
def test_a_piece_without_an_end_is_too_large_at_some_point(splitter: Any) -> None:
    half = b"x" * (PIECE // 2 + 1)
    assert splitter.feed(half) == []
    with pytest.raises(NodeError, match="longer than 16777216 bytes") as caught:
        splitter.feed(half)
    assert caught.value.error.code == "too-large"


def test_a_line_that_is_no_json_is_named() -> None:
    values = JsonLineSplitter()
    assert values.feed(b"1\n\n") == [1]
    with pytest.raises(NodeError, match="line 3 of the stream is not JSON"):
        values.feed(b"{\n")


async def test_a_stream_of_pieces_closes_what_feeds_it() -> None:
    closed: list[bool] = []

    async def close() -> None:
        closed.append(True)

    stream = split(ByteStream(given_as(b"a\nb\n"), close=close), "lines")
    async for line in stream:
        assert line == "a"
        break
    await stream.aclose()
    assert closed == [True]


async def test_items_become_bytes_by_the_media_type() -> None:
    items = (b"raw", "text", {"a": 1})
    assert await bytes_of(Stream(given_as(*items))).read() == b'raw"text"\n{"a":1}\n'
    plain = bytes_of(Stream(given_as(*items)), "text/plain")
    assert plain.media == "text/plain"
    assert await plain.read() == b'rawtext{"a":1}\n'
    with pytest.raises(NodeError, match="cannot be JSON"):
        await bytes_of(Stream(given_as(object()))).read()
