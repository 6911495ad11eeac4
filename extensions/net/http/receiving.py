"""A body handed on while it still arrives: it waits for its reader, and the client waits too."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from heddle.extensions.net.http.compression import unpack_stream
from heddle.extensions.net.http.head import Head
from heddle.extensions.net.http.limits import UPLOAD_BYTES
from heddle.runtime.flow.stream import ByteStream


class Upload:
    """The bytes between a connection, which pushes, and one reader, which iterates.

    `on_read` is called when the reader wants more than there is, and when room was made.
    """

    __slots__ = ("_error", "_on_read", "_parts", "_waiter", "closed", "ended", "needs_more", "size")

    def __init__(self, on_read: Callable[[], None]) -> None:
        self._parts: deque[bytes] = deque()
        self.size = 0
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._on_read = on_read
        self.needs_more = False
        self.ended = False
        self.closed = False

    @property
    def full(self) -> bool:
        """Whether the client should wait."""
        return self.size >= UPLOAD_BYTES

    def push(self, parts: list[bytes]) -> None:
        """Bytes have arrived; the list is emptied."""
        if not self.closed:
            self._parts.extend(parts)
            self.size += sum(map(len, parts))
        parts.clear()
        self._wake()

    def finish(self) -> None:
        """Note that the last byte has arrived."""
        self.ended = True
        self._wake()

    def fail(self, error: Exception) -> None:
        """Note that no more will arrive; the reader learns why after it read what did."""
        if not self.ended:
            self._error = error
            self.finish()

    async def aclose(self) -> None:
        """Throw away what still arrives: the reader is done."""
        self.closed = True
        self._parts.clear()
        self.size = 0
        self._on_read()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            if self._parts:
                part = self._parts.popleft()
                was_full = self.full
                self.size -= len(part)
                if was_full and not self.full:
                    self._on_read()
                yield part
            elif self._error is not None:
                error, self._error = self._error, None
                try:
                    raise error
                finally:
                    # Its traceback keeps this frame: a frame that keeps it would make a cycle.
                    del error
            elif self.ended:
                return
            else:
                await self._more()

    async def _more(self) -> None:
        self.needs_more = True
        self._on_read()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
            self.needs_more = False

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def body_stream(upload: Upload, head: Head, limit: int | None) -> ByteStream:
    """Return the body as a payload, unpacked as its Content-Encoding says; BadRequest 415 while reading."""
    packing = head.get("Content-Encoding")
    if packing:
        return ByteStream(unpack_stream(upload, packing, limit), close=upload.aclose)
    return ByteStream(upload, size=None if head.chunked else head.length, close=upload.aclose)
