"""The framing of request bodies: by length, or in chunks. Strict, and never waiting."""

import re
from typing import Final, Protocol

from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.head import parse_head
from heddle.extensions.net.http.limits import HttpLimits

_LINE_BYTES: Final = 256
_CHUNKS: Final = 256
"""How many chunks are taken apart at a time; a connection lets others have their turn between."""

_SMALL: Final = 64
"""How many parts are kept apart: small ones are joined, as each costs more memory than it holds."""

_SIZE_LINE, _DATA, _DATA_END, _TRAILERS, _DONE = range(5)
_SIZE: Final = re.compile(
    rb"([0-9A-Fa-f]{1,15})"
    rb"(?:[\t ]*;[\t ]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
    rb"(?:[\t ]*=[\t ]*(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
    rb"|\"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*\"))?)*"
)
"""A chunk size and its extensions, which mean nothing here, as RFC 9112 (7.1.1) writes them."""


class BodyReader(Protocol):
    """Takes bytes as they arrive; `parts` holds what belongs to the body and was not taken yet.

    It does a bounded amount of work at a time: while it is `behind`, it goes on with `feed(b"")`.
    """

    parts: list[bytes]
    received: int
    behind: bool

    def feed(self, data: bytes) -> bytes | None:
        """Return what follows the body once it is complete, None before; BadRequest when it is broken."""
        ...


class FixedBody:
    """A body whose length was declared."""

    __slots__ = ("_joined", "left", "parts", "received")

    behind = False

    def __init__(self, length: int) -> None:
        self.left = length
        self.received = 0
        self._joined = 0
        self.parts: list[bytes] = []

    def feed(self, data: bytes) -> bytes | None:
        """See Body."""
        size = len(data)
        left = self.left
        if size < left:
            self.left = left - size
            self.received += size
            self.parts.append(data)
            if len(self.parts) > self._joined + _SMALL:
                self._joined = _join(self.parts, self._joined)
            return None
        if left:
            self.left = 0
            self.received += left
            self.parts.append(data[:left])
        return data[left:]


class ChunkedBody:
    """A body in chunks: each a hex size, CRLF, the bytes, CRLF; a last one of size 0, trailers.

    Trailers are checked like headers and dropped: a field that arrives after the request was
    judged must not change what was judged.
    """

    __slots__ = (
        "_announced",
        "_joined",
        "_left",
        "_limits",
        "_rest",
        "_step",
        "behind",
        "parts",
        "received",
    )

    def __init__(self, limits: HttpLimits) -> None:
        self.parts: list[bytes] = []
        self.received = 0
        self.behind = False
        self._announced = 0
        self._joined = 0
        self._limits = limits
        self._rest = b""
        self._left = 0
        self._step = _SIZE_LINE

    def feed(self, data: bytes) -> bytes | None:
        """See Body."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        at = 0
        left = _CHUNKS
        self.behind = False
        while self._step != _DONE:
            if self._step == _DATA:
                after = self._take_data(data, at)
            elif self._step == _SIZE_LINE:
                if not left:
                    self._rest, self.behind = data[at:], True
                    self._gather()
                    return None
                left -= 1
                after = self._take_size(data, at)
            elif self._step == _DATA_END:
                after = self._take_end(data, at)
            else:
                after = self._take_trailers(data, at)
            if after < 0:
                self._rest = data[at:]
                self._gather()
                return None
            at = after
        return data[at:]

    def _gather(self) -> None:
        if not self.parts:
            # The parts were handed on meanwhile.
            self._joined = 0
        elif len(self.parts) > self._joined + _SMALL:
            self._joined = _join(self.parts, self._joined)

    def _take_size(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at, at + _LINE_BYTES)
        if end < 0:
            if len(data) - at >= _LINE_BYTES:
                raise RequestError("a chunk size line is too long")
            return -1
        match = _SIZE.fullmatch(data, at, end - 1)
        if match is None or data[end - 1] != 13:
            raise RequestError("a chunk size is not a hex number on a line of its own")
        size = int(match[1], 16)
        if size == 0:
            self._step = _TRAILERS
            return end + 1
        self._announced += size
        limit = self._limits.body_bytes
        if limit is not None and self._announced > limit:
            raise RequestError(f"the body is larger than {limit} bytes", 413)
        self._left = size
        self._step = _DATA
        return end + 1

    def _take_data(self, data: bytes, at: int) -> int:
        size = len(data) - at
        if size == 0:
            return -1
        left = self._left
        if size < left:
            self.parts.append(data[at:])
            self.received += size
            self._left = left - size
            return len(data)
        self.parts.append(data[at : at + left])
        self.received += left
        self._step = _DATA_END
        return at + left

    def _take_end(self, data: bytes, at: int) -> int:
        end = data[at : at + 2]
        if end == b"\r\n":
            self._step = _SIZE_LINE
            return at + 2
        if end not in (b"", b"\r"):
            raise RequestError("a chunk is longer than its size")
        return -1

    def _take_trailers(self, data: bytes, at: int) -> int:
        if data[at : at + 2] == b"\r\n":
            self._step = _DONE
            return at + 2
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            if len(data) - at > self._limits.header_bytes:
                raise RequestError("the trailers are too large", 431)
            if data.count(b"\n", at) != data.count(b"\r\n", at):
                raise RequestError("a trailer line does not end in CRLF")
            return -1
        # HTTP/1.0 asks for no Host header, which a trailer cannot have.
        parse_head(data[at:end], 10, self._limits)
        self._step = _DONE
        return end + 4


def _join(parts: list[bytes], joined: int) -> int:
    """Join the parts behind those that were joined; return how many of the list are joined now."""
    small = parts[joined:]
    del parts[joined:]
    parts.append(b"".join(small))
    return len(parts)


class DiscardedBody:
    """Swallows whatever still arrives on a connection that is going to be closed."""

    __slots__ = ("parts", "received")

    behind = False

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.received = 0

    def feed(self, data: bytes) -> bytes | None:
        """See Body; this one never ends."""
        self.received += len(data)
        return None
