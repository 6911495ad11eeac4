"""A Schedule says when the next tick is due: after a while, again and again, or as cron has it."""

import re
from datetime import UTC, datetime, timedelta
from math import ceil, floor, inf, nextafter
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from heddle.schemas.sentences import lower_first

MOST = 10_000
"""How many ticks that are due are counted one by one."""

_DAY: Final = 86_400.0
_HOURS: Final = 24
_NEVER: Final = 50 * 366 * _DAY
_STEPPED: Final = re.compile(r"(\w+)-(\w+)/([0-9]+)", re.ASCII)
_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class Schedule(Protocol):
    """When ticks are due, in seconds since 1970."""

    def after(self, when: float) -> float:
        """Return the first tick that is due later than that."""
        ...


class Every:
    """Every so many seconds, counted from `anchor`."""

    def __init__(self, interval: float, anchor: float) -> None:
        self._interval = interval
        self._anchor = anchor

    def after(self, when: float) -> float:
        """Return the first multiple of the interval that is later."""
        if when < self._anchor - self._interval:
            # The clock was set back: nobody wants to wait until it is that late again.
            self._anchor = when
        turns = floor((when - self._anchor) / self._interval) + 1
        due = self._anchor + turns * self._interval
        if due <= when:
            due += self._interval
        # An interval may be too short for the numbers of the clock.
        return due if due > when else nextafter(when, inf)


class Cron:
    """When a cron expression matches the clocks of a time zone, whether it has five fields or six.

    If the hour is fixed, a time that clocks leave out is due right after the gap, and a time that
    comes twice is due the first time. If the hour field begins with `*`, or names every hour, only
    times that clocks really show count, each as often as it comes. Raise ValueError if the expression
    cannot be read, or never comes true.
    """

    def __init__(self, expression: str, zone: ZoneInfo) -> None:
        from cronsim import CronSim, CronSimError

        self._make = CronSim
        self._expression = _readable(NICKNAMES.get(expression.strip().lower(), expression))
        self._zone = zone
        try:
            first = CronSim(self._expression, datetime(2000, 1, 1))  # noqa: DTZ001 - a wall clock
            next(first)
        except CronSimError as error:
            raise ValueError(lower_first(str(error))) from error
        except StopIteration:
            raise ValueError("it never comes true") from None
        self._hourly = first.parts[2].startswith("*") or len(first.hours) == _HOURS

    def after(self, when: float) -> float:
        """Return the first match that is later, or a time 50 years ahead if there is none."""
        at = self._after_hourly(when) if self._hourly else self._after_fixed(when)
        return at if at is not None and at > when else when + _NEVER

    def _after_fixed(self, when: float) -> float | None:
        for wall in self._make(self._expression, self._wall(when)):
            # In an hour that comes twice the match may be one of the first time.
            at = self._due(wall)
            if at > when:
                return at
        return None

    def _after_hourly(self, when: float) -> float | None:
        start = self._wall(when)
        while True:
            wall = next(self._make(self._expression, start), None)
            if wall is None:
                return None
            offset = self._offset(when)
            at = (wall.replace(tzinfo=UTC) - offset).timestamp()
            # Clocks that are set back repeat at most a day, and never twice within one.
            end = min(at, when + _DAY)
            if self._offset(end) != offset:
                when = self._change(when, end)
            elif at <= end:
                return at
            else:
                at = self._due(wall)
                if self._wall(at) == wall:
                    return at
                when = at
            start = self._wall(when) - timedelta(seconds=1)

    def _wall(self, when: float) -> datetime:
        """Return what the clocks show, without the zone."""
        return datetime.fromtimestamp(when, self._zone).replace(tzinfo=None)

    def _offset(self, when: float) -> timedelta:
        return datetime.fromtimestamp(when, self._zone).utcoffset() or timedelta()

    def _due(self, wall: datetime) -> float:
        """Return when clocks show a time first, or when they leave it out."""
        early, late = (wall.replace(tzinfo=self._zone, fold=fold).timestamp() for fold in (1, 0))
        if early < late:
            return self._change(early, late)
        return late

    def _change(self, low: float, high: float) -> float:
        """Return when clocks are set anew between two times."""
        before, first, last = self._offset(low), floor(low), ceil(high)
        while last - first > 1:
            middle = (first + last) // 2
            if self._offset(middle) == before:
                first = middle
            else:
                last = middle
        return float(last)


def _readable(expression: str) -> str:
    """Return the expression without steps over one value: to cronsim, `7-7/2` is `7/2`."""
    return " ".join(
        ",".join(_single(term) for term in field.split(",")) for field in expression.split()
    )


def _single(term: str) -> str:
    match = _STEPPED.fullmatch(term.upper())
    if match is None or _value(match[1]) != _value(match[2]) or not int(match[3]):
        return term
    return match[1]


def _value(text: str) -> int | str:
    if text.isdecimal():
        return int(text)
    return _DAYS.index(text) if text in _DAYS else text


def following_of(schedule: Schedule, when: float) -> float:
    """Return the next tick; one second later if the schedule does not advance."""
    following = schedule.after(when)
    return following if following > when else when + 1.0


def due(schedule: Schedule, first: float, now: float) -> tuple[list[float], float]:
    """Return what is due by now, from `first` on, and when the next one is; MOST of them at most.

    Where more than that are due, those before the last are left out of the list.
    """
    numbers = [first]
    following = following_of(schedule, first)
    while following <= now and len(numbers) < MOST:
        numbers.append(following)
        following = following_of(schedule, following)
    if following <= now:
        following = following_of(schedule, now)
        numbers[-1] = last(schedule, now)
    return numbers, following


def last(schedule: Schedule, now: float) -> float:
    """Return the last tick that is due by now, of a schedule that has had some."""
    back = 1.0
    while (number := following_of(schedule, now - back)) > now:
        back *= 2
    while (following := following_of(schedule, number)) <= now:
        number = following
    return number
