"""Payloads as people are shown them: plain, on one line where possible, and not too long."""

from typing import Any

import msgspec

from heddle.extensions.extension import Error, Stream
from heddle.runtime.flow.materialize import plain

LONGEST = 4_000
"""Characters of one value in a log."""

DEEP = "(data that is nested too deeply)"


def brief(value: Any) -> Any:
    """Plain data for a log: what is not plain data is described, what is too long is cut."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, dict | list):
        text = as_json(value)
        if text is DEEP:
            return text
        if len(text) > LONGEST:
            return cut(text)
        return msgspec.json.decode(text)
    return cut(as_text(value))


def as_text(value: Any) -> str:
    """Text as it is, anything else as JSON; what can be neither is described."""
    if isinstance(value, str):
        return value
    if isinstance(value, Error):
        return value.message
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return f"({len(value)} bytes)"
    if isinstance(value, Stream):
        return repr(value)
    return as_json(value)


def as_json(value: Any) -> str:
    """JSON on one line; what it has no word for is described."""
    try:
        # What has no word is described, so an encoder would not stumble over a lazy map.
        return _encode(plain(value)).decode()
    except RecursionError:
        return DEEP
    except (TypeError, ValueError, OverflowError):
        return repr(value)


def _described(value: Any) -> str:
    """Return what stands for a value that JSON has no word for."""
    if isinstance(value, Error):
        return value.message
    if isinstance(value, Stream):
        return repr(value)
    # Not as JSON again, or it would be asked here for ever.
    return repr(value)


_encode = msgspec.json.Encoder(enc_hook=_described).encode


def cut(text: str) -> str:
    """Return the beginning of a text, and how long it is."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def harmless(text: str) -> str:
    """Return the same text with nothing in it that moves the cursor, or changes what a terminal shows."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode()
        for char in text
    )
