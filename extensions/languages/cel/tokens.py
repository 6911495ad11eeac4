"""Tokens are the words of a CEL text, each with its place and its value."""

import re
from typing import Any, Final, NamedTuple

from heddle.extensions.languages.cel.values import INT_MAX, UINT_MAX
from heddle.runtime.language import CompileError

MAX_LENGTH: Final = 100_000
"""The longest text that is compiled, in characters."""

KEYWORDS: Final = frozenset({"true", "false", "null", "in"})
RESERVED: Final = frozenset(
    "as break const continue else for function if import let loop package namespace return var "
    "void while".split()
)


class Token(NamedTuple):
    """One word: `kind` is `name`, `field`, `literal`, `op` or `end`; `at` counts characters.

    A literal's `type` is the name of its CEL type and `value` what it stands for; a whole number
    is kept positive, and 2**63 is let through for the parser to negate.
    """

    kind: str
    text: str
    at: int
    value: Any = None
    type: str = ""


class Source:
    """A CEL text that can tell line and column of each of its characters."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0] + [match.end() for match in re.finditer(r"\r\n|\n|\r", text)]

    def place(self, at: int) -> tuple[int, int]:
        """Line and column, both counted from 1."""
        low, high = 0, len(self._starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._starts[middle] <= at else (low, middle)
        return low + 1, at - self._starts[low] + 1

    def error(self, at: int, message: str, hint: str = "") -> CompileError:
        """The CompileError for something wrong at that character."""
        line, column = self.place(at)
        return CompileError(message, line=line, column=column, hint=hint)


_WORD: Final = re.compile(
    r"""
      (?P<space>   (?:[ \t\n\r\f]+|//[^\n\r]*)+ )
    | (?P<text>    (?:[bB][rR]?|[rR])?(?:'''|\"""|'|") )
    | (?P<name>    [A-Za-z_][A-Za-z0-9_]* )
    | (?P<double>  [0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)? | [0-9]+[eE][+-]?[0-9]+
                 | \.[0-9]+(?:[eE][+-]?[0-9]+)? )
    | (?P<whole>   0x[0-9a-fA-F]+[uU]? | [0-9]+[uU]? )
    | (?P<quoted>  `[^`\n\r]+` )
    | (?P<op>      && | \|\| | [=!<>]= | [-+*/%!<>?:.,()\[\]{}] )
    """,
    re.VERBOSE | re.ASCII,
)

_BODIES: Final = {
    (quote, raw): re.compile(
        ("(?:[^{q}{n}]|{e})*" if len(quote) == 1 else "(?:(?!{t})(?:[^{n}]|{e}))*").format(
            q=quote[0] + (r"\n\r" if len(quote) == 1 else ""),
            n="" if raw and len(quote) == 1 else "\\\\" if not raw else "\0",
            e=r"\\." if not raw else r"(?!)",
            t=quote,
        ),
        re.DOTALL,
    )
    for quote in ("'", '"', "'''", '"""')
    for raw in (False, True)
}
