"""Optional values: `a.?b`, `a[?k]`, and what is done with a value that may not be there."""

from typing import Any

from heddle.extensions.languages.cel.errors import CelError
from heddle.extensions.languages.cel.values import (
    ABSENT,
    NONE,
    CelDuration,
    OptionalValue,
    Timestamp,
    kind,
    moment,
    span,
)


def held(value: Any, function: str) -> Any:
    """Return the value of an optional one, or ABSENT; a Fault for every other value."""
    if kind(value) != "optional":
        hint = f"Try a.?b.{function}(…)"
        raise CelError(f"no such overload: {kind(value)}.{function}() (it is not optional). {hint}")
    return value.held


def checked(value: Any, function: str) -> Any:
    """Return an optional value; a Fault for every other one."""
    held(value, function)
    return value


def items_of(value: Any) -> tuple[Any, ...]:
    """Return what `[?value]` puts into a list."""
    return () if (item := held(value, "[?…]")) is ABSENT else (item,)


def entries_of(key: Any, value: Any) -> tuple[tuple[Any, Any], ...]:
    """Return what `{?key: value}` puts into a map."""
    return () if (item := held(value, "{?…}")) is ABSENT else ((key, item),)


def of(value: Any) -> OptionalValue:
    """`optional.of(value)`."""
    return OptionalValue(value)


def none() -> OptionalValue:
    """`optional.none()`."""
    return NONE


def of_non_zero(value: Any) -> OptionalValue:
    """`optional.ofNonZeroValue(value)`: none of null, false, 0, and what is empty."""
    return NONE if _is_zero(value) else OptionalValue(value)


def _is_zero(value: Any) -> bool:
    name = kind(value)
    if name == "timestamp":
        return moment(value) == Timestamp(0)
    if name == "duration":
        return span(value) == CelDuration(0)
    if name == "optional":
        return value is NONE
    if name in ("string", "bytes", "list", "map"):
        return len(value) == 0
    return name in ("null_type", "bool", "int", "uint", "double") and not value


def has_value(value: Any) -> bool:
    """`optional.hasValue()`."""
    return held(value, "hasValue") is not ABSENT


def value_of(value: Any) -> Any:
    """`optional.value()`; a Fault if there is none."""
    item = held(value, "value")
    if item is ABSENT:
        raise CelError("optional.none() has no value. Try orValue(…)")
    return item
