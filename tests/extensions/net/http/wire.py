"""A client that says exactly the bytes it is told to, and reads responses strictly."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from heddle.extensions.net.http.exchange import Exchange
from heddle.extensions.net.http.limits import HttpLimits
from heddle.extensions.net.http.request import HttpRequest
from heddle.extensions.net.http.server import Server
from heddle.runtime.flow.errors import Error

PATIENCE = 60.0
"""Seconds after which a test that awaits something fails."""

GET = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"


class Reply:
    """One response; `header` has lower names, and a list of values for each."""

    def __init__(self, status: int, header: dict[str, list[str]], body: bytes) -> None:
        self.status = status
        self.header = header
        self.body = body

    def one(self, name: str) -> str:
        """Return the only value of a header."""
        (value,) = self.header[name]
        return value


class Wire:
    """One connection to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @staticmethod
    async def open(server: Server, tls: ssl.SSLContext | None = None) -> "Wire":
        host, port = server.address
        name = "localhost" if tls else None
        return Wire(
            *await asyncio.open_connection(host, port, ssl=tls, server_hostname=name, limit=1 << 24)
        )

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, *, head_only: bool = False) -> Reply:
        """Return the next response, whole."""
        return await asyncio.wait_for(self._reply(head_only), PATIENCE)

    async def _reply(self, head_only: bool) -> Reply:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head[:-4].split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        header: dict[str, list[str]] = {}
        for line in lines:
            name, value = line.split(": ", 1)
            header.setdefault(name.lower(), []).append(value)
        body = b""
        if not head_only and int(status) >= 200 and int(status) not in (204, 304):
            body = await self._body(header)
        return Reply(int(status), header, body)

    async def _body(self, header: dict[str, list[str]]) -> bytes:
        if header.get("transfer-encoding") == ["chunked"]:
            assert "content-length" not in header
            parts = [part async for part in self.chunks()]
            return b"".join(parts)
        if "content-length" in header:
            (length,) = header["content-length"]
            return await self.reader.readexactly(int(length))
        return await self.reader.read()

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            chunk = await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
            if not size:
                return
            yield chunk

    async def ask(self, data: bytes, *, head_only: bool = False) -> Reply:
        await self.send(data)
        return await self.reply(head_only=head_only)

    async def rest(self) -> bytes:
        """Return all that still comes, until the server closes."""
        try:
            return await asyncio.wait_for(self.reader.read(), PATIENCE)
        except ConnectionResetError:
            return b""

    async def closed(self) -> bool:
        """Wait for the server to close; whether it did so without another byte."""
        return await self.rest() == b""

    def reset(self) -> None:
        """Leave at once and without a goodbye."""
        transport: Any = self.writer.transport
        transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


class House:
    """A server under test, what it reported, and the wires that were opened to it."""

    def __init__(self, server: Server, reports: list[tuple[str, Any, HttpRequest | None]]) -> None:
        self.server = server
        self.reports = reports
        self.wires: list[Wire] = []

    async def wire(self, tls: ssl.SSLContext | None = None) -> Wire:
        wire = await Wire.open(self.server, tls)
        self.wires.append(wire)
        return wire

    async def ask(self, data: bytes, *, head_only: bool = False) -> Reply:
        """Send one request on a connection of its own."""
        return await (await self.wire()).ask(data, head_only=head_only)


@asynccontextmanager
async def serve(
    handler: Callable[[Exchange], None], *, limits: HttpLimits | None = None, **options: Any
) -> AsyncIterator[House]:
    """Provide a running server; everything still open at the end is cut."""
    reports: list[tuple[str, Any, HttpRequest | None]] = []

    def on_error(phrase: str, error: Error | BaseException, request: HttpRequest | None) -> None:
        reports.append((phrase, error, request))

    server = Server(handler, limits=limits, on_error=on_error, **options)
    await server.start("127.0.0.1", 0)
    house = House(server, reports)
    try:
        yield house
    finally:
        for wire in house.wires:
            await wire.close()
        await server.drain(0.01)


def answering(answer: Any) -> Callable[[Exchange], None]:
    """Return a handler that gives everyone the same answer."""
    return lambda exchange: exchange.reply(answer)


def post(body: bytes, *lines: str, path: str = "/") -> bytes:
    """Return a POST request with a Content-Length."""
    head = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


def get(*lines: str, path: str = "/", method: str = "GET") -> bytes:
    """Return a request without a body."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()
