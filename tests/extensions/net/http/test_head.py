"""Heads are read as everyone else reads them, or rejected."""

from typing import Any

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.head import canonical, parse_head, parse_line
from heddle.extensions.net.http.limits import HttpLimits
from heddle.extensions.net.http.path import text_of

LIMITS = HttpLimits()


def test_target_is_taken_apart() -> None:
    line = parse_line(b"GET /a%20b/c?x=%201&y HTTP/1.1", LIMITS)
    assert (line.method, line.path, line.raw_path) == ("GET", "/a b/c", "/a%20b/c")
    assert (line.query, line.host, line.version) == ("x=%201&y", "", 11)


@pytest.mark.parametrize(
    ("target", "host", "path", "query"),
    [
        (b"http://x", "x", "/", ""),
        (b"HTTP://x:80/a", "x:80", "/a", ""),
        (b"http://x?q", "x", "/", "q"),
        (b"https://[::1]:8/a?b?c", "[::1]:8", "/a", "b?c"),
        (b"//not-a-host/a", "", "//not-a-host/a", ""),
        (b"/a?http://x/", "", "/a", "http://x/"),
        ("/ü".encode(), "", "/ü", ""),
    ],
)
def test_forms_of_targets(target: bytes, host: str, path: str, query: str) -> None:
    line = parse_line(b"GET " + target + b" HTTP/1.0", LIMITS)
    assert (line.host, line.path, line.query, line.version) == (host, path, query, 10)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/%E2%82%AC", "/€"),
        ("/%2525", "/%25"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a%2fb", "/a%2Fb"),
        ("/a%252Fb", "/a%252Fb"),
        ("/a%25252fb", "/a%25252fb"),
        ("/100%25", "/100%"),
        ("//a///b/", "//a///b/"),
        ("/...", "/..."),
        ("/.well-known/x", "/.well-known/x"),
        ("/a..b/..c/d..", "/a..b/..c/d.."),
        ("/a%3Fb%23c", "/a?b#c"),
        ("/€%20", "/€ "),
    ],
)
def test_path_is_decoded_once(raw: str, path: str) -> None:
    assert text_of(raw) == path


@pytest.mark.parametrize(
    "raw",
    [
        "/..",
        "/.",
        "/a/..",
        "/../a",
        "/a/./b",
        "/%2e%2e",
        "/%2E./a",
        "/a%2f..",
        "/..%5ca",
        "/a\\..",
        "/%",
        "/%2",
        "/%2g",
        "/%00",
        "/%ff",
        "/%c3%28",
        "/%C0%AE%C0%AE/",
    ],
)
def test_path_that_climbs_or_is_broken_is_rejected(raw: str) -> None:
    with pytest.raises(RequestError):
        text_of(raw)


def test_fields_keep_their_order_and_get_canonical_names() -> None:
    block = b"hOST: x\r\nset-cookie: a\r\nSET-COOKIE:  b \t\r\nx-empty:\r\nETAG: 1"
    head = parse_head(block, 11, LIMITS)
    assert head.fields == {"Host": ["x"], "Set-Cookie": ["a", "b"], "X-Empty": [""], "Etag": ["1"]}
    assert head.get("Set-Cookie") == "a, b"
    assert head.get("Missing", "-") == "-"


def test_values_are_utf8_or_else_latin1() -> None:
    assert parse_head("X: ü".encode(), 10, LIMITS).get("X") == "ü"
    assert parse_head("X: ü".encode("latin-1"), 10, LIMITS).get("X") == "ü"


def test_canonical_rejects_what_is_no_name() -> None:
    for name in ("", "a b", "a:", "ä", "a\r", "a\0", " a", "a\u0130"):
        with pytest.raises(RequestError):
            canonical(name)


@pytest.mark.parametrize(
    ("lines", "version", "keep"),
    [
        (b"", 11, True),
        (b"", 10, False),
        (b"\r\nConnection: close", 11, False),
        (b"\r\nConnection: keep-alive", 10, True),
        (b"\r\nConnection: keep-alive, close", 10, False),
        (b"\r\nConnection: upgrade\r\nConnection: Close", 11, False),
        (b"\r\nConnection: x", 11, True),
    ],
)
def test_connection_header_decides_what_comes_next(lines: bytes, version: int, keep: bool) -> None:
    assert parse_head(b"Host: x" + lines, version, LIMITS).keep is keep


def test_body_is_framed_by_its_headers() -> None:
    head = parse_head(b"Host: x\r\nContent-Length: 007", 11, LIMITS)
    assert (head.length, head.framed, head.chunked) == (7, True, False)
    head = parse_head(b"Host: x\r\nContent-Length: 0", 11, LIMITS)
    assert (head.length, head.framed) == (0, False)
    head = parse_head(b"Host: x\r\nTransfer-Encoding: \t Chunked ", 11, LIMITS)
    assert (head.chunked, head.framed) == (True, True)
    assert not parse_head(b"Host: x", 11, LIMITS).framed


class Oracle:
    """What llhttp makes of a request."""

    def __init__(self, data: bytes) -> None:
        self.fields: list[tuple[str, str]] = []
        self.url = b""
        self.complete = False
        self.parser: Any = httptools.HttpRequestParser(self)
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.decode().lower(), value.decode("latin-1").strip(" \t")))

    def on_message_complete(self) -> None:
        self.complete = True


PIECES = st.sampled_from(
    [
        b"X",
        b"Host",
        b"Content-Length",
        b"Transfer-Encoding",
        b"Connection",
        b"chunked",
        b"close",
        b":",
        b": ",
        b" :",
        b" ",
        b"\t",
        b",",
        b";",
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"\x7f",
        b"\xff",
        b"0",
        b"5",
        b"x",
        b'"',
        b"/",
        b"(",
        b"keep-alive",
        b"\r\n\r\n",
        b"\r\nX: y",
    ]
)


@settings(max_examples=600, deadline=None)
@given(st.lists(PIECES, max_size=8))
def test_what_we_accept_another_parser_reads_alike(pieces: list[bytes]) -> None:
    block = b"Host: x\r\n" + b"".join(pieces)
    if b"\r\n\r\n" in block or block.endswith(b"\r"):
        return
    try:
        head = parse_head(block, 11, LIMITS)
    except RequestError:
        return
    oracle = Oracle(
        b"POST / HTTP/1.1\r\n"
        + block
        + b"\r\n\r\n"
        + b"0\r\n\r\n" * head.chunked
        + b"z" * head.length
    )
    ours = sorted((name.lower(), value) for name, values in head.fields.items() for value in values)
    assert sorted(oracle.fields) == ours
    assert oracle.complete
    assert oracle.parser.should_keep_alive() is head.keep
