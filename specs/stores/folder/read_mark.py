"""A ReadMark says how far a file was read to which others only append, and whether it still is that file.

Another process may have written it anew meanwhile, shorter. The number of a file alone does not tell,
as the next file may get the number of one that is gone.
"""

import os

TAIL = 64
"""Bytes before the mark that are compared: a line of Heddle holds a number or a time of its own."""


class ReadMark:
    """The progress of reading one file. All of it is about one open file, which cannot become another."""

    def __init__(self) -> None:
        self.offset = 0
        """Bytes that were read."""
        self._place: tuple[int, int] = (0, 0)
        self._tail = b""

    def left(self, status: os.stat_result) -> int:
        """Return how many bytes of this file were not read, as far as its number and size tell."""
        known = self._place == _place(status) and status.st_size >= self.offset
        return status.st_size - self.offset if known else status.st_size

    def holds(self, handle: int) -> bool:
        """Return whether what was read is the beginning of this open file."""
        status = os.fstat(handle)
        if self._place != _place(status) or status.st_size < self.offset:
            return False
        size = len(self._tail)
        return os.pread(handle, size, self.offset - size) == self._tail

    def read(self, handle: int) -> bytes:
        """Return what comes after the mark, which moves behind it."""
        data = read_from(handle, self.offset)
        self.move(handle, data)
        return data

    def move(self, handle: int, data: bytes) -> None:
        """Note that this, which comes after the mark, was read or written."""
        self._place = _place(os.fstat(handle))
        self.offset += len(data)
        self._tail = (self._tail + data[-TAIL:])[-TAIL:]


def read_from(handle: int, start: int) -> bytes:
    """Return what an open file holds from this offset on."""
    pieces: list[bytes] = []
    while piece := os.pread(handle, 1 << 20, start):
        pieces.append(piece)
        start += len(piece)
    return b"".join(pieces)


def _place(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
