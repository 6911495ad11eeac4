"""The values of CEL that plain data lacks: uint, timestamp, duration and types."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from types import NoneType
from typing import Any, Final

from heddle.extensions.languages.cel.addresses import Cidr, IpAddress
from heddle.extensions.languages.cel.errors import CelError
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.stream import ByteStream, Stream

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
UINT_MAX: Final = 2**64 - 1

NANOS: Final = 1_000_000_000
TIMESTAMP_MIN: Final = -62_135_596_800 * NANOS
"""0001-01-01T00:00:00Z in nanoseconds since 1970."""
TIMESTAMP_MAX: Final = 253_402_300_800 * NANOS - 1
"""9999-12-31T23:59:59.999999999Z in nanoseconds since 1970."""
DURATION_MAX: Final = 315_576_000_000 * NANOS + NANOS - 1
"""Ten thousand years, as the protobuf type has it."""


class Uint(int):
    """An unsigned 64-bit whole number; a type of its own, so that it never passes for an int."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{int(self)}u"


class Timestamp:
    """A moment, in nanoseconds since 1970."""

    __slots__ = ("nanos",)

    def __init__(self, nanos: int) -> None:
        if not TIMESTAMP_MIN <= nanos <= TIMESTAMP_MAX:
            raise CelError("timestamp out of range (expected: years 0001 to 9999)")
        self.nanos = nanos

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timestamp) and self.nanos == other.nanos

    def __hash__(self) -> int:
        return hash(self.nanos)


class CelDuration:
    """A span of time, in nanoseconds; zero is false."""

    __slots__ = ("nanos",)

    def __init__(self, nanos: int) -> None:
        if not -DURATION_MAX <= nanos <= DURATION_MAX:
            raise CelError("duration out of range (expected: at most 10,000 years)")
        self.nanos = nanos

    def __bool__(self) -> bool:
        return self.nanos != 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CelDuration) and self.nanos == other.nanos

    def __hash__(self) -> int:
        return hash(("duration", self.nanos))


class Type:
    """The type of a value, as `type(x)` gives it."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Type) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


ABSENT: Final = object()
"""Stands for a value that is not there."""


class OptionalValue:
    """A value that is there, or NONE."""

    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        self.held = held


NONE: Final = OptionalValue(ABSENT)
"""The optional value without a value: there is only this one."""

KINDS: Final[dict[type, str]] = {
    NoneType: "null_type",
    bool: "bool",
    int: "int",
    Uint: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    dict: "map",
    Timestamp: "timestamp",
    CelDuration: "duration",
    Type: "type",
    OptionalValue: "optional",
    IpAddress: "net.IP",
    Cidr: "net.CIDR",
    datetime: "timestamp",
    timedelta: "duration",
    Error: "error",
    ByteStream: "stream",
    Stream: "stream",
}

_BASES: Final[tuple[tuple[type, str], ...]] = (
    (dict, "map"),
    (str, "string"),
    (Mapping, "map"),
    (list, "list"),
    (tuple, "list"),
    (int, "int"),
    (float, "double"),
    (bytes, "bytes"),
    (bytearray, "bytes"),
    (memoryview, "bytes"),
    (date, "timestamp"),
    (timedelta, "duration"),
    (Error, "error"),
)

TYPES: Final = {
    name: Type(name)
    for name in [
        "bool",
        "bytes",
        "double",
        "int",
        "list",
        "map",
        "null_type",
        "optional_type",
        "string",
        "type",
        "uint",
    ]
}
"""The types that have a name of their own in an expression."""

LONG_NAMES: Final = {
    "timestamp": "google.protobuf.Timestamp",
    "duration": "google.protobuf.Duration",
    "optional": "optional_type",
}


def kind(value: Any) -> str:
    """Return the short name of a value's CEL type; a foreign class goes by its own name."""
    text = KINDS.get(type(value))
    if text is not None:
        return text
    for base, name in _BASES:
        if isinstance(value, base):
            return name
    return type(value).__name__


def type_of(value: Any) -> Type:
    """Return the CEL type of a value."""
    name = kind(value)
    return Type(LONG_NAMES.get(name, name))


def int64(value: int) -> int:
    """Return the number itself; a Fault if an int cannot hold it."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise CelError("integer overflow (an int has 64 bits)")


def uint64(value: int) -> Uint:
    """Return the number as a uint; a Fault if a uint cannot hold it."""
    if 0 <= value <= UINT_MAX:
        return Uint(value)
    raise CelError("unsigned integer overflow (a uint is 0 to 18446744073709551615)")


_MICRO: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def moment(value: Any) -> Timestamp:
    """Return a value of kind timestamp as a Timestamp; a datetime without a zone counts as UTC."""
    if isinstance(value, Timestamp):
        return value
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    elif value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return Timestamp((value - _EPOCH) // _MICRO * 1000)


def span(value: Any) -> CelDuration:
    """Return a value of kind duration as a Duration."""
    return value if isinstance(value, CelDuration) else CelDuration(value // _MICRO * 1000)
