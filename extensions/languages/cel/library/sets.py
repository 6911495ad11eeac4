"""The extension library `sets`: lists as sets, whatever their order and their doubles."""

from collections.abc import Callable
from typing import Any, Final

from heddle.extensions.languages.cel.budget import spend
from heddle.extensions.languages.cel.library.equality import same_key
from heddle.extensions.languages.cel.library.function import Function, spending


def _keys(items: list[Any]) -> set[Any]:
    return set(map(same_key, items))


def _contains(items: list[Any], part: list[Any]) -> bool:
    return _keys(part) <= _keys(items)


def _equivalent(a: list[Any], b: list[Any]) -> bool:
    return _keys(a) == _keys(b)


def _intersects(a: list[Any], b: list[Any]) -> bool:
    return not _keys(a).isdisjoint(_keys(b))


_KEYED: Final = 4
"""The cost of the key of an element, by which it is looked up."""


def _function(name: str, run: Callable[[list[Any], list[Any]], bool]) -> Function:
    def paid(budget: list[int], a: list[Any], b: list[Any]) -> bool:
        spend(budget, _KEYED * (len(a) + len(b)))
        return run(a, b)

    return Function(
        name=name,
        run=spending(name, paid, "list", "list"),
        arity=2,
        result="bool",
        costly=True,
        spends=True,
    )


FUNCTIONS: Final = (
    _function("sets.contains", _contains),
    _function("sets.equivalent", _equivalent),
    _function("sets.intersects", _intersects),
)
