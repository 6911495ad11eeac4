"""A Fit is the result of a comparison of types."""

import enum
from collections.abc import Iterable


class Fit(enum.Enum):
    """The fit of data of one type into another; `fails` is what a check reports."""

    FITS = "fits"
    UNKNOWN = "unknown"
    EMPTY = "empty"
    UNFIT = "invalid"

    @property
    def fails(self) -> bool:
        """Whether it is known that nothing fits, or nothing but what is empty."""
        return self in (Fit.EMPTY, Fit.UNFIT)


def for_every(fits: Iterable[Fit]) -> Fit:
    """Return the fit of data that are one of several: each of them has to fit, or to fail."""
    seen: set[Fit] = set()
    for fit in fits:
        seen.add(fit)
        if Fit.UNKNOWN in seen or (Fit.FITS in seen and len(seen) > 1):
            return Fit.UNKNOWN
    if not seen or Fit.FITS in seen:
        return Fit.FITS
    return Fit.EMPTY if Fit.EMPTY in seen else Fit.UNFIT


def for_any(fits: Iterable[Fit]) -> Fit:
    """Return the fit of a place that accepts several types: one that fits is enough."""
    worst = Fit.UNFIT
    for fit in fits:
        if fit is Fit.FITS:
            return fit
        if fit is Fit.UNKNOWN or worst is Fit.UNKNOWN:
            worst = Fit.UNKNOWN
        elif fit is Fit.EMPTY:
            worst = fit
    return worst


def for_all(fits: Iterable[Fit]) -> Fit:
    """Return the fit of a place with several rules: all must hold, and one that fails is enough."""
    worst = Fit.FITS
    for fit in fits:
        if fit is Fit.UNFIT:
            return fit
        if fit is Fit.EMPTY or worst is Fit.EMPTY:
            worst = Fit.EMPTY
        elif fit is Fit.UNKNOWN:
            worst = fit
    return worst


def by_any(fits: Iterable[Fit]) -> Fit:
    """Return the fit of data that follow several rules: what is known of one is known of the data."""
    order = (Fit.UNFIT, Fit.EMPTY, Fit.FITS, Fit.UNKNOWN)
    return min(fits, key=order.index, default=Fit.UNKNOWN)
