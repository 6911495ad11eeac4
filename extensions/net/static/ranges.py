"""Ranges: which bytes of a file are asked for."""

import re
from typing import Final, TypeAlias

from heddle.schemas.ascii import lower, trim

Range: TypeAlias = tuple[int, int]
"""From the first byte to the one behind the last."""

MANY: Final = 16
"""More ranges than this are a whole file cut into pieces: it is sent whole."""

FAR: Final = 10**18
"""A position behind the end of every file."""

_RANGE: Final = re.compile(r"\s*(?:(\d+)\s*-\s*(\d+)?|-\s*(\d+))\s*", re.ASCII)


class RangeError(ValueError):
    """None of the ranges has a byte of the file."""


def ranges_of(header: str, size: int) -> list[Range] | None:
    """Return the ranges of a Range header; None if it is none, or the whole file serves better.

    Ranges that touch are joined where they stand; the order stays. Unsatisfiable if the header is
    right and there is nothing to send.
    """
    unit, mark, rest = header.partition("=")
    if not mark or lower(trim(unit)) != "bytes":
        return None
    entries: list[Range] = []
    parts = [part for part in rest.split(",") if trim(part)]
    if not parts or len(parts) > MANY:
        return None
    for part in parts:
        match = _RANGE.fullmatch(part)
        if match is None:
            return None
        first, last, tail = match.groups()
        if tail is not None:
            start, end = max(size - _number(tail), 0), size
        else:
            start = _number(first)
            end = size if last is None else min(_number(last) + 1, size)
            if last is not None and _number(last) < start:
                return None
        if start < end:
            entries.append((start, end))
    if not entries:
        raise RangeError
    joined = _joined(entries)
    # More bytes than the file has: somebody wants the same ones again and again.
    return joined if sum(end - start for start, end in joined) <= size else None


def _number(digits: str) -> int:
    """Return a number of any length; one that is larger than every file is FAR."""
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) < len(str(FAR)) else FAR


def _joined(ranges: list[Range]) -> list[Range]:
    entries = [ranges[0]]
    for start, end in ranges[1:]:
        first, last = entries[-1]
        if first <= start <= last:
            entries[-1] = (first, max(last, end))
        else:
            entries.append((start, end))
    return entries
