"""Durations and sizes as people write them: `1m30s`, `250ms`, `64KiB`."""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, Self

from heddle.schemas.data_type import describe_type
from heddle.schemas.field import FieldError, FieldType

_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)"
_DURATION = re.compile(rf"(?:{_NUMBER}(?:ns|us|µs|μs|ms|s|m|h|d))+", re.ASCII)
_DURATION_PART = re.compile(rf"({_NUMBER})(ns|us|µs|μs|ms|s|m|h|d)", re.ASCII)
_PLAIN = re.compile(_NUMBER, re.ASCII)

_BYTES = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgtp", start=1):
    _BYTES[f"{_letter}b"] = 1000**_power
    _BYTES[f"{_letter}i"] = _BYTES[f"{_letter}ib"] = 1024**_power
_SIZE = re.compile(rf"({_NUMBER})\s*([A-Za-z]*)", re.ASCII)


class Duration(float, FieldType):
    """A length of time in seconds, never negative.

    Written as `1.5s`, `250ms`, `1m30s`, `2h`, `7d`; a plain number is a number of milliseconds. In
    Python a number is seconds and a text is what would be written: `Duration(0.25)`,
    `Duration("250ms")`. A subclass narrows it: `class Pause(Duration, gt="0s", le="1h")`.
    """

    __slots__ = ()

    expected: ClassVar[str] = "a duration such as 1.5s, 250ms or 1m30s, or a number of milliseconds"
    json_schema: ClassVar[Mapping[str, Any]] = {
        "anyOf": [
            {"type": "number", "minimum": 0},
            {
                "type": "string",
                "pattern": r"^\s*([0-9.]+(ns|us|µs|μs|ms|s|m|h|d))+\s*$|^\s*[0-9.]+\s*$",
            },
        ]
    }
    limits: ClassVar[tuple[tuple[str, "Duration"], ...]] = ()

    def __init_subclass__(
        cls,
        *,
        ge: str | None = None,
        gt: str | None = None,
        le: str | None = None,
        lt: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        given = {"ge": ge, "gt": gt, "le": le, "lt": lt}
        own = tuple((rule, Duration(text)) for rule, text in given.items() if text is not None)
        cls.limits = (*cls.limits, *own)
        if own:
            message = " and ".join(f"{_BOUND_WORDS[rule]} {limit}" for rule, limit in cls.limits)
            cls.limited = message
            cls.expected = f"a duration of {message}, such as 1.5s or 250ms"
            number, text = cls.json_schema["anyOf"]
            limited = {_JSON_SCHEMA[rule]: float(limit) * 1000 for rule, limit in own}
            cls.json_schema = {"anyOf": [{**number, **limited}, text]}

    def __new__(cls, value: float | str = 0.0) -> Self:
        return super().__new__(cls, _seconds(value) if isinstance(value, str) else value)

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the duration written; FieldError if it is none, or out of its limits."""
        if isinstance(value, str):
            seconds = _seconds(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000
        else:
            raise FieldError(describe_type(value), expected=cls.expected, code="type")
        if not 0 <= seconds < math.inf or not all(
            _HOLDS[rule](seconds, limit) for rule, limit in cls.limits
        ):
            raise FieldError(describe_type(value), expected=cls.expected, code="range")
        return cls(seconds)

    def __str__(self) -> str:
        """As it would be written, to the nanosecond: `1m30s`, `1.5s`, `250ms`."""
        nanos = round(float(self) * 1e9)
        if nanos < 1_000_000_000:
            for unit, size in (("ms", 1_000_000), ("us", 1_000)):
                if nanos >= size:
                    return _trimmed(nanos, size) + unit
            return f"{nanos}ns" if nanos else "0s"
        minutes, rest = divmod(nanos, 60_000_000_000)
        hours, minutes = divmod(minutes, 60)
        text = f"{hours}h" if hours else ""
        text += f"{minutes}m" if minutes else ""
        return text + (_trimmed(rest, 1_000_000_000) + "s" if rest else "")

    def __repr__(self) -> str:
        return f'{type(self).__name__}("{self}")'


class Size(int, FieldType):
    """A number of bytes: `1048576`, `1MiB`, `64kB` (kB is 1000 bytes, KiB is 1024).

    In Python a text is what would be written: `Size("1MiB")`.
    """

    __slots__ = ()

    expected: ClassVar[str] = "a size such as 512B, 64kB or 1MiB, or a number of bytes"
    json_schema: ClassVar[Mapping[str, Any]] = {
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {
                "type": "string",
                "pattern": r"^\s*[0-9.]+\s*([kKmMgGtTpP]?[bB]|[kKmMgGtTpP][iI][bB]?)?\s*$",
            },
        ]
    }

    def __new__(cls, value: int | str = 0) -> Self:
        return super().__new__(cls, _bytes(value) if isinstance(value, str) else value)

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the size written; FieldError if it is none."""
        if isinstance(value, str):
            return cls(_bytes(value))
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise FieldError(describe_type(value), expected=cls.expected, code="type")
        if value < 0 or value != value // 1:
            raise FieldError(describe_type(value), expected=cls.expected, code="range")
        return cls(int(value))

    def __str__(self) -> str:
        """As it would be written: `1MiB`, `64kB`, `1234B`."""
        for power, letter in ((5, "P"), (4, "T"), (3, "G"), (2, "M"), (1, "K")):
            for base, tail in ((1024, "iB"), (1000, "B")):
                if self and int(self) % base**power == 0:
                    shown = "k" if letter == "K" and base == 1000 else letter
                    return f"{int(self) // base**power}{shown}{tail}"
        return f"{int(self)}B"

    def __repr__(self) -> str:
        return f'{type(self).__name__}("{self}")'


_BOUND_WORDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
_JSON_SCHEMA = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
}
_HOLDS = {"ge": float.__ge__, "gt": float.__gt__, "le": float.__le__, "lt": float.__lt__}


@lru_cache(maxsize=1024)
def _seconds(text: str) -> float:
    """Seconds of a written duration; a bare number counts milliseconds."""
    bare = text.strip()
    if _PLAIN.fullmatch(bare):
        return float(bare) / 1000
    if not _DURATION.fullmatch(bare):
        raise FieldError(describe_type(text), expected=Duration.expected, code="type")
    return math.fsum(
        float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(bare)
    )


def _bytes(text: str) -> int:
    """Bytes of a written size; a bare number counts bytes."""
    match = _SIZE.fullmatch(text.strip())
    factor = _BYTES.get(match[2].lower()) if match else None
    if match is None or factor is None or len(match[1]) > 100:
        raise FieldError(describe_type(text), expected=Size.expected, code="type")
    number = float(match[1]) * factor if "." in match[1] else int(match[1]) * factor
    if number != number // 1:
        raise FieldError(describe_type(text), expected="a whole number of bytes", code="range")
    return int(number)


def _trimmed(number: int, unit: int) -> str:
    """Return `number / unit` exactly, without needless zeros."""
    whole, rest = divmod(number, unit)
    digits = str(rest).rjust(len(str(unit)) - 1, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


class Interval(Duration, gt="0s"):
    """A Duration that takes some time: never zero."""

    __slots__ = ()
