"""A FrameReader looks at frames while they arrive: what cannot become a good one fails at once.

The protocol reads a frame whole before it judges it. So its reader is one that judges the header of a
frame as soon as it is there, and the UTF-8 of a text piece by piece. Both raise what the protocol answers
with the right close code: ProtocolError 1002, UnicodeDecodeError 1007.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from websockets.exceptions import ProtocolError
from websockets.streams import StreamReader

from heddle.extensions.net.ws.text import TextDecoder

if TYPE_CHECKING:
    from websockets.protocol import Protocol

_FIN: Final = 0x80
_PACKED: Final = 0x40
_RESERVED: Final = 0x30
_CONNECTING: Final = 0
_CONTINUES, _TEXT, _CLOSE, _PONG = 0, 1, 8, 10
_LAST_DATA: Final = 2
_SMALL: Final = 125
"""The longest payload of a control frame, and the longest that a header says by itself."""

_SIZES: Final = ("current_size", "cur_size")
"""How the protocol calls the size of the message that has begun; the name has changed between versions."""


def watch(protocol: "Protocol", *, masked: bool) -> None:
    """Let a protocol that has not read anything yet look at frames while they arrive."""
    protocol.reader = FrameReader(protocol, masked=masked)
    # The parser that has begun reads from the reader before.
    protocol.parser = protocol.parse()
    next(protocol.parser)


class FrameReader(StreamReader):
    """The stream of bytes that a protocol reads; `masked` is said of the frames of a client."""

    def __init__(self, protocol: "Protocol", *, masked: bool) -> None:
        super().__init__()
        self._protocol = protocol
        self._masked = masked
        self._inside = False
        self._lengths = 0
        self._mask = b""
        self._wants_mask = False
        self._opcode = _CONTINUES
        self._open = False
        self._watches = False
        self._final = True
        self._decoder: TextDecoder | None = None

    def read_exact(self, n: int) -> Generator[None, None, bytearray]:
        """Read so many bytes; see StreamReader."""
        if self._protocol.state == _CONNECTING:
            return (yield from super().read_exact(n))
        if not self._inside:
            head = yield from super().read_exact(n)
            self._begin(head[0], head[1])
            return head
        if self._lengths:
            self._lengths = 0
            return (yield from super().read_exact(n))
        if self._wants_mask:
            self._wants_mask = False
            mask = yield from super().read_exact(n)
            self._mask = bytes(mask)
            return mask
        self._inside = False
        if self._opcode > _LAST_DATA or not self._watches:
            return (yield from super().read_exact(n))
        return (yield from self._text(n))

    def _begin(self, first: int, second: int) -> None:
        """Judge the header of a frame."""
        opcode = self._opcode = first & 15
        final = bool(first & _FIN)
        packs = bool(self._protocol.extensions) and opcode in (_TEXT, _LAST_DATA)
        if first & _RESERVED or (first & _PACKED and not packs):
            raise ProtocolError("reserved bits must be 0")
        if _LAST_DATA < opcode < _CLOSE or opcode > _PONG:
            raise ProtocolError("invalid opcode")
        if opcode >= _CLOSE:
            self._begin_control(final, second & 0x7F)
        elif (opcode == _CONTINUES) != self._open:
            wanted = "expected a" if self._open else "unexpected"
            raise ProtocolError(f"{wanted} continuation frame")
        else:
            if opcode:
                # A packed text is looked at when its frame is unpacked.
                self._watches = opcode == _TEXT and not first & _PACKED
                self._decoder = None
            self._open = not final
            self._final = final
        self._inside = True
        self._lengths = second & 0x7F > _SMALL
        self._wants_mask = self._masked

    def _begin_control(self, final: bool, length: int) -> None:
        if not final:
            raise ProtocolError("fragmented control frame")
        if length > _SMALL:
            raise ProtocolError("control frame too long")
        if self._opcode != _CLOSE:
            return
        if length == 1:
            raise ProtocolError("close frame too short")
        if self._open:
            # A Close may come between fragments: then the message has no end, and the goodbye counts.
            for name in _SIZES:
                if hasattr(self._protocol, name):
                    setattr(self._protocol, name, None)

    def _text(self, length: int) -> Generator[None, None, bytearray]:
        """Read the payload of a text, and look at what there is of it before it is complete."""
        looked = 0
        while len(self.buffer) < length:
            if self.eof:
                raise EOFError(
                    f"stream ends after {len(self.buffer)} bytes, expected {length} bytes"
                )
            looked = self._look(looked, len(self.buffer), last=False)
            yield
        if self._decoder is not None or not self._final:
            self._look(looked, length, last=self._final)
        data = self.buffer[:length]
        del self.buffer[:length]
        return data

    def _look(self, start: int, end: int, *, last: bool) -> int:
        """Decode a part of the payload at hand; UnicodeDecodeError if it can never become a text."""
        part = bytes(self.buffer[start:end])
        if self._masked and part:
            part = _unmasked(part, self._mask, start)
        if self._decoder is None:
            self._decoder = TextDecoder()
        self._decoder.decode(part, last)
        return end


def _unmasked(part: bytes, mask: bytes, start: int) -> bytes:
    """Return bytes without their mask, which begins `start` bytes before them."""
    turn = start % 4
    key = (mask[turn:] + mask[:turn]) * (len(part) // 4 + 1)
    size = len(part)
    return (int.from_bytes(part, "big") ^ int.from_bytes(key[:size], "big")).to_bytes(size, "big")
