"""A request whose header holds bytes of Latin-1: aiohttp writes UTF-8 only, and these must not change.

The text of such a value is marked with its own class. When aiohttp writes the head, its bytes are put in
the place of the UTF-8 that stands for them. A request without such a value is sent as it always is.
"""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp


class Latin1(str):
    """The value of a header that came as Latin-1."""

    __slots__ = ()


class _HeadWriter:
    """Stands for a transport until the head is written."""

    def __init__(self, protocol: Any, values: list[tuple[bytes, bytes]]) -> None:
        self._protocol = protocol
        self._transport = protocol.transport
        self._values = values
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
        for written, raw in self._values:
            head = head.replace(b": " + written, b": " + raw)
        return head + end + body

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


@cache
def request_class() -> "type[aiohttp.ClientRequest]":
    """Return the class of requests that write marked values as Latin-1."""
    import aiohttp

    class RawHeadRequest(aiohttp.ClientRequest):
        """A request that writes marked values as Latin-1."""

        async def send(self, conn: Any) -> aiohttp.ClientResponse:
            values = [one for one in self.headers.values() if type(one) is Latin1]
            if values and conn.protocol is not None and conn.protocol.transport is not None:
                _HeadWriter(
                    conn.protocol, [(one.encode(), one.encode("latin-1")) for one in values]
                )
            return await super().send(conn)

    return RawHeadRequest
