"""A body is the same body however the network cuts it."""

import pytest

from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.framing import BodyReader, ChunkedBody, FixedBody
from heddle.extensions.net.http.limits import HttpLimits

CHUNKED = b'4\r\nWiki\r\n5;a=b;c="d;e"\r\npedia\r\nE;x\r\n in\r\n\r\nchunks.\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n'
TEXT = b"Wikipedia in\r\n\r\nchunks."


def feed(body: BodyReader, pieces: list[bytes]) -> bytes:
    rest = None
    for piece in pieces:
        assert rest is None
        rest = body.feed(piece)
    assert rest is not None
    return rest


def test_chunks_are_joined_at_every_cut() -> None:
    data = CHUNKED + b"GET"
    for cut in range(1, len(data)):
        body = ChunkedBody(HttpLimits())
        rest = body.feed(data[:cut])
        if rest is None:
            rest = body.feed(data[cut:])
        else:
            rest += data[cut:]
        assert (b"".join(body.parts), rest) == (TEXT, b"GET"), cut


def test_chunks_are_joined_byte_by_byte() -> None:
    body = ChunkedBody(HttpLimits())
    assert feed(body, [bytes([byte]) for byte in CHUNKED]) == b""
    assert b"".join(body.parts) == TEXT
    assert body.received == len(TEXT)


def test_fixed_body_leaves_what_follows() -> None:
    body = FixedBody(5)
    assert feed(body, [b"he", b"l", b"loGET"]) == b"GET"
    assert b"".join(body.parts) == b"hello"


def test_chunks_over_the_limit_are_rejected_before_they_are_kept() -> None:
    body = ChunkedBody(HttpLimits(body_bytes=4))
    assert body.feed(b"4\r\nabcd\r\n") is None
    with pytest.raises(RequestError) as rejection:
        body.feed(b"1\r\n")
    assert rejection.value.status == 413


def test_endless_trailers_are_rejected() -> None:
    body = ChunkedBody(HttpLimits(header_bytes=100))
    with pytest.raises(RequestError) as rejection:
        body.feed(b"0\r\nX: " + b"a" * 200)
    assert rejection.value.status == 431
