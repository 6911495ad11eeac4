"""RunDelays are the runs that a RunStore failed for: each is left out for a while, so that it holds up no other run."""

from typing import Final
from uuid import UUID

FIRST: Final = 1.0
"""Seconds for which a run is left out at first; each time is twice as long."""

LONGEST: Final = 60.0
"""Seconds for which a run is left out at most."""


class RunDelays:
    """When each of these runs is tried again. Times are those of one clock, in seconds."""

    def __init__(self) -> None:
        self._runs: dict[UUID, tuple[float, float]] = {}

    def add(self, run: UUID, now: float) -> bool:
        """Leave a run out for a while; return True if it was not left out before."""
        before = self._runs.get(run)
        pause = FIRST if before is None else min(before[1] * 2, LONGEST)
        self._runs[run] = now + pause, pause
        return before is None

    def waiting(self, now: float) -> set[UUID]:
        """Return the runs that are left out at this time."""
        return {run for run, (until, _) in self._runs.items() if until > now}

    def forget(self, run: UUID) -> None:
        """Have a run go on as any other: it was resumed, or is not there any more."""
        self._runs.pop(run, None)

    def clear(self) -> None:
        """Forget all runs."""
        self._runs.clear()
