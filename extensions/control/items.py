"""Items are what a payload holds: the elements of a list, the entries of a map, what a stream brings."""

from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from typing import Any, Literal, TypeAlias

from heddle.extensions.extension import ByteStream, Payload

Item: TypeAlias = tuple[Any, Any]
"""A key and a value: the number of an element, the name of an entry."""

Parts: TypeAlias = Literal["lines", "chunks"]
"""What a stream of bytes is taken apart into."""

LINE = 16 * 1024 * 1024
"""Bytes that one line of a stream may have."""


def streams(payload: Payload) -> bool:
    """Return whether its items arrive over time."""
    return hasattr(payload, "__aiter__")


def sized(payload: Payload) -> bool:
    """Return whether it holds items at all; anything else counts as one item, itself."""
    return isinstance(payload, list | tuple | dict)


def items(payload: Payload) -> Iterator[Item]:
    """Return the items of data that is there as a whole."""
    if isinstance(payload, dict):
        return iter(payload.items())
    values: Iterable[Any] = payload if isinstance(payload, list | tuple) else (payload,)
    return iter(enumerate(values))


async def arriving(stream: Any, parts: Parts) -> AsyncGenerator[Item, None]:
    """Return the items of a stream: lines or chunks of bytes, or whatever another stream brings."""
    number = 0
    if isinstance(stream, ByteStream) and parts == "lines":
        async with aclosing(lines(stream)) as generator:
            async for line in generator:
                yield number, line
                number += 1
        return
    async for part in stream:
        yield number, part
        number += 1


async def lines(stream: Any) -> AsyncGenerator[str, None]:
    """Return the lines of a stream of bytes, as text without what ends them; ValueError past LINE bytes."""
    held = bytearray()
    async for chunk in stream:
        begin = 0
        while (end := chunk.find(b"\n", begin)) >= 0:
            held += chunk[begin:end]
            yield _text(held)
            held.clear()
            begin = end + 1
        held += chunk[begin:]
        if len(held) > LINE:
            raise ValueError(f"a line of the stream is longer than {LINE} bytes")
    if held:
        yield _text(held)


def _text(line: bytearray) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")
