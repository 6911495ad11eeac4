"""Reading: a file, or parts of it, without ever holding all of it."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from io import BufferedReader
from secrets import token_hex
from typing import Final

from heddle.extensions.extension import ByteStream
from heddle.extensions.net.static.place import StaticFile
from heddle.extensions.net.static.ranges import Range
from heddle.specs.files.identity import leads_to

PIECE: Final = 256 * 1024
"""How much is read at a time; a file that is no larger is read at once."""


def open_at(static_file: StaticFile) -> BufferedReader:
    """Return the file, open; raise OSError if it is gone, or not the one that was found."""
    # Opened without waiting: a pipe may stand there by now.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(static_file.path, flags | getattr(os, "O_CLOEXEC", 0))
    try:
        status = os.fstat(handle)
        state = status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns
        known = static_file.size, static_file.changed, static_file.number, static_file.entry
        # The size alone does not do: with a link that came in between, it may be any file of that size.
        if state != known or not leads_to(handle, static_file.path):
            raise FileNotFoundError(f"{static_file.path} changed while it was opened")
        file = os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise
    return file


def whole(static_file: StaticFile) -> tuple[BufferedReader | None, bytes]:
    """Return a file to be streamed, or all there is in one that is small."""
    file = open_at(static_file)
    if static_file.size > PIECE:
        return file, b""
    with file:
        return None, file.read(PIECE)


def stream(file: BufferedReader, start: int, end: int) -> ByteStream:
    """Return the bytes from `start` to before `end`; closes the file."""

    async def close() -> None:
        file.close()

    return ByteStream(_part(file, start, end), size=end - start, close=close)


def multipart(
    file: BufferedReader, ranges: Sequence[Range], size: int, kind: str
) -> tuple[ByteStream, str]:
    """Several parts as one body, and its Content-Type; closes the file."""
    edge = token_hex(16)
    heads = [
        (
            f"--{edge}\r\nContent-Type: {kind}\r\n"
            f"Content-Range: bytes {start}-{end - 1}/{size}\r\n\r\n"
        ).encode()
        for start, end in ranges
    ]
    last = f"--{edge}--\r\n".encode()

    async def chunks() -> AsyncIterator[bytes]:
        for head, (start, end) in zip(heads, ranges, strict=True):
            yield head
            async for piece in _part(file, start, end):
                yield piece
            yield b"\r\n"
        yield last

    async def close() -> None:
        file.close()

    total = sum(
        len(head) + end - start + 2 for head, (start, end) in zip(heads, ranges, strict=True)
    )
    body = ByteStream(chunks(), size=total + len(last), close=close)
    return body, f"multipart/byteranges; boundary={edge}"


async def _part(file: BufferedReader, start: int, end: int) -> AsyncIterator[bytes]:
    at = start
    while at < end:
        data = await asyncio.to_thread(_read, file, at, min(PIECE, end - at))
        if not data:
            # The size was announced already: breaking off is all that can be said.
            raise OSError("the file has become shorter")
        at += len(data)
        yield data


def _read(file: BufferedReader, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)
