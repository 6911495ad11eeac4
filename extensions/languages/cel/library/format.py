"""`text.format([…])`: `%s %d %f %e %b %x %X %o` stand for the values of a list, in order."""

import math
import re
from collections.abc import Callable
from typing import Any, Final

from heddle.extensions.languages.cel.budget import LETTERS, LONGEST, spend
from heddle.extensions.languages.cel.errors import BudgetExceededError, CelError
from heddle.extensions.languages.cel.library.conversions import to_string
from heddle.extensions.languages.cel.library.function import no_overload
from heddle.extensions.languages.cel.values import kind

DEEPEST: Final = 1000
"""Digits behind the point that `%.nf` may ask for."""

_CLAUSE: Final = re.compile(r"%(?:\.(\d+))?(.)?", re.DOTALL)
_SPECIAL: Final = {math.inf: "Infinity", -math.inf: "-Infinity"}


def formatted(budget: list[int], pattern: Any, values: Any) -> str:
    """Return the text of a pattern with these values in it; a Fault if they do not fit together."""
    if (kind(pattern), kind(values)) != ("string", "list"):
        raise no_overload("format", pattern, values)
    rest = iter(values)
    size = len(pattern)
    spend(budget, 1 + size // LETTERS)

    def made(clause: re.Match[str]) -> str:
        nonlocal size
        precision, letter = clause[1], clause[2]
        if letter == "%" and precision is None:
            return "%"
        make = _CLAUSES.get(letter)
        if make is None:
            raise CelError(f'format() does not know "{clause[0]}"')
        digits = 6 if precision is None else int(precision[:6])
        if digits > DEEPEST:
            raise CelError(f"format() gives at most {DEEPEST} digits behind the point")
        try:
            value = next(rest)
        except StopIteration:
            raise CelError(f"format() wants more than {len(values)} values") from None
        if letter == "s":
            _weigh(budget, value)
        text = make(value, digits)
        size += len(text)
        if size > LONGEST:
            raise BudgetExceededError(
                f"a function would make more than {LONGEST:,} characters or elements"
            )
        spend(budget, 1 + len(text) // LETTERS)
        return text

    return _CLAUSE.sub(made, str(pattern))


def _weigh(budget: list[int], value: Any) -> None:
    """Pay for the texts of everything inside a list or a map, before they are made."""
    name = kind(value)
    if name in ("list", "map"):
        spend(budget, 2 * len(value))
        for each in value if name == "list" else value.values():
            _weigh(budget, each)
    elif name in ("string", "bytes"):
        spend(budget, len(value) // LETTERS)


def _text(value: Any, digits: int) -> str:
    name = kind(value)
    if name == "null_type":
        return "null"
    if name == "double":
        return _number(float(value)) or to_string(value)
    if name == "list":
        return f"[{', '.join(_text(each, digits) for each in value)}]"
    if name == "map":
        pairs = sorted((_text(key, digits), _text(each, digits)) for key, each in value.items())
        return f"{{{', '.join(f'{key}: {each}' for key, each in pairs)}}}"
    return to_string(value)


def _number(value: float) -> str:
    """Return the word for what has no digits; empty for all else."""
    return "NaN" if math.isnan(value) else _SPECIAL.get(value, "")


def _decimal(value: Any, digits: int) -> str:
    name = kind(value)
    if name in ("int", "uint"):
        return str(int(value))
    if name == "double":
        if word := _number(float(value)):
            return word
        if float(value).is_integer():
            return str(int(value))
    raise _invalid("d", value)


def _fixed(value: Any, digits: int) -> str:
    return _number(_real("f", value)) or f"{_real('f', value):.{digits}f}"


def _scientific(value: Any, digits: int) -> str:
    return _number(_real("e", value)) or f"{_real('e', value):.{digits}e}"


def _real(letter: str, value: Any) -> float:
    if kind(value) not in ("int", "uint", "double"):
        raise _invalid(letter, value)
    return float(value)


def _binary(value: Any, digits: int) -> str:
    if kind(value) == "bool":
        return str(int(value))
    return f"{_whole('b', value):b}"


def _octal(value: Any, digits: int) -> str:
    return f"{_whole('o', value):o}"


def _hex(value: Any, digits: int) -> str:
    name = kind(value)
    if name == "string":
        return str(value).encode(errors="replace").hex()
    if name == "bytes":
        return bytes(value).hex()
    return f"{_whole('x', value):x}"


def _whole(letter: str, value: Any) -> int:
    if kind(value) not in ("int", "uint"):
        raise _invalid(letter, value)
    return int(value)


def _invalid(letter: str, value: Any) -> CelError:
    return CelError(f"format(): %{letter} does not take {kind(value)}")


_CLAUSES: Final[dict[str | None, Callable[[Any, int], str]]] = {
    "s": _text,
    "d": _decimal,
    "f": _fixed,
    "e": _scientific,
    "b": _binary,
    "o": _octal,
    "x": _hex,
    "X": lambda value, digits: _hex(value, digits).upper(),
}
