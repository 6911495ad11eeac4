"""Calls are timed in this process: floor and subject take turns, sample by sample."""

import gc
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter, process_time, thread_time
from timeit import Timer
from typing import Any

from benchmarks.measure import Measure, Reach, measured
from benchmarks.scale import Scale


def compare(
    name: str,
    *,
    floor: str,
    subject: str,
    names: Mapping[str, Any],
    scale: Scale,
    reach: Reach | None = None,
    reason: str = "",
) -> Measure:
    """Return how many times the floor's statement the subject's takes.

    Each round gives one ratio of two samples that were taken right after one another, so that a
    machine that is slower for a while is so for both. It is the processor time of this thread that
    counts: nothing here waits, and others who use the machine shall not be counted in. The garbage
    collector stays on: what it has to do is part of the price.
    """
    timers = [
        Timer(statement, "gc.enable()", thread_time, globals={**names, "gc": gc})
        for statement in (floor, subject)
    ]
    counts = [_calibrated(timer, scale.calls) for timer in timers]
    taken: list[list[float]] = [[], []]
    for _ in range(scale.samples):
        for timer, count, times in zip(timers, counts, taken, strict=True):
            times.append(timer.timeit(count) / count * 1e9)
    return _measure(name, taken, reach, reason)


async def compare_waiting(
    name: str,
    *,
    floor: Callable[[], Awaitable[Any]],
    subject: Callable[[], Awaitable[Any]],
    scale: Scale,
    reach: Reach | None = None,
    reason: str = "",
) -> Measure:
    """Return the same for what is awaited: each sample awaits it so many times, one after the other.

    It is the processor time of this process that counts, with all its threads: waiting costs nothing.
    """
    both = (floor, subject)
    counts = [await _calibrated_waiting(one, scale.calls) for one in both]
    taken: list[list[float]] = [[], []]
    for _ in range(scale.samples):
        for one, count, times in zip(both, counts, taken, strict=True):
            times.append(await _seconds(one, count, process_time) / count * 1e9)
    return _measure(name, taken, reach, reason)


def _measure(name: str, taken: list[list[float]], reach: Reach | None, reason: str) -> Measure:
    ratios = [its / base for base, its in zip(*taken, strict=True)]
    best = [min(times) for times in taken]
    facts = {
        "floor ns": round(best[0], 1),
        "subject ns": round(best[1], 1),
        "ratio of the best": round(best[1] / best[0], 2),
        "floor a second": round(1e9 / best[0]),
        "subject a second": round(1e9 / best[1]),
    }
    return measured(name, ratios, reach=reach, facts=facts, reason=reason)


def _calibrated(timer: Timer, seconds: float) -> int:
    """Return how often the statement runs in so many seconds, once it is warm."""
    count = 1
    while (took := timer.timeit(count)) < seconds / 4:
        count *= 2
    return max(1, round(count * seconds / took))


async def _calibrated_waiting(act: Callable[[], Awaitable[Any]], seconds: float) -> int:
    count = 1
    while (took := await _seconds(act, count)) < seconds / 4:
        count *= 2
    return max(1, round(count * seconds / took))


async def _seconds(
    act: Callable[[], Awaitable[Any]], count: int, clock: Callable[[], float] = perf_counter
) -> float:
    began = clock()
    for _ in range(count):
        await act()
    return clock() - began
