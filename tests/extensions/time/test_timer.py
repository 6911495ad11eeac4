"""timer: ticks come when they are due, on a clock that the tests move by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from heddle.extensions import control, languages
from heddle.extensions.extension import node
from heddle.extensions.time.clock import SystemClock
from heddle.extensions.time.timer import timer
from heddle.runtime.assembly.extension import Registry
from heddle.runtime.runtime import Runtime
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Delete
from tests.support import change, stored

pytestmark = pytest.mark.anyio

START = datetime.fromisoformat("2026-03-28T12:00:00+00:00").timestamp()


class HandClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self._now = START
        self._luck = 0.5
        self._waits: list[tuple[float, asyncio.Future[None]]] = []
        self._asked = asyncio.Event()

    def now(self) -> float:
        """Return what time it is."""
        return self._now

    def random(self) -> float:
        """Return a half."""
        return self._luck

    async def until(self, when: float) -> None:
        """Wait until the test has moved it that far."""
        if self._now >= when:
            # A real clock lets others have their turn, too.
            await asyncio.sleep(0)
            return
        wait: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waits.append((when, wait))
        self._asked.set()
        try:
            await wait
        finally:
            self._waits = [one for one in self._waits if one[1] is not wait]

    async def waited_for(self) -> float:
        """Wait until somebody waits for it; for when."""
        async with asyncio.timeout(60):
            while not self._waits:
                self._asked.clear()
                await self._asked.wait()
        return min(when for when, _ in self._waits) - START

    async def jump(self, seconds: float) -> None:
        """Stand still, and then be so much later, at once: what was due meanwhile was missed."""
        await self.waited_for()
        self._now += seconds
        self._wake()
        await self._settled()

    async def run(self, seconds: float) -> None:
        """Let so many seconds pass, stopping whenever somebody waits for it."""
        end = self._now + seconds
        await self._settled()
        while START + await self.waited_for() <= end:
            self._now = START + await self.waited_for()
            self._wake()
            await self._settled()
        self._now = end

    async def set_back(self, seconds: float) -> None:
        """Be set back, which wakes whoever waits."""
        await self.waited_for()
        self._now -= seconds
        for _, wait in self._waits:
            wait.set_result(None)
        await self._settled()

    def _wake(self) -> None:
        for when, wait in self._waits:
            if when <= self._now and not wait.done():
                wait.set_result(None)

    async def _settled(self) -> None:
        """Let whoever was woken come to an end, or wait again: none of it waits for anything real."""
        for _ in range(100):
            await asyncio.sleep(0)


class Seen:
    """What came out of a timer, and a gate that ticks wait at."""

    def __init__(self) -> None:
        self.ticks: list[Any] = []
        self.running = 0
        self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self._came = asyncio.Event()

    async def number(self, number: int) -> list[Any]:
        """Wait for so many ticks; all of them."""
        async with asyncio.timeout(60):
            while len(self.ticks) < number:
                self._came.clear()
                await self._came.wait()
        return self.ticks

    @property
    def times(self) -> list[str]:
        """When they were due."""
        return [tick["at"][11:] for tick in self.ticks]

    async def see(self, payload: Any) -> Any:
        """Return a node that waits at the gate."""
        self.ticks.append(payload)
        self._came.set()
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        return payload


@asynccontextmanager
async def ticking(text: str, **options: Any) -> AsyncIterator[tuple[Runtime, HandClock, Seen]]:
    """Provide a runtime with a timer on a clock of ours, that leads to a node that notes its ticks."""
    clock, seen = HandClock(), Seen()

    async def see(payload: Any) -> Any:
        return await seen.see(payload)

    found = Registry()
    for source in (control.register, languages.register, timer(clock), node("see")(see)):
        found.add(source)
    store = stored(text, "- {kind: see, name: see}\n")
    async with Runtime(store=store, kinds=found, **options) as rt:
        try:
            yield rt, clock, seen
        finally:
            seen.gate.set()


def a_timer(*lines: str, out: str = "see") -> str:
    """Return a timer that leads there."""
    more = "".join(f"  {line}\n" for line in lines)
    return f"- kind: timer\n  name: t\n{more}  ports: {{out: [{{name: {out}, port: in}}]}}\n"


def snapshot(rt: Runtime) -> Any:
    """Return the timer as people see it."""
    symbol = rt.table.get("t")
    assert symbol is not None
    return symbol.node.snapshot()


# -- when ----------------------------------------------------------------------------------------


async def test_an_interval_ticks_again_and_again() -> None:
    async with ticking(a_timer("interval: 10s")) as (_, clock, seen):
        await clock.run(35)
        assert await seen.number(3) == [
            {"at": f"2026-03-28T12:00:{10 * count}+00:00", "count": count, "missed": 0}
            for count in (1, 2, 3)
        ]


async def test_a_cron_ticks_by_its_zone_on_the_day_of_the_change() -> None:
    lines = ("cron: 30 2 * * *", "timezone: Europe/Berlin")
    async with ticking(a_timer(*lines)) as (rt, clock, seen):
        assert snapshot(rt)["next"] == "2026-03-29T03:00:00+02:00"
        await clock.run(2 * 86_400)
        await seen.number(2)
        assert [tick["at"] for tick in seen.ticks] == [
            "2026-03-29T03:00:00+02:00",
            "2026-03-30T02:30:00+02:00",
        ]


async def test_jitter_begins_ticks_later_and_keeps_their_time() -> None:
    async with ticking(a_timer("interval: 10s", "jitter: 4s")) as (_, clock, seen):
        assert await clock.waited_for() == 12
        await clock.run(12)
        assert (await seen.number(1))[0]["at"].endswith("12:00:10+00:00")
        assert await clock.waited_for() == 22


async def test_at_start_ticks_at_once_and_not_again_on_a_reload() -> None:
    text = a_timer("interval: 10s", "at_start: true")
    async with ticking(text) as (rt, clock, seen):
        await seen.number(1)
        await change(rt, text.replace("10s", "20s"))
        await clock.run(20)
        await seen.number(2)
        assert seen.times == ["12:00:00+00:00", "12:00:20+00:00"]


async def test_the_system_clock_waits_until_it_is_that_late() -> None:
    clock = SystemClock()
    when = clock.now() + 0.02
    await clock.until(when)
    assert clock.now() >= when
    assert 0 <= clock.random() < 1


# -- overlap -------------------------------------------------------------------------------------


async def test_skip_leaves_out_ticks_while_one_runs_and_tells_it_once() -> None:
    async with ticking(a_timer("interval: 10s")) as (rt, clock, seen):
        seen.gate.clear()
        await clock.run(45)
        assert seen.times == ["12:00:10+00:00"]
        assert snapshot(rt)["left_out"] == 3
        told = [one for one in rt.events.recent if one.event == "tick left out"]
        assert [(one.symbol, one.reason) for one in told] == [("t", "the last one still runs")]
        seen.gate.set()
        await clock.run(10)
        assert (await seen.number(2))[1] == {
            "at": "2026-03-28T12:00:50+00:00",
            "count": 2,
            "missed": 3,
        }


async def test_queue_runs_them_one_after_the_other_up_to_its_limit() -> None:
    lines = ("interval: 10s", "overlap: queue", "limit: 2")
    async with ticking(a_timer(*lines)) as (rt, clock, seen):
        seen.gate.clear()
        await clock.run(55)
        assert snapshot(rt)["waiting"] == 2
        assert snapshot(rt)["left_out"] == 2
        seen.gate.set()
        await seen.number(3)
        assert seen.times == ["12:00:10+00:00", "12:00:20+00:00", "12:00:30+00:00"]
        assert seen.most == 1


async def test_parallel_runs_them_at_the_same_time_up_to_its_limit() -> None:
    lines = ("interval: 10s", "overlap: parallel", "limit: 2")
    async with ticking(a_timer(*lines)) as (rt, clock, seen):
        seen.gate.clear()
        await clock.run(45)
        assert seen.most == 2
        assert snapshot(rt)["left_out"] == 2


# -- missed --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "ticks"),
    [
        ("once", [("15:00:00+00:00", 1, 2)]),
        ("skip", []),
        ("all", [("13:00:00+00:00", 1, 0), ("14:00:00+00:00", 2, 0), ("15:00:00+00:00", 3, 0)]),
    ],
)
async def test_missed_ticks_are_made_up_for_as_the_policy_says(
    policy: str, ticks: list[tuple[str, int, int]]
) -> None:
    lines = ("cron: 0 * * * *", f"missed: {policy}", "overlap: queue")
    async with ticking(a_timer(*lines)) as (_, clock, seen):
        await clock.jump(3.5 * 3600)
        assert await clock.waited_for() == 4 * 3600
        await seen.number(len(ticks))
        found = [(tick["at"][11:], tick["count"], tick["missed"]) for tick in seen.ticks]
        assert found == ticks
        await clock.run(1800)
        last = (await seen.number(len(ticks) + 1))[-1]
        assert last["at"].endswith("16:00:00+00:00")
        assert last["missed"] == (3 if policy == "skip" else 0)


async def test_skip_still_ticks_for_one_that_is_a_little_late() -> None:
    lines = ("cron: 0 * * * *", "missed: skip")
    async with ticking(a_timer(*lines)) as (_, clock, seen):
        await clock.jump(2 * 3600 + 30)
        [tick] = await seen.number(1)
        assert (tick["at"][11:16], tick["missed"]) == ("14:00", 1)


async def test_a_clock_that_is_set_back_holds_no_interval_up() -> None:
    async with ticking(a_timer("interval: 10s")) as (_, clock, seen):
        await clock.run(20)
        await clock.set_back(3600)
        assert await clock.waited_for() == 20 - 3600 + 10
        await clock.run(10)
        await seen.number(3)


# -- errors --------------------------------------------------------------------------------------


async def test_an_error_is_told_and_the_next_tick_comes() -> None:
    flow = a_timer("interval: 10s", out="bad") + "- {kind: throw, name: bad}\n"
    async with ticking(flow) as (rt, clock, _):
        for _ in range(2):
            told = asyncio.ensure_future(rt.events.wait("tick failed"))
            await clock.run(10)
            async with asyncio.timeout(60):
                event = await told
            assert (event.symbol, event.level) == ("t", "error")


async def test_an_error_goes_to_the_error_port() -> None:
    flow = """
- kind: timer
  name: t
  interval: 10s
  ports:
    out: [{name: bad, port: in}]
    error: [{name: say, port: in}]
- {kind: throw, name: bad}
- {kind: snippet, name: say, language: cel, code: "'failed'", ports: {out: [{name: see, port: in}]}}
"""
    async with ticking(flow) as (rt, clock, seen):
        await clock.run(10)
        assert (await seen.number(1)) == ["failed"]
        assert not [one for one in rt.events.recent if one.event == "tick failed"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "neither interval nor cron (expected: one of them)"),
        ("interval: 1s, cron: '@daily'", "interval and cron (expected: one of them)"),
        ("interval: 0", "a duration of more than 0s"),
        ("cron: 61 * * * *", '"61 * * * *": bad minute'),
        ("cron: '@daily', timezone: Europe/Berln", 'Did you mean "Europe/Berlin"?'),
        ("interval: 1s, jitter: 2s", "a jitter of 2s (expected: at most the interval, 1s)"),
    ],
)
async def test_a_timer_that_cannot_work_is_a_problem(lines: str, said: str) -> None:
    comma = ", " if lines else ""
    async with ticking(f"- {{kind: timer, name: t{comma}{lines}}}\n") as (rt, _, _):
        [problem] = rt.status().problems
    assert said in str(problem)


# -- reload --------------------------------------------------------------------------------------


async def test_a_reload_keeps_when_the_next_tick_is_due() -> None:
    text = a_timer("interval: 10s")
    async with ticking(text) as (rt, clock, seen):
        await clock.run(14)
        await change(rt, text.replace("interval: 10s", "interval: 10s\n  limit: 5"))
        assert await clock.waited_for() == 20
        await clock.run(6)
        assert (await seen.number(2))[1]["count"] == 2


async def test_a_changed_interval_counts_from_the_change() -> None:
    text = a_timer("interval: 10s")
    async with ticking(text) as (rt, clock, _):
        await clock.run(14)
        await change(rt, text.replace("10s", "3s"))
        assert await clock.waited_for() == 17


async def test_a_tick_that_runs_counts_as_running_after_a_reload() -> None:
    text = a_timer("interval: 10s")
    async with ticking(text) as (rt, clock, seen):
        seen.gate.clear()
        await clock.run(10)
        await seen.number(1)
        await change(rt, text.replace("interval: 10s", "interval: 10s\n  limit: 5"))
        await clock.run(10)
        assert len(seen.ticks) == 1
        assert snapshot(rt)["running"] == 1
        seen.gate.set()
        await clock.run(10)
        await seen.number(2)
        assert seen.most == 1


async def test_a_tick_begins_on_the_generation_that_is_current_then() -> None:
    text = a_timer("interval: 10s", out="say")
    say = "- {kind: snippet, name: say, language: text, code: CODE, ports: {out: [{name: see, port: in}]}}\n"
    async with ticking(text + say.replace("CODE", "old")) as (rt, clock, seen):
        await clock.run(10)
        await change(rt, say.replace("CODE", "new"))
        await clock.run(10)
        assert await seen.number(2) == ["old", "new"]


async def test_a_change_that_is_rejected_leaves_the_timer_ticking() -> None:
    text = a_timer("interval: 10s")
    async with ticking(text) as (rt, clock, seen):
        await clock.run(4)
        bad = text.replace("ports: {out", "ports: {active: [{name: bad, port: in}], out")
        await change(rt, bad.replace("10s", "3s") + "- {kind: throw, name: bad}\n")
        assert rt.events.recent[-1].event == "change rejected"
        assert await clock.waited_for() == 10
        await clock.run(16)
        await seen.number(2)
        assert seen.times == ["12:00:10+00:00", "12:00:20+00:00"]


async def test_a_timer_that_is_removed_ticks_no_more() -> None:
    async with ticking(a_timer("interval: 10s")) as (rt, clock, _):
        symbol = rt.table.get("t")
        assert symbol is not None
        await clock.waited_for()
        live = asyncio.ensure_future(rt.events.wait("generation live"))
        await asyncio.sleep(0)
        await rt.store.apply([Delete(type=Spec, id=symbol.id)])
        async with asyncio.timeout(60):
            await live
        assert not clock._waits


async def test_the_example_of_the_page_loads() -> None:
    from heddle.extensions.time.timer import TIMER

    async with ticking(TIMER.schema.example) as (rt, clock, _):
        assert not rt.status().problems
        assert await clock.waited_for() > 0
