"""timer: begins a process each time that its time has come."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from heddle.extensions.extension import (
    Actor,
    Build,
    Duration,
    Duty,
    FieldError,
    Fields,
    Host,
    Interval,
    Kind,
    Node,
    Port,
    Schema,
    Singleton,
    Source,
    about,
)
from heddle.extensions.time.clock import SystemClock, TimerClock
from heddle.extensions.time.schedule import Cron, Every, Schedule, due
from heddle.extensions.time.ticks import Tick, Ticks
from heddle.schemas.suggestion import did_you_mean

LATE = 60.0
"""Seconds by which the last tick that is due may be late and still not count as missed."""


class Timer(Fields):
    """The fields of a timer."""

    interval: Annotated[
        Interval | None, about("How often, counted from when the timer begins.", examples=["30s"])
    ] = None
    cron: Annotated[
        str | None,
        about(
            "When, as cron has it: minute, hour, day of the month, month, day of the week; with "
            "six fields the first is the second. `@hourly`, `@daily`, `@weekly`, `@monthly` and "
            "`@yearly` are known.",
            examples=["30 3 * * mon-fri", "@daily"],
        ),
    ] = None
    timezone: Annotated[
        str,
        about(
            "Whose clocks `cron` and the payload go by.", examples=["Europe/Berlin", "Asia/Seoul"]
        ),
    ] = "UTC"
    jitter: Annotated[
        Duration,
        about("Begin each tick later by up to so much, at random, so that not all begin at once."),
    ] = Duration(0)
    overlap: Annotated[
        Literal["skip", "queue", "parallel"],
        about(
            "What becomes of a tick that is due while another runs: it is left out, it waits, or it "
            "runs at the same time."
        ),
    ] = "skip"
    limit: Annotated[
        int,
        about("The most ticks that wait (`queue`) or run (`parallel`); others are left out.", ge=1),
    ] = 100
    missed: Annotated[
        Literal["once", "skip", "all"],
        about(
            "What becomes of ticks that were missed, as the machine slept or had too much to do: "
            "one for all of them, none, or each of them."
        ),
    ] = "once"
    at_start: Annotated[
        bool, about("Tick when the timer begins, too; not when it was merely changed.")
    ] = False
    singleton: Annotated[
        Singleton,
        about(
            "Where it ticks: in one runtime of all that follow the store (`cluster`), in one of each "
            "machine, or in every worker."
        ),
    ] = "cluster"

    def __post_init__(self) -> None:
        if (self.interval is None) == (self.cron is None):
            actual = "neither interval nor cron" if self.cron is None else "interval and cron"
            raise FieldError(actual, expected="one of them", code="conflict")
        if self.interval is not None and self.jitter > self.interval:
            raise FieldError(
                f"a jitter of {self.jitter}",
                expected=f"at most the interval, {self.interval}",
                code="range",
                path=("jitter",),
            )


class TimerNode(Node, Actor):
    """Waits for its time, and begins a process."""

    def __init__(
        self,
        fields: Timer,
        clock: TimerClock,
        zone: ZoneInfo,
        make: Callable[[float], Schedule],
    ) -> None:
        self._fields = fields
        self._clock = clock
        self._zone = zone
        self._make = make
        self._schedule: Schedule | None = None
        self._ticks = Ticks()
        self._host: Host | None = None
        self._source: Source | None = None
        self._loop: asyncio.Task[None] | None = None
        self._given_away = False
        self._adopted = False
        self._before: float | None = None
        self._duty: Duty | None = None
        self._opened = 0.0
        self._starting = False
        self._frequent = False
        self._last: float | None = None

    # -- life ----------------------------------------------------------------------------------

    def adopt(self, predecessor: Node) -> None:
        """Take over what runs and what waits; and the next tick, if the time for it is the same."""
        if not isinstance(predecessor, TimerNode):
            return
        predecessor._give_away()
        self._ticks = predecessor._ticks
        self._before = self._ticks.next
        self._adopted = True
        mine, its = self._fields, predecessor._fields
        if (mine.interval, mine.cron, mine.timezone) == (its.interval, its.cron, its.timezone):
            self._schedule = predecessor._schedule
        else:
            self._ticks.next = None

    def disown(self, predecessor: Node) -> None:
        """Give it all back."""
        if not isinstance(predecessor, TimerNode):
            return
        self._give_away()
        self._ticks.next = self._before
        predecessor._given_away = False
        if predecessor._host is not None and predecessor._duty and predecessor._duty.held:
            predecessor._begin(predecessor._host)

    def _give_away(self) -> None:
        self._given_away = True
        if self._loop is not None:
            self._loop.cancel()
            self._loop = None

    async def open(self, host: Host) -> None:
        """Wait for the first tick, once it is ours to tick."""
        self._host = host
        self._source = Source(host, "tick failed")
        self._opened = now = self._clock.now()
        self._starting = self._fields.at_start and not self._adopted
        duty = self._duty = host.duty(self._fields.singleton)
        first = self._make(now).after(now)
        # What ticks so often need not record each tick: with each renewal it claims those to come.
        self._frequent = not duty.lease.exact and self._make(now).after(first) - first <= duty.ttl
        await duty.follow(self)

    # -- the lease -----------------------------------------------------------------------------

    def take(self, mark: float | None) -> None:
        """Tick from now on: behind the last tick of who did it before, and no earlier than we began."""
        host, duty = self._host, self._duty
        if self._given_away or host is None or duty is None:
            return
        now = self._clock.now()
        starting, self._starting = self._starting, False
        if starting and now - self._opened <= duty.ttl + 1:
            self._rule(host)
            self._ticks.add(now)
        if mark is not None and self._ticks.next is None:
            if self._fields.interval is not None:
                self._schedule = self._make(mark)
            self._schedule = self._schedule or self._make(now)
            self._ticks.next = self._schedule.after(max(mark, self._opened))
        self._begin(host)

    def lose(self) -> None:
        """Tick no more, until it is ours again."""
        if self._loop is not None and not self._given_away:
            self._loop.cancel()
            self._loop = None
            self._ticks.next = None

    def claim(self) -> float | None:
        """Return up to when it ticks without recording each tick."""
        duty = self._duty
        return self._clock.now() + duty.ttl if self._frequent and duty is not None else None

    def done(self) -> float | None:
        """Return when the last tick was due that was not recorded."""
        return self._last if self._frequent else None

    async def _ours(self, at: float) -> bool:
        """Return whether this tick is ours to make. What is rare is recorded before."""
        duty = self._duty
        if duty is None or duty.alone:
            return True
        if not self._frequent:
            return await duty.record(at)
        while not duty.held:  # noqa: ASYNC110 - it is cancelled when the lease is lost
            await asyncio.sleep(duty.ttl / 20)
        self._last = at
        return True

    # -- life, again ---------------------------------------------------------------------------

    def _rule(self, host: Host) -> None:
        """Say how ticks are run from now on."""
        ticks, fields = self._ticks, self._fields
        ticks.start = self._run
        ticks.emit = host.emit
        ticks.overlap = fields.overlap
        ticks.limit = fields.limit

    def _begin(self, host: Host) -> None:
        self._rule(host)
        now = self._clock.now()
        if self._schedule is None:
            self._schedule = self._make(now)
        if self._ticks.next is None:
            self._ticks.next = self._schedule.after(now)
        self._loop = host.tasks.start(self._wait(self._schedule))

    async def pause(self) -> None:
        """Tick no more, unless somebody has taken over."""
        if self._loop is not None:
            self._loop.cancel()
        if not self._given_away:
            self._ticks.stop()
        if self._given_away or not self._ticks.running:
            await self._leave()

    async def close(self) -> None:
        """Wait for what runs, unless somebody has taken over."""
        if not self._given_away:
            await self._ticks.wait()
        # Not before: whoever ticks next may rely on it that none of ours runs any more.
        await self._leave()

    async def _leave(self) -> None:
        duty, self._duty = self._duty, None
        if duty is not None:
            await duty.leave(self)

    def snapshot(self) -> Mapping[str, Any]:
        """Return when it ticks next, and what became of the ticks before."""
        following = self._ticks.next
        shown = {"next": self._moment_text(following)} if following is not None else {}
        shown |= self._ticks.snapshot()
        duty = self._duty
        return shown if duty is None or duty.alone else {**shown, "lease": duty.snapshot()}

    def degraded(self) -> str:
        """Return why it cannot tick, though nobody else does; "" if it can."""
        return self._duty.failure if self._duty is not None else ""

    # -- ticks ---------------------------------------------------------------------------------

    async def _wait(self, schedule: Schedule) -> None:
        """Wait for tick after tick, until cancelled."""
        clock, ticks = self._clock, self._ticks
        while True:
            at = ticks.next if ticks.next is not None else schedule.after(clock.now())
            wait = at + float(self._fields.jitter) * clock.random()
            await clock.until(wait)
            now = clock.now()
            if now < at:
                # The clock was set back.
                ticks.next = schedule.after(now)
                continue
            numbers, following = due(schedule, at, now)
            ours = await self._ours(numbers[-1])
            ticks.next = following
            if ours:
                self._due(numbers, now)

    def _due(self, numbers: list[float], now: float) -> None:
        """Tick for what is due: the last of it may be a little late, the rest was missed."""
        policy = self._fields.missed
        if policy == "all":
            for at in numbers:
                self._ticks.add(at)
        elif policy == "once" or now - numbers[-1] <= LATE:
            if policy == "skip":
                self._ticks.miss(len(numbers) - 1)
                self._ticks.add(numbers[-1])
            else:
                self._ticks.add(numbers[-1], len(numbers) - 1)
        else:
            self._ticks.miss(len(numbers))

    async def _run(self, tick: Tick) -> None:
        """Run one process; an error answer goes to `error`, or becomes an event."""
        if self._source is not None:
            at = self._moment_text(tick.at)
            payload = {"at": at, "count": tick.count, "missed": tick.missed}
            await self._source.run(payload, at=at)

    def _moment_text(self, when: float) -> str:
        return datetime.fromtimestamp(when, self._zone).isoformat(timespec="seconds")


_TICK: Final = {
    "title": "tick",
    "type": "object",
    "properties": {
        "at": {"type": "string"},
        "count": {"type": "integer"},
        "missed": {"type": "integer"},
    },
    "required": ["at", "count", "missed"],
    "additionalProperties": False,
}


def compile_timer(fields: Timer, build: Build, *, clock: TimerClock) -> Node:
    """Return a time zone that is none, and a cron expression that is none, are Problems."""
    try:
        zone = ZoneInfo(fields.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        from zoneinfo import available_timezones

        build.reject(
            "timezone",
            found=f'unknown time zone "{fields.timezone}"',
            expected="a name such as Europe/Berlin",
            hint=did_you_mean(fields.timezone, available_timezones(), "zone"),
        )
    if fields.interval is not None:
        interval = float(fields.interval)
        return TimerNode(fields, clock, zone, lambda now: Every(interval, now))
    try:
        cron = Cron(fields.cron or "", zone)
    except ImportError:
        build.reject(
            "cron",
            found="what cron needs is not installed",
            expected="the extra cron",
            hint="pip install 'heddle-runtime[cron]'",
            code="missing-extra",
        )
    except ValueError as error:
        expected = "minute, hour, day of the month, month and day of the week, such as 30 3 * * mon"
        build.reject("cron", found=f'"{fields.cron}": {error}', expected=expected)
    return TimerNode(fields, clock, zone, lambda _: cron)


def timer(clock: TimerClock) -> Kind[Any]:
    """Return the kind `timer`, by this clock."""
    return Kind(_SCHEMA, partial(compile_timer, clock=clock))


_SCHEMA = Schema(
    kind="timer",
    begins=lambda _: True,
    fields=Timer,
    summary="Begins a process each time that its time has come.",
    category="time",
    outs=(
        Port("out", "Ticks: `{at: text, count: number, missed: number}`.", schema=_TICK),
        Port("error", "The Error that a tick was answered; not linked, it is told as an event."),
    ),
    example="""\
- kind: timer
  name: nightly
  cron: 30 3 * * mon-fri
  timezone: Europe/Berlin
  jitter: 5m
  ports:
    out:
      - {name: report, port: in}
- kind: snippet
  name: report
  language: cel
  code: "'report of ' + self.at"
""",
    details="""\
The payload of a tick says when it was due (`at`, ISO 8601 in the time zone), the how manieth it is
(`count`, from 1), and how many before it were left out since the last one (`missed`). Each tick is a
process of its own, on the generation that is current then. What it answers is not used; an Error goes to
`error`, or is told as the event `tick failed`.

**Overlap.** With `skip` there is one process at a time. With `queue` up to `limit` ticks wait for it, in
order. With `parallel` up to `limit` run at the same time. The first tick of a row that is left out is told
as the event `tick left out`.

**Missed ticks** are those that were due while the machine slept, or could not be looked after; a timer
does not know of the time when it did not run at all. The last of them counts as missed only if it is
more than a minute late. `once` makes up for all of them together, `skip` for none, `all` for each: together with
`overlap: queue`, for one of them runs at once.

**Several runtimes.** If several follow one store, one of them ticks: the one that has the lease of
the timer. If it ends, another takes over at once; if it dies, or cannot reach the store, as soon as the
lease has ended (`lease` in the settings, 15 s). No tick comes twice: a tick is recorded in the store
before it begins, and who takes over goes on behind it; a tick that was due in between is late, as one
that was missed. A timer that ticks more often than a lease lasts claims its ticks with each renewal
instead: after the death of its runtime they are left out until the lease has ended. While the store is
away, such a timer goes on as long as its lease lasts; a tick of any other waits for the store. `singleton:
worker` ticks everywhere, whatever becomes of the store. Give all machines the same time.

**Clocks that are set forward or back.** A cron expression with a fixed hour runs once on both days, as
Debian's cron does it: if 02:30 is left out, at 03:00; if it comes twice, the first time. So does
`*/15 2 * * *`: if the whole hour is left out, it runs once, at 03:00. An expression whose hour begins
with `*`, or names all hours, goes by the hours that really pass: times that are left out are, and those
that come twice run twice. Seconds in front change nothing about that. When the clock of the
machine is set, timers go on from what it shows then.

**Reload.** A timer that was changed takes over from the one before: a tick that runs counts as running,
those that wait go on waiting, and the next one stays due when it was, where `interval`, `cron` and
`timezone` are the same. The lease stays where it is.

`cron` needs the extra `cron`. A day of the week is 0 to 7 or `sun` to `sat`; if a day of the month and
a day of the week are given and neither begins with `*`, one of them is enough. `L` is the last day of the
month, `5L` the last Friday, `fri#2` the second.
""",
)

TIMER: Kind[Any] = timer(SystemClock())
