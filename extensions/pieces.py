"""Pieces of a byte stream, as they come: lines, events of SSE, JSON values; and a stream as JSON lines.

A Splitter is fed with bytes as they arrive, and gives the pieces that are complete. It holds no more
than one piece that is not.
"""

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any, Final, Literal, Protocol, TypeAlias

import msgspec

from heddle.runtime.flow.errors import Error, NodeError
from heddle.runtime.flow.materialize import encode_with
from heddle.runtime.flow.stream import ByteStream, Stream
from heddle.specs.model.json_text import decode as decode_json

Parts: TypeAlias = Literal["lines", "chunks", "events", "jsonl"]
"""The pieces into which a stream of bytes is taken apart."""

PIECE: Final = 16 * 1024 * 1024
"""Bytes that one piece of a stream may have."""

JSON_LINES: Final = "application/x-ndjson"

_BOM: Final = b"\xef\xbb\xbf"


class Splitter(Protocol):
    """Takes bytes apart as they come."""

    def feed(self, chunk: bytes) -> list[Any]:
        """Return the pieces that are complete now."""
        ...

    def finish(self) -> list[Any]:
        """Return what is left at the end of the stream."""
        ...


class LineSplitter:
    """Lines of text, without what ends them; bytes that are not UTF-8 become replacement characters."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, chunk: bytes) -> list[str]:
        """Return the lines that are complete now; NodeError for one longer than PIECE."""
        held = self._held
        if b"\n" not in chunk:
            held += chunk
            _check(held, "a line")
            return []
        first, *lines = chunk.split(b"\n")
        held += first
        lines.insert(0, bytes(held))
        self._held = bytearray(lines.pop())
        return [_text(line) for line in lines]

    def finish(self) -> list[str]:
        """Return the last line, if it does not end."""
        return [_text(bytes(self._held))] if self._held else []


class EventSplitter:
    """Events of a stream of server-sent events: maps with `data`, and `event`, `id`, `retry` if they are there.

    The data is text, as it was sent. Comments, and blocks without data, are no events; neither is a
    block that the end of the stream breaks off.
    """

    __slots__ = ("_after_cr", "_begun", "_held")

    def __init__(self) -> None:
        self._held = bytearray()
        self._begun = False
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """Return the events that are complete now; NodeError for one longer than PIECE."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        held = self._held
        looked = max(len(held) - 1, 0)
        held += chunk
        if not self._begun and len(held) >= len(_BOM):
            self._begun = True
            if held.startswith(_BOM):
                del held[: len(_BOM)]
        if held.find(b"\n\n", looked) < 0:
            _check(held, "an event")
            return []
        blocks = bytes(held).split(b"\n\n")
        self._held = bytearray(blocks.pop())
        events = []
        for block in blocks:
            event = _event(block)
            if event is not None:
                events.append(event)
        return events

    def finish(self) -> list[dict[str, Any]]:
        """Return nothing: an event ends with an empty line."""
        return []


class JsonLineSplitter:
    """JSON values, each on a line of its own; empty lines say nothing."""

    __slots__ = ("_lines", "_number")

    def __init__(self) -> None:
        self._lines = LineSplitter()
        self._number = 0

    def feed(self, chunk: bytes) -> list[Any]:
        """Return the values that are complete now; NodeError names the line that is no JSON."""
        return self._values(self._lines.feed(chunk))

    def finish(self) -> list[Any]:
        """Return the value of a last line that does not end."""
        return self._values(self._lines.finish())

    def _values(self, lines: list[str]) -> list[Any]:
        values: list[Any] = []
        for line in lines:
            self._number += 1
            if not line or line.isspace():
                continue
            try:
                values.append(decode_json(line))
            except msgspec.DecodeError as error:
                text = f"line {self._number} of the stream is not JSON: {error}"
                raise NodeError(Error(text, code="json")) from None
        return values


SPLITTERS: Final[dict[str, type[LineSplitter] | type[EventSplitter] | type[JsonLineSplitter]]] = {
    "lines": LineSplitter,
    "events": EventSplitter,
    "jsonl": JsonLineSplitter,
}


def split(chunks: ByteStream, parts: Parts) -> Stream:
    """Return a byte stream as a stream of its pieces."""
    return Stream(pieces_of(chunks, parts), close=chunks.aclose)


async def pieces_of(chunks: AsyncIterable[bytes], parts: Parts) -> AsyncGenerator[Any, None]:
    """Yield the pieces of a stream of bytes as they are complete."""
    if parts == "chunks":
        async for chunk in chunks:
            yield chunk
        return
    splitter = SPLITTERS[parts]()
    async for chunk in chunks:
        for piece in splitter.feed(chunk):
            yield piece
    for piece in splitter.finish():
        yield piece


def bytes_of(items: Stream, media: str = "") -> ByteStream:
    """Return a stream of data as a byte stream: bytes as they are, everything else as a line of JSON.

    With a media type other than that of JSON lines, texts are sent as they are, too.
    """
    if isinstance(items, ByteStream):
        return items
    texts = bool(media) and "json" not in media
    return ByteStream(_encoded(items, texts), media=media or JSON_LINES, close=items.aclose)


async def _encoded(items: Stream, texts: bool) -> AsyncGenerator[bytes, None]:
    encode = msgspec.json.Encoder().encode
    async for item in items:
        if isinstance(item, bytes):
            yield item
        elif texts and isinstance(item, str):
            yield item.encode()
        else:
            yield _json_line(encode, item)


def _json_line(encode: Any, item: Any) -> bytes:
    try:
        return bytes(encode_with(encode, item)) + b"\n"
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        text = f"an item of the stream cannot be JSON: {error}"
        raise NodeError(Error(text, code="json")) from error


def _check(held: bytearray, piece: str) -> None:
    if len(held) > PIECE:
        text = f"{piece} of the stream is longer than {PIECE} bytes"
        raise NodeError(Error(text, code="too-large"))


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")


def _event(block: bytes) -> dict[str, Any] | None:
    """Return what a block of lines says; None if it has no data."""
    if block.startswith(b"data: ") and b"\n" not in block:
        # Most events are that.
        return {"data": block[6:].decode(errors="replace")}
    event: dict[str, Any] = {}
    data: list[str] = []
    for line in block.decode(errors="replace").split("\n"):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            event["event"] = value
        elif name == "id" and "\0" not in value:
            event["id"] = value
        elif name == "retry" and value.isascii() and value.isdigit():
            event["retry"] = int(value)
    if not data:
        return None
    if not event.get("event", "x"):
        del event["event"]
    event["data"] = "\n".join(data)
    return event
