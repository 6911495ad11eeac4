"""Watching is a folder that is looked at: changes of its files are handed on one by one.

It outlives the node: one that was changed hands it to its successor, with what waits, so that no
change is lost meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from heddle.extensions.data.files import is_draft
from heddle.extensions.data.root import Root

_WORDS = {1: "added", 2: "modified", 3: "deleted"}


class Watching:
    """Looks at a folder; a file that changes again before its turn has one turn."""

    def __init__(self, root: Root) -> None:
        self.root = root
        self.deliver: Callable[[str, str], Awaitable[None]] | None = None
        self.failed: Callable[[Exception], Any] = lambda _: None
        self._changes: dict[str, str] = {}
        self._there = asyncio.Event()
        self._end = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._ready = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many files have changed and wait for their turn."""
        return len(self._changes)

    async def start(self, debounce: float) -> None:
        """Begin to look; OSError where there is no such folder. Changes from now on are seen."""
        if not self.root.path.is_dir():
            raise FileNotFoundError(f"there is no folder {self.root.path}")
        looking = asyncio.ensure_future(self._look(int(debounce * 1000)))
        self._tasks = [looking, asyncio.ensure_future(self._hand_on())]
        ready = asyncio.ensure_future(self._ready.wait())
        await asyncio.wait([looking, ready], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()

    async def _look(self, debounce: int) -> None:
        from watchfiles import awatch

        pause = 0.1
        while not self._end.is_set():
            try:
                looking = awatch(
                    self.root.path,
                    watch_filter=None,
                    debounce=max(debounce, 1),
                    step=min(50, max(debounce, 1)),
                    rust_timeout=100,
                    yield_on_timeout=True,
                    stop_event=self._end,
                    recursive=True,
                )
                async for changes in looking:
                    # The first time that it gives anything, it looks already.
                    self._ready.set()
                    pause = 0.1
                    for change, path in sorted(changes, key=lambda one: one[1]):
                        self._noted(_WORDS[change.value], path)
            except Exception as error:
                self.failed(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 30.0)

    def _noted(self, word: str, path: str) -> None:
        from pathlib import Path

        found = Path(path)
        if is_draft(found.name) or found.is_dir():
            return
        try:
            name = self.root.name(found)
        except ValueError:
            return
        if word == "added" and self._changes.get(name) == "deleted":
            word = "modified"
        elif word == "modified" and self._changes.get(name) in ("added", "existing"):
            word = self._changes[name]
        self.add(name, word)

    def add(self, name: str, word: str) -> None:
        """A file has changed: its turn will come."""
        self._changes[name] = word
        self._there.set()

    async def _hand_on(self) -> None:
        while True:
            while not self._changes or self.deliver is None:
                self._there.clear()
                await self._there.wait()
            name = next(iter(self._changes))
            await self.deliver(name, self._changes.pop(name))

    async def stop(self) -> None:
        """Look no more; what is being handed on comes to its end, what waits does not."""
        self._end.set()
        self._changes.clear()
        self.deliver = None
        if self._tasks:
            looking, handing = self._tasks
            await asyncio.wait([looking])
            handing.cancel()
            await asyncio.wait([handing])
