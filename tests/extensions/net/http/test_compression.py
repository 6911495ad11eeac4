"""Which responses are packed, and what clients get to see of it."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from heddle.extensions.net.http.compression import OFFERS, pack, unpack, unpack_stream
from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.exchange import Exchange
from heddle.extensions.net.http.limits import HttpLimits
from tests.extensions.net.http.wire import answering, get, post, serve

pytestmark = pytest.mark.anyio

LONG = "heddle " * 1000


@pytest.mark.parametrize("coding", OFFERS)
async def test_long_text_is_packed_as_asked(coding: str) -> None:
    async with serve(answering(LONG)) as house:
        reply = await house.ask(get(f"Accept-Encoding: {coding}"))
    assert reply.one("content-encoding") == coding
    assert reply.one("vary") == "Accept-Encoding"
    assert len(reply.body) < 1000
    assert unpack(reply.body, coding, None).decode() == LONG


@pytest.mark.parametrize(
    ("answer", "packed"),
    [
        (LONG, True),
        ({"text": LONG}, True),
        ({"body": LONG, "header": {"Content-Type": "image/svg+xml"}}, True),
        ({"body": LONG, "header": {"Content-Type": "application/problem+json"}}, True),
        ("short", False),
        (LONG.encode(), False),
        ({"body": LONG.encode(), "header": {"Content-Type": "image/png"}}, False),
        ({"body": LONG, "header": {"Content-Type": "text/event-stream"}}, False),
        ({"body": LONG, "header": {"Cache-Control": "public, no-transform"}}, False),
        ({"body": LONG, "status": 206, "header": {"Content-Range": "bytes 0-9/10"}}, False),
    ],
)
async def test_only_what_gains_is_packed(answer: Any, packed: bool) -> None:
    async with serve(answering(answer)) as house:
        reply = await house.ask(get("Accept-Encoding: gzip"))
    assert ("content-encoding" in reply.header) is packed
    assert ("vary" in reply.header) is packed


@pytest.mark.parametrize("window", [-zlib.MAX_WBITS, zlib.MAX_WBITS, 16 + zlib.MAX_WBITS])
def test_a_body_of_any_length_comes_out_whole(window: int) -> None:
    coding = "gzip" if window > zlib.MAX_WBITS else "deflate"
    # The last bits taken in may still hold much of it when a piece is full.
    for size in range(64 * 1024 - 2, 64 * 1024 + 300):
        work = zlib.compressobj(6, zlib.DEFLATED, window)
        body = work.compress(b"a" * size) + work.flush()
        assert unpack(body, coding, None) == b"a" * size


async def test_client_that_asks_for_nothing_gets_it_as_it_is() -> None:
    async with serve(answering(LONG)) as house:
        reply = await house.ask(get())
    assert reply.body.decode() == LONG
    assert reply.one("vary") == "Accept-Encoding"


async def test_body_packed_by_the_flow_is_left_alone() -> None:
    body = pack(LONG.encode(), "gzip")
    header = {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
    async with serve(answering({"body": body, "header": header})) as house:
        reply = await house.ask(get("Accept-Encoding: br"))
    assert reply.one("content-encoding") == "gzip"
    assert reply.body == body


async def test_compression_can_be_turned_off() -> None:
    async with serve(answering(LONG), limits=HttpLimits(compress_bytes=None)) as house:
        reply = await house.ask(get("Accept-Encoding: gzip"))
        assert not {"content-encoding", "vary"} & reply.header.keys()

        async def stream() -> AsyncIterator[bytes]:
            yield LONG.encode()

        header = {"Content-Type": "text/plain"}
        house.server.swap(handler=answering({"body": stream(), "header": header}))
        reply = await house.ask(get("Accept-Encoding: gzip"))
        assert not {"content-encoding", "vary"} & reply.header.keys()
        assert reply.body.decode() == LONG


async def test_tag_of_a_packed_body_is_weak() -> None:
    answer = {"body": LONG, "header": {"Etag": '"1"', "X-Etag": '"2"'}}
    async with serve(answering(answer)) as house:
        reply = await house.ask(get("Accept-Encoding: gzip"))
        assert (reply.one("etag"), reply.one("x-etag")) == ('W/"1"', '"2"')
        assert (await house.ask(get())).one("etag") == '"1"'


async def test_head_of_a_packed_body_has_its_length() -> None:
    async with serve(answering(LONG)) as house:
        whole = await house.ask(get("Accept-Encoding: gzip"))
        head = await house.ask(get("Accept-Encoding: gzip", method="HEAD"), head_only=True)
    assert head.one("content-length") == whole.one("content-length")


@pytest.mark.parametrize("coding", OFFERS)
async def test_streams_and_very_long_bodies_are_packed_on_the_way(coding: str) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield LONG.encode()

    header = {"Content-Type": "text/plain"}
    async with serve(answering({"body": stream(), "header": header})) as house:
        reply = await house.ask(get(f"Accept-Encoding: {coding}"))
        assert reply.one("transfer-encoding") == "chunked"
        assert unpack(reply.body, coding, None).decode() == LONG * 3
        house.server.swap(handler=answering(LONG * 300))
        wire = await house.wire()
        for _ in range(2):
            reply = await wire.ask(get(f"Accept-Encoding: {coding}"))
            assert unpack(reply.body, coding, None).decode() == LONG * 300
        old = b"GET / HTTP/1.0\r\nAccept-Encoding: " + coding.encode() + b"\r\n\r\n"
        assert unpack((await house.ask(old)).body, coding, None).decode() == LONG * 300


@pytest.mark.parametrize("coding", OFFERS)
async def test_packed_requests_are_unpacked(coding: str) -> None:
    def handler(exchange: Exchange) -> None:
        exchange.reply({"got": exchange.request["body"]})

    kind = "Content-Type: application/json"
    async with serve(handler, limits=HttpLimits(body_bytes=1000)) as house:
        data = pack(b'{"a": 1}', coding)
        reply = await house.ask(post(data, f"Content-Encoding: {coding}", kind))
        assert json.loads(reply.body) == {"got": {"a": 1}}
        bomb = pack(b'"' + b" " * 100_000 + b'"', coding)
        assert (await house.ask(post(bomb, f"Content-Encoding: {coding}", kind))).status == 413
        assert (await house.ask(post(b"junk", f"Content-Encoding: {coding}", kind))).status == 400
        assert (await house.ask(post(data, "Content-Encoding: zstd", kind))).status == 415


def test_a_body_of_gzip_has_a_few_members_or_large_ones() -> None:
    small, large = gzip.compress(b"x"), gzip.compress(b"x" * 5000)
    assert unpack(small * 1000, "gzip", None) == b"x" * 1000
    assert unpack(large * 2000, "gzip", None) == b"x" * 10_000_000
    for empty in (small, gzip.compress(b"")):
        with pytest.raises(RequestError, match="more than 1000 small gzip members") as raised:
            unpack(empty * 40_000, "gzip", None)
        assert raised.value.status == 413


async def test_a_gzip_stream_has_any_number_of_members_beside_other_work() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield gzip.compress(b"x") * 200_000

    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.ensure_future(others())
    parts = [part async for part in unpack_stream(chunks(), "gzip", None)]
    beside.cancel()
    assert b"".join(parts) == b"x" * 200_000
    assert turns > 2


async def test_packed_request_is_unpacked_in_a_stream() -> None:
    import asyncio

    running: set[asyncio.Task[None]] = set()

    async def flow(exchange: Exchange) -> None:
        exchange.reply(await exchange.request["body"].read())

    def handler(exchange: Exchange) -> None:
        running.add(asyncio.ensure_future(flow(exchange)))

    async with serve(handler, stream_body=True) as house:
        data = pack(LONG.encode(), "br")
        reply = await house.ask(post(data, "Content-Encoding: br"))
    assert reply.body.decode() == LONG
