"""A Tunnel carries bytes both ways between a client and a backend that speak WebSocket."""

import asyncio
import re
import ssl
from collections.abc import Mapping
from typing import Final, cast

from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.framing import BodyReader, ChunkedBody, FixedBody
from heddle.extensions.net.http.head import Head, parse_fields
from heddle.extensions.net.http.latin import kept_latin, latin_of
from heddle.extensions.net.http.limits import HttpLimits
from heddle.extensions.net.http.request import HttpRequest
from heddle.extensions.net.http.upgrade import Guest
from heddle.extensions.net.http_client.hop_headers import hop_by_hop
from heddle.extensions.net.http_client.pool import ResponseError
from heddle.extensions.net.http_client.raw_head import Latin1
from heddle.extensions.net.http_client.request import OutgoingRequest
from heddle.extensions.response import HttpResponse
from heddle.schemas.ascii import elements, lower

_BODY: Final = 64 * 1024
_LIMITS: Final = HttpLimits(header_bytes=2**31, body_bytes=None)
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [\t \x21-\x7e\x80-\xff]*)?")


def wants_websocket(request: HttpRequest) -> bool:
    """Return whether a request asks for a WebSocket."""
    return _names_websocket(request.head.fields) and request.method_text == "GET"


def _names_websocket(fields: Mapping[str, list[str]]) -> bool:
    upgrade = elements(lower(",".join(fields.get("Upgrade", ()))))
    connection = elements(lower(",".join(fields.get("Connection", ()))))
    return "websocket" in upgrade and "upgrade" in connection


class BackSide(asyncio.Protocol):
    """The backend's end: first it hears a response, then it carries bytes."""

    def __init__(self, most: int | None) -> None:
        """Hear a head of at most so many bytes."""
        self._most = most
        self.head: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.rest = b""
        self._more = asyncio.Event()
        self.front: Tunnel | None = None
        self.lost = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """There is a connection."""
        # Not asked for its class: that of uvloop is another one.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Bytes have come: they go on, once there is somewhere to go."""
        if self.front is not None:
            self.front.transport.write(data)
            return
        self.rest += data
        self._more.set()
        if self.head.done():
            if len(self.rest) > _BODY:
                self.transport.pause_reading()
        else:
            self._hear_head()

    def _hear_head(self) -> None:
        end = self.rest.find(b"\r\n\r\n")
        size = end if end >= 0 else len(self.rest)
        if self._most is not None and size > self._most:
            self.head.set_exception(
                ResponseError(f"its headers are larger than {self._most} bytes")
            )
            self.transport.abort()
        elif end >= 0:
            head, self.rest = self.rest[: end + 4], self.rest[end + 4 :]
            self.head.set_result(head)

    def hear_more(self) -> None:
        """Wait for another head: this one has only said that there will be one."""
        self.head = asyncio.get_running_loop().create_future()
        if self.lost:
            self.head.set_exception(ConnectionResetError("it closed without a response"))
        else:
            self._hear_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the backend has left."""
        self.lost = True
        self._more.set()
        if not self.head.done():
            closed: Exception = ConnectionResetError("it closed without a response")
            if self.rest:
                closed = ResponseError("it ends in the middle of its head")
            self.head.set_exception(exc or closed)
        if self.front is not None:
            self.front.transport.close()

    async def read(self) -> bytes:
        """Return what has come behind the head, or b"" once no more will."""
        while not self.rest and not self.lost:
            self._more.clear()
            await self._more.wait()
        data, self.rest = self.rest, b""
        if not self.lost:
            self.transport.resume_reading()
        return data

    def pause_writing(self) -> None:
        """Let the client wait: the backend does not take what comes."""
        if self.front is not None and not self.front.transport.is_closing():
            self.front.transport.pause_reading()

    def resume_writing(self) -> None:
        """Let the client go on: the backend takes data again."""
        if self.front is not None and not self.front.transport.is_closing():
            self.front.transport.resume_reading()


class Tunnel(Guest):
    """The client's end."""

    busy = True

    def __init__(self, back: BackSide, head: bytes) -> None:
        self._back = back
        self._head = head

    def begin(self) -> None:
        """Hand on the response, and whatever came behind it."""
        back = self._back
        if back.lost:
            self.transport.abort()
            return
        self.transport.write(self._head + back.rest)
        back.rest = b""
        back.front = self
        back.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Bytes for the backend."""
        self._back.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the client has left."""
        super().connection_lost(exc)
        self._back.transport.close()

    def pause_writing(self) -> None:
        """Let the backend wait: the client does not take what comes."""
        if not self._back.transport.is_closing():
            self._back.transport.pause_reading()

    def resume_writing(self) -> None:
        """Let the backend go on: the client takes data again."""
        if not self._back.transport.is_closing():
            self._back.transport.resume_reading()

    def retire(self) -> None:
        """Nobody here understands what is said: it cannot be ended but by hanging up."""
        self.transport.close()

    def drop(self) -> None:
        """Drop the tunnel: the client did not wait for it."""
        self._back.transport.abort()


class TunnelRejectedError(Exception):
    """The backend answered with something else than a WebSocket; `response` is what it answered."""

    def __init__(self, status: int, header: dict[str, list[str]], body: bytes) -> None:
        super().__init__(f"answered {status}")
        self.response = HttpResponse(status=status, header=header, body=body)


async def dig(
    outgoing: OutgoingRequest,
    host: str,
    port: int,
    tls: ssl.SSLContext | bool | None,
    wait: float | None,
    most: int | None,
) -> Tunnel:
    """Return a tunnel to a backend that has agreed; `most` bounds the head of its response.

    Rejection if it has not agreed, BrokenResponse if it answers no HTTP, OSError without a backend.
    """
    loop = asyncio.get_running_loop()
    _, back = await loop.create_connection(lambda: BackSide(most), host, port, ssl=tls)
    try:
        back.transport.write(_written(outgoing, host, port, secure=bool(tls)))
        async with asyncio.timeout(wait):
            status, head, fields = await _final_head(back)
            if status != 101:
                raise await _rejection(back, status, fields)
        if not _names_websocket(fields):
            raise ResponseError("it switches to another protocol (101) than WebSocket")
        back.transport.pause_reading()
        return Tunnel(back, head)
    except BaseException:
        back.transport.abort()
        raise


async def _final_head(back: BackSide) -> tuple[int, bytes, dict[str, list[str]]]:
    """Return status, bytes and fields of the first head that is not an interim response."""
    while True:
        head = await back.head
        line, _, block = head[:-4].partition(b"\r\n")
        match = _STATUS.fullmatch(line)
        if match is None:
            raise ResponseError("its status line is not: HTTP/1.1 status reason")
        status = int(match[1])
        try:
            fields = parse_fields(block, _LIMITS) if block else {}
        except RequestError as error:
            raise ResponseError(str(error)) from None
        if status >= 200 or status == 101:
            return status, head, fields
        back.hear_more()


async def _rejection(
    back: BackSide, status: int, fields: dict[str, list[str]]
) -> TunnelRejectedError:
    """Return what the backend answered instead, and the beginning of its body."""
    ended = hop_by_hop(fields) | {"Content-Length"}
    if status == 426:
        # Such a response names the protocol that is wanted instead.
        ended -= {"Upgrade"}
    try:
        # A head of HTTP/1.1 has a Host, which no response has.
        head = Head({**fields, "Host": ["backend"]}, 11)
        bare = status in (204, 304)
        body = b"" if bare else await _short_body(back, head)
    except RequestError as error:
        raise ResponseError(str(error)) from None
    header = {name: values for name, values in fields.items() if name not in ended}
    return TunnelRejectedError(status, kept_latin(header, latin_of(fields)), body)


async def _short_body(back: BackSide, head: Head) -> bytes:
    """Return a body, or as much of it as is kept of a rejection."""
    if head.declared and not head.framed:
        return b""
    framing: BodyReader | None = None
    if head.framed:
        framing = ChunkedBody(_LIMITS) if head.chunked else FixedBody(head.length)
    parts: list[bytes] = []
    size = 0
    while size < _BODY:
        piece = await back.read()
        if not piece and framing is None:
            break
        if not piece:
            raise ResponseError("it ends in the middle of its body")
        if framing is None:
            parts.append(piece)
            size += len(piece)
            continue
        rest = framing.feed(piece)
        while framing.behind:
            rest = framing.feed(b"")
        parts, size = framing.parts, framing.received
        if rest is not None:
            break
    return b"".join(parts)[:_BODY]


def _written(outgoing: OutgoingRequest, host: str, port: int, *, secure: bool) -> bytes:
    """Return the request as bytes: what is between neighbours is said anew."""
    path = outgoing.target or "/" + outgoing.url.split("://", 1)[1].partition("/")[2]
    named = f"[{host}]" if ":" in host else host
    usual = 443 if secure else 80
    headers = dict(outgoing.headers)
    lines = [f"GET {path} HTTP/1.1"]
    if "Host" not in headers:
        lines.append(f"Host: {named}" if port == usual else f"Host: {named}:{port}")
    lines += ["Connection: Upgrade", "Upgrade: websocket"]
    written = [line.encode() for line in lines]
    for name, value in outgoing.headers:
        code = "latin-1" if type(value) is Latin1 else "utf-8"
        written.append(f"{name}: {value}".encode(code))
    return b"\r\n".join(written) + b"\r\n\r\n"
