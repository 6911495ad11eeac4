"""The exact operators; compiled code comes here whenever its short cuts do not apply."""

import math
import operator
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from heddle.extensions.languages.cel.access import entry, stored_key
from heddle.extensions.languages.cel.errors import CelError
from heddle.extensions.languages.cel.values import (
    ABSENT,
    INT_MAX,
    CelDuration,
    Timestamp,
    int64,
    kind,
    moment,
    span,
    uint64,
)

Helper: TypeAlias = Callable[[Any, Any], Any]

NUMBERS: Final = frozenset({"int", "uint", "double"})


def _quotient(a: int, b: int) -> int:
    if b == 0:
        raise CelError("division by zero")
    size = abs(a) // abs(b)
    return size if (a < 0) == (b < 0) else -size


def _remainder(a: int, b: int) -> int:
    if b == 0:
        raise CelError("modulus by zero")
    if a == -INT_MAX - 1 and b == -1:
        raise CelError("integer overflow (an int has 64 bits)")
    size = abs(a) % abs(b)
    return -size if a < 0 else size


def _divide(a: float, b: float) -> float:
    if b != 0:
        return a / b
    if a == 0 or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def _whole_remainder(a: float, b: float) -> float:
    if not (a.is_integer() and b.is_integer()):
        raise CelError("% wants whole numbers")
    if b == 0:
        raise CelError("modulus by zero")
    return math.fmod(a, b)


def _double(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _joined(a: Any, b: Any) -> list[Any]:
    return [*a, *b]


def _between(a: Timestamp, b: Timestamp) -> CelDuration:
    # The conformance tests want an error if 64 bits of nanoseconds, 292 years, do not suffice.
    return CelDuration(int64(a.nanos - b.nanos))


_Rows: TypeAlias = dict[tuple[str, str], Helper]


def _arithmetic(ints: Helper, doubles: Helper) -> _Rows:
    """Return the rows that every arithmetic operator has; an int beside a double becomes a double."""

    def mixed(a: Any, b: Any) -> Any:
        return doubles(_double(a), _double(b))

    return {
        ("int", "int"): lambda a, b: int64(ints(int(a), int(b))),
        ("uint", "uint"): lambda a, b: uint64(ints(int(a), int(b))),
        ("double", "double"): doubles,
        ("int", "double"): mixed,
        ("double", "int"): mixed,
    }


_SUMS: Final[dict[str, _Rows]] = {
    "+": _arithmetic(operator.add, operator.add)
    | {
        ("string", "string"): operator.add,
        ("bytes", "bytes"): lambda a, b: bytes(a) + bytes(b),
        ("list", "list"): _joined,
        ("timestamp", "duration"): lambda a, b: Timestamp(moment(a).nanos + span(b).nanos),
        ("duration", "timestamp"): lambda a, b: Timestamp(span(a).nanos + moment(b).nanos),
        ("duration", "duration"): lambda a, b: CelDuration(span(a).nanos + span(b).nanos),
    },
    "-": _arithmetic(operator.sub, operator.sub)
    | {
        ("timestamp", "timestamp"): lambda a, b: _between(moment(a), moment(b)),
        ("timestamp", "duration"): lambda a, b: Timestamp(moment(a).nanos - span(b).nanos),
        ("duration", "duration"): lambda a, b: CelDuration(span(a).nanos - span(b).nanos),
    },
    "*": _arithmetic(operator.mul, operator.mul),
    "/": _arithmetic(_quotient, _divide),
    "%": _arithmetic(_remainder, _whole_remainder),
}


def _orders(compare: Helper) -> _Rows:
    """Return the rows of `<` and its like; numbers of different types stand on one line."""

    def mixed(a: Any, b: Any) -> Any:
        return compare(_double(a), _double(b))

    rows: _Rows = {(name, name): compare for name in ("bool", "string", "int", "uint", "double")}
    rows["bytes", "bytes"] = lambda a, b: compare(bytes(a), bytes(b))
    rows["timestamp", "timestamp"] = lambda a, b: compare(moment(a).nanos, moment(b).nanos)
    rows["duration", "duration"] = lambda a, b: compare(span(a).nanos, span(b).nanos)
    rows["int", "uint"] = rows["uint", "int"] = compare
    for name in ("int", "uint"):
        rows[name, "double"] = rows["double", name] = mixed
    return rows


_ORDERS: Final = {
    "<": _orders(operator.lt),
    "<=": _orders(operator.le),
    ">": _orders(operator.gt),
    ">=": _orders(operator.ge),
}

_TRIES: Final = {
    ("string", "int"): "Try string(…) on the number",
    ("int", "string"): "Try string(…) on the number",
    ("string", "double"): "Try string(…) on the number",
    ("double", "string"): "Try string(…) on the number",
    ("int", "uint"): "Try int(…) on the uint",
    ("uint", "int"): "Try int(…) on the uint",
}


def _helper(op: str, rows: _Rows) -> Helper:
    def run(a: Any, b: Any) -> Any:
        kinds = (kind(a), kind(b))
        row = rows.get(kinds)
        if row is None:
            raise overload(op, *kinds)
        return row(a, b)

    return run


def overload(op: str, a: str, b: str) -> CelError:
    """Return the Fault of an operator that those two types do not have."""
    text = f"no such overload: {a} {op} {b}"
    hint = _TRIES.get((a, b))
    return CelError(f"{text}. {hint}" if hint and (op == "+" or "uint" in (a, b)) else text)


ARITHMETIC: Final = {op: _helper(op, rows) for op, rows in _SUMS.items()}
ORDER: Final = {op: _helper(op, rows) for op, rows in _ORDERS.items()}


def negate(value: Any) -> Any:
    """`-value`."""
    name = kind(value)
    if name == "int":
        return int64(-value)
    if name == "double":
        return -value
    raise CelError(f"no such overload: -{name}")


def invert(value: Any) -> bool:
    """`!value`."""
    if value is True or value is False:
        return not value
    raise CelError(f"no such overload: !{kind(value)}")


def equal(a: Any, b: Any) -> bool:
    """Return `a == b`: numbers compare across types, values of unlike types are simply not equal."""
    first, second = kind(a), kind(b)
    if first != second:
        if first in NUMBERS and second in NUMBERS:
            return _equal_numbers(a, b, first, second)
        return False
    if first == "list":
        return len(a) == len(b) and all(map(equal, a, b))
    if first == "map":
        return len(a) == len(b) and all(
            (value := entry(b, key)) is not ABSENT and equal(a[key], value) for key in a
        )
    if first == "timestamp":
        return moment(a) == moment(b)
    if first == "duration":
        return span(a) == span(b)
    if first == "optional":
        return a is b or (ABSENT not in (a.held, b.held) and equal(a.held, b.held))
    return bool(a == b)


def _equal_numbers(a: Any, b: Any, first: str, second: str) -> bool:
    if "double" in (first, second):
        return _double(a) == _double(b)
    return int(a) == int(b)


def unequal(a: Any, b: Any) -> bool:
    """Return `a != b`."""
    return not equal(a, b)


def _distinct(number: int) -> bool:
    """Return whether Python finds this number if CEL does: True is 1 to it, and doubles are exact."""
    return 1 < abs(number) < 2**53


def contains(item: Any, where: Any) -> bool:
    """`item in where`: an element of a list or a key of a map."""
    if type(where) is list and (type(item) is str or (type(item) is int and _distinct(item))):
        return item in where
    name = kind(where)
    if name == "list":
        return any(equal(item, other) for other in where)
    if name == "map" and (kind(item) in NUMBERS or kind(item) in ("string", "bool")):
        return stored_key(where, item) is not ABSENT
    text = f"no such overload: {kind(item)} in {name}"
    raise CelError(f"{text}. Try a.contains(b)" if name == "string" else text)


def not_bool(value: Any, op: str) -> CelError:
    """Return the Fault of something other than true or false beside `&&`, `||` or `?`."""
    return CelError(f"{op} wants true or false, not {kind(value)}")
