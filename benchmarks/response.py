"""A response as it came over the wire: whether all of it is there, and whether it is right."""

import json
import re
from typing import Any


class ResponseMismatchError(Exception):
    """A response that is not what was expected; the message says in what way."""


class Expected:
    """What a right response is: status 200, and this body.

    A body that is text may hold `{version}`: a number stands there. One that is anything else is
    compared as JSON.
    """

    def __init__(self, body: Any) -> None:
        self._body = body
        self._pattern: re.Pattern[bytes] | None = None
        if isinstance(body, str):
            literal = re.escape(body).replace(re.escape("{version}"), r"(\d+)")
            self._pattern = re.compile(literal.encode())

    def whole(self, data: bytes) -> bool:
        """Return whether a response is complete; ResponseMismatchError for what is none, or for more than one."""
        return whole(data)

    def version(self, data: bytes) -> int:
        """Return the number in a right response, 0 if none is asked for; ResponseMismatchError for any other."""
        head, body = _split(data)
        status = head.split(b" ", 2)[1]
        if status != b"200":
            raise ResponseMismatchError(f"status {status.decode()}: {body[:200]!r}")
        if self._pattern is None:
            if _json(body) != self._body:
                raise ResponseMismatchError(
                    f"found {body[:200]!r}, expected {json.dumps(self._body)}"
                )
            return 0
        found = self._pattern.fullmatch(body)
        if found is None:
            raise ResponseMismatchError(f"found {body[:200]!r}, expected {self._body!r}")
        return int(found[1]) if found.groups() else 0


class Echoed:
    """What a right message of a WebSocket is: this text, in one frame."""

    def __init__(self, text: str) -> None:
        self._frame = frame(text, masked=False)

    def whole(self, data: bytes) -> bool:
        """Return whether a frame is complete; ResponseMismatchError for any other, and for more than one."""
        if not self._frame.startswith(data):
            raise ResponseMismatchError(f"found {data[:60]!r}, expected {self._frame!r}")
        return len(data) == len(self._frame)

    def version(self, data: bytes) -> int:
        """Messages have none."""
        del data
        return 0


def frame(text: str, *, masked: bool) -> bytes:
    """Return a text as a frame of a WebSocket; the mask is all zeros, which masks nothing, and is allowed."""
    data = text.encode()
    if len(data) > 125:
        raise ValueError("found more than 125 bytes, expected a short message")
    return bytes([0x81, (0x80 if masked else 0) | len(data)]) + bytes(4 if masked else 0) + data


def whole(data: bytes) -> bool:
    """Return whether a response is complete; ResponseMismatchError for what is none, or for more than one."""
    if not data.startswith(b"HTTP/1.1 "[: len(data)]):
        raise ResponseMismatchError(f"found {data[:60]!r}, expected a response")
    if b"\r\n\r\n" not in data:
        return False
    head, body = _split(data)
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    if length is None:
        raise ResponseMismatchError("found a response without a Content-Length")
    if len(body) > int(length[1]):
        raise ResponseMismatchError(f"found {len(body)} bytes of body, expected {int(length[1])}")
    return len(body) == int(length[1])


def _split(data: bytes) -> tuple[bytes, bytes]:
    head, _, body = data.partition(b"\r\n\r\n")
    return head, body


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise ResponseMismatchError(f"found {body[:200]!r}, expected JSON") from None
