"""The Watchdog sees when something holds the event loop, and names the node and the line.

A thread asks the loop for a sign of life four times a second. Nothing is noted per packet: when no
answer comes, the stack of the loop's thread tells which node is at work.
"""

import asyncio
import faulthandler
import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from heddle.runtime.status.stack import SNIPPET, RunningNode, frame_of, running

if TYPE_CHECKING:
    from collections.abc import Callable

    from heddle.runtime.assembly.table import SymbolTable
    from heddle.runtime.events.events import Events

PAUSE = 0.25
"""Seconds between two questions."""

REPORTS = ((1.0, "warning"), (10.0, "error"))
"""After how many seconds it is reported that the loop is blocked, and at which level."""

DUMP = 3.0
"""Seconds after which Python prints its stacks when a call into C lets no thread run."""


class WatchedRuntime(Protocol):
    """The parts of a runtime that a Watchdog needs."""

    @property
    def events(self) -> "Events":
        """The receiver of its events."""
        ...

    @property
    def table(self) -> "SymbolTable":
        """The table that is loaded now."""
        ...


class Watchdog:
    """Watches the running event loop on behalf of a runtime, from `with` to its end.

    It emits `loop blocked` after 1 and after 10 seconds, and `loop free` when the loop goes on.
    `report` is called with each `loop blocked`, as one line, in a thread of its own. With `dump`,
    Python itself prints all stacks on standard error when a call into C keeps every thread waiting.
    """

    def __init__(
        self,
        runtime: "WatchedRuntime",
        *,
        report: "Callable[[str], None] | None" = None,
        dump: bool = False,
    ) -> None:
        self._runtime = runtime
        self._report = report
        self._dump = dump and _can_dump()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watched = 0
        self._answered = True
        self._since = 0.0
        self._reports = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="heddle-watchdog", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(1.0)

    # -- in its own thread ---------------------------------------------------------------------

    def _watch(self) -> None:
        """Ask again and again, until it is stopped or the loop is closed."""
        with suppress(RuntimeError):
            self._keep_asking()
        if self._dump:
            faulthandler.cancel_dump_traceback_later()

    def _keep_asking(self) -> None:
        turn, last, used = 0, time.monotonic(), time.process_time()
        while True:
            if self._dump and turn % 4 == 0 and sys.__stderr__ is not None:
                faulthandler.dump_traceback_later(DUMP, file=sys.__stderr__)
            turn += 1
            if self._stop.wait(PAUSE):
                return
            now, busy = time.monotonic(), time.process_time()
            lost = now - last - PAUSE
            # A process that was only suspended has used no time of the processor.
            if lost > REPORTS[0][0] and busy - used > lost * 0.5 and not self._reports:
                self._emit_locked(lost)
            last, used = now, busy
            self._look(now)

    def _look(self, now: float) -> None:
        if self._answered:
            if self._reports:
                self._reports = 0
                self._emit("loop free", "info", seconds=round(now - self._since, 2))
            self._answered, self._since = False, now
            self._the_loop.call_soon_threadsafe(self._answer)
            return
        seconds = now - self._since
        if self._reports < len(REPORTS) and seconds >= REPORTS[self._reports][0]:
            level = REPORTS[self._reports][1]
            self._reports += 1
            at = running(frame_of(self._watched))
            if not self._answered:
                self._blocked(at, level, seconds)

    def _answer(self) -> None:
        self._answered = True

    def _blocked(self, at: RunningNode, level: str, seconds: float) -> None:
        where = self.where(at)
        self._emit(
            "loop blocked",
            level,
            symbol=at.symbol,
            reason=f"{where}: nothing else runs meanwhile",
            detail=at.stack,
            seconds=round(seconds, 1),
        )
        if self._report is not None:
            self._beside(self._report, where)

    def _emit_locked(self, seconds: float) -> None:
        """Report a call into C that has let no thread run, not even this one."""
        reason = "a call into C kept the interpreter to itself"
        if self._dump and seconds > DUMP:
            reason += "; its stack is on standard error"
        self._emit("loop blocked", "error", reason=reason, seconds=round(seconds, 1))

    def _emit(self, event: str, level: str, **data: Any) -> None:
        """Emit an event in a thread of its own: a log that nobody reads holds up its writer."""

        def emit() -> None:
            self._runtime.events.emit_apart(self._the_loop, event, level=level, **data)

        self._beside(emit)

    def _beside(self, act: "Callable[..., None]", *args: Any) -> None:
        def attempt() -> None:
            # The loop may be closed by now.
            with suppress(RuntimeError, OSError):
                act(*args)

        threading.Thread(target=attempt, name="heddle-report", daemon=True).start()

    @property
    def _the_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("the watchdog does not run")
        return self._loop

    def where(self, at: RunningNode) -> str:
        """Return where it stands, as `flow.yaml:12 snippet busy, line 3`."""
        line = f"line {at.line}" if at.file.startswith(SNIPPET) else f"{at.file}:{at.line}"
        if at.function and not at.file.startswith(SNIPPET):
            line += f" in {at.function}"
        if not at.symbol:
            return line
        table = self._runtime.table
        symbol = table.get(at.symbol) or next(
            (symbol for symbol in list(table.all()) if symbol.label == at.symbol), None
        )
        if symbol is None:
            return f"{at.symbol}, {line}"
        place = symbol.spec.place()
        start = f"{place.file}:{place.line} " if place.file else ""
        return f"{start}{symbol.spec.kind} {at.symbol}, {line}"


def _can_dump() -> bool:
    try:
        return sys.__stderr__ is not None and sys.__stderr__.fileno() >= 0
    except (OSError, ValueError):
        return False
