"""Comparing what stands below a path with what stood there: for systems that tell nothing, or little.

With `polling` it looks ten times a second; a large folder is looked at less often. Otherwise
watchfiles says when something happened, and a look says what: links are followed by the look, not by
the system.
"""

# Paths are text here, as the kernel names them.
# ruff: noqa: PTH100, PTH112, PTH116, PTH120, ASYNC240

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TypeAlias

from heddle.specs.files.debounce import SLOW, PathDebounce
from heddle.specs.files.identity import PathPart, Stamp, look_at, parts_of, stamp_of
from heddle.specs.files.notices import EVERYTHING
from heddle.specs.files.spare import SPARE, is_passing
from heddle.specs.files.spec_names import is_folder, is_spec_file, is_spec_folder, leads_out

Tree: TypeAlias = Mapping[str, Stamp | PathPart | tuple[int, int] | None]
"""Each file with its Stamp, each folder with its identity, and each part of the path to them."""

POLL = 0.1
"""Seconds between two looks where nobody tells of changes."""

REST = 1.0
"""Seconds between two looks where somebody does."""

SHARE = 20
"""A look that takes long is made less often: it may take one part in so many of the time."""

FINISH = 0.02
"""Seconds to wait after a change was told, for the rest of it."""


class TreeNotifier:
    """Tells a Settling how a folder, or a single file, differs from what it was."""

    def __init__(self, root: str, settling: PathDebounce, *, polling: bool = True) -> None:
        self._root = os.path.abspath(root)
        self._settling = settling
        self._polling = polling
        self._tree: Tree = {}
        self._woken = asyncio.Event()
        self._watched: tuple[str, ...] = ()
        self._waking: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Start; what changes from its return on is seen."""
        self._tree = scan(self._root)
        self._task = asyncio.create_task(self._work())

    def poll(self) -> bool:
        """Return False: nothing is known before the next look."""
        return False

    def close(self) -> None:
        """Stop; a look that goes on ends within a moment."""
        for task in (self._task, self._waking):
            if task is not None:
                task.cancel()

    async def _work(self) -> None:
        elapsed = 0.0
        while True:
            self._wake()
            await self._wait(max(POLL if self._polling else REST, SHARE * elapsed))
            began = time.perf_counter()
            try:
                tree = await asyncio.to_thread(scan, self._root)
            except OSError:
                # It cannot be listed at this moment, which says nothing of what is there.
                continue
            except Exception:
                # A defect of ours. Who is told looks at everything, and reports it if it fails as well;
                # the next look is made all the same.
                self._settling.touch(EVERYTHING, SLOW)
                continue
            elapsed = time.perf_counter() - began
            before, self._tree = self._tree, tree
            self._compare(before, tree)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
                await asyncio.sleep(FINISH)
        self._woken.clear()

    def _compare(self, before: Tree, now: Tree) -> None:
        wait = SLOW if self._polling else FINISH
        for path in before.keys() | now.keys():
            new = now.get(path)
            if before.get(path, 0) == now.get(path, 0):
                continue
            if _is_file(before.get(path)) or _is_file(new):
                # Some editors empty a file, or remove it, before they write it.
                whole = _is_file(new) and new is not None and new[1] != 0
                self._settling.touch(path, wait if whole else SLOW)
            else:
                self._settling.touch(EVERYTHING, wait)

    # --- being told that there is something to see ---

    def _wake(self) -> None:
        """Have watchfiles tell of changes in all the folders that count now."""
        if self._polling:
            return
        folders = tuple(sorted(_folders(self._root, self._tree)))
        if folders == self._watched and self._waking is not None and not self._waking.done():
            return
        if self._waking is not None:
            self._waking.cancel()
        self._watched = folders
        self._waking = asyncio.create_task(self._watch(folders))

    async def _watch(self, folders: tuple[str, ...]) -> None:
        from watchfiles import awatch

        with suppress(Exception):
            # What cannot be watched, for whatever reason, is looked at all the same.
            async for _ in awatch(
                *(folder for folder in folders if os.path.isdir(folder)),
                watch_filter=None,
                debounce=20,
                step=5,
                recursive=False,
                ignore_permission_denied=True,
            ):
                self._woken.set()


def _is_file(state: object) -> bool:
    return isinstance(state, tuple) and not isinstance(state, PathPart) and len(state) == 5


def _folders(root: str, tree: Tree) -> set[str]:
    """Return the folders in which a change may count."""
    texts = {os.path.dirname(root)}
    for path, state in tree.items():
        if isinstance(state, PathPart):
            texts.add(os.path.dirname(state.path))
        elif state is not None and not _is_file(state):
            texts.add(path)
        else:
            texts.add(os.path.dirname(os.path.realpath(path)))
    return texts


def scan(root: str) -> Tree:
    """Return what stands at a path and below it now; OSError when it cannot be listed for a passing reason."""
    entries: dict[str, Stamp | PathPart | tuple[int, int] | None] = {}
    for part in parts_of(root):
        entries[f"{part.path}{os.sep}"] = part
    if os.path.isdir(root):
        _below(root, entries, set(), os.path.realpath(root))
    else:
        entries[root] = stamp_of(root)
    return entries


def _below(
    folder: str,
    stamps: dict[str, Stamp | PathPart | tuple[int, int] | None],
    seen: set[tuple[int, int]],
    real: str,
) -> None:
    try:
        status = os.stat(folder)
        place = (status.st_dev, status.st_ino)
        if place in seen:
            return
        seen.add(place)
        stamps[folder] = place
        entries = SPARE.attempt(lambda: _entries(folder))
    except OSError as error:
        if is_passing(error):
            raise
        return
    for entry in entries:
        if is_spec_file(entry.name):
            # Of a link that is not followed, only if it leads counts.
            out = leads_out(entry, real)
            stamps[entry.path] = look_at(entry.path) if out else stamp_of(entry.path)
        elif is_spec_folder(entry.name) and is_folder(entry):
            if leads_out(entry, real):
                stamps[entry.path] = look_at(entry.path)
            else:
                _below(entry.path, stamps, seen, real)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)
