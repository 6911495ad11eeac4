"""What the spec files of a folder say, or a single one: read anew where they changed, fitted together."""

# Paths are text here, as the kernel tells them.
# ruff: noqa: PTH100, PTH110, PTH112, PTH116, PTH118, PTH120

import os
import stat
import time
from collections.abc import Iterable, Sequence
from pathlib import Path as FilePath

import msgspec

from heddle.specs.document import (
    Reading,
    TooManyError,
    failed,
    files_below,
    is_below,
    link_outside,
    read_text,
    taken,
    too_large,
    unreadable,
)
from heddle.specs.index import Index, Key, key_of
from heddle.specs.limits import ASIDE, limits
from heddle.specs.problem import Place, Problem
from heddle.specs.spec import Spec
from heddle.specs.store import ChangeSet, Resource
from heddle.specs.value import Value

# A file that was written this short a time before it was read may be written again within the
# same tick of the file system's clock.
_RACY = 100_000_000

MANY = 256
"""Files from which to look at all of them may take longer than a moment."""

FEW = 16
"""Files that changed at once which are read in a moment, if none of them is large."""

WRITING = 30_000_000
"""Nanoseconds after its last change in which a file may be in the midst of being written."""

SAVING = 100_000_000
"""The same for one that is gone or empty, and was not: some editors save so."""


class File(msgspec.Struct):
    """What one file said when it was read last."""

    stamp: tuple[int, int, int, int] = (0, 0, 0, 0)
    racy: bool = False
    digest: int = 0
    entries: tuple[Resource, ...] = ()
    problems: tuple[Problem, ...] = ()
    spoiled: tuple[Spec, ...] = ()
    sound: bool = False
    own: bool = False
    missed: int = 0


class Files:
    """The Specs and Values in the YAML and JSON files below a folder, or in a single file.

    A file with a Problem keeps what it said when it was sound. Where two files use one name, the
    one that had it first keeps it. `newest` is when something changed last, in microseconds since
    1970, which is the revision of what is read.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.single = False
        self.index = Index()
        self.newest = 0
        self.unrecorded: set[Key] = set()
        self._files: dict[str, File] = {}
        self._holders: dict[Key, str] = {}
        self._clashes: tuple[Problem, ...] = ()
        self._gone: Problem | None = None
        self.aside = False
        """Whether an event loop runs beside it: large files are read in a process of their own."""
        self.outside: tuple[Problem, ...] = ()
        """The links that lead out of the folder, and are not followed."""

    def long(self, names: Sequence[str] | None) -> bool:
        """Return True if to look at these (None: at all) may take longer than a moment."""
        if names is None:
            return self.aside or self.many
        return len(names) > FEW or any(self._size(name) > ASIDE for name in names)

    @property
    def many(self) -> bool:
        """Whether there are so many files, or so large ones, that to work on them takes a while."""
        if len(self._files) > MANY:
            return True
        return any(record.stamp[1] > ASIDE for record in self._files.values())

    def _size(self, name: str) -> int:
        try:
            return os.stat(self.full(name)).st_size
        except OSError:
            return 0

    @property
    def problems(self) -> list[Problem]:
        """What is wrong in the files, file by file."""
        found = [problem for name in sorted(self._files) for problem in self._files[name].problems]
        return [*([self._gone] if self._gone is not None else []), *found, *self._clashes]

    @property
    def spoiled(self) -> list[Spec]:
        """The Specs in files with Problems, as far as they can be read, that do not count."""
        return [spec for name in sorted(self._files) for spec in self._files[name].spoiled]

    def file(self, name: str) -> File:
        """What one file said when it was read last."""
        return self._files.get(name, File())

    def holder(self, resource: Resource) -> str | None:
        """The file that a resource stands in."""
        return self._holders.get(key_of(resource))

    def full(self, name: str) -> str:
        return self.path if self.single else os.path.join(self.path, name)

    def names(self) -> list[str]:
        if not self.single:
            leaving: list[str] = []
            found = files_below(self.path, leaving)
            self.outside = tuple(link_outside(os.path.join(self.path, one)) for one in leaving)
            return found
        return [os.path.normpath(self.path).replace(os.sep, "/")]

    def refresh(self, names: Iterable[str] | None, *, careful: bool = False) -> ChangeSet | None:
        """Read the files that changed among these (None: among all); what that comes to.

        With `careful`, one that has just been emptied or removed counts as it was: whoever asks so
        has to ask again.
        """
        before = self._gone, self.outside
        if names is None:
            try:
                names = {*self.names(), *self._files}
                self._gone = None
                if not self.single and not os.path.isdir(self.path):
                    raise FileNotFoundError
            except TooManyError as error:
                return self._lost(error.problem)
            except OSError as error:
                return self._lost(self._unread(error))
        elif self.single:
            names = self.names()
        elif not limits().follow_links:
            names = [name for name in names if not self._leaves(name)]
        old: list[Resource] = []
        changed: list[str] = []
        for name in sorted(names):
            entries = self._files[name].entries if name in self._files else ()
            if not (careful and self.saving(name)) and self._read(name, careful):
                old.extend(entries)
                changed.append(name)
        if not changed:
            new = before != (self._gone, self.outside)
            return self._told((), self.outside if new else (), new)
        self.newest = max(self.newest, *(self._changed_at(name) for name in changed))
        return self._arrange(old, changed)

    def moving(self) -> bool:
        """Whether a file looks as if somebody were in the midst of saving it. What we wrote does not."""
        try:
            names = {*self.names(), *self._files}
        except OSError:
            return False
        now = time.time_ns()
        return any(self._moves(name, now) for name in names)

    def _moves(self, name: str, now: int) -> bool:
        try:
            status = os.stat(self.full(name))
        except OSError:
            return self.saving(name)
        record = self._files.get(name)
        if record is not None and record.own and record.stamp == _stamp(status):
            return False
        return 0 <= now - status.st_mtime_ns < WRITING or self.saving(name)

    def saving(self, name: str) -> bool:
        """Whether a file that held something has just been emptied or removed, as some editors save."""
        record = self._files.get(name)
        if record is None or not record.entries:
            return False
        now = time.time_ns()
        try:
            status = os.stat(self.full(name))
        except OSError:
            record.missed = record.missed or now
            folder = now - self._changed_at(name, gone=True) * 1000
            return max(folder, now - record.missed) < SAVING
        record.missed = 0
        return not status.st_size and 0 <= now - status.st_mtime_ns < SAVING

    def left(self, names: Iterable[str] | None) -> bool:
        """Whether a careful refresh leaves one of these (None: of all) for later."""
        if names is None:
            names = list(self._files)
        elif self.single:
            names = self.names()
        return any(self.saving(name) for name in names)

    def written(self, names: Iterable[str]) -> None:
        """Note that we wrote these files: they are whole."""
        for name in names:
            if name in self._files:
                self._files[name].own = True

    def _changed_at(self, name: str, *, gone: bool = False) -> int:
        """The revision of what a file says now; where it is gone, when its folder changed."""
        record = self._files.get(name)
        if record is not None and record.stamp[0] and not gone:
            return record.stamp[0] // 1000
        folder = os.path.dirname(os.path.abspath(self.full(name)))
        while True:
            try:
                return os.stat(folder).st_mtime_ns // 1000
            except OSError:
                folder, last = os.path.dirname(folder), folder
                if folder == last:
                    return 0

    def _leaves(self, name: str) -> bool:
        """Return True if this leads out of the folder, through links."""
        real = os.path.realpath(self.full(name))
        return not is_below(real, os.path.realpath(self.path))

    def _unread(self, error: OSError) -> Problem:
        """Return the Problem of a folder that is gone."""
        return Problem(
            code="unreadable",
            found=f"the folder cannot be read: {(error.strerror or 'it is gone').lower()}",
            hint="What it held before goes on running",
            place=Place(self.path),
        )

    def _lost(self, problem: Problem) -> ChangeSet | None:
        """The folder cannot be read: what it held goes on, and the Problem says so."""
        known, self._gone = self._gone, problem
        return None if known == problem else self._told((), (problem,), True)

    def _read(self, name: str, careful: bool) -> bool:
        """Read one file if it changed; return True if it did. Whatever fails is its Problem alone."""
        try:
            return self._load(name, careful)
        except Exception as error:
            return self._refused(name, failed(error, self.full(name)))

    def _load(self, name: str, careful: bool) -> bool:
        """Read one file if it changed; whether it did."""
        path = self.full(name)
        record = self._files.get(name)
        try:
            status = os.stat(path)
            if not self.single and not stat.S_ISREG(status.st_mode):
                # A pipe with the name of a spec file: reading it could wait for ever.
                return self._vanished(name)
            stamp = _stamp(status)
            if record is not None and record.stamp == stamp and not record.racy:
                return False
            most = limits().file
            if status.st_size > most:
                return self._refused(name, too_large(path, status.st_size, most), stamp)
            data = FilePath(path).read_bytes()
            if record is not None and _stamp(os.stat(path)) != stamp:
                # Somebody writes it at this moment, and will be told of, or looked at again.
                return False
            fresh = 0 <= time.time_ns() - stamp[0] < SAVING
            if careful and fresh and not data and record is not None and record.entries:
                return False
        except (FileNotFoundError, NotADirectoryError):
            known = record is not None and bool(record.entries)
            if careful and known and (self.saving(name) or os.path.exists(path)):
                return False
            return self._vanished(name)
        except OSError as error:
            return self._refused(name, unreadable(path, error))
        racy = time.time_ns() - stamp[0] < _RACY
        digest = hash(data)
        if record is not None and record.digest == digest and record.stamp != (0, 0, 0, 0):
            record.stamp, record.racy = stamp, racy
            return False
        reading = self._reading(data, path, name, stamp[0] // 1000)
        self._files[name] = _accepted(reading, record, stamp, racy, digest)
        return True

    def _reading(self, data: bytes, path: str, name: str, revision: int) -> Reading:
        """Read the text of a file, in the parsing process if it is large."""
        if not self.aside or len(data) <= ASIDE:
            return read_text(data, file=path, key=name, revision=revision)
        from heddle.specs.parsing.parser import read_aside

        return read_aside(data, file=path, key=name, revision=revision)

    def _vanished(self, name: str) -> bool:
        if self.single:
            problem = Problem(
                code="unreadable",
                found="the file is gone",
                hint="What it held before goes on running",
                place=Place(self.path),
            )
            return self._refused(name, problem)
        return self._files.pop(name, None) is not None

    def _refused(
        self, name: str, problem: Problem, stamp: tuple[int, int, int, int] = (0, 0, 0, 0)
    ) -> bool:
        record = self._files.setdefault(name, File())
        known, record.problems = record.problems, (problem,)
        record.spoiled = ()
        record.stamp = stamp
        return known != record.problems

    # --- fitting together what the files say ---

    def _arrange(self, old: list[Resource], changed: list[str]) -> ChangeSet | None:
        """Bring the index in line with the files that changed."""
        known = self._clashes
        before: dict[Key, Resource | None] = {key_of(each): None for each in old}
        before.update(
            (key_of(each), None)
            for name in changed
            if name in self._files
            for each in self._files[name].entries
        )
        if self._clashes or not self._exchange(old, changed, before):
            before = self._rebuild(before)
        keys = [key for key, was in before.items() if self.index.get(key) != was]
        found = [self.index.get(key) for key in keys]
        self.newest = max(self.newest, *(each.revision for each in found if each is not None), 0)
        problems = tuple(
            problem
            for name in changed
            if name in self._files
            for problem in self._files[name].problems
        )
        if self._clashes != known:
            problems += self._clashes
        spoiled = tuple(
            spec for name in changed if name in self._files for spec in self._files[name].spoiled
        )
        return self._told(keys, problems, True, spoiled)

    def _exchange(
        self, old: list[Resource], changed: list[str], before: dict[Key, Resource | None]
    ) -> bool:
        """Put what the changed files say in the place of what they said; False where names clash."""
        for key in before:
            before[key] = self.index.get(key)
        for resource in old:
            self.index.drop(key_of(resource))
            self._holders.pop(key_of(resource), None)
        for name in changed:
            for resource in self._files[name].entries if name in self._files else ():
                key = key_of(resource)
                if self.index.get(key) is not None or self.index.named(resource) is not None:
                    # Back to what it was: who had the name keeps it.
                    for each, was in before.items():
                        self.index.drop(each)
                        if was is not None:
                            self.index.put(was)
                    return False
                self.index.put(_kept(resource, before.get(key)))
                self._holders[key] = name
        return True

    def _rebuild(self, before: dict[Key, Resource | None]) -> dict[Key, Resource | None]:
        """Fit everything together anew; the one that had a name keeps it."""
        was, holders = self.index, self._holders
        entries = [
            (name, each) for name in sorted(self._files) for each in self._files[name].entries
        ]
        entries.sort(key=lambda each: holders.get(key_of(each[1])) != each[0])
        self.index, self._holders = Index(), {}
        clashes: list[Problem] = []
        for name, resource in entries:
            key = key_of(resource)
            first = self.index.get(key) or self.index.named(resource)
            if first is not None:
                clashes.append(taken(resource, first))
                continue
            self.index.put(_kept(resource, was.get(key)))
            self._holders[key] = name
        self._clashes = tuple(clashes)
        keys = {**before, **dict.fromkeys(was.keys()), **dict.fromkeys(self.index.keys())}
        return {key: was.get(key) for key in keys}

    def _told(
        self,
        keys: Iterable[Key],
        problems: tuple[Problem, ...],
        tell: bool,
        spoiled: tuple[Spec, ...] = (),
    ) -> ChangeSet | None:
        if not tell:
            return None
        keys = list(keys)
        self.unrecorded.update(keys)
        return ChangeSet(
            specs=frozenset(id_ for sort, id_ in keys if sort is Spec),
            values=frozenset(id_ for sort, id_ in keys if sort is Value),
            problems=problems,
            spoiled=spoiled,
            origin=f"file://{self.path}",
            revision=self.newest,
        )


def _stamp(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev


def _accepted(
    reading: Reading,
    record: File | None,
    stamp: tuple[int, int, int, int],
    racy: bool,
    digest: int,
) -> File:
    """The file as it counts from now on: a broken one keeps what it said when it was sound."""
    entries: tuple[Resource, ...] = (*reading.specs, *reading.values)
    sound = not reading.problems and reading.whole
    spoiled = reading.spoiled
    if not sound and record is not None and record.sound:
        entries = record.entries
        spoiled = (*reading.specs, *reading.spoiled)
    return File(
        stamp=stamp,
        racy=racy,
        digest=digest,
        entries=entries,
        problems=reading.problems,
        spoiled=spoiled,
        sound=sound or (record is not None and record.sound),
    )


def _kept(new: Resource, old: Resource | None) -> Resource:
    """The resource as it stands now, with the revision of the old one if it says the same."""
    if old is None or (old == new and old.revision == new.revision):
        return new
    revision = old.revision if old == new else max(new.revision, old.revision + 1)
    return new if revision == new.revision else msgspec.structs.replace(new, revision=revision)
