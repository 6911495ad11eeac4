"""Pieces: long work in small steps, done at once, or in turns with everything else on the event loop."""

import asyncio
import time
from collections.abc import Generator
from typing import Final, TypeAlias, TypeVar

from heddle.schemas.collector import COLLECTOR

T = TypeVar("T")

Pieces: TypeAlias = Generator[None, None, T]
"""Work that yields wherever it may be put off, and returns what comes of it."""

SLICE: Final = 0.005
"""Seconds after which others have their turn."""


def at_once(work: Pieces[T]) -> T:
    """Do all of the work now, and return what comes of it."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            value: T = done.value
            return value


async def by_turns(work: Pieces[T]) -> T:
    """Do the work a slice at a time, and let the event loop go on between two slices."""
    clock = time.perf_counter
    end = clock() + SLICE
    while True:
        try:
            next(work)
        except StopIteration as done:
            value: T = done.value
            return value
        if clock() > end:
            break
    with COLLECTOR.hold():
        while True:
            await asyncio.sleep(0)
            end = clock() + SLICE
            while True:
                try:
                    next(work)
                except StopIteration as done:
                    last: T = done.value
                    return last
                if clock() > end:
                    break


async def empty_by_turns(items: list[T]) -> None:
    """Take everything out of a list, and let the event loop go on meanwhile.

    Whatever nothing else refers to is freed with it, which takes long if it is much.
    """
    turns = LoopYield()
    while items:
        items.pop()
        await turns.rest()


class LoopYield:
    """Lets the event loop go on within a long loop: `await turns.rest()` in each round."""

    __slots__ = ("_end",)

    def __init__(self) -> None:
        self._end = time.perf_counter() + SLICE

    @property
    def due(self) -> bool:
        """Whether others should have their turn now."""
        return time.perf_counter() > self._end

    async def rest(self) -> None:
        """Let others have their turn, if it is due."""
        if time.perf_counter() > self._end:
            COLLECTOR.note_work()
            await asyncio.sleep(0)
            self._end = time.perf_counter() + SLICE
