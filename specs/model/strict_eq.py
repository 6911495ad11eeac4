"""Plain data is identical when it is equal and of the same types: `1`, `1.0` and `true` are three things.

Python takes them for equal, and so does a comparison of dicts and lists.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

_encode = msgspec.msgpack.Encoder().encode


def identical(value: Any, other: Any) -> bool:
    """Return whether two pieces of plain data are equal down to the types of their numbers; order of keys is free."""
    if value is other:
        return True
    if value != other:
        return False
    try:
        # They are equal, so only a type or the order of keys can differ. That the bytes are the
        # same settles it for nearly all; writing them is ten times as fast as looking.
        return _encode(value) == _encode(other) or _alike(value, other)
    except (TypeError, OverflowError, ValueError, RecursionError):
        # Integers beyond 64 bits, and what is not plain data.
        return _alike(value, other)


def _alike(value: Any, other: Any) -> bool:
    """Return whether two equal pieces of data have the same types throughout."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return all(_alike(value, other[key]) for key, value in value.items())
    if isinstance(value, list | tuple) and isinstance(other, list | tuple):
        return all(_alike(*pair) for pair in zip(value, other, strict=True))
    if isinstance(value, msgspec.Struct) and isinstance(other, msgspec.Struct):
        return all(
            _alike(getattr(value, name), getattr(other, name)) for name in value.__struct_fields__
        )
    return type(value) is type(other)
