"""A request for a WebSocket that a backend answers in another way, or with what is not a response."""

import pytest

from tests.extensions.net.proxy.test_proxy import flow
from tests.extensions.net.raw_backend import exchange, raw_backend
from tests.support import port_of, running

pytestmark = pytest.mark.anyio

ASK = (
    b"GET /chat? HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nx-ODD: \xe9\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\ngone",
        b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n1;a\r\ng\r\n3\r\none\r\n0\r\n\r\n",
        b"HTTP/1.1 404 No\r\nConnection: close\r\n\r\ngone",
        b"HTTP/1.0 404 No\r\n\r\ngone",
        b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\ngone",
    ],
    ids=["length", "chunked", "close", "1.0", "hints"],
)
async def test_a_rejection_comes_back_whole_however_it_is_framed(answer: bytes) -> None:
    sent = ASK.replace(b"Connection: Upgrade", b"Connection: Upgrade, close")
    async with raw_backend(answer) as far, running(flow(far.url)) as rt:
        data = await exchange(port_of(rt), sent)
    assert data.startswith(b"HTTP/1.1 404 ")
    assert data.endswith(b"\r\n\r\ngone")
    assert far.lines[0] == b"GET /chat? HTTP/1.1"
    assert b"x-ODD: \xe9" in far.lines


async def test_a_426_of_the_backend_still_names_the_protocol() -> None:
    answer = (
        b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n"
    )
    sent = ASK.replace(b"Connection: Upgrade", b"Connection: Upgrade, close")
    plain = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    async with raw_backend(answer) as far, running(flow(far.url)) as rt:
        for one in (sent, plain):
            data = await exchange(port_of(rt), one)
            assert data.startswith(b"HTTP/1.1 426 ")
            assert b"\r\nUpgrade: websocket\r\n" in data
            assert b"sec-websocket-version: 13\r\n" in data.lower()


async def test_hints_before_a_101_do_not_spoil_it() -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + SWITCH + b"\x88\x00"
    async with raw_backend(answer) as far, running(flow(far.url)) as rt:
        data = await exchange(port_of(rt), ASK)
    assert data == SWITCH + b"\x88\x00"


@pytest.mark.parametrize(
    "answer",
    [
        b"HELLO\r\n\r\n",
        b"HTTP/1.1 999 Odd\r\n\r\n",
        b"HTTP/1.1 " + b"9" * 5000 + b" Odd\r\n\r\n",
        b"HTTP/1.1 101 Odd\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\ngone",
        b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 404 No\r\nodd\r\n\r\n",
        b"HTTP/1.1 404 No\r\nX: " + b"x" * 40_000 + b"\r\n\r\n",
        b"HTTP/1.1 40",
    ],
)
async def test_what_is_no_response_is_502(answer: bytes) -> None:
    sent = ASK.replace(b"Connection: Upgrade", b"Connection: Upgrade, close")
    async with raw_backend(answer) as far, running(flow(far.url)) as rt:
        data = await exchange(port_of(rt), sent)
        assert data.startswith(b"HTTP/1.1 502 ")
        assert len(far.asked) == 1
