"""The values of databases as plain data: numbers are numbers, times are ISO 8601 text."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID


def plain(value: Any) -> Any:
    """Return a value of a Python database library as plain data."""
    if value is None or isinstance(value, str | bool | int | float | bytes):
        return value
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, UUID | timedelta):
        return str(value)
    return str(value)


def number(value: Decimal) -> int | float:
    """Return a decimal as a number: an int if it has no places, a float otherwise."""
    if value.is_finite():
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and exponent >= 0:
            return int(value)
    return float(value)
