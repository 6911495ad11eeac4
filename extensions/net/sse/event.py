"""An event of a stream of server-sent events, and how it is written."""

import re
from collections.abc import AsyncIterator
from typing import Any, Final

from heddle.extensions.extension import ByteStream, Error, NodeError, Payload
from heddle.extensions.net.http.errors import AnswerError
from heddle.extensions.net.http.media import to_json

KEYS: Final = frozenset({"event", "id", "data", "retry", "comment"})

# `str.splitlines` would also cut if no browser does.
_LINES: Final = re.compile(r"\r\n|\r|\n")
_LONGEST: Final = 1024 * 1024


def written(payload: Payload, number: str = "") -> bytes:
    """Return the bytes of one event; raise NodeError if it cannot be written.

    A map of `event id data retry comment` says it all; anything else is the data. Text is written
    as it is, everything else as JSON. `retry` is in milliseconds. `number` is the id if the
    event says none.
    """
    event = payload if is_event(payload) else {"data": payload}
    if len(event) == 1 and not number and "data" in event:
        # Most events are that, and their data is one line.
        data = event["data"]
        text = data if type(data) is str else text_of(data)
        if "\n" not in text and "\r" not in text:
            return f"data: {text}\n\n".encode()
    lines: list[str] = []
    if event.get("comment") is not None:
        lines += [f": {line}" for line in _LINES.split(str(event["comment"]))]
    value = event.get("id")
    identity = number if value is None else str(value)
    if identity:
        lines.append(f"id: {_line('id', identity)}")
    if event.get("event"):
        lines.append(f"event: {_line('event', str(event['event']))}")
    retry = event.get("retry")
    if retry is not None:
        if isinstance(retry, bool) or not isinstance(retry, int | float) or retry < 0:
            raise _rejected("retry is a number of milliseconds")
        lines.append(f"retry: {int(retry)}")
    if "data" in event:
        lines += [f"data: {line}" for line in _LINES.split(text_of(event["data"]))]
    return ("\n".join(lines) + "\n\n").encode() if lines else b""


def is_event(payload: Payload) -> bool:
    """Return whether a packet is a map that says an event, rather than being its data."""
    return isinstance(payload, dict) and bool(payload) and payload.keys() <= KEYS


def text_of(data: Any) -> str:
    """Text as it is, bytes as the text they are, data as JSON; NodeError for no data."""
    if isinstance(data, str):
        return data
    try:
        return data.decode() if isinstance(data, bytes) else to_json(data).decode()
    except (AnswerError, UnicodeDecodeError) as error:
        raise _rejected(f"its data cannot be written: {error}") from None


async def lines_of(stream: ByteStream) -> AsyncIterator[bytes]:
    """Yield each line of a stream that is not empty as an event with that data."""
    rest = b""
    async for chunk in stream:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST:
            raise _rejected(f"a line of the stream is longer than {_LONGEST} bytes")
        for line in lines:
            if line.strip():
                yield written(line.rstrip(b"\r"))
    if rest.strip():
        yield written(rest.rstrip(b"\r"))


def _line(name: str, text: str) -> str:
    if any(message in text for message in "\r\n\0"):
        raise _rejected(f"{name} is one line of text")
    return text


def _rejected(why: str) -> NodeError:
    return NodeError(Error(f"the event cannot be sent: {why}", code="request"))
