"""A report shows Problems to people like a compiler does: the line, a caret, what to try.

error[unknown-port]: "pong" has no port "inn" (it has: in)
  --> ping.yaml:7:27 router.ports.out[0]
   |
 7 |       - {name: pong, port: inn}
   |                            ^^^
   = Did you mean "in"?
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, TypeAlias

from heddle.runtime.assembly.graph_codes import ANSWER_SHAPE, GRAPH_CODES
from heddle.schemas.problem import Place, Problem
from heddle.schemas.words import listed
from heddle.specs.secrets.mask_text import concealed

SourceOf: TypeAlias = Callable[[str], str | None]
"""The text of a file by its name in a Place; None if it cannot be had."""

WARNINGS = frozenset({"missing-link"})
"""Codes that keep nothing from running: what is missing may come later."""

HINTS = frozenset({"unfilled-blank", "code-hint", ANSWER_SHAPE})
"""Codes of what is allowed, but probably not what its author means."""

_TOKEN = re.compile(
    r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'|(?:[^\s,\[\]{}]|\[\d+\])+?(?=:?(?:[\s,\]}]|$))|."
)
_WIDEST = 160
"""How many characters of a line are shown; of a longer one, those around the column."""

_COLORS = {"error": "1;31", "warning": "1;33", "hint": "1;36", "frame": "1;34", "bold": "1"}


def severity(problem: Problem, *, strict: bool = False) -> Literal["error", "warning", "hint"]:
    """Return `hint` for what is allowed, `warning` for what may run, and `error` for all else.

    With `strict`, what may come later is an error, too.
    """
    if problem.code in HINTS:
        return "hint"
    if problem.code in GRAPH_CODES:
        return "warning"
    return "warning" if problem.code in WARNINGS and not strict else "error"


def report(
    problems: Iterable[Problem],
    *,
    source: SourceOf | None = None,
    color: bool = False,
    strict: bool = False,
) -> str:
    """Return all Problems as text, each with its line where that can be read; empty if there are none.

    `source` gives the text of a file; by default files are read from disk. The secrets in it are
    covered. With `strict`, what may come later counts as an error.
    """
    lines = _FileLines(source or read_source)
    return "\n".join(_Report(lines, color, strict).text_of(problem) for problem in problems)


def summary(problems: Iterable[Problem], *, strict: bool = False) -> str:
    """`2 errors and 1 warning`; `no problems` if there are none."""
    counts = {"error": 0, "warning": 0, "hint": 0}
    for problem in problems:
        counts[severity(problem, strict=strict)] += 1
    texts = [f"{count} {word}{'s' if count > 1 else ''}" for word, count in counts.items() if count]
    return listed(texts) or "no problems"


def as_data(problem: Problem, *, strict: bool = False) -> dict[str, Any]:
    """Return a Problem as plain data for JSON and logs; what is not known is left out."""
    shown = {
        "severity": severity(problem, strict=strict),
        "code": problem.code,
        "file": problem.place.file,
        "line": problem.place.line,
        "column": problem.place.column,
        "path": problem.path,
        "found": problem.found,
        "expected": problem.expected,
        "hint": problem.hint,
        "message": str(problem),
    }
    return {name: value for name, value in shown.items() if value}


def read_source(file: str) -> str | None:
    """Return the text of a file on disk; None if it cannot be read."""
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace") if file else None
    except OSError:
        return None


class _FileLines:
    """Lines of files, each file read once."""

    def __init__(self, source: SourceOf) -> None:
        self._source = source
        self._files: dict[str, list[str]] = {}

    def at(self, place: Place) -> str | None:
        """Return the line of a Place; None if it cannot be had."""
        if not place.line:
            return None
        if place.file not in self._files:
            # Not splitlines(): YAML does not count form feeds and their like as line ends.
            text = concealed((self._source(place.file) or "").removeprefix("\ufeff"))
            self._files[place.file] = re.split(r"\r\n|\r|\n", text)
        lines = self._files[place.file]
        line = lines[place.line - 1] if place.line <= len(lines) else ""
        return line if line.strip() else None


class _Report:
    """Writes one Problem after the other."""

    def __init__(self, lines: _FileLines, color: bool, strict: bool) -> None:
        self._lines = lines
        self._color = color
        self._strict = strict

    def text_of(self, problem: Problem) -> str:
        """Return one Problem on several lines, ending in a newline."""
        sort = severity(problem, strict=self._strict)
        head = self._paint(f"{sort}[{problem.code}]", sort) + self._paint(
            f": {problem.found}", "bold"
        )
        line = self._lines.at(problem.place)
        pad = " " * max(len(str(problem.place.line)), 2)
        where = f"{problem.place} {problem.path}".rstrip()
        out = [head, f"{pad}{self._paint('-->', 'frame')} {where}"]
        bar = self._paint("|", "frame")
        if line is not None:
            number = self._paint(str(problem.place.line).rjust(len(pad)), "frame")
            line, column = _excerpt(line, problem.place.column)
            out += [f"{pad} {bar}", f"{number} {bar} {_flat(line)}"]
            if column:
                out.append(f"{pad} {bar} {self._paint(_caret(line, column), sort)}")
        mark = self._paint("=", "frame")
        if problem.expected:
            out.append(f"{pad} {mark} expected: {problem.expected}")
        if problem.hint:
            out.append(f"{pad} {mark} {problem.hint}")
        return "\n".join(out) + "\n"

    def _paint(self, text: str, subject: str) -> str:
        return f"\x1b[{_COLORS[subject]}m{text}\x1b[0m" if self._color else text


def _excerpt(line: str, column: int) -> tuple[str, int]:
    """Return the part of a long line around a column, and the column in it."""
    if len(line) <= _WIDEST:
        return line, column
    start = max(min(column - 1, len(line)) - _WIDEST // 2, 0)
    part = line[start : start + _WIDEST]
    before = "…" if start else ""
    after = "…" if start + _WIDEST < len(line) else ""
    return f"{before}{part}{after}", max(column - start + len(before), 0) if column else 0


def _caret(line: str, column: int) -> str:
    """Carets under the word that starts at the column."""
    match = _TOKEN.match(line, column - 1)
    length = len(match[0]) if match else 1
    return " " * len(_flat(line[: column - 1])) + "^" * min(length, 60)


def _flat(line: str) -> str:
    """Return the line as it takes up room on a terminal: tabs as two spaces, nothing that moves the cursor."""
    return "".join(char if char.isprintable() else "  " if char == "\t" else "·" for char in line)
