"""The extension library `math`: extremes, rounding, signs, and the bits of whole numbers."""

import math
from collections.abc import Callable
from typing import Any, Final

from heddle.extensions.languages.cel.errors import CelError
from heddle.extensions.languages.cel.library.function import Function, no_overload, typed
from heddle.extensions.languages.cel.operators import NUMBERS, ORDER
from heddle.extensions.languages.cel.values import UINT_MAX, Uint, int64, kind, uint64

_BITS: Final = 64


def _extreme(name: str, better: str) -> Callable[..., Any]:
    wins = ORDER[better]

    def extreme(*given: Any) -> Any:
        values = given[0] if len(given) == 1 and kind(given[0]) == "list" else given
        if not values:
            raise CelError(f"{name}() wants at least one number")
        for value in values:
            if kind(value) not in NUMBERS:
                raise no_overload(name, *values)
        item = values[0]
        for value in values:
            if wins(value, item):
                item = value
        return item

    return extreme


def _rounded(name: str, run: Callable[[float], float]) -> Callable[[Any], float]:
    def rounded(value: Any) -> float:
        if kind(value) not in NUMBERS:
            raise no_overload(name, value)
        number = float(value)
        return run(number) if math.isfinite(number) else number

    return rounded


def _round(value: float) -> float:
    """To the nearest whole number; halves away from zero."""
    whole = math.trunc(value)
    up = abs(value - whole) >= 0.5
    return math.copysign(float(abs(whole) + up), value)


def _keeping_sign(run: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: math.copysign(float(run(value)), value)


def _abs(value: Any) -> Any:
    name = kind(value)
    if name == "double":
        return abs(float(value))
    if name == "int":
        return int64(abs(int(value)))
    if name == "uint":
        return value
    raise no_overload("math.abs", value)


def _sign(value: Any) -> Any:
    name = kind(value)
    if name == "double":
        number = float(value)
        if number == 0:
            return 0.0
        return number if math.isnan(number) else math.copysign(1.0, number)
    if name == "int":
        return (value > 0) - (value < 0)
    if name == "uint":
        return Uint(value > 0)
    raise no_overload("math.sign", value)


def _sqrt(value: Any) -> float:
    if kind(value) not in NUMBERS:
        raise no_overload("math.sqrt", value)
    number = float(value)
    return math.nan if number < 0 else math.sqrt(number)


def _asks(name: str, run: Callable[[float], bool]) -> Function:
    return Function(name=name, run=typed(name, run, "double"), arity=1, result="bool")


def _bits(name: str, run: Callable[[int, int], int]) -> Callable[[Any, Any], Any]:
    def both(a: Any, b: Any) -> Any:
        kinds = (kind(a), kind(b))
        if kinds == ("int", "int"):
            return int64(run(int(a), int(b)))
        if kinds == ("uint", "uint"):
            return uint64(run(int(a), int(b)))
        raise no_overload(name, a, b)

    return both


def _not(value: Any) -> Any:
    name = kind(value)
    if name == "int":
        return ~int(value)
    if name == "uint":
        return Uint(UINT_MAX ^ int(value))
    raise no_overload("math.bitNot", value)


def _shift(name: str, run: Callable[[int, int], int]) -> Callable[[Any, Any], Any]:
    """Shifts the 64 bits; what comes in is zero, and a sign is a bit like any other."""

    def shift(value: Any, by: Any) -> Any:
        if kind(value) not in ("int", "uint") or kind(by) != "int":
            raise no_overload(name, value, by)
        if by < 0:
            raise CelError(f"{name}() wants a number of bits that is not negative")
        bits = run(int(value) & UINT_MAX, by) & UINT_MAX if by < _BITS else 0
        if kind(value) == "uint":
            return Uint(bits)
        return bits - (1 << _BITS) if bits >> (_BITS - 1) else bits

    return shift


def _any(name: str, run: Callable[..., Any], arity: int) -> Function:
    # Costly, for a result of no certain type is not worked out while compiling.
    return Function(name=name, run=run, arity=arity, special=True, costly=True)


FUNCTIONS: Final = (
    _any("math.greatest", _extreme("math.greatest", ">"), -1),
    _any("math.least", _extreme("math.least", "<"), -1),
    *(
        Function(name=f"math.{name}", run=_rounded(f"math.{name}", run), arity=1, result="double")
        for name, run in (
            ("ceil", _keeping_sign(math.ceil)),
            ("floor", _keeping_sign(math.floor)),
            ("round", _round),
            ("trunc", _keeping_sign(math.trunc)),
        )
    ),
    Function(name="math.sqrt", run=_sqrt, arity=1, result="double"),
    _any("math.abs", _abs, 1),
    _any("math.sign", _sign, 1),
    _asks("math.isInf", math.isinf),
    _asks("math.isNaN", math.isnan),
    _asks("math.isFinite", math.isfinite),
    _any("math.bitAnd", _bits("math.bitAnd", lambda a, b: a & b), 2),
    _any("math.bitOr", _bits("math.bitOr", lambda a, b: a | b), 2),
    _any("math.bitXor", _bits("math.bitXor", lambda a, b: a ^ b), 2),
    _any("math.bitNot", _not, 1),
    _any("math.bitShiftLeft", _shift("math.bitShiftLeft", lambda a, b: a << b), 2),
    _any("math.bitShiftRight", _shift("math.bitShiftRight", lambda a, b: a >> b), 2),
)
