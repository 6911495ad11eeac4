"""Watching with inotify, on the event loop itself: no thread, and nothing to do while nothing happens.

inotify watches folders and files, not paths. So each folder that holds a link of the path is watched,
too, and whatever an event says of a link, or of a folder on the way, has all of them looked at again.
What no event tells (a folder above that is moved, a file system that comes or goes) is looked at
now and then, which costs a few questions to the file system.
"""

# Paths are text here, as the kernel names them.
# ruff: noqa: PTH100, PTH112, PTH114, PTH116, PTH118, PTH120

import asyncio
import ctypes
import os
import struct
import time
from contextlib import suppress
from errno import ENOSPC

from heddle.specs.files.debounce import QUICK, SLOW, PathDebounce
from heddle.specs.files.identity import PathPart, look_at, parts_of
from heddle.specs.files.notices import EVERY, EVERYTHING, REMOVED, SHARE
from heddle.specs.files.spare import SPARE, is_passing
from heddle.specs.files.spec_names import is_folder, is_spec_file, is_spec_folder, leads_out

_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _UNMOUNT = 0x400, 0x800, 0x2000
_OVERFLOW, _IGNORED, _ISDIR = 0x4000, 0x8000, 0x40000000
_ONLYDIR, _MASK_ADD = 0x1000000, 0x20000000
_NAMES = _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
"""The inotify mask of a folder in which only names count."""
_FILES = _NAMES | _MODIFY | _ATTRIB | _CLOSE_WRITE
"""The inotify mask of a folder with files that are read."""
_HEAD = struct.Struct("iIII")


class InotifyNotifier:
    """Tells a Settling what inotify says of a folder, or of a single file."""

    def __init__(self, root: str, settling: PathDebounce) -> None:
        self._root = os.path.abspath(root)
        self._settling = settling
        self._folders: dict[int, set[str]] = {}
        self._watches: dict[str, int] = {}
        self._inside: set[str] = set()
        self._parts: dict[str, PathPart] = {}
        self._checked: list[PathPart] = []
        self._targets: dict[str, set[str]] = {}
        self._partial = False
        self._real = self._root
        self._fd = -1
        self._timer: asyncio.TimerHandle | None = None
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._loop = asyncio.get_running_loop()

    def open(self) -> None:
        """Start; OSError when the kernel has no watches left (fs.inotify.max_user_watches)."""
        self._fd = SPARE.attempt(self._init)
        try:
            self._look()
        except BaseException:
            self.close()
            raise
        self._loop.add_reader(self._fd, self._read)
        self._timer = self._loop.call_later(EVERY, self._check)

    def poll(self) -> bool:
        """Tell what the kernel has to say now; False if not all of the folder is watched."""
        self._read()
        return not self._partial

    def _init(self) -> int:
        handle: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if handle < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), self._root)
        return handle

    def close(self) -> None:
        """Stop, and give every watch back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    # --- what has to be watched ---

    def _look(self) -> None:
        """Watch whatever has to be watched, as the folders and links are now."""
        self._inside, self._targets, self._partial = set(), {}, False
        known: dict[str, PathPart] = {}
        masks: dict[str, int] = {}
        chain = self._trace(self._root, known, masks)
        # Also while it is not a link: it may become one.
        masks.setdefault(os.path.dirname(self._root), _NAMES)
        if os.path.isdir(self._root):
            self._real = os.path.realpath(self._root)
            self._descend(self._root, known, masks, set())
        elif not self._targets:
            masks[os.path.dirname(self._root)] = _FILES
        for folder, mask in masks.items():
            self._watch(folder, mask)
        for folder in [name for name in self._watches if name not in masks]:
            self._forget(folder)
        self._parts = {path: part for path, part in known.items() if path not in self._targets}
        self._parts.setdefault(self._root, look_at(self._root))
        folders = [part for part in self._parts.values() if part.folder]
        self._checked = list({part.path: part for part in (*chain, *folders)}.values())

    def _trace(
        self, path: str, known: dict[str, PathPart], masks: dict[str, int], *, read: bool = True
    ) -> list[PathPart]:
        """Have everything watched that tells where a path leads to from now on.

        Without `read`, what it leads to now is not read: only that it may lead elsewhere counts.
        """
        chain = parts_of(path, known)
        for part in chain:
            if part.target or part.missing:
                masks.setdefault(os.path.dirname(part.path), _NAMES)
        end = chain[-1] if chain else PathPart(path)
        if read and end.path != path and not (end.target or end.folder or end.missing):
            self._targets.setdefault(end.path, set()).add(path)
            masks[os.path.dirname(end.path)] = _FILES
        return chain

    def _descend(
        self,
        folder: str,
        known: dict[str, PathPart],
        masks: dict[str, int],
        seen: set[tuple[int, int]],
    ) -> None:
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                return
            seen.add((status.st_dev, status.st_ino))
            masks[folder] = _FILES
            self._inside.add(folder)
            # Watched before it is listed: what comes in between is told, or listed, or both.
            self._watch(folder, _FILES)
            entries = SPARE.attempt(lambda: _entries(folder))
        except OSError as error:
            self._partial = self._partial or is_passing(error)
            if error.errno == ENOSPC:
                raise
            return
        for entry in entries:
            below = is_spec_folder(entry.name) and is_folder(entry)
            out = leads_out(entry, self._real)
            if entry.is_symlink() and (below or is_spec_file(entry.name)):
                self._trace(entry.path, known, masks, read=not out)
            if below and not out:
                self._descend(entry.path, known, masks, seen)

    def _watch(self, folder: str, mask: int) -> None:
        # Asked anew each time: there may be another folder of this name by now.
        watch = self._libc.inotify_add_watch(
            self._fd, os.fsencode(folder), mask | _ONLYDIR | _MASK_ADD
        )
        if watch < 0:
            number = ctypes.get_errno()
            if number == ENOSPC:
                raise OSError(
                    number, "no inotify watches are left; raise fs.inotify.max_user_watches", folder
                )
            self._forget(folder)
            return
        if self._watches.get(folder, watch) != watch:
            self._forget(folder)
        # Two ways to one folder share a watch: the kernel counts folders, not names.
        self._watches[folder] = watch
        self._folders.setdefault(watch, set()).add(folder)

    def _forget(self, folder: str) -> None:
        watch = self._watches.pop(folder, -1)
        names = self._folders.get(watch)
        if names is not None:
            names.discard(folder)
            if not names:
                del self._folders[watch]
                self._libc.inotify_rm_watch(self._fd, watch)

    def _look_again(self) -> None:
        try:
            self._look()
        except OSError:
            # Not all of it is watched: it is tried again, and looked at meanwhile.
            self._partial = True

    def _check(self) -> None:
        """Look whether a part of the path is another now, which no event may have told."""
        began = time.perf_counter()
        if self._partial or any(look_at(part.path) != part for part in self._checked):
            self._settling.touch(EVERYTHING, SLOW)
            self._look_again()
        elapsed = time.perf_counter() - began
        self._timer = self._loop.call_later(max(EVERY, SHARE * elapsed), self._check)

    # --- what inotify says ---

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
            self._look_again()

    def _event(self, folder: str, name: str, mask: int, cookie: int, moved: dict[int, str]) -> bool:
        """Tell what one event means; whether the folders have to be looked at again."""
        if not name:
            return self._folder_event(folder, mask)
        path = os.path.join(folder, name)
        again = False
        if path in self._targets:
            again = self._target_event(path, mask)
        if path in self._parts:
            return self._part_event(path, mask)
        if folder not in self._inside:
            return again
        if mask & _ISDIR:
            if mask & (_MODIFY | _ATTRIB) or not is_spec_folder(name):
                return again
            gone = mask & (_DELETE | _MOVED_FROM)
            self._settling.touch(EVERYTHING, SLOW if gone else QUICK)
            return True
        if mask & (_CREATE | _MOVED_TO) and os.path.islink(path):
            if not (is_spec_file(name) or is_spec_folder(name)):
                return again
            self._settling.touch(EVERYTHING)
            return True
        if not is_spec_file(name):
            return again
        if mask & _MOVED_FROM:
            moved[cookie] = path
        text = moved.pop(cookie, "") if mask & _MOVED_TO else ""
        if text:
            # A spec file that got another name is not a vanished file.
            self._settling.touch(text)
        self._settling.touch(path, _wait(path, mask))
        return again

    def _folder_event(self, folder: str, mask: int) -> bool:
        """Tell what happened to a watched folder itself."""
        if mask & _DELETE_SELF and folder == self._root:
            # Another one that is made at once may get its number.
            self._settling.touch(REMOVED, SLOW)
        if mask & (_DELETE_SELF | _MOVE_SELF | _UNMOUNT):
            self._settling.touch(EVERYTHING, SLOW)
            return True
        if mask & _ATTRIB and folder in self._inside:
            # Who may read it may be others now.
            self._settling.touch(EVERYTHING, SLOW)
            return True
        return False

    def _part_event(self, path: str, mask: int) -> bool:
        """Tell what happened to a part of a path: a link, a folder, or the single file itself."""
        if mask & _ISDIR:
            if mask & (_MODIFY | _ATTRIB):
                return False
            gone = mask & (_DELETE | _MOVED_FROM)
            self._settling.touch(EVERYTHING, SLOW if gone else QUICK)
            return True
        if path == self._root and not os.path.islink(path):
            self._settling.touch(EVERYTHING, _wait(path, mask))
            # A link that became a file, or what came if nothing was.
            return bool(mask & (_CREATE | _MOVED_TO))
        gone = mask & (_DELETE | _MOVED_FROM)
        self._settling.touch(EVERYTHING, SLOW if gone else QUICK)
        return True

    def _target_event(self, path: str, mask: int) -> bool:
        """Tell what happened to a file that a link leads to."""
        wait = _wait(path, mask)
        for link in self._targets[path]:
            self._settling.touch(EVERYTHING if link == self._root else link, wait)
        return bool(mask & (_CREATE | _MOVED_TO)) and os.path.islink(path)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """Return what is in a folder; no descriptor stays open meanwhile."""
    with os.scandir(folder) as entries:
        return list(entries)


def _wait(path: str, mask: int) -> float:
    """Return how long to wait for the rest of what is being written."""
    finished = mask & (_CLOSE_WRITE | _MOVED_TO | _ATTRIB) or (mask & _CREATE and _linked(path))
    return QUICK if finished and not _emptied(path) else SLOW


def _emptied(path: str) -> bool:
    """Return whether a file holds nothing: some editors empty it first, and then write it."""
    with suppress(OSError):
        return os.stat(path).st_size == 0
    return False


def _linked(path: str) -> bool:
    """Return whether a created file is a second name of a file that was written before."""
    with suppress(OSError):
        return os.stat(path).st_nlink > 1
    return False
