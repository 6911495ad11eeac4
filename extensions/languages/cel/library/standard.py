"""The standard functions of CEL: sizes, text, the calendar."""

from typing import Any, Final

from heddle.extensions.languages.cel.library.function import Function, no_overload, typed
from heddle.extensions.languages.cel.patterns import search
from heddle.extensions.languages.cel.times import ACCESSORS
from heddle.extensions.languages.cel.values import kind


def _size(value: Any) -> int:
    if kind(value) in ("string", "bytes", "list", "map"):
        return len(value)
    raise no_overload("size", value)


def _matches(text: Any, pattern: Any) -> bool:
    if kind(text) != "string" or kind(pattern) != "string":
        raise no_overload("matches", text, pattern)
    return search(pattern)(text)


def _text(name: str, inline: str, run: Any) -> Function:
    return Function(
        name=name,
        run=typed(name, run, "string", "string"),
        arity=2,
        method=True,
        result="bool",
        costly=True,
        inline=inline,
        takes=("string", "string"),
    )


_CALENDAR_ZONED: Final = tuple(
    Function(name=name, run=run, arity=arity, method=True, result="int")
    for name, run in ACCESSORS.items()
    for arity in (1, 2)
)

FUNCTIONS: Final = (
    *(
        Function(
            name="size",
            run=_size,
            arity=1,
            method=method,
            result="int",
            inline="len({0})",
            takes=("sized",),
        )
        for method in (False, True)
    ),
    _text("contains", "{1} in {0}", lambda text, part: part in text),
    _text("startsWith", "{0}.startswith({1})", lambda text, part: text.startswith(part)),
    _text("endsWith", "{0}.endswith({1})", lambda text, part: text.endswith(part)),
    Function(name="matches", run=_matches, arity=2, result="bool", costly=True),
    Function(name="matches", run=_matches, arity=2, method=True, result="bool", costly=True),
    *_CALENDAR_ZONED,
)
