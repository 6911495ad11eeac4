"""Lines of a payload, as they come: a text, bytes, or a byte stream that is longer than memory."""

import asyncio
import codecs
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from heddle.extensions.data.errors import rejected
from heddle.extensions.extension import NOTHING, Answer, ByteStream, Error, Payload

SLICE = 256 * 1024
"""Characters or bytes that are worked on before others have their turn."""

LONGEST = 16 * 1024 * 1024
"""Characters that one line may have."""


async def lines_of(payload: Payload, encoding: str) -> AsyncIterator[list[str]]:
    """Yield the lines, with their ends, some at a time. Raise NodeError if the bytes are no such text."""
    rest = ""
    async for text in _texts(payload, encoding):
        whole = rest + text if rest else text
        texts = whole.split("\n")
        rest = texts.pop()
        if len(rest) > LONGEST:
            raise rejected(f"a line of more than {LONGEST} characters", "too-large")
        if texts:
            yield [f"{line}\n" for line in texts]
    if rest:
        yield [rest]


async def _texts(payload: Payload, encoding: str) -> AsyncIterator[str]:
    if isinstance(payload, str):
        for start in range(0, len(payload), SLICE):
            text = payload[start : start + SLICE]
            yield text.removeprefix("\ufeff") if not start else text
            if start + SLICE < len(payload):
                await asyncio.sleep(0)
        return
    if not isinstance(payload, bytes | ByteStream):
        actual = "null" if payload is None else f"a {type(payload).__name__}"
        raise rejected(f"found {actual} (expected: text, bytes or a byte stream)")
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)()
    try:
        async for chunk in _chunks(payload):
            yield decoder.decode(chunk)
        yield decoder.decode(b"", final=True)
    except UnicodeError as error:
        # Of UTF-16 without its mark it is not a UnicodeDecodeError.
        raise rejected(f"it is not {encoding} text: {error}", "text") from error


async def _chunks(payload: bytes | ByteStream) -> AsyncIterator[bytes]:
    if isinstance(payload, ByteStream):
        async for chunk in payload:
            yield chunk
        return
    for start in range(0, len(payload), SLICE):
        yield payload[start : start + SLICE]
        if start + SLICE < len(payload):
            await asyncio.sleep(0)


async def gathered(rows: AsyncIterator[list[Any]], most: int) -> list[Any]:
    """Return all rows; NodeError past so many (0: no limit)."""
    values: list[Any] = []
    async for some in rows:
        values += some
        if most and len(values) > most:
            raise rejected(
                f"more than {most} rows: raise max_rows, or have them sent in batches", "too-large"
            )
    return values


async def sent(
    rows: AsyncIterator[list[Any]], size: int, send: Callable[[list[Any]], Awaitable[Answer]]
) -> Answer:
    """Send rows on in lists of `size`, each when the one before is answered.

    The answer is `{rows, batches}`, or the first Error that was answered: nothing is sent after it.
    """
    count = batches = 0
    waiting: list[Any] = []

    async def out(some: list[Any]) -> Answer:
        nonlocal count, batches
        answer = await send(some)
        if type(answer) is Error:
            return answer
        count += len(some)
        batches += 1
        return NOTHING

    async for some in rows:
        waiting += some
        while len(waiting) >= size:
            batch, waiting = waiting[:size], waiting[size:]
            answer = await out(batch)
            if answer is not NOTHING:
                return answer
    if waiting:
        answer = await out(waiting)
        if answer is not NOTHING:
            return answer
    return {"rows": count, "batches": batches}
