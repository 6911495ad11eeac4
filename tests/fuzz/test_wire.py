"""Readers of what comes over a connection: heads, chunks, bodies, headers, WebSocket frames."""

import contextlib
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.extensions.manage.tokens import token_of
from heddle.extensions.net.cookies.cookie import parsed
from heddle.extensions.net.http.bodies import decode
from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.framing import ChunkedBody, FixedBody
from heddle.extensions.net.http.head import parse_head, parse_line
from heddle.extensions.net.http.limits import HttpLimits
from heddle.extensions.net.http.media import from_form, from_json, from_text, media_type, parameter
from heddle.extensions.net.http.multipart import decode_multipart
from heddle.extensions.net.http.negotiate import accepts, choose_coding, weights
from heddle.extensions.net.http.path import text_of
from heddle.extensions.net.static.known import judge, same
from heddle.extensions.net.static.place import StaticFile
from heddle.extensions.net.static.ranges import RangeError, ranges_of
from heddle.specs.yaml.document import read_text
from tests.fuzz.mutation import fuzz, mutated, mutated_bytes

LIMITS = HttpLimits()

LINES = [
    b"GET /a%20b/?q=1&r=%C3%A9 HTTP/1.1",
    b"POST http://h:80/x HTTP/1.0",
    b"OPTIONS * HTTP/1.1",
]
HEADS = [
    b"Host: localhost:8000\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 12\r\nConnection: close",
    b"Host: [::1]\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nX-A: \xe9\r\nX-A: b",
    b'host: a\r\nCookie: a=b; c="d"\r\nAccept: text/html;q=0.5, */*\r\nUpgrade: websocket',
]


@fuzz
@given(mutated_bytes(LINES))
def test_request_lines_are_read_or_rejected(data: bytes) -> None:
    """Any other error than those that are expected here fails the test."""
    with contextlib.suppress(RequestError):
        parse_line(data, LIMITS)


@fuzz
@given(mutated_bytes(HEADS), st.sampled_from([10, 11]))
def test_heads_are_read_or_rejected(data: bytes, version: int) -> None:
    """Any other error than those that are expected here fails the test."""
    with contextlib.suppress(RequestError):
        parse_head(data, version, LIMITS)


@fuzz
@given(mutated(["/a/b%20c/../d", "/%2e%2e/x", "/a//b%2Fc?x", "/%C3%A9"]))
def test_paths_are_read_or_rejected(text: str) -> None:
    """Any other error than those that are expected here fails the test."""
    with contextlib.suppress(RequestError):
        text_of(text)


CHUNKS = [
    b"5\r\nhello\r\n0\r\n\r\n",
    b'a;name="x y";b\r\n0123456789\r\nF\r\n'
    + b"x" * 15
    + b"\r\n0\r\nX-Trailer: a\r\n\r\nGET / HTTP/1.1",
]


@fuzz
@given(mutated_bytes(CHUNKS), st.integers(1, 30))
def test_chunks_are_read_or_rejected(data: bytes, step: int) -> None:
    with contextlib.suppress(RequestError):
        body = ChunkedBody(LIMITS)
        for at in range(0, len(data), step):
            if body.feed(data[at : at + step]) is not None:
                break
    FixedBody(len(data) // 2 + 1).feed(data)


BODIES = [
    b'{"a": [1, 2.5, "\\u00e9"], "b": null}',
    b"a=1&b=%C3%A9&a=2&c",
    (
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x\r\nContent-Disposition: form-data; '
        b'name="f"; filename="C:\\\\d\\\\e.txt"\r\nContent-Type: text/plain; charset=latin-1\r\n\r\n\xe9\r\n--x--\r\n'
    ),
    "héllo".encode("utf-16"),
]
TYPES = [
    "application/json",
    "application/x-www-form-urlencoded",
    'multipart/form-data; boundary="x"',
    "text/plain; charset=utf-16",
    "text/plain; charset=idna",
    "application/problem+json; q=1",
]


@fuzz
@given(mutated_bytes(BODIES), mutated(TYPES))
def test_bodies_are_read_or_rejected(data: bytes, kind: str) -> None:
    with contextlib.suppress(RequestError):
        decode(data, kind)
    for read in (
        from_json,
        lambda data: from_text(data, kind),
        lambda data: decode_multipart(data, "x"),
    ):
        with contextlib.suppress(RequestError):
            read(data)


@fuzz
@given(mutated(["a=1&b=%C3%A9&a=2&c", "q=%ff&&&=;", "a+b=c%"]))
def test_forms_are_read_or_rejected(text: str) -> None:
    """Any other error than those that are expected here fails the test."""
    with contextlib.suppress(RequestError):
        from_form(text)


HEADERS = [
    "text/html;q=0.5, */*;q=1.000, application/json",
    "gzip;q=1.0, br, identity;q=0",
    "bytes=0-10, -5, 7-",
    'form-data; name="a\\"b"; filename=c',
    'a=b; c="d"; e=%41%; __Host-x=',
    "Sat, 01 Jan 2024 00:00:00 GMT",
    'W/"abc", "d"',
    "Bearer heddle_abc",
    "Basic YTpi",
]


@fuzz
@given(mutated(HEADERS))
def test_headers_are_read_or_ignored(text: str) -> None:
    weights(text)
    choose_coding(text, ("gzip", "br"))
    accepts(text, "text/html")
    media_type(text)
    parameter(text, "name")
    list(parsed(text))
    list(parsed(text, joined=True))
    with contextlib.suppress(RangeError):
        ranges_of(text, 100)


@fuzz
@given(
    mutated([formatdate(0, usegmt=True), "Sat, 01-Jan-24 00:00:00 GMT", "Sat Jan  1 00:00:00 2024"])
)
def test_dates_are_read_or_ignored(text: str) -> None:
    """Any other error than those that are expected here fails the test."""
    file = StaticFile("/a", 1, 1_700_000_000_000_000_000, 1)
    for name in ("If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since"):
        judge(file, '"x"', lambda asked: text if asked == name else "")  # noqa: B023
    same(file, '"x"', text)


TOKENS = [
    (
        "name: token.a\ndata:\n  hash: sha256:00\n  roles: [read, edit]\n  namespaces: ['*']\n"
        "  created: 2024-01-01T00:00:00Z\n  expires: '2999-01-01T00:00:00+01:00'\n"
    )
]


@fuzz
@given(mutated(TOKENS))
def test_tokens_are_read_or_let_nobody_in(text: str) -> None:
    """Any other error than those that are expected here fails the test."""
    for value in read_text(text, only="values").values:
        token_of(value)


FRAMES = [
    b"\x81\x85\x00\x00\x00\x00hello",
    b"\x01\x83\x01\x02\x03\x04abc\x80\x80\x00\x00\x00\x00\x89\x80\x00\x00\x00\x00",
    b"\x82\xfe\x01\x00\x00\x00\x00\x00" + b"x" * 256,
    b"\x88\x82\x00\x00\x00\x00\x03\xe8",
    b"\xc1\x87\x00\x00\x00\x00\xaa\x56\x4a\x2d\xc9\x07\x00",
]


@fuzz
@given(mutated_bytes(FRAMES))
def test_frames_are_read_or_close_the_connection(data: bytes) -> None:
    """Any other error than those that are expected here fails the test."""
    pytest.importorskip("websockets")
    from websockets.extensions.permessage_deflate import PerMessageDeflate
    from websockets.protocol import Protocol, Side

    protocol = Protocol(Side.SERVER, max_size=1000)
    protocol.extensions = [PerMessageDeflate(False, False, 15, 15)]
    protocol.receive_data(data)
    protocol.events_received()
    protocol.data_to_send()
