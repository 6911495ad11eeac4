"""A WriterLock lets one writer at a time into a folder, of all tasks and processes on this machine."""

# Paths are text here, as the folder store has them.

import asyncio
import os
from contextlib import suppress
from importlib.util import find_spec

from heddle.specs.files.spare import SPARE
from heddle.specs.stores.folder.state_folder import FILE_MODE

LOCKS = find_spec("fcntl") is not None
"""Whether this system has such locks."""

LOOK = 0.002
"""Seconds between two looks whether it is free."""


class WriterLock:
    """The lock of one writer. The system frees it if its process ends.

    Who waits for it has a lock of its own, the queue: else a writer that begins again at once would
    always be there before those who look from time to time.
    """

    def __init__(self, path: str) -> None:
        """`path` is the file of the lock; that of the queue stands beside it."""
        self._path = path
        self._handle = -1
        self.failure = ""
        """Why the file of the lock cannot be opened; empty if it can."""

    async def take(self, patience: float) -> bool:
        """Wait for it for so many seconds; return False if it cannot be had. Then nothing is locked."""
        end = asyncio.get_running_loop().time() + patience
        queue = -1
        taken = False
        try:
            # The folder is not made here: it may have been moved away.
            self._handle = _opened(self._path)
            queue = _opened(f"{self._path}.queue")
            taken = await _locked(queue, end) and await _locked(self._handle, end)
        except OSError as error:
            self.failure = (
                f"{error.filename or self._path}: {(error.strerror or str(error)).lower()}"
            )
            return False
        finally:
            if queue >= 0:
                os.close(queue)
            if not taken:
                self.release()
        return taken

    def release(self) -> None:
        """Let the next one in."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _opened(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    return SPARE.attempt(lambda: os.open(path, flags, FILE_MODE))


async def _locked(handle: int, end: float) -> bool:
    """Lock a file; False if that is not possible until this time of the loop."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ImportError:  # Windows has no such lock: two writers there may leave a change unrecorded
        return True
    loop = asyncio.get_running_loop()
    while True:
        with suppress(BlockingIOError):
            flock(handle, LOCK_EX | LOCK_NB)
            return True
        if loop.time() >= end:
            return False
        await asyncio.sleep(LOOK)
