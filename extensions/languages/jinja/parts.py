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


class TemplatePart(NamedTuple):
    """One part: `text`, `expression` or `statement`, as written; `at` is where it begins."""

    kind: str
    text: str
    at: int


def parts_of(code: str) -> tuple[TemplatePart, ...]:
    """Return the parts of a template in order; comments are left out."""
    parts: list[TemplatePart] = []
    at = 0
    for mark in _MARK.finditer(code):
        if mark.start() > at:
            parts.append(TemplatePart("text", code[at : mark.start()], at))
        kind = mark.lastgroup
        if kind is not None:
            parts.append(TemplatePart(kind, mark[kind], mark.start(kind)))
        at = mark.end()
    if at < len(code):
        parts.append(TemplatePart("text", code[at:], at))
    return tuple(parts)
