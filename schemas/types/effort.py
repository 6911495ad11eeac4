"""Effort bounds the time of the processor that a check may take: its keywords count, and it ends in time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import thread_time
from typing import Final

_STEPS: Final = 16
"""How many keywords are checked between two looks at the clock."""


class EffortError(Exception):
    """A check needs more time of the processor than it may take."""


class _Effort(threading.local):
    """The end of the check that goes on in this thread, and the steps before the next look at the clock."""

    end: float | None = None
    left = 0


_here: Final = _Effort()


@contextmanager
def at_most(seconds: float | None) -> Iterator[None]:
    """Let the checks in here take so many seconds of the processor; more is an EffortError. None: any."""
    before = _here.end
    _here.end = None if seconds is None else thread_time() + seconds
    _here.left = _STEPS
    try:
        yield
    finally:
        _here.end = before


def count_step() -> None:
    """Count one step of a check; raise EffortError if its time is over."""
    here = _here
    if here.end is None:
        return
    here.left -= 1
    if here.left < 0:
        here.left = _STEPS
        if thread_time() > here.end:
            raise EffortError("the check takes longer than it may")
