"""The messages of a WebSocket: into payloads, and payloads into messages."""

from typing import Any, Literal, TypeAlias

from heddle.extensions.extension import Error, NodeError, Payload
from heddle.extensions.net.http.errors import AnswerError, RequestError
from heddle.extensions.net.http.media import from_json, to_json

Form: TypeAlias = Literal["auto", "json", "text", "bytes"]
"""The forms of a message that comes: see `payload_of`."""

Message: TypeAlias = str | bytes
"""Text, or bytes."""


def payload_of(message: Message, form: Form) -> Payload:
    """Return the payload of a message; BadRequest if it is not what it has to be.

    `json` is what its text stands for, `text` text, `bytes` bytes. `auto` leaves it as it came.
    """
    if form == "auto":
        return message
    if form == "json":
        return from_json(message.encode() if isinstance(message, str) else message)
    if form == "bytes":
        return message.encode() if isinstance(message, str) else message
    if isinstance(message, bytes):
        raise RequestError("the message is not text")
    return message


def message_of(payload: Payload) -> Message:
    """Return the message of a payload: text and bytes as they are, data as JSON; NodeError for no data."""
    if isinstance(payload, str | bytes):
        return payload
    try:
        return to_json(payload).decode()
    except AnswerError as error:
        raise NodeError(Error(f"it cannot be sent: {error}", code="request")) from None


def close_of(value: Any) -> tuple[int, str]:
    """Code and reason of `true`, a code, or `{code, reason}`; raise NodeError if that is none."""
    code: Any = 1000 if value is True else value
    reason: Any = ""
    if isinstance(value, dict):
        code, reason = value.get("code", 1000), value.get("reason", "")
    known = isinstance(code, int) and not isinstance(code, bool)
    if not known or not (code in _CODES or 3000 <= code < 5000):
        raise NodeError(
            Error(f"close: {code!r} is no code (expected: 1000, 3000-4999)", code="request")
        )
    if not isinstance(reason, str) or len(reason.encode()) > 123:
        raise NodeError(Error("close: the reason is text of at most 123 bytes", code="request"))
    return code, reason


_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})
