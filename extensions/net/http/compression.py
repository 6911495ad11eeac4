"""Content codings, both ways: gzip, deflate and br; unpacking never yields more than its limit."""

import zlib
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, Final, Protocol

from heddle.extensions.net.http.errors import RequestError
from heddle.schemas.ascii import lower, trim
from heddle.schemas.pieces import LoopYield

OFFERS: Final = ("br", "gzip", "deflate")
"""The codings we send, the one we like best first."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_LAYERS: Final = 2
_PIECE: Final = 64 * 1024
_WINDOW: Final = 16 * 1024
"""Packed bytes that are taken at a time: at the end of each member what is left of them is copied."""
_MEMBERS: Final = 1000
"""Small members of gzip that a body may have that is unpacked in one go; each of them takes its time."""
_SMALL: Final = 4096
"""Bytes that a member holds that is not small: of larger ones there cannot be many."""


class Packer(Protocol):
    """Compresses piece by piece; what `pack` gives can be unpacked at once when it was flushed."""

    def pack(self, data: bytes, *, flush: bool = False) -> bytes:
        """Return the next bytes to send, possibly none yet."""
        ...

    def finish(self) -> bytes:
        """Return the last bytes to send."""
        ...


class _ZlibPacker:
    __slots__ = ("_inner",)

    def __init__(self, window: int) -> None:
        self._inner = zlib.compressobj(6, zlib.DEFLATED, window)

    def pack(self, data: bytes, *, flush: bool = False) -> bytes:
        packed = self._inner.compress(data)
        return packed + self._inner.flush(zlib.Z_SYNC_FLUSH) if flush else packed

    def finish(self) -> bytes:
        return self._inner.flush()


class _BrotliPacker:
    __slots__ = ("_inner",)

    def __init__(self) -> None:
        import brotli

        # Quality 4 packs as fast as gzip does and smaller; above it the time multiplies.
        self._inner: Any = brotli.Compressor(quality=4)

    def pack(self, data: bytes, *, flush: bool = False) -> bytes:
        packed: bytes = self._inner.process(data)
        return packed + self._inner.flush() if flush else packed

    def finish(self) -> bytes:
        last: bytes = self._inner.finish()
        return last


def packer(coding: str) -> Packer:
    """Return a fresh Packer for one of OFFERS."""
    if coding == "br":
        return _BrotliPacker()
    return _ZlibPacker(_GZIP if coding == "gzip" else zlib.MAX_WBITS)


def pack(data: bytes, coding: str) -> bytes:
    """Return all of `data` in one of OFFERS."""
    work = packer(coding)
    return work.pack(data) + work.finish()


def codings_of(header: str) -> list[str]:
    """Return the codings of a Content-Encoding header in the order they were applied; RequestError 415."""
    names = [lower(trim(name)) for name in header.split(",")]
    texts = [name.removeprefix("x-") for name in names if name not in ("", "identity")]
    for name in texts:
        if name not in OFFERS:
            raise RequestError("the body's content encoding is not gzip, deflate or br", 415)
    if len(texts) > _LAYERS:
        raise RequestError("the body is packed in too many layers", 415)
    return texts


def unpack(data: bytes, header: str, limit: int | None) -> bytes:
    """Return the body as it was before Content-Encoding; RequestError with 400, 413 or 415."""
    for coding in reversed(codings_of(header)):
        work = _unpacker(coding, _MEMBERS)
        parts: list[bytes] = []
        total = 0
        for part in work.feed(data):
            total += len(part)
            _guard(total, limit)
            parts.append(part)
        work.close()
        data = b"".join(parts)
    return data


async def unpack_stream(
    chunks: AsyncIterable[bytes], header: str, limit: int | None
) -> AsyncIterator[bytes]:
    """Yield the same for a body that arrives over time; `limit` bounds what comes out in total."""
    work = [_unpacker(coding) for coding in reversed(codings_of(header))]
    total = 0
    turns = LoopYield()
    async for chunk in chunks:
        for start in range(0, len(chunk), _WINDOW):
            for part in _through(work, chunk[start : start + _WINDOW]):
                total += len(part)
                _guard(total, limit)
                yield part
            await turns.rest()
    for each in work:
        each.close()


def _through(work: "list[_Unpacker]", chunk: bytes) -> "list[bytes]":
    parts = [chunk]
    for each in work:
        parts = [out for part in parts for out in each.feed(part)]
    return parts


def _guard(total: int, limit: int | None) -> None:
    if limit is not None and total > limit:
        raise RequestError(f"the body unpacks to more than {limit} bytes", 413)


class _Unpacker(Protocol):
    def feed(self, data: bytes) -> "Any":
        """Yield what comes out in pieces of bounded size."""
        ...

    def close(self) -> None:
        """RequestError when the packed data ended too early."""
        ...


def _unpacker(coding: str, members: int | None = None) -> _Unpacker:
    if coding == "br":
        return _BrotliUnpacker()
    return _ZlibUnpacker(coding, members)


class _ZlibUnpacker:
    """gzip with so many small members (None: any number); deflate as zlib or, as some send it, raw."""

    __slots__ = ("_coding", "_inner", "_left", "_size", "_started")

    def __init__(self, coding: str, members: int | None) -> None:
        self._coding = coding
        self._left = members
        self._size = 0
        self._inner = zlib.decompressobj(_GZIP if coding == "gzip" else zlib.MAX_WBITS)
        self._started = False

    def feed(self, data: bytes) -> Any:
        for start in range(0, len(data), _WINDOW):
            yield from self._feed(data[start : start + _WINDOW])

    def _feed(self, data: bytes) -> Any:
        full = False
        while data or full:
            if self._inner.eof:
                if self._coding != "gzip":
                    raise RequestError("the packed body goes on after its end")
                self._count_member()
                self._inner = zlib.decompressobj(_GZIP)
            if not self._started:
                self._begin(data)
            try:
                piece = self._inner.decompress(data, _PIECE)
            except zlib.error:
                raise RequestError(f"the body is not valid {self._coding} data") from None
            data = self._inner.unconsumed_tail or self._inner.unused_data
            # Where a piece is full, more may come out of what was taken in already.
            full = len(piece) == _PIECE and not self._inner.eof
            self._size += len(piece)
            if piece:
                yield piece

    def _count_member(self) -> None:
        if self._left is not None and self._size < _SMALL:
            self._left -= 1
            if self._left < 0:
                raise RequestError(f"the body has more than {_MEMBERS} small gzip members", 413)
        self._size = 0

    def _begin(self, data: bytes) -> None:
        self._started = True
        # A zlib stream begins with method 8 and a window of at most 7; anything else is raw.
        if self._coding == "deflate" and (data[0] & 0x0F != 8 or data[0] >> 4 > 7):
            self._inner = zlib.decompressobj(-zlib.MAX_WBITS)

    def close(self) -> None:
        if not self._inner.eof:
            raise RequestError(f"the body's {self._coding} data is cut off")


class _BrotliUnpacker:
    __slots__ = ("_inner",)

    def __init__(self) -> None:
        import brotli

        self._inner: Any = brotli.Decompressor()

    def feed(self, data: bytes) -> Any:
        import brotli

        try:
            piece = self._inner.process(data, output_buffer_limit=_PIECE)
            while piece or not self._inner.can_accept_more_data():
                yield piece
                if self._inner.is_finished():
                    return
                piece = self._inner.process(b"", output_buffer_limit=_PIECE)
        except brotli.error:
            raise RequestError("the body is not valid br data") from None

    def close(self) -> None:
        if not self._inner.is_finished():
            raise RequestError("the body's br data is cut off")
