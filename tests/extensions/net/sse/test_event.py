"""How an event is written."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from heddle.extensions.extension import ByteStream, NodeError
from heddle.extensions.net.sse.event import lines_of, written

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("payload", "data"),
    [
        ("hi", b"data: hi\n\n"),
        ("a\nb\r\nc\rd\u2028e", "data: a\ndata: b\ndata: c\ndata: d\u2028e\n\n".encode()),
        ("", b"data: \n\n"),
        (b"raw", b"data: raw\n\n"),
        ({"n": 1}, b'data: {"n":1}\n\n'),
        ([1], b"data: [1]\n\n"),
        (None, b"data: null\n\n"),
        ({"data": {"n": 1}}, b'data: {"n":1}\n\n'),
        ({"event": "tick", "id": 7, "data": "x"}, b"id: 7\nevent: tick\ndata: x\n\n"),
        ({"retry": 1500.0}, b"retry: 1500\n\n"),
        ({"comment": "a\nb"}, b": a\n: b\n\n"),
        ({}, b"data: {}\n\n"),
    ],
)
def test_an_event_is_written_as_browsers_read_it(payload: Any, data: bytes) -> None:
    assert written(payload) == data


@pytest.mark.parametrize(
    "payload",
    [{"id": "a\nb", "data": ""}, {"event": "a\rb"}, {"retry": "soon"}, {"data": object()}, b"\xff"],
)
def test_what_would_become_another_event_is_rejected(payload: Any) -> None:
    with pytest.raises(NodeError):
        written(payload)


async def test_lines_of_a_stream_are_events() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in (b'{"a":', b'1}\n{"a":2}\r\n', b"\n", b"last"):
            yield chunk

    found = [event async for event in lines_of(ByteStream(chunks()))]
    assert found == [b'data: {"a":1}\n\n', b'data: {"a":2}\n\n', b"data: last\n\n"]
