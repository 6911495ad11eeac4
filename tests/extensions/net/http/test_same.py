"""Two ways to write the same request are the same request, and HEAD is GET without a body."""

from typing import Any

import pytest

from tests.extensions.net.http.wire import answering, get, serve

pytestmark = pytest.mark.anyio

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
EMPTY = [
    HEAD + b"Content-Length: 0\r\n\r\n",
    CHUNKED + b"0\r\n\r\n",
    CHUNKED + b"000\r\nX: y\r\n\r\n",
]


@pytest.mark.parametrize("kind", ["", "application/json", "text/plain", "multipart/form-data"])
async def test_an_empty_body_is_none_however_it_is_framed(kind: str) -> None:
    seen: list[Any] = []

    def handler(exchange: Any) -> None:
        seen.append(exchange.request["body"])
        exchange.reply("ok")

    async with serve(handler) as house:
        for data in EMPTY:
            if kind:
                data = data.replace(b"Host: x\r\n", f"Host: x\r\nContent-Type: {kind}\r\n".encode())
            wire = await house.wire()
            assert (await wire.ask(data)).status == 200
            for byte in data:
                await wire.send(bytes([byte]))
            assert (await wire.reply()).status == 200
    assert seen == [None] * 6


async def test_an_empty_body_is_a_stream_where_bodies_are_streamed() -> None:
    seen: list[Any] = []

    def handler(exchange: Any) -> None:
        body = exchange.request["body"]
        seen.append(type(body).__name__)
        exchange.reply("ok" if body is None else body)

    async with serve(handler, stream_body=True) as house:
        for data in EMPTY:
            wire = await house.wire()
            for _ in range(2):
                reply = await wire.ask(data)
                assert (reply.status, reply.body) == (200, b"")
        assert (await house.ask(get())).body == b"ok"
    assert seen == ["ByteStream"] * 6 + ["NoneType"]


@pytest.mark.parametrize(
    "extension",
    [
        b";a",
        b" ;a",
        b"; a",
        b"\t;\ta = b",
        b';a="b c"',
        b';a="\\"\\\\"',
        b';a="\xe9"',
        b";a=b;c;d=e",
    ],
)
async def test_chunk_extensions_are_read_as_the_standard_writes_them(extension: bytes) -> None:
    async with serve(lambda exchange: exchange.reply(exchange.request["body"])) as house:
        reply = await house.ask(
            CHUNKED + b"2" + extension + b"\r\nok\r\n0" + extension + b"\r\n\r\n"
        )
    assert (reply.status, reply.body) == (200, b"ok")


@pytest.mark.parametrize(
    "extension", [b";", b" ", b";a=", b';a="', b';a="\x01"', b";a b", b";=b", b"a=b"]
)
async def test_what_is_no_chunk_extension_is_rejected(extension: bytes) -> None:
    async with serve(answering("ok")) as house:
        reply = await house.ask(CHUNKED + b"2" + extension + b"\r\nok\r\n0\r\n\r\n")
    assert reply.status == 400


@pytest.mark.parametrize("answer", ["text", {"a": 1}, "x" * 5000, {"status": 404, "body": "lost"}])
@pytest.mark.parametrize("coding", ["", "gzip"])
async def test_head_has_the_headers_of_get(answer: Any, coding: str) -> None:
    lines = [f"Accept-Encoding: {coding}"] if coding else []
    async with serve(answering(answer)) as house:
        got = await house.ask(get(*lines))
        head = await house.ask(get(*lines, method="HEAD"), head_only=True)
    assert (head.status, head.header) == (got.status, got.header)


async def test_a_rejection_of_a_head_has_no_body() -> None:
    async with serve(answering("ok")) as house:
        wire = await house.wire()
        await wire.send(b"HEAD / HTTP/1.1\r\nbroken\r\n\r\n")
        data = await wire.rest()
    assert data.startswith(b"HTTP/1.1 400 ")
    assert data.endswith(b"\r\n\r\n")


async def test_a_426_names_the_protocol_that_is_wanted() -> None:
    answer = {"status": 426, "header": {"Upgrade": "websocket"}, "body": "no"}
    async with serve(answering(answer)) as house:
        reply = await house.ask(get())
    assert reply.one("upgrade") == "websocket"
    assert "Upgrade" in reply.header["connection"]
