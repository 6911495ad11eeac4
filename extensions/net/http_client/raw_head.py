"""A request whose head aiohttp would not write as it is: the bytes of Latin-1, and odd targets.

aiohttp writes header values as UTF-8, and has no target that is `*` or ends in a bare `?`. A value that came
as Latin-1 is marked with its own class, and a target is set beside the call. When aiohttp writes the head,
the lines concerned are written anew. Any other request is sent as it always is.
"""

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import aiohttp

TARGET: Final[ContextVar[str]] = ContextVar("target", default="")
"""The target of the request that is being sent, if it is not that of its URL."""


class Latin1(str):
    """The value of a header that came as Latin-1."""

    __slots__ = ()


class _HeadWriter:
    """Stands for a transport until the head is written."""

    def __init__(self, protocol: Any, headers: Mapping[str, str], target: str) -> None:
        self._protocol = protocol
        self._transport = protocol.transport
        self._headers = headers
        self._target = target
        protocol.transport = self

    def write(self, data: bytes) -> None:
        self._restore()
        self._transport.write(self._raw(bytes(data)))

    def writelines(self, parts: Iterable[bytes]) -> None:
        self._restore()
        first, *others = parts
        self._transport.writelines([self._raw(bytes(first)), *others])

    def _restore(self) -> None:
        if self._protocol.transport is self:
            self._protocol.transport = self._transport

    def _raw(self, data: bytes) -> bytes:
        head, end, body = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        if self._target:
            method, _, version = lines[0].split(b" ")
            lines[0] = b" ".join((method, self._target.encode(), version))
        # The headers are written in their order, a line each.
        for number, (name, value) in enumerate(self._headers.items(), 1):
            if type(value) is Latin1:
                lines[number] = f"{name}: {value}".encode("latin-1")
        return b"\r\n".join(lines) + end + body

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


@cache
def request_class() -> "type[aiohttp.ClientRequest]":
    """Return the class of requests whose marked values and odd targets are written as they came."""
    import aiohttp

    class RawHeadRequest(aiohttp.ClientRequest):
        """A request that writes marked values as Latin-1, and a target of its own."""

        async def send(self, conn: Any) -> aiohttp.ClientResponse:
            target = TARGET.get()
            marked = target or any(type(header) is Latin1 for header in self.headers.values())
            if marked and conn.protocol is not None and conn.protocol.transport is not None:
                _HeadWriter(conn.protocol, self.headers, target)
            return await super().send(conn)

    return RawHeadRequest
