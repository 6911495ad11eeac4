"""An answer that comes over time, read to its end while its test has time."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

from heddle.extensions.extension import Answer, ByteStream, Error, NodeError, Process, Stream
from heddle.runtime.flow.step import FAILURES

T = TypeVar("T")

ITEMS: Final = 100_000
"""Items that a stream which is the answer of a test may have: some streams never end."""

BYTES: Final = 16 * 1024 * 1024
"""Bytes that a byte stream may have."""


async def gathered(stream: Stream) -> Answer:
    """Return the items of a stream as a list, or its bytes; the Error if it breaks off."""
    try:
        if isinstance(stream, ByteStream):
            return await _bytes_of(stream)
        return await _items_of(stream)
    except FAILURES as failure:
        return Error.of(failure)
    finally:
        await stream.aclose()


async def in_time(process: Process, answer: Awaitable[T]) -> T:
    """Return an answer; NodeError, and the process is cancelled, if its deadline passes before."""
    limit = asyncio.timeout_at(process.deadline)
    try:
        async with limit:
            return await answer
    except TimeoutError:
        if not limit.expired():
            raise
        late = Error("the process passed its deadline", code="timeout")
        process.cancel(late)
        raise NodeError(late) from None


async def _items_of(stream: Stream) -> list[Any]:
    items: list[Any] = []
    async for item in stream:
        if len(items) == ITEMS:
            raise _too_large(f"{ITEMS} items")
        items.append(item)
    return items


async def _bytes_of(stream: ByteStream) -> bytes:
    joined = bytearray()
    async for chunk in stream:
        joined += chunk
        if len(joined) > BYTES:
            raise _too_large(f"{BYTES} bytes")
    return bytes(joined)


def _too_large(most: str) -> NodeError:
    text = f"the stream of the answer has more than {most}: does it end?"
    return NodeError(Error(text, code="too-large"))
