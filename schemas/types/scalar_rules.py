"""Rules of numbers and texts: whether what one JSON Schema rule allows satisfies another rule."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from heddle.schemas.types.fit import Fit

Rule: TypeAlias = Mapping[str, Any]


class Span(NamedTuple):
    """The lengths or counts from `least` to `most`; `most` is None if there is no limit."""

    least: int
    most: int | None

    def relate(self, target: "Span") -> Fit:
        """Return how the counts of this span suit another one."""
        if target.most is not None and self.least > target.most:
            return Fit.UNFIT
        if self.most is not None and self.most < target.least:
            return Fit.UNFIT
        within = target.most is None or (self.most is not None and self.most <= target.most)
        return Fit.FITS if within and self.least >= target.least else Fit.UNKNOWN

    def holds(self, count: int) -> bool:
        """Return whether this count is inside."""
        return self.least <= count and (self.most is None or count <= self.most)


def span_of(rule: Rule, least: str, most: str) -> Span:
    """Return the span between two keywords, for example `minLength` and `maxLength`."""
    high = rule.get(most)
    return Span(_count(rule.get(least, 0)), None if high is None else _count(high))


def relate_numbers(source: Rule, target: Rule) -> Fit:
    """Return how the numbers that one rule allows suit another rule."""
    low, high = _low(source), _high(source)
    least, most = _low(target), _high(target)
    if _apart(low, most) or _apart(least, high):
        return Fit.UNFIT
    inside = (least is None or (low is not None and low >= least)) and (
        most is None or (high is not None and high <= most)
    )
    steps = _divides(target.get("multipleOf"), source.get("multipleOf"))
    return Fit.FITS if inside and steps else Fit.UNKNOWN


def judge_number(value: float, rule: Rule) -> bool | None:
    """Return whether a number follows a rule; None if that cannot be said exactly."""
    low, high = _low(rule), _high(rule)
    if low is not None and not (value > low[0] or (value == low[0] and not low[1])):
        return False
    if high is not None and not (value < high[0] or (value == high[0] and high[1])):
        return False
    step = rule.get("multipleOf")
    if step is None:
        return True
    if step == 1:
        return isinstance(value, int) or value.is_integer()
    if isinstance(value, int) and isinstance(step, int) and step > 0:
        return value % step == 0
    return None


def relate_strings(source: Rule, target: Rule) -> Fit:
    """Return how the texts that one rule allows suit another rule."""
    lengths = span_of(source, "minLength", "maxLength").relate(
        span_of(target, "minLength", "maxLength")
    )
    if lengths is Fit.UNFIT:
        return lengths
    words = ("pattern", "format")
    same = all(word not in target or source.get(word) == target[word] for word in words)
    # Bytes are a text in JSON and bytes in a payload, so one never simply is the other.
    encoded = source.get("contentEncoding") == target.get("contentEncoding")
    return lengths if same and encoded else Fit.UNKNOWN


def judge_string(value: str, rule: Rule) -> bool | None:
    """Return whether a text follows a rule; None if that cannot be said."""
    if not span_of(rule, "minLength", "maxLength").holds(len(value)):
        return False
    # A pattern is not tried: one that backtracks could hold up the check.
    free = not any(word in rule for word in ("pattern", "format", "contentEncoding"))
    return True if free else None


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise TypeError(f"{value!r} is not a count")
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return value


def _low(rule: Rule) -> tuple[float, bool] | None:
    """Return the lower limit and whether it is exclusive; the larger pair is the stricter."""
    limits = [
        (_number(rule[word]), word == "exclusiveMinimum")
        for word in ("minimum", "exclusiveMinimum")
        if word in rule
    ]
    return max(limits, default=None)


def _high(rule: Rule) -> tuple[float, bool] | None:
    """Return the upper limit and whether it is inclusive; the smaller pair is the stricter."""
    limits = [
        (_number(rule[word]), word == "maximum")
        for word in ("maximum", "exclusiveMaximum")
        if word in rule
    ]
    return min(limits, default=None)


def _apart(low: tuple[float, bool] | None, high: tuple[float, bool] | None) -> bool:
    """Return whether nothing is above the one and below the other."""
    if low is None or high is None:
        return False
    return low[0] > high[0] or (low[0] == high[0] and (low[1] or not high[1]))


def _divides(step: Any, multiple: Any) -> bool:
    """Return whether every multiple of the second is a multiple of the first."""
    if step is None or step == multiple:
        return True
    whole = isinstance(step, int) and isinstance(multiple, int)
    return whole and step > 0 and multiple % step == 0
