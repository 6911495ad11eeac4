"""A ByteStream is a payload whose bytes arrive over time; it is read once, by one reader."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import aclosing


class ByteStream:
    """Bytes that arrive over time: iterate over it once, or `read()` what is left.

    `close` is called once: when the last byte was read, or when the process that owns the stream
    ends before that. `size` is the length in bytes if it is known beforehand, and `media` the
    media type of what the bytes are, such as `application/json`.
    """

    __slots__ = ("__weakref__", "_chunks", "_close", "_taken", "media", "size")

    def __init__(
        self,
        chunks: AsyncIterable[bytes],
        *,
        size: int | None = None,
        media: str = "",
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._chunks = chunks
        self._close = close
        self._taken = False
        self.size = size
        self.media = media

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._taking()

    def _taking(self) -> AsyncGenerator[bytes, None]:
        """Return what is left of it, for its one reader."""
        if self._taken:
            raise RuntimeError("a byte stream is read once, and this one has its reader already")
        self._taken = True
        return self._iterate()

    async def _iterate(self) -> AsyncGenerator[bytes, None]:
        try:
            async for chunk in self._chunks:
                if chunk:
                    yield chunk
        finally:
            await self.aclose()

    async def read(self, limit: int | None = None) -> bytes:
        """Return all bytes that are left, joined; ValueError past `limit` bytes."""
        parts: list[bytes] = []
        total = 0
        async with aclosing(self._taking()) as chunks:
            async for chunk in chunks:
                total += len(chunk)
                if limit is not None and total > limit:
                    raise ValueError(f"the stream is longer than {limit} bytes")
                parts.append(chunk)
        return b"".join(parts)

    async def aclose(self) -> None:
        """Let go of what feeds the stream; a second call does nothing."""
        close, self._close = self._close, None
        if close is not None:
            await close()
