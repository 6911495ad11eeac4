"""Watching is a folder that is looked at: changes of its files are handed on one by one.

It outlives the node: one that was changed hands it to its successor, with what waits, so that no
change is lost meanwhile.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

from heddle.extensions.data.files import is_draft
from heddle.extensions.data.root import Root

_WORDS = {1: "added", 2: "modified", 3: "deleted"}

FIRST, LAST = 0.1, 30.0
"""Seconds between the first two attempts to look at a folder that went away, and the longest."""

BACK = 0.5
"""A folder that could be looked at for so many seconds is there again."""


class Watching:
    """Looks at a folder; a file that changes again before its turn has one turn.

    `settle` is how long, in seconds, changes have to be quiet before they are told.
    """

    def __init__(self, root: Root, settle: float) -> None:
        self.root = root
        self.deliver: Callable[[str, str], Awaitable[None]] | None = None
        self.failed: Callable[[Exception], Any] = lambda _: None
        self.trouble = ""
        """Why the folder cannot be looked at; empty where it can."""
        self._quiet = max(int(settle * 1000), 1)
        self._changes: dict[str, str] = {}
        self._there = asyncio.Event()
        self._end = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def waiting(self) -> int:
        """How many files have changed and wait for their turn."""
        return len(self._changes)

    async def start(self) -> None:
        """Begin to look; OSError where there is no such folder. Changes from now on are seen."""
        if not self.root.path.is_dir():
            raise FileNotFoundError(f"there is no folder {self.root.path}")
        self._tasks = [
            asyncio.ensure_future(self._look()),
            asyncio.ensure_future(self._hand_on()),
        ]
        # The first step of looking asks the system to tell of changes; after it none is missed.
        await asyncio.sleep(0)

    async def _look(self) -> None:
        pause = FIRST
        while not self._end.is_set():
            back = asyncio.get_running_loop().call_later(BACK, self._back)
            try:
                async for changes in self._asked():
                    pause = FIRST
                    self._back()
                    for change, path in sorted(changes, key=lambda one: one[1]):
                        self._noted(_WORDS[change], Path(path))
            except Exception as error:
                back.cancel()
                self.trouble = str(error) or type(error).__name__
                self.failed(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LAST)

    def _back(self) -> None:
        """It can be looked at."""
        self.trouble = ""

    def _asked(self) -> AsyncGenerator[set[tuple[Any, str]], None]:
        from watchfiles import awatch

        return awatch(
            self.root.path,
            watch_filter=None,
            debounce=max(self._quiet * 10, 1600),
            step=self._quiet,
            stop_event=self._end,
        )

    def _noted(self, word: str, path: Path) -> None:
        if is_draft(path.name) or path.is_dir() or self.root.path not in path.parents:
            return
        name = self.root.name(path)
        before = self._changes.get(name)
        if word == "added" and before == "deleted":
            word = "modified"
        elif word == "modified" and before is not None and before != "deleted":
            word = before
        self.add(name, word)

    def add(self, name: str, word: str) -> None:
        """A file has changed: its turn will come."""
        self._changes[name] = word
        self._there.set()

    def resume(self) -> None:
        """Whoever is to be told has changed."""
        self._there.set()

    async def _hand_on(self) -> None:
        while True:
            while not self._changes or self.deliver is None:
                self._there.clear()
                await self._there.wait()
            name = next(iter(self._changes))
            await self.deliver(name, self._changes.pop(name))

    def stop(self) -> None:
        """Hand nothing more on; what is being handed on comes to its end."""
        self._end.set()
        self._changes.clear()
        self.deliver = None

    async def wait(self) -> None:
        """Wait until it has stopped."""
        if self._tasks:
            looking, handing = self._tasks
            await asyncio.wait([looking])
            handing.cancel()
            await asyncio.wait([handing])
