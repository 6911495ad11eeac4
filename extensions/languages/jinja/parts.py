"""Parts are what a template consists of: text, expressions, statements."""

import re
from typing import Final, NamedTuple

_STRING: Final = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_MARK: Final = re.compile(
    rf"\{{\{{[-+]?(?P<expression>(?:{_STRING}|(?!\}}\}})[^\"'])*?)[-+]?\}}\}}"
    rf"|\{{%[-+]?(?P<statement>(?:{_STRING}|(?!%\}})[^\"'])*?)[-+]?%\}}"
    r"|\{#.*?#\}",
    re.DOTALL,
)


class Part(NamedTuple):
    """One part: `text`, `expression` or `statement`, as written; `at` is where it begins."""

    kind: str
    text: str
    at: int


def parts_of(code: str) -> tuple[Part, ...]:
    """The parts of a template in order; comments are left out."""
    parts: list[Part] = []
    at = 0
    for mark in _MARK.finditer(code):
        if mark.start() > at:
            parts.append(Part("text", code[at : mark.start()], at))
        kind = mark.lastgroup
        if kind is not None:
            parts.append(Part(kind, mark[kind], mark.start(kind)))
        at = mark.end()
    if at < len(code):
        parts.append(Part("text", code[at:], at))
    return tuple(parts)
