"""A lease that is a lock of the operating system: of all runtimes of one machine, one holds it.

It lasts as long as its process: the system takes it back when the process ends, however that is.
"""

# Paths are text here, as the folder store has them.
# ruff: noqa: PTH102, PTH116, PTH118

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from math import inf

import msgspec

from heddle.schemas.errors import StoreError
from heddle.specs.model.lease import Holder


class LeaseLine(msgspec.Struct, frozen=True):
    """The content of the file: who has the lease, and what was done last."""

    holder: Holder | None = None
    mark: float | None = None


class FileLease:
    """The lock of the file that `path` gives; that makes its folder if it can, or raises OSError."""

    exact = True

    def __init__(self, path: Callable[[], str], holder: Holder) -> None:
        self.mark: float | None = None
        self.expires = inf
        self.holder: Holder | None = None
        self._path = path
        self._us = holder
        self._file = -1

    @property
    def path(self) -> str:
        """The file that is locked; its folder is made."""
        return self._path()

    async def take(self, mark: float | None = None) -> bool:
        """Lock the file, if nobody else has; raise StoreError if there can be no such file."""
        try:
            if self._file >= 0 and not self._replaced():
                if mark is not None:
                    self._write(self._us, mark)
                return True
            self._close()
            return self._lock()
        except OSError as error:
            text = (error.strerror or str(error)).lower()
            raise StoreError(f"{error.filename or 'a lease'} cannot be locked: {text}") from error

    async def record(self, mark: float) -> bool:
        """Write down what is about to be done."""
        if self._file < 0:
            return False
        # A disk that is full keeps nobody from acting.
        with suppress(OSError):
            self._write(self._us, mark)
        self.mark = mark
        return True

    async def release(self, mark: float | None = None) -> None:
        """Unlock it."""
        if self._file >= 0:
            with suppress(OSError):
                self._write(None, mark if mark is not None else self.mark)
        self._close()

    def _lock(self) -> bool:
        path = self._path()
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not _locked(file):
                self.holder = _read(file).holder
                os.close(file)
                return False
        except OSError:
            os.close(file)
            raise
        self._file = file
        if self._replaced():
            # Whoever comes later finds another file at this path.
            self._close()
            return False
        self.mark = _read(file).mark
        self.holder = self._us
        self._write(self._us, self.mark)
        return True

    def _replaced(self) -> bool:
        """Return whether another file stands in the place of ours; none does no harm."""
        ours = os.fstat(self._file)
        try:
            there = os.stat(self._path())
        except OSError:
            return False
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)

    def _write(self, holder: Holder | None, mark: float | None) -> None:
        data = msgspec.json.encode(LeaseLine(holder, mark))
        os.pwrite(self._file, data, 0)
        os.ftruncate(self._file, len(data))

    def _close(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def _locked(file: int) -> bool:
    """Lock a file, if nobody else has; return whether it is ours."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ImportError:  # Windows has no such lock: there every runtime acts.
        return True
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: int) -> LeaseLine:
    """Return what stands in the file; nothing if it is being written, or is new."""
    try:
        return msgspec.json.decode(os.pread(file, 4096, 0), type=LeaseLine)
    except (msgspec.DecodeError, OSError):
        return LeaseLine()


def machine_lease(scope: Sequence[str], holder: Holder) -> FileLease:
    """Return the lease of this machine for what these words name; users have their own."""
    name = sha256("\0".join(scope).encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def path() -> str:
        user = str(os.getuid()) if hasattr(os, "getuid") else "user"
        base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
        folder = os.path.join(base, f"heddle-leases-{user}")
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        return os.path.join(folder, f"{name}.lock")

    return FileLease(path, holder)
