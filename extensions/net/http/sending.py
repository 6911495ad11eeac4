"""A body sent piece by piece, as fast as the client takes it."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, Final, Protocol

from heddle.extensions.net.http.compression import Packer
from heddle.extensions.net.http.errors import AnswerError
from heddle.extensions.net.http.response import StreamedBody

SLICE_BYTES: Final = 64 * 1024
"""How much of a large body is packed at a time, so that the others have their turn between."""


class Outlet(Protocol):
    """The receiver of the pieces."""

    def write(self, data: bytes) -> None:
        """Hand bytes to the network."""
        ...

    async def writable(self) -> None:
        """Wait until the client has taken enough of what was written."""
        ...


async def send_body(
    outlet: Outlet, body: StreamedBody, *, chunked: bool, size: int | None, packer: Packer | None
) -> None:
    """Write a whole body; BadAnswer when it does not have the `size` that was announced."""
    sent = 0
    async for chunk in body.chunks:
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise AnswerError(f"body: found a stream of {type(chunk).__name__}, expected bytes")
        data = bytes(chunk)
        sent += len(data)
        if size is not None and sent > size:
            raise AnswerError(f"body: the stream is longer than its size of {size} bytes")
        if packer is not None:
            while len(data) > SLICE_BYTES:
                piece, data = packer.pack(data[:SLICE_BYTES]), data[SLICE_BYTES:]
                if piece:
                    outlet.write(_chunk(piece) if chunked else piece)
                await outlet.writable()
            data = packer.pack(data, flush=body.eager)
        if data:
            outlet.write(_chunk(data) if chunked else data)
            await outlet.writable()
    if size is not None and sent < size:
        raise AnswerError(f"body: the stream ended after {sent} of {size} bytes")
    rest = packer.finish() if packer is not None else b""
    last = b"0\r\n\r\n" if chunked else b""
    if rest:
        last = (_chunk(rest) if chunked else rest) + last
    if last:
        outlet.write(last)


async def slices(data: bytes) -> AsyncIterator[bytes]:
    """Yield a large body as a stream of pieces."""
    for at in range(0, len(data), SLICE_BYTES):
        yield data[at : at + SLICE_BYTES]


async def close_source(chunks: AsyncIterable[bytes]) -> None:
    """Close what feeds a stream, if it can be closed."""
    close: Any = getattr(chunks, "aclose", None)
    if close is not None:
        await close()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
