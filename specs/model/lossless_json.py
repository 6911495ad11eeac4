"""Data as JSON that loses nothing: bytes, NaN and infinities are said by a map of one key.

b"hi"          {"$bytes": "aGk="}
float("nan")   {"$float": "nan"}       and "inf", "-inf"
{"$bytes": 1}  {"$map": {"$bytes": 1}} a map that only looks like one of these
"""

import math
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Mapping
from typing import Any

BYTES, FLOAT, MAP = "$bytes", "$float", "$map"

_MARKS = frozenset({BYTES, FLOAT, MAP})
_FLOATS = frozenset({"nan", "inf", "-inf"})


class MarkError(ValueError):
    """A map of one key that begins with `$` and says nothing that can be read."""


def marked(data: Any) -> Any:
    """Return the same data with what JSON cannot say marked; what needs no mark is shared."""
    if isinstance(data, str) or data is None:
        return data
    if isinstance(data, float):
        return data if math.isfinite(data) else {FLOAT: _float(data)}
    if isinstance(data, Mapping):
        plain = {key: marked(value) for key, value in data.items()}
        return {MAP: plain} if len(data) == 1 and next(iter(data)) in _MARKS else plain
    if isinstance(data, list | tuple):
        return [marked(value) for value in data]
    if isinstance(data, bytes | bytearray):
        return {BYTES: b64encode(data).decode()}
    return data


def unmarked(data: Any) -> Any:
    """Return the data that was marked so; MarkError says what cannot be read."""
    if isinstance(data, list):
        return [unmarked(value) for value in data]
    if not isinstance(data, dict):
        return data
    if len(data) == 1:
        key, value = next(iter(data.items()))
        if key in _MARKS:
            return _decoded(key, value)
    return {key: unmarked(value) for key, value in data.items()}


def _decoded(key: str, value: Any) -> Any:
    if key == MAP and isinstance(value, dict):
        return {name: unmarked(item) for name, item in value.items()}
    if key == FLOAT and value in _FLOATS:
        return float(value)
    if key == BYTES and isinstance(value, str):
        try:
            return b64decode(value, validate=True)
        except BadBase64:
            raise MarkError(f"{BYTES}: found no base64") from None
    expected = {BYTES: "text in base64", FLOAT: '"nan", "inf" or "-inf"', MAP: "a map"}[key]
    raise MarkError(f"{key}: found {type(value).__name__} (expected: {expected})")


def _float(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return "inf" if value > 0 else "-inf"
