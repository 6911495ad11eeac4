"""A charset is a set of characters, kept as sorted ranges of code points."""

import sys
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, TypeAlias

Charset: TypeAlias = tuple[tuple[int, int], ...]
"""Ranges (first, last), sorted, apart from each other."""

LAST: Final = sys.maxunicode
EVERYTHING: Final[Charset] = ((0, LAST),)


def union(ranges: Iterable[tuple[int, int]]) -> Charset:
    """Return the charset that holds all of the ranges."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def negated(charset: Charset) -> Charset:
    """Return every character that the charset does not hold."""
    ranges: list[tuple[int, int]] = []
    start = 0
    for low, high in charset:
        if low > start:
            ranges.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        ranges.append((start, LAST))
    return tuple(ranges)


def holds(charset: Charset, code: int) -> bool:
    """Return whether the character is one of them."""
    return any(low <= code <= high for low, high in charset)


def of(text: str) -> Charset:
    """Return the charset of a short notation: `a-zA-Z_`."""
    ranges: list[tuple[int, int]] = []
    at = 0
    while at < len(text):
        if text[at + 1 : at + 2] == "-" and at + 2 < len(text):
            ranges.append((ord(text[at]), ord(text[at + 2])))
            at += 3
        else:
            ranges.append((ord(text[at]), ord(text[at])))
            at += 1
    return union(ranges)


DIGIT: Final = of("0-9")
SPACE: Final = of("\t\n\f\r ")
WORD: Final = of("0-9A-Za-z_")

POSIX: Final = {
    "alnum": of("0-9A-Za-z"),
    "alpha": of("A-Za-z"),
    "ascii": ((0, 127),),
    "blank": of("\t "),
    "cntrl": ((0, 31), (127, 127)),
    "digit": DIGIT,
    "graph": ((33, 126),),
    "lower": of("a-z"),
    "print": ((32, 126),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": ((9, 13), (32, 32)),
    "upper": of("A-Z"),
    "word": WORD,
    "xdigit": of("0-9A-Fa-f"),
}


@lru_cache(maxsize=64)
def category(name: str) -> Charset | None:
    """Return the characters of a Unicode general category (`L`, `Nd`, …, `Any`); None for other names."""
    if name == "Any":
        return EVERYTHING
    ranges: list[tuple[int, int]] = []
    start = -1
    for code in range(LAST + 1):
        inside = unicodedata.category(chr(code)).startswith(name)
        if inside and start < 0:
            start = code
        elif not inside and start >= 0:
            ranges.append((start, code - 1))
            start = -1
    if start >= 0:
        ranges.append((start, LAST))
    return tuple(ranges) or None


@lru_cache(maxsize=1)
def _orbits() -> dict[int, tuple[int, ...]]:
    """Return the characters that differ from another one by case only, each with all of its forms."""
    groups: dict[str, set[int]] = {}
    for code in range(0x1E944):
        char = chr(code)
        folded = char.casefold()
        if len(folded) == 1 and (folded != char or char.upper() != char):
            groups.setdefault(folded, {ord(folded)}).add(code)
    numbers: dict[int, tuple[int, ...]] = {}
    for codes in groups.values():
        if len(codes) > 1:
            numbers |= dict.fromkeys(codes, tuple(sorted(codes)))
    return numbers


def folded(charset: Charset) -> Charset:
    """Return the charset and every other case of its characters."""
    more = [
        (other, other)
        for code, orbit in _orbits().items()
        if holds(charset, code)
        for other in orbit
    ]
    return union([*charset, *more])
