"""The width of a text, without asking a font: never less than it turns out to be."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

# Advances in em of the widest of the usual interface fonts (DejaVu and Verdana, bold): whoever
# has a narrower one sees a little more air.
_ADVANCES = {
    **dict.fromkeys("ijlI.,:;'|/\\ ", 0.40),
    **dict.fromkeys('tfr()[]-_"!`*', 0.54),
    **dict.fromkeys("sckJvxyz?", 0.67),
    **dict.fromkeys("mM@%w#+=<>~^&", 1.05),
    **dict.fromkeys("DGHNOQU", 0.87),
    "W": 1.13,
}
_LOWER, _UPPER, _OTHER, _OTHER_UPPER, _WIDE, _EMOJI = 0.73, 0.80, 1.07, 1.25, 1.07, 1.42
_MONO = 0.62

_LINE_END = re.compile(r"\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_BREAKS = frozenset("-_./: ,")


def width(text: str, size: float, mono: bool = False) -> float:
    """Return the room in pixels that the text needs at most, set bold at this size."""
    return size * sum(_advance(char, mono) for char in text)


def shown(text: str) -> str:
    """Return the text on one line, with nothing in it that a drawing cannot show."""
    return " ".join("".join(char if char.isspace() else legal(char) for char in text).split())


def lines(text: str) -> list[str]:
    """Return the text line by line, however its lines end, with nothing in it that cannot be shown."""
    return [legal(line) for line in _LINE_END.split(text)]


def legal(text: str) -> str:
    """Return the text with every character that XML forbids replaced by U+FFFD."""
    return "".join(char if _is_legal(ord(char)) else "\ufffd" for char in text)


def fit(text: str, size: float, room: float, rows: int, mono: bool = False) -> tuple[str, ...]:
    """Return the text on at most so many rows, each within the room; cut with `…` if it must be."""
    pieces = list(_rows(text, size, room, mono))
    if len(pieces) <= rows:
        return tuple(pieces)
    rest = "".join(pieces[rows - 1 :])
    return (*pieces[: rows - 1], _cut(rest, size, room, mono))


@lru_cache(maxsize=4096)
def _advance(char: str, mono: bool) -> float:
    if char < "\x7f":
        if mono:
            return _MONO
        return _ADVANCES.get(char) or (_UPPER if char.isupper() else _LOWER)
    if ord(char) >= 0x1F000:
        return _EMOJI
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0.0
    parts = unicodedata.normalize("NFKC", char)
    if len(parts) > 1:
        return sum(_advance(part, mono) for part in parts)
    if unicodedata.east_asian_width(char) in "WF":
        return _WIDE
    return _OTHER_UPPER if char.isupper() else _OTHER


def _is_legal(code: int) -> bool:
    return (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code < 0x7F
        or 0xA0 <= code < 0xD800
        or 0xE000 <= code < 0xFFFE
        or code >= 0x10000
    )


def _rows(text: str, size: float, room: float, mono: bool) -> Iterator[str]:
    """Yield rows that fit, broken after a separator if one stands in the second half of a row."""
    row, used = "", 0.0
    for char in text:
        step = size * _advance(char, mono)
        if row and step and used + step > room:
            head = _head(row)
            yield head
            row = row[len(head) :]
            used = width(row, size, mono)
        row += char
        used += step
    yield row


def _head(row: str) -> str:
    for end in range(len(row), len(row) // 2, -1):
        if row[end - 1] in _BREAKS:
            return row[:end]
    return row


def _cut(text: str, size: float, room: float, mono: bool) -> str:
    left = room - size * _advance("…", mono)
    kept = ""
    for char in text:
        left -= size * _advance(char, mono)
        if left < 0:
            break
        kept += char
    return kept.rstrip() + "…"
