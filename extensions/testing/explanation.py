"""Explains why a condition does not hold: which part of it failed, and what its two sides are.

It looks at the text alone, so it serves every language that writes comparisons and `&&` in the
usual way. If a text cannot be taken apart, the condition as a whole is what is explained.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from heddle.extensions.extension import CompileError, Error, Program, Stream
from heddle.runtime.flow.elsewhere import ElsewhereError
from heddle.runtime.flow.materialize import encode_with

COMPARISONS = ("===", "!==", "==", "!=", "<=", ">=", "<", ">", " in ")
_JOINS = ("&&", " and ")
_LOOSER = ("||", " or ", "?", " if ", " not ", "=>", "->")
_OPEN, _CLOSE = "([{", ")]}"

LONGEST = 2_000
"""Characters of a value that are shown."""


class Side(msgspec.Struct, frozen=True):
    """One side of a comparison: its text, and its value."""

    code: str
    value: Any

    @property
    def literal(self) -> bool:
        """Whether its text says its value already."""
        return shown(self.value) == self.code.replace("'", '"')


class Comparison(msgspec.Struct, frozen=True):
    """The part of a condition that does not hold."""

    code: str
    left: Side
    right: Side

    def __str__(self) -> str:
        value = "" if self.right.literal else f", which is {shown(self.right.value)}"
        return f"expected {self.code}{value}, found {shown(self.left.value)}"


def unmet(
    code: str,
    program: Program,
    value: Any,
    compile: Callable[[str], Program],  # noqa: A002 - the word of the contract
) -> str:
    """Return why a condition does not hold for this value; "" if it does."""
    try:
        if program(value):
            return ""
    except ElsewhereError:
        raise
    except Exception as error:
        return f"expected {code}, but that fails: {error}; payload: {shown(value)}"
    why = explain(code, value, compile)
    if why is None:
        return f"expected {code}, found {shown(value)}"
    return f"{why}; payload: {shown(value)}"


def explain(
    code: str,
    payload: Any,
    compile: Callable[[str], Program],  # noqa: A002 - the word of the contract
) -> Comparison | None:
    """Return the first comparison in it that does not hold for this payload; None if none is found."""
    for part in split(code, _JOINS):
        entry = _comparison(part.strip())
        if entry is None:
            continue
        left, right = entry
        try:
            if compile(part)(payload):
                continue
            sides = [Side(each, compile(each)(payload)) for each in (left, right)]
        except ElsewhereError:
            raise
        except (CompileError, Exception):  # what cannot be taken apart is shown as a whole
            return None
        return Comparison(part.strip(), sides[0], sides[1])
    return None


def split(code: str, marks: tuple[str, ...]) -> list[str]:
    """Return the parts between these marks, where they stand outside of quotes and brackets.

    One part where something binds looser than the marks do.
    """
    if any(mark for _, mark in _outside(code, _LOOSER)):
        return [code]
    parts, start = [], 0
    for at, mark in _outside(code, marks):
        parts.append(code[start:at])
        start = at + len(mark)
    return [*parts, code[start:]]


def _comparison(code: str) -> tuple[str, str] | None:
    """Return the two sides of the one comparison that it is."""
    entries = list(_outside(code, COMPARISONS))
    if len(entries) != 1 or any(_outside(code, _LOOSER)):
        return None
    at, mark = entries[0]
    left, right = code[:at].strip(), code[at + len(mark) :].strip()
    return (left, right) if left and right else None


def _outside(code: str, marks: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Yield where these marks stand, outside of quotes and brackets."""
    depth, at = 0, 0
    while at < len(code):
        char = code[at]
        if char in "\"'`":
            at = _past(code, at)
            continue
        depth += (char in _OPEN) - (char in _CLOSE)
        mark = next((mark for mark in marks if code.startswith(mark, at)), "") if not depth else ""
        if mark:
            yield at, mark
        at += len(mark) or 1


def _past(code: str, at: int) -> int:
    """Return where the text goes on after the quoted part that begins here."""
    quote, at = code[at], at + 1
    while at < len(code) and code[at] != quote:
        at += 2 if code[at] == "\\" else 1
    return at + 1


def shown(value: Any) -> str:
    """Return a value as people read it: JSON if it can be, and not too long."""
    if isinstance(value, Error):
        text = f"the Error {value.message!r}"
    elif isinstance(value, Stream):
        text = value.described
    else:
        try:
            text = msgspec.json.format(encode_with(msgspec.json.encode, value), indent=-1).decode()
        except RecursionError:
            text = "data that is nested too deeply"
        except (TypeError, ValueError, OverflowError):
            text = repr(value)
    if len(text) > LONGEST:
        return f"{text[:LONGEST]}… ({len(text)} characters)"
    return text
