"""Items are what a payload holds: the elements of a list, the entries of a map, what a stream brings."""

from collections.abc import AsyncGenerator, Iterable, Iterator
from typing import Any, TypeAlias

from heddle.extensions.extension import ByteStream, Payload
from heddle.extensions.pieces import Parts, split

Item: TypeAlias = tuple[Any, Any]
"""A key and a value: the number of an element, the name of an entry."""


PARTS_HELP = (
    "What a stream of bytes is taken apart into: `lines` of text, its `chunks`, `events` of server-sent "
    "events, or the values of JSON lines (`jsonl`)."
)
"""The name of the field that takes a stream apart."""


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
    """Return the items of a stream: pieces of bytes, or whatever another stream brings."""
    pieces = split(stream, parts) if isinstance(stream, ByteStream) else stream
    number = 0
    try:
        async for piece in pieces:
            yield number, piece
            number += 1
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()
