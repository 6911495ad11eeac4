"""A Row is one thing that is measured: what it is, its floor, and how it is done."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks.measure import Measure
from benchmarks.scale import Scale

Say: TypeAlias = Callable[[str], None]
"""Told what is being done, for who waits."""


class AnswerMismatchError(Exception):
    """What was measured did not do what it should have: its figures would mean nothing."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """`run(scale, say)` gives the measures; raise AnswerMismatchError if something that was measured is wrong."""

    title: str
    floor: str
    run: Callable[[Scale, Say], Sequence[Measure]]
