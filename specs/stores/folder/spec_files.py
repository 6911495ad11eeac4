"""The spec files of a folder, or a single one: read anew if they changed, fitted together.

It is longer than other files, as there is one set of rules for what counts as gone, moved away, emptied
or half saved, and each of them looks at the others.
"""

# One file: what is known of each file decides what is read, kept and reported next, and every step
# writes it.

# Paths are text here, as the kernel tells them.
# ruff: noqa: PTH100, PTH110, PTH112, PTH116, PTH118, PTH120

import os
import stat
import time
from collections.abc import Iterable, Sequence
from errno import ENOENT

import msgspec

from heddle.schemas.problem import Place, Problem
from heddle.specs.files.identity import Stamp, opened_path, place_of, stamp_of
from heddle.specs.files.identity import stamp as stamp_in
from heddle.specs.files.spare import SPARE, is_passing
from heddle.specs.files.spec_names import is_below
from heddle.specs.model.index import Key, ResourceIndex
from heddle.specs.model.limits import ASIDE, limits
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import ChangeSet, Resource
from heddle.specs.model.value import Value
from heddle.specs.stores.folder.file_index import FileIndex
from heddle.specs.stores.folder.file_record import NEVER, SpecFile, next_record
from heddle.specs.stores.folder.placement import home_of
from heddle.specs.yaml.document import ReadText, failed, read_text
from heddle.specs.yaml.spec_tree import (
    TooManyError,
    files_below,
    link_outside,
    too_large,
    unreadable,
)

# A file that was written this short a time before it was read may be written again within the
# same tick of the file system's clock.
_RACY = 100_000_000

MANY = 256
"""Files, or resources of a file, from which to look at all of them may take longer than a moment."""

FEW = 16
"""Files that changed at once which are read in a moment, if none of them is large."""

SWAPS = 10
"""So many times a file is opened again that was another one when it was looked at."""

WRITING = 30_000_000
"""Nanoseconds after its last change in which a file may be in the midst of being written."""

SAVING = 100_000_000
"""The same for one that is gone or empty, and was not: some editors save so."""

CLEARING = 2_000_000_000
"""Nanoseconds for which a file that is gone counts, at most, while its folder goes on changing."""

EMPTYING = 1_000_000_000
"""Nanoseconds until a folder without any spec file counts as emptied: who removes it empties it first."""

FILLING, FILLED = 300_000_000, 10_000_000_000
"""Nanoseconds that a folder in the place of another has to lie still to be read, and the longest wait."""


class SpecFiles:
    """The Specs and Values in the YAML and JSON files below a folder, or in a single file.

    A file with a Problem keeps what it said when it was sound. If two files use one name, the
    one that had it first keeps it. `newest` is when something changed last, in microseconds since
    1970, which is the revision of what is read.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.root = path
        """The path for the file system; that of messages is as it was given."""
        self.marker = ""
        """A folder that is in the root for as long as that is the same; empty when there is none."""
        self.removed = False
        """Whether the folder was removed since it was read: the next one may have its number."""
        self.single = False
        self._fitted = FileIndex()
        self.newest = 0
        self.unrecorded: set[Key] = set()
        self._files: dict[str, SpecFile] = {}
        self._wrong: set[str] = set()
        """The files with Problems."""
        self._gone: Problem | None = None
        self._place: tuple[int, int] | None = None
        self._real = path
        """The target of the root when it was looked at last."""
        self.moves = 0
        """How often another folder was read in the place of the one before."""
        self._replaced = 0
        self._emptied = 0
        self.aside = False
        """Whether an event loop runs beside it: large files are read in a process of their own."""
        self.outside: tuple[Problem, ...] = ()
        """The links that lead out of the folder, and are not followed."""
        self._links: frozenset[str] = frozenset()
        """Their names."""
        self._away: frozenset[str] = frozenset()
        """The files that were read and are behind such a link now."""

    def long(self, names: Sequence[str] | None) -> bool:
        """Return True if to look at these (None: at all) may take longer than a moment."""
        if names is None:
            return self.aside or self.many
        return len(names) > FEW or any(
            self._size(name) > ASIDE or self._held(name) > MANY for name in names
        )

    @property
    def many(self) -> bool:
        """Whether there are so many files, or so large ones, that to work on them takes a while."""
        if len(self._files) > MANY:
            return True
        # Of a copy: a thread may be reading the files at this moment.
        return any(record.stamp[1] > ASIDE for record in list(self._files.values()))

    def _size(self, name: str) -> int:
        try:
            return os.stat(self.full(name)).st_size
        except OSError:
            return 0

    def _held(self, name: str) -> int:
        """Return how many resources a file held when it was read: they go if it is gone."""
        return len(self._files[name].entries) if name in self._files else 0

    @property
    def problems(self) -> list[Problem]:
        """The problems in the files, file by file."""
        problems = [
            problem for name in sorted(self._wrong) for problem in self._files[name].problems
        ]
        return [*([self._gone] if self._gone is not None else []), *problems, *self._fitted.clashes]

    @property
    def invalid(self) -> list[Spec]:
        """The Specs in files with Problems, as far as they can be read, that do not count."""
        return [spec for name in sorted(self._wrong) for spec in self._files[name].invalid]

    def file(self, name: str) -> SpecFile:
        """Return what one file said when it was read last."""
        return self._files.get(name, SpecFile())

    def holder(self, resource: Resource) -> str | None:
        """Return the file that a resource stands in."""
        return self._fitted.holder(resource)

    @property
    def index(self) -> ResourceIndex:
        """The content of all files together."""
        return self._fitted.resources

    def homes(self, namespace: str) -> set[str]:
        """Return the files that hold Values of this namespace, and the one that a new Value goes to."""
        held = (self.holder(value) for value in self.index.find(Value, namespace, None))
        return {home_of(namespace), *(name for name in held if name is not None)}

    @property
    def lost(self) -> str:
        """Why there is nothing to write to; empty when there is."""
        if self.single:
            return "" if os.path.exists(self.root) else "the file is gone"
        return self._gone.found if self._gone is not None else ""

    @property
    def bare(self) -> bool:
        """Whether a folder is without any of the files that were read in it."""
        return not self.single and self._none_left(())

    @property
    def again(self) -> bool:
        """Whether something could not be read for a reason that may pass: look at it later."""
        return self._gone is not None or any(self._files[name].passing for name in self._wrong)

    def full(self, name: str) -> str:
        """Return the path of a file for the file system."""
        return self.root if self.single else os.path.join(self.root, name)

    def shown(self, name: str) -> str:
        """Return the path of a file for people."""
        return self.path if self.single else os.path.join(self.path, name)

    def names(self) -> list[str]:
        """Return the files that are there now; OSError when the folder cannot be listed."""
        if not self.single:
            return self._list()[0]
        return [os.path.normpath(self.path).replace(os.sep, "/")]

    def _list(self) -> tuple[list[str], list[str]]:
        """Return the files below the folder, and the links that lead out of it."""

        def look() -> tuple[list[str], list[str]]:
            leaving: list[str] = []
            return files_below(self.root, leaving), leaving

        return SPARE.attempt(look)

    def refresh(self, names: Iterable[str] | None, *, careful: bool = False) -> ChangeSet | None:
        """Read the files that changed among these (None: among all); what that comes to.

        With `careful`, one that has just been emptied or removed counts as it was: whoever asks so
        has to ask again.
        """
        before = self._gone, self.outside
        known = list(names) if names is not None else []
        if self.single:
            known = self.names()
        elif (
            names is None
            or before[0] is not None
            or place_of(self.root) != self._place
            or self._none_left(known)
            or not self._links.isdisjoint(known)
            or self._leaving(known)
        ):
            try:
                present = self._present(careful)
            except TooManyError:
                return self._lost(TooManyError(self.path, limits().files).problem)
            except OSError as error:
                return self._lost(self._unread(error))
            if present is None:
                return None
            there = set(present)
            self._away = self._leaving(name for name in self._files if name not in there)
            known = [*there.union(self._files)]
            self._gone = None
        self._real = os.path.realpath(self.root)
        try:
            old, changed = self._read_all(sorted(set(known)), careful)
        except BaseException:
            # What was read of it will not be read again: everything is fitted together anew.
            self._fitted.stale = True
            raise
        if not changed and not self._fitted.stale:
            # A file with a new time says the same, at a later revision: who follows has seen it.
            stamps = (self._files[name].stamp[0] for name in known if name in self._files)
            later = max(stamps, default=0) // 1000
            again = later > self.newest
            self.newest = max(self.newest, later)
            new = before != (self._gone, self.outside)
            return self._change_set((), self.outside if new else (), again or new)
        self.newest = max([self.newest, *(self._changed_at(name) for name in changed)])
        return self._arrange(old, changed)

    def _read_all(self, names: Iterable[str], careful: bool) -> tuple[list[Resource], list[str]]:
        """Read those of these files that changed; return their names, and what they held before."""
        old: list[Resource] = []
        changed: list[str] = []
        for name in names:
            entries = self._files[name].entries if name in self._files else ()
            if not (careful and self.saving(name)) and self._read(name, careful):
                old.extend(entries)
                changed.append(name)
        return old, changed

    def _present(self, careful: bool) -> list[str] | None:
        """Return the files of the folder; None while it is being filled or emptied, OSError when it is gone.

        An empty folder in the place of one that was not counts as gone: it was mounted, made or
        linked by mistake, or is about to be filled. One that was made anew may have the number of
        the one before; then the state folder is missing, which nobody removes with the specs.
        """
        if not os.path.isdir(self.root):
            raise FileNotFoundError(ENOENT, "it is gone")
        place = place_of(self.root)
        texts, leaving = self._list()
        another = self._place not in (None, place)
        bare = another or self.removed
        bare = bare or bool(self.marker and not os.path.lexists(self.marker))
        if bare and not texts and self._files:
            raise FileNotFoundError(ENOENT, "another folder is there, which is empty")
        if another and careful and self._filling(texts):
            return None
        if not texts and careful and self._emptying():
            return None
        self.moves += another
        self._place, self._replaced, self._emptied = place, 0, 0
        self._links = frozenset(leaving)
        self.outside = tuple(link_outside(self.shown(text)) for text in leaving)
        self.removed = False
        return texts

    def _filling(self, texts: list[str]) -> bool:
        """Return whether a folder that stands in the place of another is still being written."""
        now = time.time_ns()
        self._replaced = self._replaced or now
        if now - self._replaced > FILLED:
            return False
        paths = {self.full(name) for name in texts}
        paths |= {os.path.dirname(path) for path in paths} | {self.root}
        stamps = [stamp for path in paths if (stamp := stamp_of(path)) is not None]
        return any(0 <= now - max(stamp[0], stamp[4]) < FILLING for stamp in stamps)

    def _none_left(self, names: Iterable[str]) -> bool:
        """Return whether none of the files is there any more, nor one of these."""
        if any(os.path.exists(self.full(name)) for name in names):
            return False
        known = False
        for name, record in list(self._files.items()):
            if record.entries:
                known = True
                if os.path.exists(self.full(name)):
                    return False
        return known

    def _emptying(self) -> bool:
        """Return whether the last of the files went a moment ago: the folder may go next."""
        if not any(record.entries for record in self._files.values()):
            return False
        now = time.time_ns()
        self._emptied = self._emptied or now
        return now - self._emptied < EMPTYING

    def moving(self, names: Iterable[str] | None = None) -> bool:
        """Return whether one of these files (None: of all) looks as if somebody were in the midst of saving it.

        What we wrote does not.
        """
        try:
            names = {*self.names(), *self._files} if names is None else names
        except (OSError, TooManyError):
            return False
        now = time.time_ns()
        return any(self._moves(name, now) for name in names)

    def _moves(self, name: str, now: int) -> bool:
        try:
            status = os.stat(self.full(name))
        except OSError:
            return self.saving(name)
        record = self._files.get(name)
        if record is not None and record.own and record.stamp == stamp_in(status):
            return False
        return 0 <= now - status.st_mtime_ns < WRITING or self.saving(name)

    def saving(self, name: str) -> bool:
        """Return whether a file that held something has just been emptied or removed, as some editors save."""
        record = self._files.get(name)
        if record is None or not record.entries:
            return False
        now = time.time_ns()
        try:
            status = os.stat(self.full(name))
        except OSError:
            record.missed = record.missed or now
            folder = now - self._changed_at(name, gone=True) * 1000
            return folder < SAVING and now - record.missed < CLEARING
        record.missed = 0
        return not status.st_size and 0 <= now - status.st_mtime_ns < SAVING

    def left(self, names: Iterable[str] | None) -> bool:
        """Return whether a careful refresh leaves one of these (None: of all) for later."""
        if self._emptied or self._replaced:
            return True
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
        """Return the revision of what a file says now; if it is gone, when its folder changed."""
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

    def _leaving(self, names: Iterable[str]) -> frozenset[str]:
        """Return those that lead out of the folder, through links that are not followed."""
        if limits().follow_links:
            return frozenset()
        root = os.path.realpath(self.root)
        return frozenset(
            name for name in names if not is_below(os.path.realpath(self.full(name)), root)
        )

    def _unread(self, error: OSError) -> Problem:
        """Return the Problem of a folder that is gone."""
        return Problem(
            code="unreadable",
            found=f"the folder cannot be read: {(error.strerror or 'it is gone').lower()}",
            hint="What it held before goes on running, and it is read again when it is back",
            place=Place(self.path),
        )

    def _lost(self, problem: Problem) -> ChangeSet | None:
        """Return the folder cannot be read: what it held goes on, and the Problem says so."""
        self._replaced = self._emptied = 0
        known, self._gone = self._gone, problem
        return None if known == problem else self._change_set((), (problem,), True)

    def _read(self, name: str, careful: bool) -> bool:
        """Read one file if it changed; return True if it did. Whatever fails is its Problem alone."""
        try:
            return self._load(name, careful)
        except Exception as error:
            return self._rejected(name, failed(error, self.shown(name)))
        finally:
            record = self._files.get(name)
            if record is not None and (record.problems or record.invalid or record.passing):
                self._wrong.add(name)
            else:
                self._wrong.discard(name)

    def _load(self, name: str, careful: bool, tries: int = SWAPS) -> bool:
        """Read one file if it changed; return whether it did."""
        path = self.full(name)
        record = self._files.get(name)
        if name in self._away:
            return self._vanished(name)
        try:
            status = os.stat(path)
            if not self.single and not stat.S_ISREG(status.st_mode):
                # A pipe with the name of a spec file: reading it could wait for ever.
                return self._vanished(name)
            stamp = stamp_in(status)
            if record is not None and record.stamp == stamp and not record.racy:
                return False
            most = limits().file
            if status.st_size > most:
                return self._rejected(
                    name, too_large(self.shown(name), status.st_size, most), stamp
                )
            data = SPARE.attempt(lambda: self._bytes(path, stamp))
            if data is None:
                # Another file was there when it was opened: a link came in between, or it was saved anew.
                if self._leaving([name]):
                    return self._vanished(name)
                return tries > 0 and self._load(name, careful, tries - 1)
            if record is not None and stamp_in(os.stat(path)) != stamp:
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
            problem = unreadable(self.shown(name), error)
            if is_passing(error):
                hint = "What it said before goes on running; it is read again by itself"
                problem = msgspec.structs.replace(problem, hint=hint)
            return self._rejected(name, problem, passing=True)
        racy = time.time_ns() - max(stamp[0], stamp[4]) < _RACY
        digest = hash(data)
        if record is not None and record.digest == digest and record.stamp != NEVER:
            record.stamp, record.racy = stamp, racy
            return False
        try:
            reading = SPARE.attempt(lambda: self._reading(data, name, stamp[0] // 1000))
        except OSError as error:
            # The reader itself could not be loaded.
            return self._rejected(name, unreadable(self.shown(name), error), passing=True)
        self._files[name] = next_record(reading, record, stamp, racy, digest)
        return True

    def _bytes(self, path: str, stamp: Stamp) -> bytes | None:
        """Return what the file of a stamp holds; None if it is another one by now, or elsewhere."""
        # Without waiting: a pipe may stand there by now.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            if stamp_in(os.fstat(handle))[2:4] != stamp[2:4]:
                return None
            if not (self.single or limits().follow_links):
                opened = opened_path(handle)
                if opened is not None and not is_below(opened, self._real):
                    return None
            return file.read()

    def _reading(self, data: bytes, name: str, revision: int) -> ReadText:
        """Read the text of a file, in the parsing process if it is large."""
        path = self.shown(name)
        if not self.aside or len(data) <= ASIDE:
            return read_text(data, file=path, key=name, revision=revision)
        from heddle.specs.yaml.parsing.parser import read_aside

        return read_aside(data, file=path, key=name, revision=revision)

    def _vanished(self, name: str) -> bool:
        if self.single:
            problem = Problem(
                code="unreadable",
                found="the file is gone",
                hint="What it held before goes on running",
                place=Place(self.path),
            )
            return self._rejected(name, problem)
        return self._files.pop(name, None) is not None

    def _rejected(
        self, name: str, problem: Problem, stamp: Stamp = NEVER, *, passing: bool = False
    ) -> bool:
        record = self._files.setdefault(name, SpecFile())
        record.passing = passing
        known, record.problems = record.problems, (problem,)
        record.invalid = ()
        record.stamp = stamp
        return known != record.problems

    # --- fitting together what the files say ---

    def _arrange(self, old: list[Resource], changed: list[str]) -> ChangeSet | None:
        """Bring the index in line with the files that changed."""
        known = self._fitted.clashes
        before = self._fitted.arrange(self._files, old, changed)
        keys = [key for key, was in before.items() if self.index.get(key) != was]
        resources = [self.index.get(key) for key in keys]
        self.newest = max(
            self.newest, *(each.revision for each in resources if each is not None), 0
        )
        problems = tuple(
            problem
            for name in changed
            if name in self._files
            for problem in self._files[name].problems
        )
        if self._fitted.clashes != known:
            problems += self._fitted.clashes
        invalid = tuple(
            spec for name in changed if name in self._files for spec in self._files[name].invalid
        )
        return self._change_set(keys, problems, True, invalid)

    def _change_set(
        self,
        keys: Iterable[Key],
        problems: tuple[Problem, ...],
        verbose: bool,
        invalid: tuple[Spec, ...] = (),
    ) -> ChangeSet | None:
        if not verbose:
            return None
        keys = list(keys)
        self.unrecorded.update(keys)
        return ChangeSet(
            specs=frozenset(id_ for sort, id_ in keys if sort is Spec),
            values=frozenset(id_ for sort, id_ in keys if sort is Value),
            problems=problems,
            invalid=invalid,
            origin=f"file://{self.path}",
            revision=self.newest,
        )
