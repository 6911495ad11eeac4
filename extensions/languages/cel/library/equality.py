"""Sameness and order of CEL values in keys that Python compares and finds as CEL does."""

import math
from typing import Any

from heddle.extensions.languages.cel.errors import CelError
from heddle.extensions.languages.cel.operators import NUMBERS
from heddle.extensions.languages.cel.values import NONE, kind, moment, span


def same_key(value: Any) -> Any:
    """Return a key that equals another exactly where CEL finds the values equal; it can be hashed."""
    name = kind(value)
    if name in NUMBERS:
        # NaN equals nothing, not even itself.
        return object() if isinstance(value, float) and math.isnan(value) else ("number", value)
    if name == "list":
        return (name, tuple(map(same_key, value)))
    if name == "map":
        return (name, frozenset((same_key(key), same_key(each)) for key, each in value.items()))
    if name == "timestamp":
        return (name, moment(value).nanos)
    if name == "duration":
        return (name, span(value).nanos)
    if name == "optional":
        return (name, value.held if value is NONE else same_key(value.held))
    if name in ("string", "bytes", "bool", "null_type", "type", "error", "net.IP", "net.CIDR"):
        return (name, value)
    return (name, id(value))


def order_keys(values: list[Any], function: str) -> list[Any]:
    """Keys by which Python sorts the values; a Fault unless all are of one kind that has an order."""
    names = {"number" if kind(value) in NUMBERS else kind(value) for value in values}
    if len(names) > 1:
        raise CelError(f"{function}() wants values of one type, not {' and '.join(sorted(names))}")
    for name in names:
        if name not in ("number", "string", "bytes", "bool", "timestamp", "duration"):
            raise CelError(f"{function}() cannot order values of type {name}")
        if name == "timestamp":
            return [moment(value).nanos for value in values]
        if name == "duration":
            return [span(value).nanos for value in values]
    return values
