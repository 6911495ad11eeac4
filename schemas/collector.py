"""The Collector keeps garbage collections short: what is made for long is set aside and not looked at.

A full collection looks at every object, and nothing else runs meanwhile: 100 ms and more with ten
thousand Specs. So there is none while much is made, and what was made is set aside afterwards, with
`gc.freeze`. What is set aside is still freed as soon as nothing refers to it; only what refers to
itself is not. What we make does not, once it is closed (tests/extensions/test_freed.py). A node of
somebody else's kind may: if one that was replaced is still there after a while, or if there are more
objects than there should be, everything is looked at.

All of this holds in a process of ours alone. If a runtime is embedded, the collector is the business
of the program around it, and nothing here touches it.
"""

import asyncio
import gc
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

CALM: Final = 2.0
"""Seconds without large work after which collections are as before: one piece often follows another."""

LONGEST: Final = 20.0
"""Seconds without a full collection after which there may be one, whatever goes on."""

NEVER: Final = 1_000_000
"""A threshold that is not reached."""

MUCH: Final = 1_000
"""Symbols that are made at once from which they are set aside; a collection looks at fewer in a moment."""

EACH: Final = 300
"""Objects that a symbol may consist of."""

MORE: Final = 2.5
"""How many times the objects may be set aside that there were when everything was looked at last.

More than twice: what was replaced and still drains may be among them."""

FREED: Final = 30.0
"""Seconds after which what was replaced should be freed: it may have had requests in flight."""

ROOM: Final = 1_000
"""How many things that were replaced are noted until those that are freed are dropped from the list."""

RARE: Final = 3600.0
"""Seconds between two looks at most, if what was replaced is held by something else all the time."""


class LoopTimer:
    """One call that a loop makes later. A loop that has ended makes none: then it is not pending."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None

    @property
    def pending(self) -> bool:
        """Whether the loop that runs now is going to make the call."""
        return self._handle is not None and self._loop is _running_loop()

    def start(self, delay: float, call: Callable[[], None]) -> bool:
        """Have it called in so many seconds, in the place of the call before; False if no loop runs."""
        if self.pending and self._handle is not None:
            self._handle.cancel()
        # What a loop that has ended was to call is left to it: its handles cannot be used any more.
        self._handle, self._loop = None, _running_loop()
        if self._loop is not None:
            self._handle = self._loop.call_later(delay, call)
        return self._handle is not None

    def clear(self) -> None:
        """Note that the call was made."""
        self._handle = self._loop = None


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class Collector:
    """Says when this process collects garbage in full."""

    def __init__(self) -> None:
        self._owns = False
        self._holds = 0
        self._began = 0.0
        self._before: tuple[int, int, int] | None = None
        self._timer = LoopTimer()
        self._much = False
        self._symbols = 0
        self._most = 0
        self._usual = 0
        self._replaced: list[tuple[float, weakref.ref[object]]] = []
        self._room = ROOM
        self._pause = FREED
        self._look = LoopTimer()

    def take_over(self, symbols: int) -> None:
        """Set aside what has been made so far, so many symbols, and from now on whatever is much.

        This is for a process that is ours: what others make in it is set aside, too.
        """
        self._owns = True
        self._symbols = self._most = symbols
        gc.freeze()
        self._usual = gc.get_freeze_count()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Collect young garbage alone meanwhile and for a moment afterwards; nothing in a process of others."""
        if not self._owns:
            yield
            return
        if self._before is None:
            self._before = gc.get_threshold()
            self._began = time.monotonic()
            gc.set_threshold(self._before[0], self._before[1], NEVER)
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            if not self._holds:
                self._release_later()

    def watch(self, thing: object) -> None:
        """Have this freed in a while, if nothing but itself refers to it; it was replaced or removed."""
        if self._owns:
            if len(self._replaced) >= self._room:
                self._left()
                self._room = max(ROOM, len(self._replaced) * 2)
            self._replaced.append((time.monotonic(), weakref.ref(thing)))
            if not self._look.pending:
                self._pause = FREED
                self._look_later()

    def _look_later(self) -> None:
        self._look.start(self._pause, self._free)

    def _free(self) -> None:
        """Look at everything if something that was replaced is still there, ever more rarely if in vain."""
        self._look.clear()
        if self._holds or self._before is not None:
            self._look_later()
            return
        if self._late():
            # What was made since is looked at first: that may be enough.
            gc.collect()
        if self._late():
            self._look_at_everything()
        self._pause = min(self._pause * 2, RARE) if self._late() else FREED
        if self._replaced:
            self._look_later()

    def _late(self) -> bool:
        """Return whether something is still there that was replaced long ago: what was replaced just now may be."""
        left = self._left()
        return bool(left) and left[0][0] <= time.monotonic() - FREED

    def _left(self) -> list[tuple[float, weakref.ref[object]]]:
        self._replaced = [each for each in self._replaced if each[1]() is not None]
        return self._replaced

    def note_much(self, made: int, symbols: int) -> None:
        """Note that so many symbols were made, and how many there are now.

        If they are many they are set aside, once no large work goes on.
        """
        self._symbols = symbols
        if made >= MUCH:
            self._much = True
            self.note_work()

    def note_work(self) -> None:
        """Note that large work goes on."""
        if self._owns and not self._holds:
            with self.hold():
                pass

    def _release_later(self) -> None:
        left = self._began + LONGEST - time.monotonic()
        if self._timer.pending and left <= 0:
            # Work that follows on work may not put it off for ever.
            return
        if not self._timer.start(min(CALM, max(left, 0.0)), self._release):
            self._release()

    def _release(self) -> None:
        """Set aside what was made, and collect as before."""
        self._timer.clear()
        if self._before is None or self._holds:
            return
        if self._owns and self._much:
            self._set_aside()
        self._much = False
        if gc.get_threshold()[2] == NEVER:
            # Unless the code of an extension has set others meanwhile.
            gc.set_threshold(*self._before)
        self._before = None

    def _set_aside(self) -> None:
        # The youngest, of which most is garbage by now; what is left of it stays.
        gc.collect(1)
        gc.freeze()
        count = gc.get_freeze_count()
        grown = max(self._symbols - self._most, 0)
        if grown:
            # More than there have ever been: so much more may be there.
            self._usual = min(count, self._usual + grown * EACH)
            self._most = self._symbols
        if count > self._usual * MORE:
            self._look_at_everything()

    def _look_at_everything(self) -> None:
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._usual = gc.get_freeze_count()
        self._most = self._symbols


COLLECTOR: Final = Collector()
"""The one of this process."""
