"""JSON texts as others write them: with a byte order mark in front, or with faults to be named truly."""

import re
from typing import Any, Final

import msgspec

_decode: Final = msgspec.json.Decoder().decode
_MARK: Final = "\ufeff"
_MARK_BYTES: Final = _MARK.encode()
_ESCAPE: Final = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_BYTE: Final = re.compile(r" \(byte (\d+)\)")
_HIGH: Final = range(0xD800, 0xDC00)
_LOW: Final = range(0xDC00, 0xE000)


def decode(text: str | bytes, kind: Any = None) -> Any:
    """Return the value of a JSON text, as `kind` if there is one; msgspec.DecodeError if it is none.

    A byte order mark in front is left out, as RFC 8259 allows.
    """
    try:
        return _decode(text) if kind is None else msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        bare = _without_mark(text)
        if bare is None:
            raise msgspec.DecodeError(_reason(text, error)) from None
    try:
        return _decode(bare) if kind is None else msgspec.json.decode(bare, type=kind)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise msgspec.DecodeError(_reason(text, error)) from None


def _without_mark(text: str | bytes) -> str | bytes | None:
    """Return the text behind its byte order mark; None if it has none."""
    if isinstance(text, str):
        return text[1:] if text.startswith(_MARK) else None
    return text[len(_MARK_BYTES) :] if text[:3] == _MARK_BYTES else None


def _reason(text: str | bytes, error: Exception) -> str:
    """Return what is wrong with the text, with the byte that counts from its very beginning."""
    if isinstance(error, UnicodeEncodeError):
        at = len(str(text)[: error.start].encode())
        return f"JSON is malformed: half of a surrogate pair (byte {at})"
    if isinstance(error, RecursionError):
        return "JSON is nested too deeply"
    message = str(error)
    data = text.encode() if isinstance(text, str) else bytes(text)
    if "truncated" in message or "surrogate" in message:
        half = _half(data)
        if half is not None:
            return f"JSON is malformed: half of a surrogate pair (byte {half})"
    if data.startswith(_MARK_BYTES):
        return _BYTE.sub(lambda match: f" (byte {int(match[1]) + 3})", message)
    return message


def _half(data: bytes) -> int | None:
    """Return where the first escape stands that is half of a surrogate pair; None if there is none."""
    open_at: int | None = None
    end = -1
    for match in _ESCAPE.finditer(data):
        code = int(match[1], 16) if match[1] else 0
        if open_at is not None:
            if code in _LOW and match.start() == end:
                open_at = None
                continue
            return open_at
        if code in _LOW:
            return match.start()
        if code in _HIGH:
            open_at, end = match.start(), match.end()
    return open_at
