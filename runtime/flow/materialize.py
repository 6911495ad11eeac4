"""Lazy maps turned into ordinary ones, for code in C that reads dicts past their methods.

A request is a map that decodes its fields when they are read. An encoder stumbles over one that has
not been read as a whole: it raises TypeError, and never makes half of a request.
"""

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def plain(value: Any) -> Any:
    """Return the same data with every lazy map inside it read out into an ordinary dict."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def encode_with(encode: Callable[[Any], T], value: Any) -> T:
    """Return what an encoder makes of a value, lazy maps included; raises what the encoder raises."""
    try:
        return encode(value)
    except TypeError:
        # Rare, so that the others need not be looked through.
        return encode(plain(value))
