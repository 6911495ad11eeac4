"""The functions that turn a value into one of another type."""

import math
import re
from decimal import Decimal
from typing import Any, Final

import msgspec

from heddle.extensions.languages.cel.errors import BudgetExceededError, CelError
from heddle.extensions.languages.cel.library.function import Function, no_overload
from heddle.extensions.languages.cel.results import deep_plain
from heddle.extensions.languages.cel.times import (
    format_duration,
    format_timestamp,
    parse_duration,
    parse_timestamp,
)
from heddle.extensions.languages.cel.values import (
    INT_MAX,
    INT_MIN,
    NANOS,
    UINT_MAX,
    CelDuration,
    Timestamp,
    Uint,
    kind,
    moment,
    span,
    type_of,
)
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.materialize import encode_with

_LONGEST: Final = 10_000_000
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
_REAL: Final = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE
)
_TRUE: Final = frozenset({"1", "t", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "false", "FALSE", "False"})


def _unreadable(value: str, type_name: str) -> CelError:
    return CelError(f'"{value[:80]}" is not {type_name}')


def _whole(value: str, low: int, high: int, type_name: str) -> int:
    # Longer than any 64-bit number: Python refuses to read very long ones.
    if _WHOLE.fullmatch(value) is None or len(value) > 100:
        raise _unreadable(value, type_name)
    number = int(value)
    if not low <= number <= high:
        raise CelError(f"{number} is out of range for {type_name}")
    return number


def to_int(value: Any) -> int:
    """`int(x)`: doubles are cut towards zero, timestamps give the second since 1970."""
    name = kind(value)
    if name in ("int", "uint", "bool"):
        number = int(value)
    elif name == "double":
        if not INT_MIN < value < INT_MAX:
            raise CelError(f"{format_double(value)} is out of range for an int")
        number = int(value)
    elif name == "string":
        return _whole(value, INT_MIN, INT_MAX, "an int")
    elif name == "timestamp":
        return moment(value).nanos // NANOS
    else:
        raise no_overload("int", value)
    if not INT_MIN <= number <= INT_MAX:
        raise CelError(f"{number} is out of range for an int")
    return number


def to_uint(value: Any) -> Uint:
    """`uint(x)`."""
    name = kind(value)
    if name == "string":
        if value[:1] == "-":
            raise _unreadable(value, "a uint")
        return Uint(_whole(value, 0, UINT_MAX, "a uint"))
    if name not in ("int", "uint", "double"):
        raise no_overload("uint", value)
    if not 0 <= value <= UINT_MAX:
        shown = format_double(value) if name == "double" else str(int(value))
        raise CelError(f"{shown} is out of range for a uint")
    return Uint(value)


def to_double(value: Any) -> float:
    """`double(x)`."""
    name = kind(value)
    if name in ("int", "uint", "double"):
        try:
            return float(value)
        except OverflowError:
            raise CelError("the number is out of range for a double") from None
    if name == "string":
        if _REAL.fullmatch(value) is None:
            raise _unreadable(value, "a double")
        return float(value)
    raise no_overload("double", value)


def to_bool(value: Any) -> bool:
    """`bool(x)`."""
    if value is True or value is False:
        return bool(value)
    if kind(value) != "string":
        raise no_overload("bool", value)
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise _unreadable(value, 'a bool (expected: "true" or "false")')


def format_double(value: float) -> str:
    """Return the shortest digits that read back as the same double: `1`, `0.1`, `1e+06`."""
    if not math.isfinite(value):
        return str(value)
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0") or "0"
    scale = len(digits) + int(exponent) - 1 if value else 0
    minus = "-" if sign else ""
    if -4 <= scale < 6:
        return minus + _positional(text, scale)
    rest = f".{text[1:]}" if len(text) > 1 else ""
    return f"{minus}{text[0]}{rest}e{'-' if scale < 0 else '+'}{abs(scale):02d}"


def _positional(digits: str, scale: int) -> str:
    if scale < 0:
        return "0." + "0" * (-scale - 1) + digits
    whole = digits[: scale + 1].ljust(scale + 1, "0")
    return f"{whole}.{digits[scale + 1 :]}" if len(digits) > scale + 1 else whole


def to_string(value: Any) -> str:
    """`string(x)`: lists and maps are JSON text."""
    name = kind(value)
    if name == "string":
        return str(value)
    if name == "bool":
        return "true" if value else "false"
    if name in ("int", "uint"):
        return str(int(value))
    if name == "double":
        return format_double(value)
    if name == "bytes":
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            raise CelError("the bytes are not UTF-8") from None
    if name == "timestamp":
        return format_timestamp(moment(value))
    if name == "duration":
        return format_duration(span(value))
    if name == "error":
        return str(value.message)
    if name == "type":
        return str(value.name)
    if name in ("net.IP", "net.CIDR"):
        return str(value)
    if name in ("list", "map"):
        return _json(value)
    raise no_overload("string", value)


def _json(value: Any) -> str:
    """Return a list or a map as JSON text; a Fault for what JSON cannot hold, or if that would be too long."""
    _measure(value)
    try:
        return encode_with(_encode, deep_plain(value)).decode()
    except (TypeError, ValueError, OverflowError) as error:
        raise CelError(f"the {kind(value)} cannot be JSON: {error}") from None


def _measure(value: Any) -> None:
    """Raise BudgetExceededError if the JSON text would be too long: many places may hold the same long text."""
    left, todo = _LONGEST, [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str | bytes):
            left -= len(item)
        elif isinstance(item, list | tuple | dict):
            left -= len(item) + 2
        else:
            left -= 1
        if left < 0:
            raise BudgetExceededError(f"string() would make more than {_LONGEST:,} characters")
        if isinstance(item, dict):
            todo += item.keys()
            todo += item.values()
        elif isinstance(item, list | tuple):
            todo += item


def _message(value: Any) -> str:
    if isinstance(value, Error):
        return value.message
    raise TypeError(f"a {kind(value)} is not plain data")


_encode: Final = msgspec.json.Encoder(enc_hook=_message).encode


def to_bytes(value: Any) -> bytes:
    """`bytes(x)`: text as UTF-8."""
    name = kind(value)
    if name == "bytes":
        return bytes(value)
    if name == "string":
        try:
            return str(value).encode()
        except UnicodeEncodeError:
            raise CelError("half a surrogate pair cannot be written as UTF-8") from None
    raise no_overload("bytes", value)


def to_timestamp(value: Any) -> Timestamp:
    """`timestamp(x)`: of RFC 3339 text, or of seconds since 1970."""
    name = kind(value)
    if name == "string":
        return parse_timestamp(value)
    if name == "int":
        return Timestamp(int(value) * NANOS)
    if name == "timestamp":
        return moment(value)
    raise no_overload("timestamp", value)


def to_duration(value: Any) -> CelDuration:
    """`duration(x)`: of text such as `1h30m`."""
    name = kind(value)
    if name == "string":
        return parse_duration(value)
    if name == "duration":
        return span(value)
    raise no_overload("duration", value)


FUNCTIONS: Final = (
    Function(name="int", run=to_int, arity=1, result="int"),
    Function(name="uint", run=to_uint, arity=1, result="uint", special=True),
    Function(name="double", run=to_double, arity=1, result="double"),
    Function(name="bool", run=to_bool, arity=1, result="bool"),
    Function(name="string", run=to_string, arity=1, result="string", costly=True),
    Function(name="bytes", run=to_bytes, arity=1, result="bytes", costly=True),
    Function(name="timestamp", run=to_timestamp, arity=1, result="timestamp", special=True),
    Function(name="duration", run=to_duration, arity=1, result="duration", special=True),
    Function(name="type", run=type_of, arity=1, result="type", special=True),
)
