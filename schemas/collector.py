"""The Collector keeps garbage collections short: what is made for long is set aside and not looked at.

A full collection looks at every object, and nothing else runs meanwhile: 100 ms and more with ten
thousand Specs. So there is none while much is made, and what was made is set aside afterwards, with
`gc.freeze`. What is set aside is still freed as soon as nothing refers to it; only what refers to
itself is not. Nothing of ours does once it is closed (tests/runtime/test_freed.py). For nodes of
others that do, everything is looked at again once there are enough of them.
"""

import asyncio
import gc
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from weakref import ReferenceType, ref

CALM: Final = 2.0
"""Seconds without large work after which collections are as before: one piece often follows another."""

LONGEST: Final = 20.0
"""Seconds without a full collection after which there may be one, whatever goes on."""

NEVER: Final = 1_000_000
"""A threshold that is not reached."""

KEPT: Final = 1_000
"""Closed things that are not free after which everything is looked at."""

CLOSED: Final = 100_000
"""Closed things after which everything is looked at, as what they held may not be free."""


class Collector:
    """Says when this process collects garbage in full."""

    def __init__(self) -> None:
        self._owns = False
        self._holds = 0
        self._began = 0.0
        self._before: tuple[int, int, int] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._much = False
        self._closed: list[ReferenceType[Any]] = []
        self._unsure = 0
        self._count = 0

    def take_over(self) -> None:
        """Set aside what has been made so far, and from now on whatever is much.

        This is for a process that is ours: what others make in it is set aside, too.
        """
        self._owns = True
        gc.freeze()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Collect young garbage alone meanwhile, in a process of ours for a moment afterwards, too."""
        if self._before is None:
            self._before = gc.get_threshold()
            self._began = time.monotonic()
            gc.set_threshold(self._before[0], self._before[1], NEVER)
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            if not self._holds and self._owns:
                self._release_later()
            elif not self._holds:
                self._release()

    def note_much(self) -> None:
        """Note that much was made that stays: it is set aside once no large work goes on."""
        self._much = True
        self.note_work()

    def note_work(self) -> None:
        """Note that large work goes on."""
        if self._owns and not self._holds:
            with self.hold():
                pass

    def note_closed(self, things: Iterable[object]) -> None:
        """Note things that were closed, and should be free in a moment."""
        if not self._owns:
            return
        for each in things:
            self._count += 1
            try:
                self._closed.append(ref(each))
            except TypeError:
                self._unsure += 1
        if len(self._closed) >= KEPT:
            self._closed = [each for each in self._closed if each() is not None]
        if self._due:
            # Not now: some of them are still held by whoever has just closed them.
            self.note_work()

    @property
    def _due(self) -> bool:
        return len(self._closed) + self._unsure >= KEPT or self._count >= CLOSED

    def _release_later(self) -> None:
        left = self._began + LONGEST - time.monotonic()
        if self._timer is not None:
            if left <= 0:
                # Work that follows on work may not put it off for ever.
                return
            self._timer.cancel()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._release()
        else:
            self._timer = loop.call_later(min(CALM, max(left, 0.0)), self._release)

    def _release(self) -> None:
        """Set aside what was made, and collect as before."""
        self._timer = None
        if self._before is None or self._holds:
            return
        if self._owns and self._due:
            self._look_at_all()
        if self._owns and self._much:
            # The youngest, of which most is garbage by now; what is left of it stays.
            gc.collect(1)
            gc.freeze()
        self._much = False
        gc.set_threshold(*self._before)
        self._before = None

    def _look_at_all(self) -> None:
        """Free what was set aside and only refers to itself, where enough of it may be there."""
        gc.collect()
        self._closed = [each for each in self._closed if each() is not None]
        if self._due:
            gc.unfreeze()
            gc.collect()
            self._closed = [each for each in self._closed if each() is not None]
            self._unsure = self._count = 0
            self._much = True


COLLECTOR: Final = Collector()
"""The one of this process."""
