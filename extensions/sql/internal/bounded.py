"""Functions of SQL that take time by the product of what they are given, done here in bounded time.

SQLite looks whether a statement has run too long between two steps of it, never within one function:
`instr` over some megabytes would keep a thread for hours, and nobody could end it.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import apsw

LONGEST: Final = 16 * 1024 * 1024
"""Bytes that a text or a blob may have."""

PATTERN: Final = 250
"""Bytes that the pattern of LIKE and GLOB may have: what it is held against may be long."""

_DIGITS: Final = frozenset("0123456789abcdefABCDEF")

Cut: TypeAlias = Callable[[str, str | None], str]


def bind(raw: apsw.Connection) -> None:
    """Let a connection use these, and keep what all the others are given short."""
    raw.limit(apsw.SQLITE_LIMIT_LENGTH, LONGEST)
    raw.limit(apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN)
    ours: list[tuple[str, int, Callable[..., Any]]] = [
        ("instr", 2, _instr),
        ("replace", 3, _replace),
        ("trim", 2, _trimmed(str.strip)),
        ("ltrim", 2, _trimmed(str.lstrip)),
        ("rtrim", 2, _trimmed(str.rstrip)),
        ("unhex", 2, _unhex),
    ]
    for name, count, function in ours:
        raw.create_scalar_function(name, function, count, deterministic=True)


def _instr(where: Any, value: Any) -> int | None:
    if where is None or value is None:
        return None
    if isinstance(where, bytes) and isinstance(value, bytes):
        return where.find(value) + 1
    return _text(where).find(_text(value)) + 1


def _replace(where: Any, value: Any, by: Any) -> str | None:
    if where is None or value is None or by is None:
        return None
    text, old, new = _text(where), _text(value), _text(by)
    if not old:
        return text
    if len(text) + text.count(old) * (len(new) - len(old)) > LONGEST:
        raise apsw.TooBigError("string or blob too big")
    return text.replace(old, new)


def _trimmed(cut: Cut) -> Callable[[Any, Any], str | None]:
    def trimmed(where: Any, value: Any) -> str | None:
        if where is None or value is None:
            return None
        # Each of them once: they may be many.
        return cut(_text(where), "".join(dict.fromkeys(_text(value))))

    return trimmed


def _unhex(where: Any, between: Any) -> bytes | None:
    if where is None or between is None:
        return None
    text, skipped = _text(where), set(_text(between)) - _DIGITS
    if not skipped | _DIGITS >= set(text):
        return None
    # What stands between belongs between two bytes, never within one.
    try:
        return bytes.fromhex("".join(" " if each in skipped else each for each in text))
    except ValueError:
        return None


def _text(value: Any) -> str:
    """Return a value as SQLite writes it."""
    if isinstance(value, str):
        return value
    return (
        value.decode(errors="replace") if isinstance(value, bytes) else apsw.format_sql_value(value)
    )
