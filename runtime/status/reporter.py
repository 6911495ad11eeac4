"""A Reporter says in a store how a runtime is: after every load, and every few seconds."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from heddle.runtime.events.events import Events
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.step import FAILURES
from heddle.runtime.flow.tasks import Tasks
from heddle.specs.model.report import Report, ReportStore

INTERVAL = 5.0
"""Seconds between two Reports if nothing happens."""

GAP = 0.1
"""Seconds between two Reports if much happens: what comes meanwhile is told together."""

LIMIT = 5.0
"""Seconds that a store may take to keep a Report, or to drop it."""


class Reporter:
    """Publishes the Reports of one runtime. A store that is away is no harm: it is told the next time.

    `look` makes a Report, at once. `heal` looks whether a change was missed, once every `interval`
    seconds; what it raises counts as a store that is away.
    """

    def __init__(
        self,
        store: ReportStore,
        runtime: str,
        look: Callable[[], Awaitable[Report]],
        heal: Callable[[], Awaitable[None]],
        events: Events,
        *,
        interval: float = INTERVAL,
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._look = look
        self._heal = heal
        self._events = events
        self._interval = interval
        self._changed = asyncio.Event()
        self._tasks = Tasks(self._broke)
        self._failing: set[str] = set()
        self.failure = ""
        """Why the last Report could not be kept; empty when it was."""

    async def start(self) -> None:
        """Begin to report; once this is done the first Report is there, unless the store is away."""
        await self._tried("report", self._report())
        self._tasks.start(self._run())

    def changed(self) -> None:
        """Something has changed: report soon. Never waits."""
        self._changed.set()

    async def stop(self) -> None:
        """Report no more, and drop what was said."""
        if not self._tasks:
            return
        await self._tasks.stop()
        # The store may be gone already: a Report that is not renewed is dropped by itself.
        with contextlib.suppress(*FAILURES):
            async with asyncio.timeout(LIMIT):
                await self._store.withdraw(self._runtime)

    def _broke(self, error: Exception) -> None:
        self.failure = f"its reports cannot be kept: {Error.of(error).message}"
        self._events.failed("report failed", Error.of(error))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._interval
        while True:
            await self._wait(due - loop.time())
            if loop.time() >= due:
                due = loop.time() + self._interval
                await self._tried("heal", self._heal())
            self._changed.clear()
            await self._tried("report", self._report())
            await asyncio.sleep(GAP)

    async def _report(self) -> None:
        await self._store.report(await self._look())

    async def _wait(self, seconds: float) -> None:
        """Wait until something changes, no longer than so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._changed.wait()

    async def _tried(self, text: str, work: Awaitable[None]) -> None:
        """Await something of the store; the first failure of a row is told.

        A store that can be read and not written fails in one thing and not in the other: that is one
        row, and no news every few seconds.
        """
        try:
            async with asyncio.timeout(LIMIT):
                await work
        except FAILURES as error:
            if text == "report":
                self.failure = f"its reports cannot be kept: {Error.of(error).message}"
            if not self._failing:
                self._events.failed("report failed", Error.of(error), level="warning")
            self._failing.add(text)
        else:
            if text == "report":
                self.failure = ""
            self._failing.discard(text)
