"""A Measure is one ratio or figure that was measured, beside the reach that it is wanted in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How far a value may go: at most `bound`, or at least."""

    side: Literal["≤", "≥"]
    bound: float

    def holds(self, value: float) -> bool:
        """Return whether a value is within reach."""
        return value <= self.bound if self.side == "≤" else value >= self.bound


def at_most(bound: float) -> Reach:
    """Return a value that may be as large as this."""
    return Reach(side="≤", bound=bound)


def at_least(bound: float) -> Reach:
    """Return a value that may be as small as this."""
    return Reach(side="≥", bound=bound)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One line of the table.

    `low` and `high` are the middle half of the rounds, if there were rounds. Without a reach
    the value is told for what it explains. `disturbed` says that something else on the machine took
    part in most rounds: it is worth measuring again. `facts` are the absolute figures behind it,
    which mean something on this machine only. A floor that is far away needs a `reason`.
    """

    name: str
    value: float
    unit: str = "×"
    reach: Reach | None = None
    low: float | None = None
    high: float | None = None
    rounds: int = 1
    disturbed: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    reason: str = ""

    @property
    def ok(self) -> bool | None:
        """Whether it is within reach; None if there is none."""
        return self.reach.holds(self.value) if self.reach is not None else None


def measured(
    name: str,
    values: Sequence[float],
    *,
    unit: str = "×",
    reach: Reach | None = None,
    disturbed: bool = False,
    facts: dict[str, Any] | None = None,
    reason: str = "",
) -> Measure:
    """Return the median of what the rounds gave, and their middle half."""
    low, high = middle_half(values)
    return Measure(
        name=name,
        value=median(values),
        unit=unit,
        reach=reach,
        low=low,
        high=high,
        rounds=len(values),
        disturbed=disturbed,
        facts=facts or {},
        reason=reason,
    )


def middle_half(values: Sequence[float]) -> tuple[float, float]:
    """Return the values between which the middle half of them lies."""
    return percentile(values, 25), percentile(values, 75)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that so many percent of all are not above; ValueError without values."""
    if not values:
        raise ValueError("there is no percentile of nothing")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
