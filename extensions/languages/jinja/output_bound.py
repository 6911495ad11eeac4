"""A template is calm when what it makes is never much larger than what it is given.

MiniJinja counts steps and no bytes, and a step may double a text. So only what is known to be
harmless counts as calm: values, conditions, sums, and filters that make nothing grow.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from heddle.extensions.languages.jinja.parts import TemplatePart

MOST: Final = 32
"""How many expressions a calm template may have: each may print the whole payload."""

_SHORT: Final = 20
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>\d[\d_]*(?:\.\d+)?)"""
    r"""|(?P<name>[A-Za-z_]\w*)|(?P<mark>==|!=|<=|>=|//|\*\*|[-+*/%~<>.,|\[\]():{}]))"""
)
_FILTERS: Final = frozenset(
    [
        "upper",
        "lower",
        "trim",
        "title",
        "capitalize",
        "default",
        "d",
        "length",
        "count",
        "first",
        "last",
        "int",
        "float",
        "round",
        "abs",
        "string",
        "bool",
        "safe",
        "min",
        "max",
        "sort",
        "reverse",
        "unique",
        "keys",
        "values",
    ]
)
_GROWING: Final = frozenset(["tojson", "urlencode", "escape", "e", "join", "items", "list"])
"""Filters that make a text longer by a few times: one of them is calm, one upon the other is not."""

_WORDS: Final = frozenset(["and", "or", "not", "in", "is", "if", "else"])
_STATEMENTS: Final = frozenset(["if", "elif", "else", "endif"])


def calm(parts: Iterable[TemplatePart]) -> bool:
    """Return whether rendering these parts can harm nobody; what is not understood is not calm."""
    expressions = products = 0
    for part in parts:
        if part.kind == "text":
            if "{{" in part.text or "{%" in part.text or "{#" in part.text:
                return False
            continue
        tokens = _tokens(part.text)
        if tokens is None:
            return False
        if part.kind == "statement":
            if not tokens or tokens[0] not in _STATEMENTS:
                return False
            tokens = tokens[1:]
        expressions += 1
        products += tokens.count("*")
        if not _calm(tokens):
            return False
    return expressions <= MOST and products <= 1


def _tokens(text: str) -> list[str] | None:
    """Return the tokens of an expression; None if it holds anything unknown."""
    tokens: list[str] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        tokens.append(match[0].strip())
        at = match.end()
    return tokens


def _calm(tokens: list[str]) -> bool:
    growing = 0
    if "**" in tokens or not _few_times(tokens):
        return False
    filters = {index + 1 for index, token in enumerate(tokens) if token == "|"}
    for index in filters:
        name = tokens[index] if index < len(tokens) else ""
        if name == "join" and not _short_join(tokens[index + 1 : index + 4]):
            return False
        if name not in _FILTERS and name not in _GROWING:
            return False
        if name == "tojson" and tokens[index + 1 : index + 2] == ["("]:
            # It takes how far to indent.
            return False
        growing += name in _GROWING
    calls = any(
        after == "(" and _callable(before) and index not in filters
        for index, (before, after) in enumerate(pairwise(tokens))
    )
    return growing <= 1 and not calls


def _few_times(tokens: list[str]) -> bool:
    """Return True if no product can repeat a list or a text more than a few times.

    A payload may hold a list if a number is expected: so one side has to be a small number, or
    one with a point, which repeats nothing.
    """
    for index, token in enumerate(tokens):
        if token != "*":
            continue
        sides = tokens[max(index - 1, 0) : index] + tokens[index + 1 : index + 2]
        if any(side[0] in "\"'" for side in sides):
            return False
        if not any(side[0].isdigit() and (len(side) == 1 or "." in side) for side in sides):
            return False
    return True


def _callable(token: str) -> bool:
    """Return whether a bracket behind this token would be a call."""
    return token not in _WORDS and (token[0].isalnum() or token[0] in "_\"')]}")


def _short_join(tokens: list[str]) -> bool:
    if not tokens or tokens[0] != "(":
        return True
    return (
        len(tokens) == 3 and tokens[2] == ")" and tokens[1][0] in "\"'" and len(tokens[1]) <= _SHORT
    )
