"""A Stream is a payload whose items arrive over time; it is read once, by one reader."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, ClassVar, TypeAlias

Close: TypeAlias = Callable[[], Awaitable[None]]


class Stream:
    """Items that arrive over time: iterate over it once.

    An item is made when its reader asks for it, so nothing runs ahead of the slowest. What feeds the
    stream is closed once: when the last item was read, or by `aclose` before that.
    """

    __slots__ = ("__weakref__", "_feed", "_reading", "_taken")
    described: ClassVar[str] = "a stream"
    """The mark that stands for it in texts for people: it is not read for them."""

    def __init__(self, items: AsyncIterable[Any], *, close: Close | None = None) -> None:
        self._feed = _Feed(items, close)
        self._taken = False
        self._reading: AsyncGenerator[Any, None] | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._taking()

    def _taking(self) -> AsyncGenerator[Any, None]:
        """Return what is left of it, for its one reader."""
        if self._taken and self._reading is None:
            raise RuntimeError(
                "the stream is closed: its reader has left, or its process has ended"
            )
        if self._taken:
            raise RuntimeError("a stream is read once, and this one has its reader already")
        self._taken = True
        self._reading = _items_of(self._feed)
        return self._reading

    def __repr__(self) -> str:
        return f"({self.described})"

    def on_closed(self, callback: Callable[[], None]) -> None:
        """Call this when what feeds the stream is closed: at its end, or before."""
        self._feed.callbacks.append(callback)

    async def aclose(self) -> None:
        """Let go of what feeds the stream; a second call does nothing."""
        self._taken = True
        reading, self._reading = self._reading, None
        # A reader that waits for an item lets go by itself: it is cancelled, it cannot be closed.
        if reading is not None and not _runs(reading):
            await reading.aclose()
        await self._feed.aclose()


class ByteStream(Stream):
    """Bytes that arrive over time: iterate over it once, or `read()` what is left.

    `size` is the length in bytes if it is known beforehand, and `media` the media type of what the
    bytes are, such as `application/json`.
    """

    __slots__ = ("media", "size")
    described = "a byte stream"

    def __init__(
        self,
        chunks: AsyncIterable[bytes],
        *,
        size: int | None = None,
        media: str = "",
        close: Close | None = None,
    ) -> None:
        super().__init__(chunks, close=close)
        self.size = size
        self.media = media

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


class _Feed:
    """The source of the items, and its owner, who closes it. The reader of a stream holds this, not the stream."""

    __slots__ = ("callbacks", "close", "items")

    def __init__(self, items: AsyncIterable[Any], close: Close | None) -> None:
        self.items = items
        self.close = close
        self.callbacks: list[Callable[[], None]] = []

    async def aclose(self) -> None:
        items: Any = self.items
        if isinstance(items, AsyncGenerator | Stream) and not _runs(items):
            await items.aclose()
        close, self.close = self.close, None
        if close is not None:
            await close()
        while self.callbacks:
            self.callbacks.pop()()


async def _items_of(feed: _Feed) -> AsyncGenerator[Any, None]:
    try:
        async for item in feed.items:
            # Empty bytes are no piece: in a body of chunks they would be its end.
            if type(item) is not bytes or item:
                yield item
    finally:
        await feed.aclose()


def _runs(items: Any) -> bool:
    """Return whether a generator is inside its reader's call, and so cannot be closed by others."""
    return bool(getattr(items, "ag_running", False))
