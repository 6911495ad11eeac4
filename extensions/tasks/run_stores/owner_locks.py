"""Owner locks: each worker holds a lock of the operating system beside the file of the RunStore.

The system frees the lock when the worker is gone, however it ended: so a local owner that was killed
is known at once, and its runs need not wait until their lease is over.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

TRIES: Final = 50
"""Times that a worker tries to lock its own file while others look whether it is locked."""

PAUSE, LONGEST = 0.001, 0.05
"""Seconds of the pause before the second try, and of the longest one; each is twice as long: 2 s in all."""

_CLOSED: Final = getattr(os, "O_CLOEXEC", 0)


class OwnerLock:
    """The lock of this worker: `owners/<id>` in a folder; held from `take` until `free`."""

    def __init__(self, folder: Path, owner: str) -> None:
        self._folder = folder
        self._path = folder / owner
        self._handle = -1

    def take(self, pause: Callable[[float], object] = time.sleep) -> None:
        """Make the file and lock it, in a thread that may wait. Raise OSError if that cannot be.

        Others remove files that nobody has locked, and empty folders: so it looks whether its own is
        still there once it has the lock.
        """
        for number in range(TRIES):
            if number:
                pause(min(PAUSE * 2 ** (number - 1), LONGEST))
            self._folder.mkdir(mode=0o700, exist_ok=True)
            try:
                handle = os.open(self._path, os.O_RDWR | os.O_CREAT | _CLOSED, 0o600)
            except FileNotFoundError:
                continue
            if _lock(handle) and _is_file(handle, self._path):
                self._handle = handle
                return
            os.close(handle)
        raise OSError(f"{self._path} is locked by another process")

    def free(self, *, keep: bool = False) -> None:
        """Free the lock and remove the file.

        With `keep` the file stays: it tells others that this owner is gone and its runs can be taken.
        """
        if self._handle < 0:
            return
        if not keep:
            with suppress(OSError):
                self._path.unlink()
        with suppress(OSError):
            os.close(self._handle)
        self._handle = -1
        with suppress(OSError):
            self._folder.rmdir()  # only if nobody else has a file in it


def is_gone(folder: Path, owner: str) -> bool:
    """Return whether a local owner is gone: its file is there, and nobody holds the lock.

    Without a file nothing is known: the owner may work on another machine.
    """
    try:
        handle = os.open(folder / owner, os.O_RDWR | _CLOSED)
    except OSError:
        return False
    try:
        return _lock(handle)
    finally:
        os.close(handle)


def forget_gone(folder: Path, owner: str) -> None:
    """Remove the file of an owner that is gone and has no run any more; that of a live one stays."""
    path = folder / owner
    with suppress(OSError):
        handle = os.open(path, os.O_RDWR | _CLOSED)
        try:
            if _lock(handle):
                path.unlink()
        finally:
            os.close(handle)


def list_owners(folder: Path) -> list[str]:
    """Return the ids of all owners that have a file."""
    with suppress(OSError):
        return sorted(entry.name for entry in folder.iterdir())
    return []


def _is_file(handle: int, path: Path) -> bool:
    """Return whether an open file still is the one at a path."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _lock(handle: int) -> bool:
    """Lock an open file without waiting; return whether the lock is ours."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ImportError:
        return _lock_windows(handle)
    try:
        flock(handle, LOCK_EX | LOCK_NB)
    except OSError:
        return False
    return True


def _lock_windows(handle: int) -> bool:
    import importlib

    msvcrt = importlib.import_module("msvcrt")
    try:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True
