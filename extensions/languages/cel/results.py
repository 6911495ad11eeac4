"""The results of a run: plain data."""

from collections.abc import Callable
from typing import Any, Final

from heddle.extensions.languages.cel.addresses import Cidr, IpAddress
from heddle.extensions.languages.cel.times import format_duration, format_timestamp
from heddle.extensions.languages.cel.values import (
    NONE,
    CelDuration,
    OptionalValue,
    Timestamp,
    Type,
    Uint,
)

_PLAIN: Final[dict[type, Callable[[Any], Any]]] = {
    Uint: int,
    Timestamp: format_timestamp,
    CelDuration: format_duration,
    Type: lambda value: value.name,
    IpAddress: str,
    Cidr: str,
}


def plain(value: Any) -> Any:
    """Return what leaves a program: uint as int, times and addresses as text, a type as its name.

    An optional value leaves as its value, or as null.
    """
    if type(value) is OptionalValue:
        return None if value is NONE else deep_plain(value.held)
    make = _PLAIN.get(type(value))
    return value if make is None else make(value)


def deep_plain(value: Any) -> Any:
    """`plain` for every value inside lists and maps as well, which are built anew."""
    if type(value) is list:
        return [deep_plain(item) for item in value]
    if type(value) is dict:
        return {plain(key): deep_plain(item) for key, item in value.items()}
    return plain(value)
