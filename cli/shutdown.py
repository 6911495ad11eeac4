"""An Ending is how SIGINT and SIGTERM end one process, even while something holds its event loop.

The first signal ends it in order. While the loop turns, that is all. When the loop stands still for
too long, what holds it is interrupted: its packet fails, and the rest still drains. When that does
not help within the drain time, the process ends at once.
"""

import _thread
import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

from heddle.cli.exit_codes import INTERRUPTED
from heddle.runtime.flow.errors import ShutdownInterrupt

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

PATIENCE: Final = 5.0
"""Seconds for which the loop may stand still after the signal; less if the drain time is short."""

AGAIN: Final = 1.0
"""Seconds for which it may stand still once something was interrupted."""

TICK: Final = 0.25
"""Seconds between two looks at the loop."""


class Shutdown:
    """Ends a process by signals: `begin` is called on the loop after the first one.

    `drain` is how many seconds what is in flight may go on; `report` is given a line about what was
    not ended in order. `alive` is called on the loop now and then, from the signal on.
    """

    def __init__(
        self,
        begin: Callable[[], None],
        *,
        drain: float,
        report: Callable[[str], None],
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self.reason = ""
        self._begin = begin
        self._drain = drain
        self._report = report
        self._alive = alive
        self._loop: asyncio.AbstractEventLoop | None = None
        self._answered = True
        self._probed_at = 0.0
        self._patience = PATIENCE
        self._deadline = 0.0

    @contextmanager
    def signals(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Handle SIGINT and SIGTERM meanwhile; a second one ends the process at once."""
        self._loop = loop
        # Not add_signal_handler: a flow that hogs the loop must not keep a signal out.
        before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        try:
            yield
        finally:
            self._loop = None
            if self.reason:
                _set_timer(0.0)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self.reason:
            os._exit(INTERRUPTED)
        self.reason = signal.Signals(number).name
        if self._loop is None:
            return
        self._deadline = time.monotonic() + max(self._drain, 2 * TICK)
        self._patience = min(PATIENCE, max(self._drain / 2, TICK))
        self._probe()
        self._loop.call_soon_threadsafe(self._begin)
        # Python's handlers run between two steps of Python, and in calls that a signal wakes: that
        # is when something can be interrupted. A thread sees to the calls that no signal wakes.
        if _TIMERS:
            signal.signal(signal.SIGALRM, self._on_alarm)
            _set_timer(TICK)
        with suppress(RuntimeError):
            _thread.start_new_thread(self._outwait, ())

    def _probe(self) -> None:
        """Ask the loop for a sign of life."""
        self._answered, self._probed_at = False, time.monotonic()
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        self._answered = True
        self._alive()

    def _on_alarm(self, _number: int, _frame: FrameType | None) -> None:
        """Interrupt what holds the loop; this runs on top of it."""
        if self._loop is None:
            return
        if self._answered:
            self._probe()
            return
        now = time.monotonic()
        if now > self._deadline + TICK and now - self._probed_at > AGAIN:
            self._end()
        if now - self._probed_at > self._patience:
            self._patience = AGAIN
            raise ShutdownInterrupt

    def _outwait(self) -> None:
        """End the process when the drain time is over, and the loop still stands."""
        while self._loop is not None:
            time.sleep(TICK)
            if not _TIMERS and self._answered:
                self._probe()
            late = time.monotonic() - self._deadline
            if (
                late > 2 * TICK
                and not self._answered
                and time.monotonic() - self._probed_at > AGAIN
            ):
                # Writing may block for as long as the loop does.
                with suppress(RuntimeError):
                    _thread.start_new_thread(self._report_cut, ())
                time.sleep(TICK)
                os._exit(INTERRUPTED)

    def _end(self) -> None:
        self._report_cut()
        os._exit(INTERRUPTED)

    def _report_cut(self) -> None:
        with suppress(Exception):
            self._report(f"something held the event loop for all of the {self._drain:g} s to drain")


_TIMERS: Final = hasattr(signal, "setitimer")


def _set_timer(seconds: float) -> None:
    """Have SIGALRM come every so many seconds, if the system can; 0: no more."""
    if _TIMERS:
        signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
