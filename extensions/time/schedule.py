"""A Schedule says when the next tick is due: after a while, again and again, or as cron has it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from math import floor
from typing import Protocol
from zoneinfo import ZoneInfo

MOST = 10_000
"""How many ticks that are due are counted one by one."""

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
        """The first tick that is due later than that."""
        ...


class Every:
    """Every so many seconds, counted from `anchor`."""

    def __init__(self, interval: float, anchor: float) -> None:
        self._interval = interval
        self._anchor = anchor

    def after(self, when: float) -> float:
        """The first multiple of the interval that is later."""
        if when < self._anchor - self._interval:
            # The clock was set back: nobody wants to wait until it is that late again.
            self._anchor = when
        turns = floor((when - self._anchor) / self._interval) + 1
        due = self._anchor + turns * self._interval
        return due if due > when else due + self._interval


class Cron:
    """When a cron expression matches the clocks of a time zone.

    Where clocks are set forward, what was to run in the hour that is left out runs right after it;
    where they are set back, what runs at a fixed hour runs once. ValueError where the expression is
    none, or never comes true.
    """

    def __init__(self, expression: str, zone: ZoneInfo) -> None:
        from cronsim import CronSim, CronSimError

        self._make = CronSim
        self._expression = NICKNAMES.get(expression.strip().lower(), expression)
        self._zone = zone
        try:
            next(self._from(datetime.now(UTC).timestamp()))
        except CronSimError as error:
            raise ValueError(str(error)[0].lower() + str(error)[1:]) from error
        except StopIteration:
            raise ValueError("it never comes true") from None

    def _from(self, when: float) -> Iterator[datetime]:
        return self._make(self._expression, datetime.fromtimestamp(when, self._zone))

    def after(self, when: float) -> float:
        """The first match that is later."""
        for match in self._from(when):
            # In an hour that comes twice the first match may be one of the first time.
            if match.timestamp() > when:
                return match.timestamp()
        return when + 50 * 366 * 86_400.0


def due(schedule: Schedule, first: float, now: float) -> tuple[list[float], float]:
    """What is due by now, from `first` on, and when the next one is; MOST of them at most.

    Where more than that are due, those before the last are left out of the list.
    """
    found = [first]
    following = schedule.after(first)
    while following <= now and len(found) < MOST:
        found.append(following)
        following = schedule.after(following)
    if following <= now:
        following = schedule.after(now)
        found[-1] = last(schedule, now)
    return found, following


def last(schedule: Schedule, now: float) -> float:
    """The last tick that is due by now, of a schedule that has had some."""
    back = 1.0
    while (found := schedule.after(now - back)) > now:
        back *= 2
    while (following := schedule.after(found)) <= now:
        found = following
    return found
