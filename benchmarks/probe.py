"""A probe: one client that asks every few milliseconds, and how long it had to wait at most.

An absolute bar stands beside a floor of the same run, a bare asyncio server under the same load on
the same core: at most 100 ms, or three times what the floor's slowest probe took. A round in which
the floor itself took more than 30 ms was disturbed, and is repeated.
"""

import http.client
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks.measure import Measure, at_most

PAUSE: Final = 0.02
BAR: Final = 100.0
"""Milliseconds that the slowest probe may take in any case."""
TIMES: Final = 3.0
"""How many times the floor's slowest probe that of the subject may take."""
CALM: Final = 30.0
"""Milliseconds beyond which the floor shows that something else took part."""
PATIENCE: Final = 60.0


@dataclass(frozen=True)
class Probed:
    """Milliseconds that probes took."""

    slowest: float
    median: float
    count: int


def probe(port: int, path: str, going: Callable[[], bool]) -> Probed:
    """Ask on one kept connection as long as it is going on, at least ten times."""
    taken: list[float] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        while going() or len(taken) < 10:
            began = time.perf_counter()
            try:
                connection.request("GET", path)
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                # A server that is too busy to answer within that time counts with it.
                connection.close()
            taken.append((time.perf_counter() - began) * 1e3)
            time.sleep(PAUSE)
    finally:
        connection.close()
    return Probed(max(taken), statistics.median(taken), len(taken))


def for_seconds(seconds: float) -> Callable[[], bool]:
    """Return going on for so long from now."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def beside(
    name: str,
    floor: Callable[[], Probed],
    subject: Callable[[], Probed],
    *,
    rounds: int,
    seconds: float = math.inf,
) -> Measure:
    """Return the slowest probe of the subject, as a share of what it may take: the median of calm rounds.

    No round begins after so many `seconds`, but for the first.
    """
    end = time.monotonic() + seconds
    shares: list[float] = []
    calm: list[float] = []
    facts: list[dict[str, float]] = []
    for _ in range(rounds * 2):
        base, its = floor(), subject()
        share = its.slowest / max(BAR, TIMES * base.slowest)
        shares.append(share)
        facts.append({"floor ms": round(base.slowest, 1), "subject ms": round(its.slowest, 1)})
        if base.slowest <= CALM:
            calm.append(share)
        if len(calm) >= rounds or time.monotonic() > end:
            break
    counted = calm or shares
    return Measure(
        name=f"slowest probe, {name}",
        value=statistics.median(counted),
        reach=at_most(1.0),
        low=min(counted),
        high=max(counted),
        rounds=len(counted),
        disturbed=not calm,
        facts={"rounds": facts},
    )
