"""The common parts of both readers of YAML: the Parsed that they give, their limits, and what a scalar means."""

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import msgspec

from heddle.schemas.path import Path
from heddle.specs.model.limits import limits


class TextProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with the text itself; `path` starts with the number of the document."""

    code: str
    found: str
    expected: str = ""
    hint: str = ""
    line: int = 0
    column: int = 0
    path: Path = ()


class NodePlace:
    """The place of one node of a text (from 1), and the places of its children."""

    __slots__ = ("children", "column", "line", "style")

    def __init__(self, line: int, column: int, style: str = "") -> None:
        self.line = line
        self.column = column
        self.style = style
        self.children: dict[str | int, tuple[int, int, NodePlace]] = {}


class ParsedText(msgspec.Struct):
    """The documents of a text, and what is wrong with it.

    `whole` tells whether it could be read to its end. A document with faults is among the
    documents: whoever uses it looks at the paths of the faults.
    """

    documents: list[Any]
    faults: list[TextProblem] = []
    where: list[NodePlace] | None = None
    whole: bool = True


# --- scalars ------------------------------------------------------------------------------------

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_FIRST = frozenset("-+.0123456789")
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
NONE = object()
"""Stands for no value if None is one."""


def resolve(text: str) -> Any:
    """Return what an unquoted scalar means by the core rules of YAML 1.2; the text itself otherwise."""
    word = _WORDS.get(text, NONE)
    if word is not NONE:
        return word
    if text[0] not in _FIRST:
        return text
    if len(text) > 1000:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return int(text, 0) if _BASED.fullmatch(text) else text


@cache
def c_parser() -> Callable[[str], Any] | None:
    """Return the parser written in C; None if only the slow one is installed."""
    function: Callable[[str], Any] | None = getattr(
        import_module("ruamel.yaml.cyaml"), "CParser", None
    )
    return function


def too_many(line: int = 0, column: int = 0, path: Path = (0,)) -> TextProblem:
    """Return the Fault of a text with more nodes than a text may have."""
    return TextProblem(
        code="too-large",
        found=f"more than {limits().nodes:,} nodes once aliases are followed",
        hint="Split the file, or write less with aliases; the setting is [limits] nodes",
        line=line,
        column=column,
        path=path,
    )
