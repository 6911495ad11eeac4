"""The extension library `lists`: parts of lists, their order, and lists of numbers."""

from itertools import chain
from typing import Any, Final

from heddle.extensions.languages.cel.budget import LONGEST, spend
from heddle.extensions.languages.cel.errors import BudgetExceededError, CelError
from heddle.extensions.languages.cel.library.equality import order_keys, same_key
from heddle.extensions.languages.cel.library.function import Function, no_overload, spending
from heddle.extensions.languages.cel.values import kind

_KEYED: Final = 4
"""The cost of the key of an element, by which it is looked up or sorted."""


def _distinct(budget: list[int], items: Any) -> list[Any]:
    if kind(items) != "list":
        raise no_overload("distinct", items)
    spend(budget, _KEYED * len(items))
    mapping: dict[Any, Any] = {}
    for item in items:
        mapping.setdefault(same_key(item), item)
    return list(mapping.values())


def _flatten(budget: list[int], items: Any, depth: Any = 1) -> list[Any]:
    if kind(items) != "list" or kind(depth) != "int":
        raise no_overload("flatten", items, depth)
    if depth < 0:
        raise CelError("flatten() wants a depth that is not negative")
    spend(budget, len(items))
    values = list(items)
    while depth > 0 and any(kind(item) == "list" for item in values):
        _many(budget, sum(len(item) if kind(item) == "list" else 1 for item in values))
        values = list(
            chain.from_iterable(item if kind(item) == "list" else [item] for item in values)
        )
        depth -= 1
    return values


def _many(budget: list[int], size: int) -> None:
    """Pay for a list of so many elements, before it is made."""
    if size > LONGEST:
        raise BudgetExceededError(
            f"a function would make more than {LONGEST:,} characters or elements"
        )
    spend(budget, max(size, 0))


def _range(budget: list[int], size: int) -> list[int]:
    _many(budget, size)
    return list(range(size))


def _slice(items: Any, start: Any, end: Any) -> list[Any]:
    if (kind(items), kind(start), kind(end)) != ("list", "int", "int"):
        raise no_overload("slice", items, start, end)
    if not 0 <= start <= end <= len(items):
        raise CelError(
            f"slice({start}, {end}) is out of range (the list has {len(items)} elements)"
        )
    return list(items[start:end])


def _sort(budget: list[int], items: Any) -> list[Any]:
    if kind(items) != "list":
        raise no_overload("sort", items)
    spend(budget, _KEYED * len(items))
    return sort_by(list(items), list(items), "sort")


def sort_by(items: list[Any], by: list[Any], function: str = "sortBy") -> list[Any]:
    """Return the items in the order of what stands at the same place in `by`; equals stay as they were."""
    keys = order_keys(by, function)
    return [items[at] for at in sorted(range(len(items)), key=keys.__getitem__)]


def reverse(value: Any) -> Any:
    """`x.reverse()` of a list, or of a string."""
    name = kind(value)
    if name == "string":
        return str(value)[::-1]
    if name == "list":
        return list(value)[::-1]
    raise no_overload("reverse", value)


def _method(name: str, run: Any, arity: int, *, spends: bool = True) -> Function:
    return Function(
        name=name,
        run=run,
        arity=arity,
        method=True,
        result="list",
        special=True,
        costly=True,
        spends=spends,
    )


FUNCTIONS: Final = (
    _method("distinct", _distinct, 1),
    _method("flatten", _flatten, 1),
    _method("flatten", _flatten, 2),
    _method("slice", _slice, 3, spends=False),
    _method("sort", _sort, 1),
    Function(name="reverse", run=reverse, arity=1, method=True, special=True, costly=True),
    Function(
        name="lists.range",
        run=spending("lists.range", _range, "int"),
        arity=1,
        result="list",
        costly=True,
        spends=True,
    ),
)
