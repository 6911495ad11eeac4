"""A Tunnel carries bytes both ways between a client and a backend that speak WebSocket."""

import asyncio
import ssl
from typing import Final, cast

from heddle.extensions.net.calling.ask import Ask
from heddle.extensions.net.calling.neighbours import hop_by_hop
from heddle.extensions.net.http.errors import BadRequest
from heddle.extensions.net.http.head import parse_head
from heddle.extensions.net.http.latin import kept_latin, latin_of
from heddle.extensions.net.http.limits import Limits
from heddle.extensions.net.http.request import Request
from heddle.extensions.net.http.upgrade import Guest
from heddle.schemas.ascii import elements, lower

_HEAD: Final = 64 * 1024
_BODY: Final = 64 * 1024
_LIMITS: Final = Limits()


def wants_websocket(request: Request) -> bool:
    """Whether a request asks for a WebSocket."""
    fields = request.head.fields
    upgrade = elements(lower(",".join(fields.get("Upgrade", ()))))
    connection = elements(lower(",".join(fields.get("Connection", ()))))
    return "websocket" in upgrade and "upgrade" in connection and request.method_text == "GET"


class BackSide(asyncio.Protocol):
    """The backend's end: first it hears a response, then it carries bytes."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.head: asyncio.Future[bytes] = loop.create_future()
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
            return
        end = self.rest.find(b"\r\n\r\n")
        if end >= 0:
            head, self.rest = self.rest[: end + 4], self.rest[end + 4 :]
            self.head.set_result(head)
        elif len(self.rest) > _HEAD:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The backend has left."""
        self.lost = True
        self._more.set()
        if not self.head.done():
            self.head.set_exception(exc or ConnectionResetError("it closed without a response"))
        if self.front is not None:
            self.front.transport.close()

    async def until(self, length: int) -> None:
        """Wait until so many bytes have come behind the head, or no more will."""
        while len(self.rest) < length and not self.lost:
            self._more.clear()
            await self._more.wait()

    def pause_writing(self) -> None:
        """The backend does not take what comes: let the client wait."""
        if self.front is not None and not self.front.transport.is_closing():
            self.front.transport.pause_reading()

    def resume_writing(self) -> None:
        """It does again."""
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
        """The client has left."""
        super().connection_lost(exc)
        self._back.transport.close()

    def pause_writing(self) -> None:
        """The client does not take what comes: let the backend wait."""
        if not self._back.transport.is_closing():
            self._back.transport.pause_reading()

    def resume_writing(self) -> None:
        """It does again."""
        if not self._back.transport.is_closing():
            self._back.transport.resume_reading()

    def retire(self) -> None:
        """Nobody here understands what is said: it cannot be ended but by hanging up."""
        self.transport.close()

    def drop(self) -> None:
        """The client did not wait for it."""
        self._back.transport.abort()


class Refusal(Exception):  # noqa: N818 - reads as what it tells: raise Refusal
    """The backend answered with something else than a WebSocket; `response` is what it answered."""

    def __init__(self, status: int, header: dict[str, list[str]], body: bytes) -> None:
        super().__init__(f"answered {status}")
        self.response = {"status": status, "header": header, "body": body}


async def dig(
    asked: Ask, host: str, port: int, tls: ssl.SSLContext | bool | None, wait: float | None
) -> Tunnel:
    """A tunnel to a backend that has agreed; Refusal where it has not, OSError without a backend."""
    loop = asyncio.get_running_loop()
    _, back = await loop.create_connection(BackSide, host, port, ssl=tls)
    try:
        back.transport.write(_written(asked, host, port, secure=bool(tls)))
        async with asyncio.timeout(wait):
            head = await back.head
        line, _, block = head[:-4].partition(b"\r\n")
        words = line.split(b" ", 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            raise ConnectionError("it does not speak HTTP")
        status = int(words[1])
        if status == 101:
            back.transport.pause_reading()
            return Tunnel(back, head)
        raise await _refusal(back, status, block, wait)
    except BaseException:
        back.transport.abort()
        raise


async def _refusal(back: BackSide, status: int, block: bytes, wait: float | None) -> Refusal:
    """What the backend answered instead; its body where that is short."""
    try:
        head = parse_head(block, 10, _LIMITS)
    except BadRequest as error:
        raise ConnectionError(f"its response cannot be read: {error}") from None
    length = min(head.length, _BODY)
    async with asyncio.timeout(wait):
        await back.until(length)
    ended = hop_by_hop(head.fields) | {"Content-Length"}
    header = {name: values for name, values in head.fields.items() if name not in ended}
    kept = kept_latin(header, latin_of(head.fields))
    return Refusal(max(status, 200), kept, back.rest[:length])


def _written(asked: Ask, host: str, port: int, *, secure: bool) -> bytes:
    """The request as bytes: what is between neighbours is said anew."""
    path = "/" + asked.url.split("://", 1)[1].partition("/")[2]
    named = f"[{host}]" if ":" in host else host
    usual = 443 if secure else 80
    headers = dict(asked.headers)
    lines = [f"GET {path} HTTP/1.1"]
    if "Host" not in headers:
        lines.append(f"Host: {named}" if port == usual else f"Host: {named}:{port}")
    lines += ["Connection: Upgrade", "Upgrade: websocket"]
    written = [line.encode() for line in lines]
    for name, value in asked.headers:
        code = "latin-1" if value in asked.latin else "utf-8"
        written.append(f"{name}: {value}".encode(code))
    return b"\r\n".join(written) + b"\r\n\r\n"
