"""A WriteLog says what is being written into a folder: if its process ends on the way, another one finishes it.

    {"number": ..., "files": [...], ...}   before anything is written
    "placing"                              once everything is on disk beside the files

Without the second line nothing was changed, and what was written beside the files is removed. With it,
the rest is put in its place.
"""

# Paths are text here, as the folder store has them.
# ruff: noqa: PTH108, PTH110

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import msgspec

from heddle.specs.files.spare import SPARE
from heddle.specs.model.revision import NO_NOTE, Note
from heddle.specs.stores.folder.state_folder import FILE_MODE

_PLACING = b'"placing"\n'


class PendingFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file that is being written."""

    path: str
    """Its path, from the folder of the specs."""
    part: str
    """The name of what takes its place, in the same folder; empty if the file is to be removed."""
    before: str
    """The digest of what it held; empty if there was no file."""


class PendingWrite(msgspec.Struct, frozen=True, kw_only=True):
    """A change set that is being written."""

    number: int
    time: float
    files: tuple[PendingFile, ...]
    author: str = ""
    message: str = ""
    key: UUID | None = None
    removed: tuple[UUID, ...] = ()
    """The Specs and Values that are gone by it: no file says when they went."""
    placing: bool = False

    @property
    def note(self) -> Note:
        """The author and the reason of the change set."""
        return Note(self.author, self.message, self.key)


class WriteLog:
    """The log of one folder. Only who holds the lock of the folder uses it; that nothing can be logged hinders nothing."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._number, self._note, self._removed = 0, NO_NOTE, tuple[UUID, ...]()
        self._durable = False

    @property
    def there(self) -> bool:
        """Whether something is being written, or was left unfinished."""
        return bool(self.path) and os.path.exists(self.path)

    def describe(self, number: int, note: Note, removed: Iterable[UUID]) -> None:
        """Note the number of the change set that is written next, who makes it, why, and what it removes."""
        self._number, self._note, self._removed = number, note, tuple(removed)

    def begin(self, files: Sequence[PendingFile]) -> None:
        """Write down which files are to be written."""
        write = PendingWrite(
            number=self._number,
            time=time.time(),
            files=tuple(files),
            author=self._note.author,
            message=self._note.message,
            key=self._note.key,
            removed=self._removed,
        )
        # One file is replaced in one step: then the log only says who did it.
        self._durable = len(files) > 1
        with suppress(OSError):
            self._write(os.O_CREAT | os.O_TRUNC, msgspec.json.encode(write) + b"\n")

    def place(self) -> None:
        """Write down that everything is there, and is put in its place from now on."""
        try:
            self._write(os.O_APPEND, _PLACING, durable=self._durable)
        except OSError:
            self.end()

    def end(self) -> None:
        """Note that nothing is left to do."""
        with suppress(OSError):
            os.unlink(self.path)

    def read(self) -> PendingWrite | None:
        """Return what was left unfinished; None if there is nothing. OSError if it cannot be read."""
        try:
            head, _, rest = SPARE.attempt(Path(self.path).read_bytes).partition(b"\n")
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            write = msgspec.json.decode(head, type=PendingWrite)
        except msgspec.MsgspecError:
            # It was not written to its end: nothing else was, by then.
            return None
        return msgspec.structs.replace(write, placing=rest == _PLACING)

    def _write(self, flags: int, data: bytes, *, durable: bool = False) -> None:
        handle = SPARE.attempt(
            lambda: os.open(self.path, os.O_WRONLY | os.O_CLOEXEC | flags, FILE_MODE)
        )
        try:
            while data:
                data = data[os.write(handle, data) :]
            if durable:
                os.fsync(handle)
        finally:
            os.close(handle)
