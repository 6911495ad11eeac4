"""Watching is a folder that is looked at: changes of its files are handed on one by one.

The folder is the one that its path leads to: when a link in it is swapped, or the folder comes back as
another one, what differs is handed on. So is what changed while it could not be watched.

It outlives the node: one that was changed hands it to its successor, with what waits, so that no
change is lost meanwhile.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from heddle.extensions.data.file_io import is_draft
from heddle.extensions.data.root import FolderRoot
from heddle.extensions.extension import Tasks
from heddle.specs.files.identity import PathPart, parts_of, stamp_of

_WORDS = {1: "added", 2: "modified", 3: "deleted"}

FIRST, LAST = 0.1, 30.0
"""Seconds between the first two attempts to look at a folder that went away, and the longest."""

BACK = 0.5
"""A folder that could be looked at for so many seconds is there again."""


EVERY = 0.5
"""Seconds between two looks at where the path of the folder leads."""


class FolderWatch:
    """Looks at a folder; a file that changes again before its turn has one turn.

    `settle` is how long, in seconds, changes have to be quiet before they are told.
    """

    def __init__(self, root: FolderRoot, settle: float) -> None:
        self.root = root
        self.deliver: Callable[[str, str], Awaitable[None]] | None = None
        self.failed: Callable[[Exception], Any] = lambda _: None
        self.failure = ""
        """Why the folder cannot be looked at; empty if it can."""
        self._quiet = max(int(settle * 1000), 1)
        self._changes: dict[str, str] = {}
        self._known: dict[str, int] | None = None
        self._links: dict[str, int] = {}
        self._there = asyncio.Event()
        self._began = asyncio.Event()
        self._end = asyncio.Event()
        self._tasks = Tasks(self._report)

    @property
    def waiting(self) -> int:
        """How many files have changed and wait for their turn."""
        return len(self._changes)

    async def start(self) -> None:
        """Begin to look; raise OSError if there is no such folder. Changes from now on are seen."""
        if not self.root.path.is_dir():
            raise FileNotFoundError(f"there is no folder {self.root.path}")
        self._tasks.start(self._run())
        # From then on the system tells of changes, and what was there is known: none is missed.
        await self._began.wait()

    def _report(self, error: Exception) -> None:
        self.failed(error)

    async def _run(self) -> None:
        handing = self._tasks.start(self._hand_on())
        await self._look()
        handing.cancel()

    async def _look(self) -> None:
        pause = FIRST
        while not self._end.is_set():
            place = parts_of(str(self.root.given))
            back = asyncio.get_running_loop().call_later(BACK, self._back)
            try:
                await self._follow(place)
                pause = FIRST
            except Exception as error:
                back.cancel()
                self._began.set()
                self.failure = str(error) or type(error).__name__
                self.failed(error)
                await self._another(place, pause)
                pause = min(pause * 2, LAST)
            finally:
                back.cancel()

    def _back(self) -> None:
        """Note that the folder can be watched again."""
        self.failure = ""

    async def _follow(self, place: list[PathPart]) -> None:
        """Note what changes, until the path leads to another folder."""
        stop = asyncio.Event()
        elsewhere = self._tasks.start(self._stop_elsewhere(place, stop))
        try:
            async with aclosing(self._batches(self.root.path, stop)) as generator:
                step = self._tasks.start(anext(generator, None), awaited=True)
                # Watched before it is listed: what comes in between is told, or listed, or both.
                await asyncio.sleep(0)
                try:
                    await self._catch_up()
                    self._began.set()
                    while (changes := await step) is not None:
                        self._back()
                        if parts_of(str(self.root.given)) != place:
                            # Of what was moved as a whole nothing is told: it may come back.
                            return
                        for change, path in sorted(changes, key=lambda entry: entry[1]):
                            self._noted(_WORDS[change], Path(path))
                        await self._look_at_links(changes)
                        step = self._tasks.start(anext(generator, None), awaited=True)
                finally:
                    stop.set()
                    await asyncio.gather(step, return_exceptions=True)
        finally:
            elsewhere.cancel()

    async def _stop_elsewhere(self, place: list[PathPart], stop: asyncio.Event) -> None:
        """Set the event once the path leads elsewhere, or all of it ends."""
        while not self._end.is_set() and parts_of(str(self.root.given)) == place:
            await self._ended(EVERY)
        stop.set()

    async def _another(self, place: list[PathPart], longest: float) -> None:
        """Wait until the path leads elsewhere, no longer than so many seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + longest
        while loop.time() < end and not self._end.is_set():
            await self._ended(min(EVERY, longest))
            if parts_of(str(self.root.given)) != place:
                return

    async def _ended(self, seconds: float) -> None:
        """Wait for the end, no longer than so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._end.wait()
        except TimeoutError:
            return

    def _batches(
        self, folder: Path, stop: asyncio.Event
    ) -> AsyncGenerator[set[tuple[Any, str]], None]:
        from watchfiles import awatch

        return awatch(
            folder,
            watch_filter=None,
            debounce=max(self._quiet * 10, 1600),
            step=self._quiet,
            stop_event=stop,
        )

    async def _catch_up(self) -> None:
        """Note how the files differ from what is known of them; at first, only know them."""
        now, links = await asyncio.to_thread(_states, self.root.path)
        before, self._known, self._links = self._known, now, links
        if before is None:
            return
        for name in sorted(before.keys() | now.keys()):
            if before.get(name) != now.get(name):
                word = "deleted" if name not in now else "modified" if name in before else "added"
                self._turn(word, name)

    async def _look_at_links(self, changes: set[tuple[Any, str]]) -> None:
        """Note which links lead to something else since a link was swapped."""
        if not self._links and not any(_is_link(path) for _, path in changes):
            return
        now, links = await asyncio.to_thread(_states, self.root.path)
        for name in sorted(links):
            if name in self._links and self._links[name] != links[name]:
                self._turn("modified", name)
        self._known, self._links = now, links

    def _noted(self, word: str, path: Path) -> None:
        if is_draft(path.name) or path.is_dir():
            return
        root = self.root.path
        if root not in path.parents:
            return
        name = path.relative_to(root).as_posix()
        state = _state(str(path))
        if self._known is not None:
            if state is None:
                self._known.pop(name, None)
            else:
                self._known[name] = state
        self._turn(word, name)

    def _turn(self, word: str, name: str) -> None:
        before = self._changes.get(name)
        if word == "added" and before == "deleted":
            word = "modified"
        elif word == "modified" and before is not None and before != "deleted":
            word = before
        self.add(name, word)

    def add(self, name: str, word: str) -> None:
        """Add a file that has changed: its turn will come."""
        self._changes[name] = word
        self._there.set()

    def resume(self) -> None:
        """Go on with another set of listeners."""
        self._there.set()

    async def _hand_on(self) -> None:
        while True:
            while not self._changes or self.deliver is None:
                self._there.clear()
                await self._there.wait()
            name = next(iter(self._changes))
            try:
                await self.deliver(name, self._changes.pop(name))
            except Exception as error:
                self.failed(error)

    def stop(self) -> None:
        """Hand nothing more on; what is being handed on comes to its end."""
        self._end.set()
        self._changes.clear()
        self.deliver = None

    async def wait(self) -> None:
        """Wait until it has stopped."""
        await self._tasks.wait()


def _state(path: str) -> int | None:
    """Return a number that stands for one state of a file; None if it is missing."""
    stamp = stamp_of(path)
    return None if stamp is None else hash(stamp)


def _states(root: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Return the state of each file below a folder, and of those that are links into the folder."""
    top = os.path.realpath(root)
    mapping: dict[str, int] = {}
    links: dict[str, int] = {}
    folders = [top]
    while folders:
        with os.scandir(folders.pop()) as entries:
            listed = list(entries)
        for entry in listed:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
                continue
            state = None if is_draft(entry.name) or _is_folder(entry) else _state(entry.path)
            if state is None:
                continue
            name = os.path.relpath(entry.path, top).replace(os.sep, "/")
            mapping[name] = state
            if entry.is_symlink() and os.path.realpath(entry.path).startswith(top + os.sep):
                links[name] = state
    return mapping, links


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return True


def _is_link(path: str) -> bool:
    return os.path.islink(path)  # noqa: PTH114 - as the system names it
