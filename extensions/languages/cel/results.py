"""What a run may cost, and what leaves it: results are plain data."""

from collections.abc import Callable
from typing import Any, Final

from heddle.extensions.languages.cel.errors import Exhausted
from heddle.extensions.languages.cel.times import format_duration, format_timestamp
from heddle.extensions.languages.cel.values import Duration, Timestamp, Type, Uint

BUDGET: Final = 10_000_000
"""How many elements one run may visit with its macros, and build inside them."""


def exhausted() -> Exhausted:
    """The Fault of a run that went on for too long."""
    return Exhausted(f"the macros visited or built more than {BUDGET:,} elements")


def charge(budget: list[int], value: Any) -> Any:
    """The value, once its size is paid for: inside a macro, what is joined again and again grows."""
    if isinstance(value, str | bytes):
        budget[0] -= len(value) >> 3
    elif isinstance(value, list | dict):
        budget[0] -= len(value)
    if budget[0] < 0:
        raise exhausted()
    return value


_PLAIN: Final[dict[type, Callable[[Any], Any]]] = {
    Uint: int,
    Timestamp: format_timestamp,
    Duration: format_duration,
    Type: lambda value: value.name,
}


def plain(value: Any) -> Any:
    """What leaves a program: uint as int, timestamps and durations as text, a type as its name."""
    make = _PLAIN.get(type(value))
    return value if make is None else make(value)


def deep_plain(value: Any) -> Any:
    """`plain` for every value inside lists and maps as well, which are built anew."""
    if type(value) is list:
        return [deep_plain(item) for item in value]
    if type(value) is dict:
        return {plain(key): deep_plain(item) for key, item in value.items()}
    return plain(value)
