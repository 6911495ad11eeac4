"""A Notifier tells which paths of a folder, or which single file, may have changed.

On Linux it asks inotify, which says when a writer has closed its file: half-written files are not
looked at, and a finished save is told within a few milliseconds. Elsewhere it asks watchfiles.
"""

# Paths are text here, as the kernel tells them.
# ruff: noqa: PTH100, PTH112, PTH114, PTH115, PTH116, PTH118, PTH119, PTH120, ASYNC240

import asyncio
import ctypes
import os
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from heddle.specs.document import is_below, is_folder, is_spec_file, is_spec_folder, leads_out
from heddle.specs.limits import limits
from heddle.specs.settle import QUICK, SLOW, Settling

EVERYTHING = ""
"""Told in the place of a path: anything may have changed."""


class Notifier(Protocol):
    """Tells a Settling what may have changed, from `open` to `close`."""

    def open(self) -> None:
        """Start; from its return on nothing is missed. OSError when that cannot be."""
        ...

    def close(self) -> None:
        """Stop; nothing is told any more."""
        ...


def notifier(root: str, settling: Settling, *, polling: bool | None = None) -> Notifier:
    """The best Notifier that this machine has for a folder or a file.

    `polling` (default: the environment variable WATCHFILES_FORCE_POLLING) asks the file system
    again and again: for network folders, which tell nobody when they change.
    """
    if polling is None:
        polling = os.environ.get("WATCHFILES_FORCE_POLLING", "").lower() in ("1", "true", "yes")
    if sys.platform == "linux" and not polling:
        return InotifyNotifier(root, settling)
    return WatchfilesNotifier(root, settling, polling=polling)


def link_folders(path: str) -> set[str]:
    """The folders that hold what the link at this path leads to, step by step; empty for no link."""
    folders: set[str] = set()
    for _ in range(40):
        try:
            target = os.readlink(path)
        except OSError:
            break
        path = os.path.join(os.path.dirname(path), target)
        folders.add(os.path.abspath(os.path.dirname(path)))
    return folders


# --- inotify ------------------------------------------------------------------------------------

_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
_OVERFLOW, _IGNORED, _ISDIR = 0x4000, 0x8000, 0x40000000
_ONLYDIR = 0x1000000
_MASK = (
    _MODIFY
    | _ATTRIB
    | _CLOSE_WRITE
    | _MOVED_FROM
    | _MOVED_TO
    | _CREATE
    | _DELETE
    | _DELETE_SELF
    | _MOVE_SELF
    | _ONLYDIR
)
_HEAD = struct.Struct("iIII")


class InotifyNotifier:
    """Watches with inotify, on the event loop itself: no thread, nothing to do while nothing happens."""

    def __init__(self, root: str, settling: Settling) -> None:
        self._root = os.path.abspath(root)
        self._settling = settling
        self._folders: dict[int, set[str]] = {}
        self._watches: dict[str, int] = {}
        self._inside: set[str] = set()
        self._links: set[str] = set()
        self._targets: set[str] = set()
        self._fd = -1
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._loop = asyncio.get_running_loop()

    def open(self) -> None:
        """Start; OSError when the kernel has no watches left (fs.inotify.max_user_watches)."""
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), self._root)
        try:
            self._look()
        except BaseException:
            self.close()
            raise
        self._loop.add_reader(self._fd, self._read)

    def close(self) -> None:
        """Stop, and give every watch back."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _look(self) -> None:
        """Watch whatever has to be watched, as the folders are now."""
        self._inside.clear()
        self._links.clear()
        self._targets = link_folders(self._root)
        wanted: dict[str, None] = {os.path.dirname(self._root): None}
        if os.path.isdir(self._root):
            self._descend(self._root, wanted, set())
        wanted.update(dict.fromkeys(self._targets))
        for folder in [known for known in self._watches if known not in wanted]:
            self._forget(folder)
        for folder in wanted:
            self._watch(folder)

    def _descend(self, folder: str, wanted: dict[str, None], seen: set[tuple[int, int]]) -> None:
        with suppress(OSError):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                return
            seen.add((status.st_dev, status.st_ino))
            wanted[folder] = None
            self._inside.add(folder)
            # Watched before it is listed: what comes in between is told, or listed, or both.
            self._watch(folder)
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        self._links.add(entry.path)
                        self._targets |= link_folders(entry.path)
                    out = leads_out(entry, os.path.realpath(self._root))
                    if is_spec_folder(entry.name) and is_folder(entry) and not out:
                        self._descend(entry.path, wanted, seen)

    def _watch(self, folder: str) -> None:
        if folder in self._watches:
            return
        watch = self._libc.inotify_add_watch(self._fd, os.fsencode(folder), _MASK)
        if watch < 0:
            number = ctypes.get_errno()
            if number == 28:
                raise OSError(
                    number, "no inotify watches are left; raise fs.inotify.max_user_watches", folder
                )
            return
        # Two ways to one folder share a watch: the kernel counts folders, not names.
        self._watches[folder] = watch
        self._folders.setdefault(watch, set()).add(folder)

    def _forget(self, folder: str) -> None:
        watch = self._watches.pop(folder)
        names = self._folders.get(watch)
        if names is not None:
            names.discard(folder)
            if not names:
                del self._folders[watch]
                self._libc.inotify_rm_watch(self._fd, watch)

    def _read(self) -> None:
        again = False
        while True:
            try:
                data = os.read(self._fd, 65536)
            except (BlockingIOError, InterruptedError):
                break
            moved: dict[int, str] = {}
            at = 0
            while at < len(data):
                watch, mask, cookie, size = _HEAD.unpack_from(data, at)
                name = os.fsdecode(data[at + 16 : at + 16 + size].rstrip(b"\0"))
                at += 16 + size
                if mask & _OVERFLOW:
                    self._settling.touch(EVERYTHING)
                    again = True
                    continue
                if mask & _IGNORED:
                    for folder in self._folders.pop(watch, set()):
                        self._watches.pop(folder, None)
                    continue
                for folder in tuple(self._folders.get(watch, ())):
                    again = self._event(folder, name, mask, cookie, moved) or again
        if again:
            with suppress(OSError):
                self._look()

    def _event(self, folder: str, name: str, mask: int, cookie: int, moved: dict[int, str]) -> bool:
        """Tell what one event means; whether the folders have to be looked at again."""
        path = os.path.join(folder, name) if name else folder
        if path == self._root or not name:
            return self._root_event(path, mask)
        if folder not in self._inside:
            return self._link_event(path, mask)
        if mask & _ISDIR:
            if mask & (_MODIFY | _ATTRIB) or not is_spec_folder(name):
                return False
            gone = mask & (_DELETE | _MOVED_FROM)
            self._settling.touch(EVERYTHING, SLOW if gone else QUICK)
            return True
        if path in self._links or (mask & (_CREATE | _MOVED_TO) and os.path.islink(path)):
            self._settling.touch(EVERYTHING)
            return True
        if not is_spec_file(name):
            return False
        if mask & _MOVED_FROM:
            moved[cookie] = path
        came = moved.pop(cookie, "") if mask & _MOVED_TO else ""
        if came:
            # A spec file that got another name is no vanished file.
            self._settling.touch(came)
        finished = mask & (_CLOSE_WRITE | _MOVED_TO | _ATTRIB) or (mask & _CREATE and _linked(path))
        self._settling.touch(path, QUICK if finished and not _emptied(path) else SLOW)
        return False

    def _root_event(self, path: str, mask: int) -> bool:
        if path != self._root:
            return False
        if os.path.isdir(path) or mask & (_ISDIR | _DELETE_SELF | _MOVE_SELF):
            if mask & (_MODIFY | _ATTRIB):
                return False
            self._settling.touch(EVERYTHING, QUICK if os.path.isdir(path) else SLOW)
            return True
        finished = mask & (_CLOSE_WRITE | _MOVED_TO | _ATTRIB)
        self._settling.touch(EVERYTHING, QUICK if finished else SLOW)
        return os.path.islink(path)

    def _link_event(self, path: str, mask: int) -> bool:
        """Something changed in a folder that a link leads to."""
        if os.path.dirname(path) not in self._targets:
            return False
        finished = mask & (_CLOSE_WRITE | _MOVED_TO)
        self._settling.touch(EVERYTHING, QUICK if finished else SLOW)
        return True


def _leaves(path: str, root: str) -> bool:
    """Return True if a folder is a link that leads out of the root and is not followed."""
    if limits().follow_links or not os.path.islink(path):
        return False
    return not is_below(os.path.realpath(path), os.path.realpath(root))


def _emptied(path: str) -> bool:
    """Whether a file holds nothing: some editors empty it first, and then write it."""
    try:
        return os.stat(path).st_size == 0
    except OSError:
        return False


def _linked(path: str) -> bool:
    """Whether a created file is a second name of a file that was written before."""
    try:
        return os.stat(path).st_nlink > 1
    except OSError:
        return False


# --- watchfiles ---------------------------------------------------------------------------------


class WatchfilesNotifier:
    """Watches with watchfiles, which knows every system and can poll."""

    def __init__(self, root: str, settling: Settling, *, polling: bool = False) -> None:
        self._root = os.path.abspath(root)
        self._settling = settling
        self._polling = polling
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._known: set[str] = set()

    def open(self) -> None:
        """Start watching the folder, and the folders around it and behind its links."""
        self._start_outside()
        self._start_inside()

    def close(self) -> None:
        """Stop; the threads end within a moment."""
        for task in self._tasks.values():
            task.cancel()

    def _start_outside(self) -> None:
        folders = {os.path.dirname(self._root), *link_folders(self._root)}
        for folder, below, files in os.walk(self._root, followlinks=True):
            below[:] = [
                name
                for name in below
                if is_spec_folder(name) and not _leaves(os.path.join(folder, name), self._root)
            ]
            self._known.add(folder)
            for name in (*below, *files):
                folders |= link_folders(os.path.join(folder, name))
        self._start("outside", sorted(folders), self._outside)
        # The threads begin a moment later: look once more when they surely have.
        self._settling.touch(EVERYTHING, SLOW)

    def _start_inside(self) -> None:
        if os.path.isdir(self._root):
            self._start("inside", [self._root], self._inside)
        self._settling.touch(EVERYTHING, SLOW)

    def _start(self, name: str, folders: list[str], tell: Callable[[str, bool], None]) -> None:
        old = self._tasks.pop(name, None)
        if old is not None:
            old.cancel()
        self._tasks[name] = asyncio.create_task(self._run(name, folders, tell))

    async def _run(self, name: str, folders: list[str], tell: Callable[[str, bool], None]) -> None:
        from watchfiles import Change, awatch

        async for changes in awatch(
            *(folder for folder in folders if os.path.isdir(folder)),
            watch_filter=None,
            debounce=20,
            step=5,
            recursive=name == "inside",
            force_polling=self._polling or None,
            poll_delay_ms=100,
            ignore_permission_denied=True,
        ):
            for change, path in changes:
                # A file saved by renaming was deleted and is there.
                tell(path, change == Change.deleted and not os.path.lexists(path))

    def _inside(self, path: str, gone: bool) -> None:
        folders = os.path.relpath(os.path.dirname(path), self._root)
        if folders != os.curdir and not all(map(is_spec_folder, Path(folders).parts)):
            # A hidden folder: nothing in it is read.
            return
        if os.path.islink(path):
            # A link is followed when the watch begins, not when the link comes.
            self._start_outside()
            self._start_inside()
        if is_spec_file(os.path.basename(path)):
            self._settling.touch(path, SLOW if gone or _emptied(path) else QUICK)
        elif path in self._known or os.path.isdir(path):
            self._known.add(path)
            self._settling.touch(EVERYTHING, SLOW if gone else QUICK)

    def _outside(self, path: str, gone: bool) -> None:
        if path == self._root:
            self._settling.touch(EVERYTHING, SLOW if gone else QUICK)
            if not gone and os.path.isdir(path):
                self._start_inside()
        elif os.path.dirname(path) != os.path.dirname(self._root):
            self._settling.touch(EVERYTHING, SLOW if gone else QUICK)
