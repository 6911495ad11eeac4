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
_HEADER, _LENGTH, _MASK, _PAYLOAD = range(4)
_CONTINUES, _TEXT, _CLOSE, _PONG = 0, 1, 8, 10
_LAST_DATA: Final = 2
_SMALL: Final = 125
"""The longest payload of a control frame, and the longest that a header says by itself."""

_SIZES: Final = ("current_size", "cur_size")
"""The name by which the protocol calls the size of the message that has begun; it has changed between versions."""


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
        self._talks = False
        self._stage = _HEADER
        self._behind_length = _MASK if masked else _PAYLOAD
        self._mask = b""
        self._opcode = _CONTINUES
        self._open = False
        self._watches = False
        self._final = True
        self._decoder: TextDecoder | None = None

    def read_exact(self, n: int) -> Generator[None, None, bytearray]:
        """Read so many bytes; see StreamReader."""
        stage = self._stage
        texts = stage == _PAYLOAD and self._watches and self._opcode <= _LAST_DATA
        looked = 0
        while len(self.buffer) < n:
            if self.eof:
                raise EOFError(f"stream ends after {len(self.buffer)} bytes, expected {n} bytes")
            if texts:
                looked = self._look(looked, len(self.buffer), last=False)
            yield
        if texts and (self._decoder is not None or not self._final):
            self._look(looked, n, last=self._final)
        data = self.buffer[:n]
        del self.buffer[:n]
        if stage == _HEADER:
            if self._talks or self._protocol.state != _CONNECTING:
                self._talks = True
                self._begin(data[0], data[1])
                self._stage = _LENGTH if data[1] & 0x7F > _SMALL else self._behind_length
        elif stage == _LENGTH:
            self._stage = self._behind_length
        elif stage == _MASK:
            self._mask = bytes(data)
            self._stage = _PAYLOAD
        else:
            self._stage = _HEADER
        return data

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
            fault = "expected a" if self._open else "unexpected"
            raise ProtocolError(f"{fault} continuation frame")
        else:
            if opcode:
                # A packed text is looked at when its frame is unpacked.
                self._watches = opcode == _TEXT and not first & _PACKED
                self._decoder = None
            self._open = not final
            self._final = final

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

    def _look(self, start: int, end: int, *, last: bool) -> int:
        """Decode a part of the payload at hand; raise UnicodeDecodeError if it can never become a text."""
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
