"""A Statement is SQL with its placeholders found: arguments are bound to them, never written in.

`?` and `?1` or `$1` count positions, `:name` names. Quoted text, comments and casts (`a::text`) are
left alone. Each dialect gets the placeholders that it knows.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from heddle.extensions.sql.errors import rejected
from heddle.schemas.suggestion import did_you_mean

Mark: TypeAlias = int | str
"""The key of a placeholder: an argument by position, from 1, or by name."""

_QUOTED = [
    r"[eE]'(?:[^'\\]|\\.|'')*'",
    r"'(?:[^']|'')*'",
    r'"(?:[^"]|"")*"',
    r"`[^`]*`",
    r"--[^\n]*",
    r"/\*.*?\*/",
    r"::",
]
_MARKS = r"(?P<mark>\?\d*|\$\d+|:[A-Za-z_]\w*)"
_SCANS = {
    "postgres": [*_QUOTED, r"\$([A-Za-z_]\w*|)\$.*?\$\2\$", r"\?\|(?!\|)|\?&"],
    "sqlite": [*_QUOTED[1:], r"\[[^\]]*\]"],
    "other": _QUOTED[1:],
}
_SCAN = {
    name: re.compile("|".join([f"(?P<skip>{'|'.join(skips)})", _MARKS]), re.DOTALL)
    for name, skips in _SCANS.items()
}
_WORD = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*(?P<word>[A-Za-z]*)", re.DOTALL)
_CHANGES = re.compile(r"\b(insert|update|delete|replace|merge)\b", re.IGNORECASE)
_READS = frozenset({"select", "values", "table", "explain", "show", "pragma", "with"})
_OURS = frozenset({"begin", "start", "commit", "end", "abort", "rollback"})


class Statement:
    """SQL for one dialect. `sql` has its placeholders; `marks` are what they want, in their order.

    `reads` says that it only reads, as far as its words tell. `bare` has NULL for each placeholder.
    """

    __slots__ = ("bare", "marks", "named", "positions", "reads", "sql", "text")

    def __init__(self, text: str, dialect: str) -> None:
        self.text = text
        word = _word(text)
        if word in _OURS and not re.match(r"\s*rollback\s+to\b", text, re.IGNORECASE):
            raise rejected(
                f'"{text.split(maxsplit=1)[0]}" is not for a statement to say: the transaction '
                "belongs to the process, which commits when it ends well"
            )
        pieces, marks = _taken_apart(text, dialect)
        self.named = any(isinstance(mark, str) for mark in marks)
        if self.named and any(isinstance(mark, int) for mark in marks):
            raise rejected("placeholders are either all by name or all by position; found both")
        self.marks: tuple[Mark, ...] = tuple(dict.fromkeys(marks))
        self.positions = max((mark for mark in marks if isinstance(mark, int)), default=0)
        self.bare = "NULL".join(pieces)
        self.sql = _put_together(pieces, marks, self.marks, dialect)
        self.reads = word in _READS and not (word == "with" and _CHANGES.search(text))

    def bind(self, args: Any) -> list[Any]:
        """Return the value of each placeholder; NodeError says which argument is missing, or too many.

        A list is by position, a map by name, null is none, and any other value is the only one.
        """
        if self.named:
            if isinstance(args, list | tuple) and len(args) == 1:
                args = args[0]
            if not isinstance(args, Mapping):
                actual = "nothing" if args is None else f"a {type(args).__name__}"
                raise rejected(f"the statement wants a map with {self._expected()}; found {actual}")
            return self._by_name(args)
        if args is None:
            given: Sequence[Any] = ()
        elif isinstance(args, list | tuple):
            given = args
        elif isinstance(args, Mapping):
            if not self.marks:
                return []
            raise rejected("the statement has placeholders by position, the arguments have names")
        else:
            given = [args]
        if len(given) != self.positions:
            raise rejected(f"the statement wants {_count(self.positions)}; found {len(given)}")
        return [given[mark - 1] for mark in self.marks if isinstance(mark, int)]

    def _by_name(self, args: Mapping[str, Any]) -> list[Any]:
        missing = [name for name in self.marks if name not in args]
        if missing:
            near = did_you_mean(str(missing[0]), [str(name) for name in args])
            names = ", ".join(f":{name}" for name in missing)
            raise rejected(f"the statement wants {names}, which is not given. {near}".rstrip())
        return [args[name] for name in self.marks if isinstance(name, str)]

    def _expected(self) -> str:
        return ", ".join(str(mark) for mark in self.marks)


@lru_cache(maxsize=1024)
def statement(text: str, dialect: str) -> Statement:
    """Return the Statement of this text; raise NodeError if it cannot be one."""
    if not text.strip():
        raise rejected("an empty statement")
    return Statement(text, dialect)


def _taken_apart(text: str, dialect: str) -> tuple[list[str], list[Mark]]:
    """Return the text around its placeholders, and what each of them wants."""
    matches = [match for match in _SCAN[dialect].finditer(text) if match["mark"]]
    if dialect == "postgres" and any(match["mark"][0] in "$:" for match in matches):
        # There `?` is an operator: it is a placeholder only if nothing else is one.
        matches = [match for match in matches if match["mark"][0] != "?"]
    pieces: list[str] = []
    marks: list[Mark] = []
    start = count = 0
    for match in matches:
        pieces.append(text[start : match.start()])
        start = match.end()
        sign, rest = match["mark"][0], match["mark"][1:]
        if sign == ":":
            marks.append(rest)
            continue
        count = int(rest) if rest else count + 1
        if not 1 <= count <= 32_000:
            raise rejected(f'no argument can have the position "{match["mark"]}"')
        marks.append(count)
    pieces.append(text[start:])
    return pieces, marks


def _put_together(
    pieces: list[str], marks: list[Mark], distinct: tuple[Mark, ...], dialect: str
) -> str:
    """Return the text with the placeholders of a dialect, numbered by what they want."""
    sign = {"postgres": "$", "sqlite": "?"}.get(dialect, ":p")
    if dialect == "other":
        # SQLAlchemy takes a colon before a word for a placeholder, unless it is told not to.
        pieces = [re.sub(r"(?<!:):(?=\w)", r"\\:", piece) for piece in pieces]
    numbers = {mark: number for number, mark in enumerate(distinct, 1)}
    whole = pieces[0]
    for mark, piece in zip(marks, pieces[1:], strict=True):
        whole += f"{sign}{numbers[mark]}{piece}"
    return whole


def _word(text: str) -> str:
    """Return the first word, in small letters."""
    match = _WORD.match(text)
    return match["word"].lower() if match else ""


def _count(number: int) -> str:
    return f"{number} argument{'' if number == 1 else 's'}" if number else "no arguments"
