"""The last accepted revisions of a folder stand in a file beside its history: a line for each change.

    {"heddle": "accepted", "version": 1}
    {"namespace": ..., "kept": [...], "dropped": [[sort, id], ...]}

A line counts as a whole or not at all, so that a torn one does no harm. The file is written anew once
most of it is out of date. One of a newer version is left alone.
"""

# Paths are text here, as the folder store has them.
# ruff: noqa: PTH105, PTH108

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from heddle.schemas.errors import StoreError
from heddle.schemas.problem import Place, Problem
from heddle.specs.files.spare import SPARE
from heddle.specs.model.accepted import AcceptedKey, AcceptedResource, AcceptedState, updated
from heddle.specs.stores.folder.read_mark import ReadMark, read_from

S = TypeVar("S", bound=msgspec.Struct)

VERSION = 1

SLACK = 64 << 10
"""Bytes that may be out of date, beyond as many as are not, before the file is written anew."""


class _Head(msgspec.Struct, frozen=True):
    heddle: str
    version: int


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    namespace: str
    kept: tuple[AcceptedResource, ...] = ()
    dropped: tuple[AcceptedKey, ...] = ()


class AcceptedFile:
    """The file of one folder. Its calls block: whoever has a loop calls them in a thread."""

    def __init__(self, path: str, *, spare: int = SLACK) -> None:
        self.path = path
        self._spare = spare
        self._mark = ReadMark()
        self._version = VERSION
        self._live = 0
        self._marks: dict[tuple[str, AcceptedKey], tuple[int, int]] = {}

    def read(self, namespace: str) -> AcceptedState:
        """Return every record of a namespace. A line that cannot be read is a Problem, and left out.

        StoreError if the file is there and cannot be read.
        """
        state: dict[AcceptedKey, AcceptedResource] = {}
        problems: list[Problem] = []
        for number, line in enumerate(self._bytes().split(b"\n"), 1):
            head = _decoded(line, _Head) if number == 1 else None
            if head is not None and head.version > VERSION:
                return AcceptedState(problems=(self._newer(head.version),))
            if head is not None or not line.strip():
                continue
            change = _decoded(line, _Line)
            if change is None:
                problems.append(self._broken(number))
            elif change.namespace == namespace:
                updated(state, change.kept, change.dropped)
        return AcceptedState(items=tuple(state.values()), problems=tuple(problems))

    def write(
        self, namespace: str, kept: Sequence[AcceptedResource], dropped: Collection[AcceptedKey]
    ) -> None:
        """Keep and drop records; raise StoreError if the file cannot be written.

        Nothing is written if the file says all of it already, as another worker has written it.
        """
        try:
            SPARE.attempt(lambda: self._change(namespace, kept, dropped))
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise StoreError(f"{self.path} cannot be written: {why}") from error

    def _change(
        self, namespace: str, kept: Sequence[AcceptedResource], dropped: Collection[AcceptedKey]
    ) -> None:
        self._follow()
        if self._version > VERSION:
            raise StoreError(str(self._newer(self._version)))
        kept = [
            resource
            for resource in kept
            if self._marks.get((namespace, resource.key)) != _mark(resource)
        ]
        dropped = [key for key in dropped if (namespace, key) in self._marks]
        if kept or dropped:
            line = _Line(namespace=namespace, kept=tuple(kept), dropped=tuple(dropped))
            self._append(msgspec.json.encode(line) + b"\n")
            self._follow()
        if self._mark.offset > 2 * self._live + self._spare:
            # Everything is kept by then: if this fails, the next write tries it again.
            with suppress(OSError):
                self._shorten()

    # --- reading ---

    def _bytes(self) -> bytes:
        try:
            return SPARE.attempt(Path(self.path).read_bytes)
        except (FileNotFoundError, NotADirectoryError):
            return b""
        except OSError as error:
            # Not as if nothing had been accepted: a start would fall back to nothing, without a word.
            why = (error.strerror or str(error)).lower()
            raise StoreError(f"{self.path} cannot be read: {why}") from error

    def _follow(self) -> None:
        """Read what was added to the file since it was read last."""
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._reset()
            return
        try:
            if not self._mark.holds(handle):
                self._reset()
            start = self._mark.offset
            whole = read_from(handle, start).rpartition(b"\n")[0]
            self._mark.move(handle, whole + b"\n" if whole else b"")
        finally:
            os.close(handle)
        for number, line in enumerate(whole.split(b"\n") if whole else ()):
            head = _decoded(line, _Head) if start + number == 0 else None
            change = _decoded(line, _Line)
            if head is not None:
                self._version = head.version
            elif change is not None:
                self._note(change)

    def _reset(self) -> None:
        self._mark, self._live, self._version = ReadMark(), 0, VERSION
        self._marks.clear()

    def _note(self, change: _Line) -> None:
        gone = [(change.namespace, key) for key in change.dropped]
        fresh = {(change.namespace, resource.key): _mark(resource) for resource in change.kept}
        for key in (*gone, *fresh):
            self._live -= self._marks.pop(key, (0, 0))[1]
        self._marks.update(fresh)
        self._live += sum(size for _, size in fresh.values())

    # --- writing ---

    def _append(self, line: bytes) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        handle = os.open(self.path, flags, 0o600)
        try:
            size = os.fstat(handle).st_size
            if not size:
                line = _head() + line
            elif os.pread(handle, 1, size - 1) != b"\n":
                line = b"\n" + line
            try:
                _write(handle, line)
            except OSError:
                # Half of a line would be a Problem for as long as the file is not written anew.
                with suppress(OSError):
                    os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)

    def _shorten(self) -> None:
        """Write the file anew, with what counts."""
        spaces: dict[str, dict[AcceptedKey, AcceptedResource]] = {}
        for change in self._changes():
            updated(spaces.setdefault(change.namespace, {}), change.kept, change.dropped)
        part = f"{self.path}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        handle = os.open(part, flags, 0o600)
        try:
            _write(handle, _head())
            for namespace, state in spaces.items():
                line = _Line(namespace=namespace, kept=tuple(state.values()))
                _write(handle, msgspec.json.encode(line) + b"\n")
            os.replace(part, self.path)
        except BaseException:
            with suppress(OSError):
                os.unlink(part)
            raise
        finally:
            os.close(handle)
        self._follow()
        # What a line takes beside its records must not have it written anew each time.
        self._live = max(self._live, self._mark.offset)

    def _changes(self) -> Iterator[_Line]:
        for line in self._bytes().split(b"\n"):
            change = _decoded(line, _Line)
            if change is not None:
                yield change

    # --- problems ---

    def _newer(self, version: int) -> Problem:
        return Problem(
            code="newer-version",
            found=f"the last accepted revisions are kept in version {version}, this Heddle knows {VERSION}",
            hint="Use the Heddle that wrote the file, or move the file away",
            place=Place(self.path),
        )

    def _broken(self, line: int) -> Problem:
        return Problem(
            code="unreadable",
            found="this line of the last accepted revisions cannot be read, and is left out",
            hint="Specs are not concerned. The line, or the whole file, may be deleted",
            place=Place(self.path, line),
        )


def _head() -> bytes:
    return msgspec.json.encode(_Head("accepted", VERSION)) + b"\n"


def _mark(resource: AcceptedResource) -> tuple[int, int]:
    """Return what tells a record from another, and about how many bytes it takes."""
    number = hash((resource.body, resource.revision, resource.active, resource.file))
    return number, len(resource.body.encode()) + len(resource.file) + 120


def _decoded(line: bytes, sort: type[S]) -> S | None:
    try:
        return msgspec.json.decode(line, type=sort)
    except (msgspec.DecodeError, RecursionError):
        return None


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]
    os.fsync(handle)
