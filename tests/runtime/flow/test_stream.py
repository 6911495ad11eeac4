"""A ByteStream is read once, and what feeds it is closed once."""

import gc
import weakref
from collections.abc import AsyncIterator

import pytest

from heddle.runtime.flow.stream import ByteStream
from tests.runtime.flow.process_support import ended, process

pytestmark = pytest.mark.anyio


class Feed:
    """Bytes in pieces, and how often they were closed."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1

    def stream(self) -> ByteStream:
        return ByteStream(self._give(), close=self.close, size=sum(map(len, self.pieces)))

    async def _give(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


async def test_it_is_read_to_its_end_and_closed() -> None:
    feed = Feed(b"ab", b"", b"cd")
    stream = feed.stream()
    assert stream.size == 4
    assert [chunk async for chunk in stream] == [b"ab", b"cd"]
    assert feed.closed == 1


async def test_all_of_it_at_once() -> None:
    feed = Feed(b"ab", b"cd")
    assert await feed.stream().read() == b"abcd"
    assert feed.closed == 1


async def test_too_much_is_rejected_and_closed_at_once() -> None:
    feed = Feed(b"ab", b"cd", b"ef")
    with pytest.raises(ValueError, match="longer than 3 bytes"):
        await feed.stream().read(3)
    assert feed.closed == 1


async def test_a_process_forgets_streams_that_are_closed_and_closes_the_others() -> None:
    owner = process()
    first, late = Feed(b"ab"), Feed(b"cd")
    stream = first.stream()
    owner.own(stream)
    assert await stream.read() == b"ab"
    kept = weakref.ref(stream)
    del stream
    gc.collect()
    assert kept() is None
    owner.own(late.stream())
    await ended(owner)
    assert (first.closed, late.closed) == (1, 1)


async def test_it_is_read_once() -> None:
    stream = Feed(b"ab").stream()
    await stream.read()
    with pytest.raises(RuntimeError, match="read once"):
        await stream.read()
    with pytest.raises(RuntimeError, match="read once"):
        aiter(stream)


async def test_it_can_be_closed_unread_and_only_once() -> None:
    feed = Feed(b"ab")
    stream = feed.stream()
    await stream.aclose()
    await stream.aclose()
    assert feed.closed == 1
