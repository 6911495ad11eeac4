"""Calls are timed in this process: floor and subject take turns, sample by sample."""

import gc
from collections.abc import Mapping
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
) -> Measure:
    """How many times the floor's statement the subject's takes.

    Each round gives one ratio of two samples that were taken right after one another, so that a
    machine that is slower for a while is so for both. The garbage collector stays on: what it has
    to do is part of the price.
    """
    timers = [
        Timer(statement, "gc.enable()", globals={**names, "gc": gc})
        for statement in (floor, subject)
    ]
    counts = [_calibrated(timer, scale.calls) for timer in timers]
    taken: list[list[float]] = [[], []]
    for _ in range(scale.samples):
        for timer, count, times in zip(timers, counts, taken, strict=True):
            times.append(timer.timeit(count) / count * 1e9)
    ratios = [its / base for base, its in zip(*taken, strict=True)]
    best = [min(times) for times in taken]
    facts = {
        "floor ns": round(best[0], 1),
        "subject ns": round(best[1], 1),
        "ratio of the best": round(best[1] / best[0], 2),
    }
    return measured(name, ratios, reach=reach, facts=facts)


def _calibrated(timer: Timer, seconds: float) -> int:
    """How often the statement runs in so many seconds, once it is warm."""
    count = 1
    while (took := timer.timeit(count)) < seconds / 4:
        count *= 2
    return max(1, round(count * seconds / took))
