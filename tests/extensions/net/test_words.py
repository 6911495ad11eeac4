"""No character beyond ASCII makes a word of a protocol, wherever such a word is compared."""

import asyncio
import json

import pytest

from heddle.extensions.net.authn.auth import AUTH
from heddle.extensions.net.http.bodies import decode
from heddle.extensions.net.http.compression import unpack
from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.head import parse_head, parse_line
from heddle.extensions.net.http.limits import HttpLimits
from heddle.extensions.net.http.media import is_json, media_type, parameter
from heddle.extensions.net.http.negotiate import accepts, choose_coding
from heddle.extensions.net.origins import Origins, same_host
from heddle.extensions.net.static.ranges import ranges_of
from tests.support import fetch, port_of, running

pytestmark = pytest.mark.anyio

K, S = "\u212a", "\u017f"
LIMITS = HttpLimits()


def head(*lines: str) -> bytes:
    return "\r\n".join(["Host: x", *lines]).encode()


@pytest.mark.parametrize(
    "line",
    [
        f"Transfer-Encoding: chun{K}ed",
        f"Transfer-Encoding: Chun{K}ED",
        "Transfer-Encoding: chunked\u00a0",
        "Transfer-Encoding: \u2003chunked",
        f"Expect: 100-continue{K}",
        "Content-Length: １２",
    ],
)
def test_a_framing_word_in_other_letters_is_rejected(line: str) -> None:
    with pytest.raises(RequestError):
        parse_head(head(line), 11, LIMITS)


def test_connection_options_in_other_letters_are_none() -> None:
    assert parse_head(head(f"Connection: {K}eep-alive"), 10, LIMITS).keep is False
    assert parse_head(head(f"Connection: clo{S}e"), 11, LIMITS).keep is True
    assert parse_head(head("Connection: close\u00a0"), 11, LIMITS).keep is True
    assert parse_head(head("Connection: Close"), 11, LIMITS).keep is False


def test_schemes_and_methods_in_other_letters_are_rejected() -> None:
    for raw in (f"GET http{S}://x/ HTTP/1.1", f"PO{S}T / HTTP/1.1", f"GET / HTTP{K}/1.1"):
        with pytest.raises(RequestError):
            parse_line(raw.encode(), LIMITS)


def test_media_types_and_codings_in_other_letters_are_others() -> None:
    assert not is_json(media_type(f"application/j{S}on"))
    assert media_type("text/html\u00a0") != "text/html"
    assert parameter(f'x; CHAR{S}ET="a"', "charset") is None
    assert choose_coding(f"g{K}zip, identity", ("gzip",)) == ""
    assert accepts(f"text/pla{K}n", "text/plain") == 0.0
    with pytest.raises(RequestError):
        unpack(b"", "gzip\u2003", None)
    with pytest.raises(RequestError):
        decode(b"x", "text/plain; charset=utf-8é")


def test_units_and_origins_in_other_letters_are_others() -> None:
    assert ranges_of(f"byte{S}=0-1", 10) is None
    assert not Origins([f"https://{K}.example"]).allow("https://k.example")
    assert not same_host(f"https://{K}.example", "k.example")


async def test_a_scheme_of_authorization_in_other_letters_is_not_known() -> None:
    assert AUTH.schema.kind == "auth"
    flow = """
- {kind: listener, name: listener, port: 0, ports: {out: {name: auth}}}
- {kind: auth, name: auth, basic: {ada: secret}, ports: {out: {name: in}}}
- {kind: snippet, name: in, language: text, code: in}
"""
    async with running(flow) as rt:
        for word, status in (("BASIC", 200), (f"Ba{S}ic", 401)):
            reply = await fetch(port_of(rt), headers={"Authorization": f"{word} YWRhOnNlY3JldA=="})
            assert reply.status == status


async def test_a_request_in_other_letters_is_never_smuggled() -> None:
    flow = """
- {kind: listener, name: listener, port: 0, ports: {out: {name: echo}}}
- {kind: snippet, name: echo, language: cel, code: "{'path': path}"}
"""
    async with running(flow) as rt:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        writer.write(
            f"POST /one HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chun{K}ed\r\n\r\n"
            "0\r\n\r\nGET /two HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )
        async with asyncio.timeout(30):
            raw = await reader.read()
        writer.close()
    assert raw.startswith(b"HTTP/1.1 501 ")
    assert raw.count(b"HTTP/1.1 ") == 1
    assert json.dumps("two").encode() not in raw
