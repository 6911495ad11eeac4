"""Timestamps and durations as text and as parts of a calendar."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from heddle.extensions.languages.cel.errors import CelError
from heddle.extensions.languages.cel.values import NANOS, CelDuration, Timestamp, kind, moment, span

_RFC3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)
_SPAN: Final = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+", re.ASCII)
_PART: Final = re.compile(r"(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_OFFSET: Final = re.compile(r"([+-]?)(\d\d?):(\d\d)", re.ASCII)
_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": NANOS,
    "m": 60 * NANOS,
    "h": 3600 * NANOS,
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def parse_timestamp(text: str) -> Timestamp:
    """Return the Timestamp that an RFC 3339 text names; a Fault otherwise."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise CelError(
            f'"{text[:80]}" is not a timestamp (expected: RFC 3339, "2024-05-01T12:30:00Z")'
        )
    year, month, day, hour, minute, second = (int(match[n]) for n in range(1, 7))
    try:
        whole = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise CelError(f'"{text[:80]}" is not a timestamp: {error}') from None
    seconds = (whole - _EPOCH) // timedelta(seconds=1) - _offset_seconds(match[8])
    return Timestamp(seconds * NANOS + int((match[7] or "0").ljust(9, "0")))


def _offset_seconds(text: str) -> int:
    if text in ("Z", "z"):
        return 0
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 23 or minutes > 59:
        raise CelError(f'"{text}" is not an offset from UTC')
    seconds = hours * 3600 + minutes * 60
    return -seconds if text[0] == "-" else seconds


def format_timestamp(value: Timestamp) -> str:
    """RFC 3339 in UTC, with as many digits of a second as are needed."""
    seconds, nanos = divmod(value.nanos, NANOS)
    whole = (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]
    return f"{whole}{_fraction(nanos)}Z"


def parse_duration(text: str) -> CelDuration:
    """Return the Duration that a text such as `1h30m`, `-1.5s` or `250ms` names; a Fault otherwise."""
    body = text.lstrip("+-")
    if body == "0" and len(text) <= 2:
        return CelDuration(0)
    if _SPAN.fullmatch(text) is None or len(text) > 200:
        raise CelError(
            f'"{text[:80]}" is not a duration (expected: as in "1h30m", "1.5s" or "250ms")'
        )
    total = 0
    for whole, fraction, unit in _PART.findall(body):
        size = _UNITS[unit]
        total += int(whole or "0") * size
        if fraction:
            total += int(fraction) * size // 10 ** len(fraction)
    return CelDuration(-total if text[0] == "-" else total)


def format_duration(value: CelDuration) -> str:
    """Seconds with as many digits as are needed: `90s`, `-1.5s`."""
    seconds, nanos = divmod(abs(value.nanos), NANOS)
    sign = "-" if value.nanos < 0 else ""
    return f"{sign}{seconds}{_fraction(nanos)}s"


def _fraction(nanos: int) -> str:
    return f".{nanos:09d}".rstrip("0") if nanos else ""


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """Return the time zone of an IANA name or a fixed offset such as `+02:00`; a Fault otherwise."""
    match = _OFFSET.fullmatch(name)
    if match is not None:
        hours, minutes = int(match[2]), int(match[3])
        if hours > 23 or minutes > 59:
            raise CelError(f'"{name}" is not an offset from UTC')
        offset = timedelta(hours=hours, minutes=minutes)
        return timezone(-offset if match[1] == "-" else offset)
    if name in ("UTC", "Z", ""):
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise CelError(
            f'unknown time zone "{name[:80]}" (expected: as in "Europe/Berlin" or "+02:00")'
        ) from None


def _calendar(pick: Callable[[datetime], int], each_year: int = 0) -> Callable[..., int]:
    """Return a part of a timestamp's local date or time, in UTC if no zone is named.

    `each_year` is what the part grows by in a year, for those parts that never return.
    """

    def part(value: Any, name: Any = "UTC") -> int:
        if kind(value) != "timestamp" or kind(name) != "string":
            raise CelError(
                f"a part of the calendar is asked of {kind(value)} (expected: a timestamp)"
            )
        at = _EPOCH + timedelta(seconds=moment(value).nanos // NANOS)
        # Python's calendar ends where a zone may still lead on; it repeats itself in 400 years.
        years = {1: 400, 9999: -400}.get(at.year, 0)
        at = at.replace(year=at.year + years)
        return pick(at.astimezone(zone(name))) - years * each_year

    return part


def _clock(pick: Callable[[datetime], int], unit: int) -> Callable[..., int]:
    """Return a part of a timestamp's time of day, or the whole of a duration in that unit."""
    of_timestamp = _calendar(pick)

    def part(value: Any, *zone_name: Any) -> int:
        if kind(value) == "duration" and not zone_name:
            nanos = span(value).nanos
            return nanos // unit if nanos >= 0 else -(-nanos // unit)
        return of_timestamp(value, *zone_name)

    return part


def _milliseconds(value: Any, *zone_name: Any) -> int:
    """Return the milliseconds within the second: the standard library means it so for durations too."""
    if kind(value) == "duration" and not zone_name:
        nanos = span(value).nanos
        part = abs(nanos) % NANOS // 1_000_000
        return part if nanos >= 0 else -part
    if kind(value) != "timestamp":
        raise CelError(
            f"getMilliseconds is asked of {kind(value)} (expected: timestamp or duration)"
        )
    if zone_name:
        zone(zone_name[0] if isinstance(zone_name[0], str) else "?")
    return moment(value).nanos % NANOS // 1_000_000


ACCESSORS: Final[dict[str, Callable[..., int]]] = {
    "getFullYear": _calendar(lambda at: at.year, each_year=1),
    "getMonth": _calendar(lambda at: at.month - 1),
    "getDate": _calendar(lambda at: at.day),
    "getDayOfMonth": _calendar(lambda at: at.day - 1),
    "getDayOfWeek": _calendar(lambda at: at.isoweekday() % 7),
    "getDayOfYear": _calendar(lambda at: at.timetuple().tm_yday - 1),
    "getHours": _clock(lambda at: at.hour, 3600 * NANOS),
    "getMinutes": _clock(lambda at: at.minute, 60 * NANOS),
    "getSeconds": _clock(lambda at: at.second, NANOS),
    "getMilliseconds": _milliseconds,
}
