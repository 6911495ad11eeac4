"""The extension library `strings`: places in a text, its parts, and texts made of others."""

from collections.abc import Callable
from typing import Any, Final

from heddle.extensions.languages.cel.budget import LETTERS, bounded, spend
from heddle.extensions.languages.cel.errors import CelError
from heddle.extensions.languages.cel.library.format import formatted
from heddle.extensions.languages.cel.library.function import Function, no_overload, spending, typed
from heddle.extensions.languages.cel.values import kind

_SPACES: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_UPPER: Final = {lower: upper for upper, lower in _LOWER.items()}
_ESCAPES: Final = str.maketrans(
    {
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
        "\\": "\\\\",
        '"': '\\"',
    }
)


def _out_of_range(name: str, at: int, text: str) -> CelError:
    return CelError(f"{name}: {at} is out of range (the text has {len(text)} characters)")


def _char_at(text: str, at: int) -> str:
    if not 0 <= at <= len(text):
        raise _out_of_range("charAt", at, text)
    return text[at : at + 1]


def _index_of(text: str, part: str, start: int = 0) -> int:
    if not part:
        return start
    if start < 0:
        raise _out_of_range("indexOf", start, text)
    return text.find(part, start)


def _last_index_of(text: str, part: str, start: int | None = None) -> int:
    if start is None:
        return text.rfind(part)
    if not part:
        return start
    if start < 0:
        raise _out_of_range("lastIndexOf", start, text)
    return -1 if start >= len(text) else text.rfind(part, 0, start + len(part))


def _replace(budget: list[int], text: str, old: str, new: str, limit: int = -1) -> str:
    times = text.count(old) if limit < 0 else min(limit, text.count(old))
    bounded(budget, len(text) + times * (len(new) - len(old)))
    return text.replace(old, new, limit)


def _split(budget: list[int], text: str, mark: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    parts = text.count(mark) + 1
    # A part is a text of its own, and costs more than an element.
    spend(budget, 2 * (min(parts, limit) if limit > 0 else parts) + len(text) // LETTERS)
    if not mark:
        chars = list(text)
        if 0 < limit < len(chars):
            return [*chars[: limit - 1], text[limit - 1 :]]
        return chars
    return text.split(mark, limit - 1 if limit > 0 else -1)


def _substring(text: str, start: int, end: int | None = None) -> str:
    last = len(text) if end is None else end
    for at in (start, last):
        if not 0 <= at <= len(text):
            raise _out_of_range("substring", at, text)
    if start > last:
        raise CelError(f"substring({start}, {last}): the end stands before the start")
    return text[start:last]


def _join(budget: list[int], items: Any, mark: Any = "") -> str:
    if kind(items) != "list" or kind(mark) != "string":
        raise no_overload("join", items, mark)
    for item in items:
        if kind(item) != "string":
            raise CelError(f"join() wants a list of strings, not one with {kind(item)}")
    bounded(budget, sum(map(len, items)) + len(mark) * len(items))
    return str(mark).join(items)


def _quote(budget: list[int], text: str) -> str:
    bounded(budget, 2 * len(text))
    return f'"{text.translate(_ESCAPES)}"'


def _method(
    name: str,
    run: Callable[..., Any],
    *kinds: str,
    result: str = "string",
    spends: bool = False,
) -> Function:
    guard = spending if spends else typed
    return Function(
        name=name,
        run=guard(name, run, "string", *kinds),
        arity=1 + len(kinds),
        method=True,
        result=result,
        costly=True,
        spends=spends,
    )


FUNCTIONS: Final = (
    _method("charAt", _char_at, "int"),
    _method("indexOf", _index_of, "string", result="int"),
    _method("indexOf", _index_of, "string", "int", result="int"),
    _method("lastIndexOf", _last_index_of, "string", result="int"),
    _method("lastIndexOf", _last_index_of, "string", "int", result="int"),
    _method("lowerAscii", lambda text: text.translate(_LOWER)),
    _method("upperAscii", lambda text: text.translate(_UPPER)),
    _method("replace", _replace, "string", "string", spends=True),
    _method("replace", _replace, "string", "string", "int", spends=True),
    _method("split", _split, "string", result="list", spends=True),
    _method("split", _split, "string", "int", result="list", spends=True),
    _method("substring", _substring, "int"),
    _method("substring", _substring, "int", "int"),
    _method("trim", lambda text: text.strip(_SPACES)),
    *(
        Function(
            name="join",
            run=_join,
            arity=arity,
            method=True,
            result="string",
            costly=True,
            spends=True,
        )
        for arity in (1, 2)
    ),
    Function(
        name="format",
        run=formatted,
        arity=2,
        method=True,
        result="string",
        costly=True,
        spends=True,
    ),
    Function(
        name="strings.quote",
        run=spending("strings.quote", _quote, "string"),
        arity=1,
        result="string",
        costly=True,
        spends=True,
    ),
)
