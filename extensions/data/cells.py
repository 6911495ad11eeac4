"""Cells of a table of text: what they mean as data, and how data is written into them."""

from collections.abc import Callable
from math import isfinite
from typing import Any, Literal, TypeAlias

import msgspec

from heddle.extensions.data.errors import rejected
from heddle.runtime.flow.materialize import encode_with
from heddle.specs.model.json_text import decode as decode_json

Type: TypeAlias = Literal["text", "int", "number", "bool", "json"]

_TRUE = frozenset({"true", "yes", "on", "1", "t", "y"})
_FALSE = frozenset({"false", "no", "off", "0", "f", "n"})


def _bool(text: str) -> bool:
    low = text.strip().lower()
    if low in _TRUE or low in _FALSE:
        return low in _TRUE
    raise ValueError("no truth value")


def _int(text: str) -> int:
    if "_" in text or not text.isascii():
        raise ValueError("not a whole number")
    return int(text)


def _number(text: str) -> int | float:
    if "_" in text or not text.isascii():
        raise ValueError("not a number")
    if "." not in text:
        try:
            return int(text)
        except ValueError:
            pass
    number = float(text)
    # `nan` and `inf` are words, and 1e400 is more than a number holds: no payload has them.
    if not isfinite(number):
        raise ValueError("not a number")
    return number


READERS: dict[Type, Callable[[str], Any]] = {
    "text": str,
    "int": _int,
    "number": _number,
    "bool": _bool,
    "json": decode_json,
}

_NAMES = {
    "int": "a whole number",
    "number": "a number",
    "bool": "true or false",
    "json": "JSON",
    "text": "text",
}


def read(text: str, expected: Type, line: int, column: str) -> Any:
    """Return what a cell says; NodeError names the place, what was found and what was expected."""
    try:
        return READERS[expected](text)
    except (ValueError, msgspec.DecodeError):
        actual = f'line {line}, {column}: found "{text}" (expected: {_NAMES[expected]})'
        raise rejected(actual, "cell") from None


def written(value: Any) -> str:
    """Return data as the text of a cell: null is empty, lists and maps are JSON.

    What JSON has no number for (NaN, an infinity) is empty, as it is null there.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not isfinite(value):
        return ""
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | dict):
        try:
            return encode_with(msgspec.json.encode, value).decode()
        except (TypeError, ValueError, OverflowError) as error:
            raise rejected(f"a cell cannot be JSON: {error}") from error
    raise rejected(f"a cell cannot hold a {type(value).__name__}")
