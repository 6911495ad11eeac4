"""Frames that break the rules fail while they arrive, on both sides, with the right close code."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.utils import accept_key

from heddle.runtime.runtime import Runtime
from tests.extensions.net.ws.support import dial, flow, hear
from tests.support import port_of, running

pytestmark = pytest.mark.anyio

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\x01\x02\x03\x04"
TEXT, BINARY, MORE, CLOSE, PING = 0x81, 0x82, 0x00, 0x88, 0x89


class Raw:
    """One side of a WebSocket that says frames byte by byte."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, masks: bool
    ) -> None:
        self.reader, self.writer, self.masks = reader, writer, masks

    def frame(self, first: int, data: bytes, *, of: int | None = None) -> bytes:
        """Return a frame, or the beginning of one that announces `of` bytes."""
        size = len(data) if of is None else of
        mask = 0x80 if self.masks else 0
        if size < 126:
            head = bytes([first, mask | size])
        else:
            head = bytes([first, mask | 126]) + struct.pack("!H", size)
        if not self.masks:
            return head + data
        return head + MASK + bytes(byte ^ MASK[at % 4] for at, byte in enumerate(data))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame."""
        async with asyncio.timeout(60):
            first, second = await self.reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            mask = await self.reader.readexactly(4) if second & 0x80 else bytes(4)
            data = await self.reader.readexactly(size)
        return first & 15, bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))

    async def code(self) -> int:
        """Return the code of the Close that comes next, whatever comes before it."""
        while True:
            opcode, data = await self.hear()
            if opcode == 8:
                return int(struct.unpack("!H", data[:2])[0])

    async def leave(self) -> None:
        """Hang up."""
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)


async def read_head(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(60):
        return await reader.readuntil(b"\r\n\r\n")


@asynccontextmanager
async def as_client(rt: Runtime) -> AsyncIterator[Raw]:
    """Provide a client of a `websocket`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
    writer.write(
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n".encode()
    )
    assert b" 101 " in await read_head(reader)
    raw = Raw(reader, writer, masks=True)
    try:
        yield raw
    finally:
        await raw.leave()


@asynccontextmanager
async def talk(side: str) -> AsyncIterator[Raw]:
    """Provide the other side of a `websocket`, or of a `websocket-client`."""
    if side == "websocket":
        async with running(flow()) as rt, as_client(rt) as raw:
            yield raw
        return
    met: asyncio.Queue[Raw] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0].decode()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n".encode()
        )
        met.put_nowait(Raw(reader, writer, masks=False))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    text = f"""
- kind: websocket-client
  name: link
  url: ws://127.0.0.1:{port}/
  reconnect: {{delay: 60s, max_delay: 60s}}
  ports:
    message: {{name: answer, port: in}}
- {{kind: snippet, name: answer, language: cel, code: self.data}}
"""
    try:
        async with running(text):
            async with asyncio.timeout(60):
                raw = await met.get()
            yield raw
            await raw.leave()
    finally:
        server.close()
        while not met.empty():
            await met.get_nowait().leave()


SIDES = pytest.mark.parametrize("side", ["websocket", "websocket-client"])

Said = Callable[[Raw], bytes]
EARLY: list[tuple[str, Said, int]] = [
    ("a reserved bit", lambda raw: raw.frame(TEXT | 0x20, b"", of=9), 1002),
    ("a bit of an extension that was not agreed", lambda raw: raw.frame(0xC1, b"", of=9), 1002),
    ("an opcode that is none", lambda raw: raw.frame(0x83, b"", of=9), 1002),
    ("a control opcode that is none", lambda raw: raw.frame(0x8B, b"", of=9), 1002),
    ("a ping in fragments", lambda raw: raw.frame(0x09, b"", of=9), 1002),
    ("a ping that is too long", lambda raw: raw.frame(PING, b"", of=126), 1002),
    ("a continuation of nothing", lambda raw: raw.frame(0x80, b"", of=9), 1002),
    (
        "a message inside another",
        lambda raw: raw.frame(0x01, b"a") + raw.frame(TEXT, b"", of=9),
        1002,
    ),
    ("a close of one byte", lambda raw: raw.frame(CLOSE, b"", of=1), 1002),
    ("bad UTF-8 at the beginning", lambda raw: raw.frame(TEXT, b"a\xff", of=1000), 1007),
    ("a surrogate", lambda raw: raw.frame(TEXT, b"\xed\xa0", of=1000), 1007),
    ("an overlong slash", lambda raw: raw.frame(TEXT, b"\xc0\xaf", of=1000), 1007),
    ("past the last code point", lambda raw: raw.frame(TEXT, b"\xf4\x90", of=1000), 1007),
    ("bad UTF-8 in a fragment", lambda raw: raw.frame(0x01, b"a\xff"), 1007),
    (
        "bad UTF-8 across two fragments",
        lambda raw: raw.frame(0x01, b"\xce") + raw.frame(MORE, b"a"),
        1007,
    ),
    (
        "bad UTF-8 within the second fragment",
        lambda raw: raw.frame(0x01, b"\xce") + raw.frame(MORE, b"\xbaab\xff", of=1000),
        1007,
    ),
    ("a text that ends too early", lambda raw: raw.frame(TEXT, b"\xce"), 1007),
    (
        "a last fragment that ends too early",
        lambda raw: raw.frame(0x01, b"a") + raw.frame(0x80, b"\xce"),
        1007,
    ),
    ("a close with a code that is none", lambda raw: raw.frame(CLOSE, b"\x03\xed"), 1002),
    ("a close with a code of nobody", lambda raw: raw.frame(CLOSE, b"\x03\xe7"), 1002),
    ("a close whose reason is not UTF-8", lambda raw: raw.frame(CLOSE, b"\x03\xe8\xff"), 1007),
]


@SIDES
@pytest.mark.parametrize(
    ("said", "code"), [case[1:] for case in EARLY], ids=[one[0] for one in EARLY]
)
async def test_what_cannot_become_good_fails_before_it_is_complete(
    side: str, said: Said, code: int
) -> None:
    async with talk(side) as raw:
        await raw.send(said(raw))
        assert await raw.code() == code


@SIDES
async def test_a_text_is_looked_at_byte_by_byte_and_stays_whole(side: str) -> None:
    text = "aκόσμε𐍈" * 40
    async with talk(side) as raw:
        for byte in raw.frame(TEXT, text.encode()):
            await raw.send(bytes([byte]))
        assert await raw.hear() == (1, text.encode())


@SIDES
async def test_characters_may_be_cut_by_fragments_with_a_ping_between(side: str) -> None:
    data = "κ𐍈".encode()
    async with talk(side) as raw:
        await raw.send(raw.frame(0x01, data[:1]) + raw.frame(PING, b"\xff"))
        await raw.send(
            raw.frame(MORE, data[1:4]) + raw.frame(MORE, b"") + raw.frame(0x80, data[4:])
        )
        assert await raw.hear() == (10, b"\xff")
        assert await raw.hear() == (1, data)
        await raw.send(raw.frame(BINARY, b"\xff\xfe"))
        assert await raw.hear() == (2, b"\xff\xfe")


@SIDES
@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
async def test_a_close_between_fragments_is_answered_with_its_code(side: str, code: int) -> None:
    async with talk(side) as raw:
        await raw.send(raw.frame(0x01, b"never complete"))
        await raw.send(raw.frame(CLOSE, struct.pack("!H", code) + b"bye"))
        assert await raw.hear() == (8, struct.pack("!H", code) + b"bye")


async def test_a_packed_text_fails_with_its_first_bad_fragment() -> None:
    async with running(flow()) as rt, dial(rt) as client:
        protocol: Any = client.protocol
        assert protocol.extensions
        protocol.send_text(b"a\xff" * 100, fin=False)
        client.send_data()
        async with asyncio.timeout(60):
            await client.wait_closed()
        assert client.close_code == 1007


async def test_nothing_is_handled_behind_what_was_rejected() -> None:
    more = "format: json"
    async with running(flow(more)) as rt, as_client(rt) as raw:
        await raw.send(raw.frame(TEXT, b"{oops") + raw.frame(TEXT, b'"later"'))
        opcode, data = await raw.hear()
        assert (opcode, struct.unpack("!H", data[:2])[0]) == (8, 1007)


async def test_messages_still_go_both_ways_when_they_are_packed() -> None:
    async with running(flow()) as rt, dial(rt) as client:
        for message in ("ü" * 10_000, b"\xff" * 10_000, ["a", "ü" * 500, "b"]):
            await client.send(message)
            assert await hear(client) == (
                "".join(message) if isinstance(message, list) else message
            )
