"""The folder store keeps Specs and Values in YAML files that people edit; a single file is one too."""

# Paths are text here, as the kernel tells them.
# ruff: noqa: PTH100, PTH112, PTH116, PTH118, PTH120, PTH208, ASYNC240

import os
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from heddle.specs.document import (
    Reading,
    decode,
    files_below,
    read_text,
    taken,
    unreadable,
)
from heddle.specs.errors import Conflict, StoreError
from heddle.specs.feed import Feed
from heddle.specs.index import Index, Key, key_of, net, plan
from heddle.specs.notifier import EVERYTHING, Notifier, notifier
from heddle.specs.problem import Place, Problem
from heddle.specs.revision import NO_NOTE, Note
from heddle.specs.settle import Settling
from heddle.specs.spec import DEFAULT_NAMESPACE, Spec
from heddle.specs.store import Change, ChangeSet, Resource
from heddle.specs.value import Value

if TYPE_CHECKING:
    from heddle.specs.rewrite import Edit

# A file that was written this short a time before it was read may be written again within the
# same tick of the file system's clock.
_RACY = 100_000_000


class _File(msgspec.Struct):
    """What one file said when it was read last."""

    stamp: tuple[int, int, int, int] = (0, 0, 0, 0)
    racy: bool = False
    digest: int = 0
    entries: tuple[Resource, ...] = ()
    problems: tuple[Problem, ...] = ()
    spoiled: tuple[Spec, ...] = ()
    sound: bool = False


class FolderStore:
    """A Store in the YAML and JSON files below a folder, or in a single file.

    A file with a Problem keeps what it said when it was sound: half of an edit never goes live.
    A file that never was sound gives what is sound in it. Where two files use one name, the one
    that had it first keeps it. An entry without `namespace` belongs to `default`, whoever looks.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        polling: bool | None = None,
    ) -> None:
        self._path = os.fspath(path)
        self._polling = polling
        self._single = False
        self._files: dict[str, _File] = {}
        self._index = Index()
        self._holders: dict[Key, str] = {}
        self._clashes: tuple[Problem, ...] = ()
        self._gone: Problem | None = None
        self._newest = 0
        self._feed = Feed()
        self._settling: Settling | None = None
        self._notifier: Notifier | None = None
        self._open = False

    @property
    def url(self) -> str:
        """`file://` and the path as it was given."""
        return f"file://{self._path}"

    async def open(self) -> None:
        """Read everything; StoreError when there is no such folder or file, or it cannot be read."""
        self._single = not os.path.isdir(self._path)
        try:
            if self._single:
                os.stat(self._path)
            else:
                os.listdir(self._path)
        except OSError as error:
            raise StoreError(f"{self._path}: {(error.strerror or str(error)).lower()}") from None
        self._open = True
        self._refresh(None)

    async def close(self) -> None:
        """Stop watching; the files stay."""
        self._open = False
        self._stop()
        self._feed.end()

    async def specs(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Spec]:
        """The Specs of a namespace (None: of all); with `ids` only those that exist."""
        self._look()
        return self._index.find(Spec, namespace, ids)

    async def values(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Value]:
        """The Values of a namespace (None: of all); with `ids` only those that exist."""
        self._look()
        return self._index.find(Value, namespace, ids)

    async def problems(self) -> Sequence[Problem]:
        """What is wrong in the files at this moment, file by file."""
        self._look()
        found = [problem for name in sorted(self._files) for problem in self._files[name].problems]
        return [*([self._gone] if self._gone is not None else []), *found, *self._clashes]

    async def spoiled(self, namespace: str | None = None) -> Sequence[Spec]:
        """The Specs in files with Problems, as far as they can be read, that do not count."""
        self._look()
        return [
            spec
            for name in sorted(self._files)
            for spec in self._files[name].spoiled
            if namespace in (None, spec.namespace)
        ]

    async def newest(self) -> int:
        """When something in it changed last, in microseconds since 1970: its revisions are times."""
        self._look()
        return self._newest

    async def apply(self, changes: Sequence[Change], note: Note = NO_NOTE) -> Sequence[Resource]:
        """Write all of them into the files as one change set, or none; see Store.apply.

        What is there is changed where it stands, comments and style kept; what is new goes into
        `<namespace>.yaml`, or into the file of the store. StoreError when a file cannot be written.
        """
        from heddle.specs.rewrite import Edit
        from heddle.specs.writeback import write_files

        self._look(always=True)
        steps = plan(self._index, changes, lambda before: max(before + 1, time.time_ns() // 1000))
        edits: dict[str, list[Edit]] = {}
        for old, new in net(steps):
            edits.setdefault(self._home(old, new), []).append(Edit(old, new))
        try:
            contents = {self._full(name): self._text(name, each) for name, each in edits.items()}
        except OSError as error:
            raise StoreError(
                f"{error.filename}: {(error.strerror or str(error)).lower()}"
            ) from error
        write_files(contents)
        self._tell(self._refresh(edits))
        return [self._index.get(key_of(new)) or new for _, new in steps if new is not None]

    def watch(self, namespace: str | None = None) -> AsyncIterator[ChangeSet]:
        """Change sets from the first `anext` on; those of other namespaces may be among them."""
        self._check_open()
        del namespace  # a change set only tells where to look: what is elsewhere does no harm
        return self._feed.watch(self._start, self._stop_unwatched)

    # --- watching ---

    def _start(self) -> None:
        if self._settling is not None:
            return
        self._settling = Settling(self._changed)
        self._notifier = notifier(self._path, self._settling, polling=self._polling)
        try:
            self._notifier.open()
        except OSError as error:
            self._stop()
            raise StoreError(f"{self._path} cannot be watched: {error.strerror}") from error
        self._tell(self._refresh(None))

    def _stop_unwatched(self) -> None:
        if not self._feed.watched:
            self._stop()

    def _stop(self) -> None:
        if self._notifier is not None:
            self._notifier.close()
        if self._settling is not None:
            self._settling.close()
        self._notifier = self._settling = None

    def _changed(self, paths: frozenset[str]) -> None:
        if EVERYTHING in paths:
            self._tell(self._refresh(None))
            return
        root = os.path.abspath(self._path)
        self._tell(
            self._refresh([os.path.relpath(path, root).replace(os.sep, "/") for path in paths])
        )

    def _tell(self, changes: ChangeSet | None) -> None:
        if changes is not None:
            self._feed.tell(changes)

    def _check_open(self) -> None:
        if not self._open:
            raise StoreError(f"the store {self.url} is not open")

    def _look(self, *, always: bool = False) -> None:
        """See what changed, unless a watcher tells it anyway."""
        self._check_open()
        if always or self._settling is None:
            self._tell(self._refresh(None))

    # --- reading ---

    def _full(self, name: str) -> str:
        return self._path if self._single else os.path.join(self._path, name)

    def _names(self) -> list[str]:
        if not self._single:
            return files_below(self._path)
        return [os.path.normpath(self._path).replace(os.sep, "/")]

    def _refresh(self, names: Iterable[str] | None) -> ChangeSet | None:
        """Read the files that changed among these (None: among all); what that comes to."""
        before = self._gone
        if names is None:
            try:
                names = {*self._names(), *self._files}
                self._gone = None
                if not self._single and not os.path.isdir(self._path):
                    raise FileNotFoundError
            except OSError as error:
                return self._lost(error)
        elif self._single:
            names = self._names()
        old: list[Resource] = []
        changed: list[str] = []
        for name in sorted(names):
            entries = self._files[name].entries if name in self._files else ()
            if self._load(name):
                old.extend(entries)
                changed.append(name)
        if not changed:
            return self._told((), (), before != self._gone)
        self._newest = max(self._newest, *(self._changed_at(name) for name in changed))
        return self._arrange(old, changed)

    def _changed_at(self, name: str) -> int:
        """The revision of what a file says now; where it is gone, when its folder changed."""
        record = self._files.get(name)
        if record is not None and record.stamp[0]:
            return record.stamp[0] // 1000
        folder = os.path.dirname(os.path.abspath(self._full(name)))
        while True:
            try:
                return os.stat(folder).st_mtime_ns // 1000
            except OSError:
                folder, last = os.path.dirname(folder), folder
                if folder == last:
                    return 0

    def _lost(self, error: OSError) -> ChangeSet | None:
        """The folder itself is gone: what it held goes on, and the Problem says so."""
        problem = Problem(
            code="unreadable",
            found=f"the folder cannot be read: {(error.strerror or 'it is gone').lower()}",
            hint="What it held before goes on running",
            place=Place(self._path),
        )
        known, self._gone = self._gone, problem
        return None if known == problem else self._told((), (problem,), True)

    def _load(self, name: str) -> bool:
        """Read one file if it changed; whether it did."""
        path = self._full(name)
        record = self._files.get(name)
        try:
            status = os.stat(path)
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev)
            if record is not None and record.stamp == stamp and not record.racy:
                return False
            data = FilePath(path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return self._vanished(name)
        except OSError as error:
            return self._refused(name, unreadable(path, error))
        racy = time.time_ns() - stamp[0] < _RACY
        digest = hash(data)
        if record is not None and record.digest == digest and record.stamp != (0, 0, 0, 0):
            record.stamp, record.racy = stamp, racy
            return False
        reading = read_text(data, file=path, key=name, revision=stamp[0] // 1000)
        self._files[name] = _accepted(reading, record, stamp, racy, digest)
        return True

    def _vanished(self, name: str) -> bool:
        if self._single:
            problem = Problem(
                code="unreadable",
                found="the file is gone",
                hint="What it held before goes on running",
                place=Place(self._path),
            )
            return self._refused(name, problem)
        return self._files.pop(name, None) is not None

    def _refused(self, name: str, problem: Problem) -> bool:
        record = self._files.setdefault(name, _File())
        known, record.problems = record.problems, (problem,)
        record.spoiled = ()
        record.stamp = (0, 0, 0, 0)
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
        keys = [key for key, was in before.items() if self._index.get(key) != was]
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
            before[key] = self._index.get(key)
        for resource in old:
            self._index.drop(key_of(resource))
            self._holders.pop(key_of(resource), None)
        for name in changed:
            for resource in self._files[name].entries if name in self._files else ():
                key = key_of(resource)
                if self._index.get(key) is not None or self._index.named(resource) is not None:
                    # Back to what it was: who had the name keeps it.
                    for each, was in before.items():
                        self._index.drop(each)
                        if was is not None:
                            self._index.put(was)
                    return False
                self._index.put(_kept(resource, before.get(key)))
                self._holders[key] = name
        return True

    def _rebuild(self, before: dict[Key, Resource | None]) -> dict[Key, Resource | None]:
        """Fit everything together anew; the one that had a name keeps it."""
        was, holders = self._index, self._holders
        entries = [
            (name, each) for name in sorted(self._files) for each in self._files[name].entries
        ]
        entries.sort(key=lambda each: holders.get(key_of(each[1])) != each[0])
        self._index, self._holders = Index(), {}
        clashes: list[Problem] = []
        for name, resource in entries:
            key = key_of(resource)
            first = self._index.get(key) or self._index.named(resource)
            if first is not None:
                clashes.append(taken(resource, first))
                continue
            self._index.put(_kept(resource, was.get(key)))
            self._holders[key] = name
        self._clashes = tuple(clashes)
        keys = {**before, **dict.fromkeys(was.keys()), **dict.fromkeys(self._index.keys())}
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
        return ChangeSet(
            specs=frozenset(id_ for sort, id_ in keys if sort is Spec),
            values=frozenset(id_ for sort, id_ in keys if sort is Value),
            problems=problems,
            spoiled=spoiled,
            origin=self.url,
            revision=self._newest,
        )

    # --- writing ---

    def _home(self, old: Resource | None, new: Resource | None) -> str:
        """The file that a resource is in, or goes to."""
        if old is not None and key_of(old) in self._holders:
            return self._holders[key_of(old)]
        if self._single:
            return self._names()[0]
        namespace = new.namespace if new is not None else DEFAULT_NAMESPACE
        return namespace.replace("/", "-") + ".yaml"

    def _text(self, name: str, edits: "list[Edit]") -> tuple[bytes | None, bytes | None]:
        """What a file holds, and what it holds after these edits; None is no file."""
        from heddle.specs.rewrite import pinned, rewrite
        from heddle.specs.writeback import read_bytes

        path = self._full(name)
        record = self._files.get(name, _File())
        if record.problems:
            raise StoreError(f"{path} has to be put right first: {record.problems[0]}")
        before = read_bytes(path)
        if before is not None and hash(before) != record.digest:
            raise Conflict(f"{path} was changed by somebody else in the meantime")
        text = decode(before or b"")
        wanted: dict[Key, Resource] = {key_of(each): each for each in record.entries}
        for edit in edits:
            if edit.old is not None:
                wanted.pop(key_of(edit.old), None)
            if edit.new is not None:
                wanted[key_of(edit.new)] = edit.new

        def says_so(candidate: str) -> bool:
            reading = read_text(candidate, file=path, key=name)
            entries: tuple[Resource, ...] = (*reading.specs, *reading.values)
            found = {key_of(each): each for each in entries}
            return not reading.problems and found == wanted

        after = rewrite(
            text or "",
            pinned(edits, record.entries),
            check=says_so,
            namespace=DEFAULT_NAMESPACE,
            is_json=name.endswith(".json"),
        )
        if after is None:
            raise StoreError(f"{path} cannot be changed so that it says this; edit it by hand")
        if not wanted and not self._single and not after.strip().strip("[]-."):
            return before, None
        return before, after.encode()


def _accepted(
    reading: Reading,
    record: _File | None,
    stamp: tuple[int, int, int, int],
    racy: bool,
    digest: int,
) -> _File:
    """The file as it counts from now on: a broken one keeps what it said when it was sound."""
    entries: tuple[Resource, ...] = (*reading.specs, *reading.values)
    sound = not reading.problems and reading.whole
    spoiled = reading.spoiled
    if not sound and record is not None and record.sound:
        entries = record.entries
        spoiled = (*reading.specs, *reading.spoiled)
    return _File(
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
