"""A Journal keeps the Revisions of a folder of specs in a file: one line each, only ever appended to.

    {"base": [...]}                what the files said before the first Revision of the Journal
    {"number": ..., "turns": ...}  a Revision

It never hinders: a line that cannot be read is told and left out, and the file may be deleted. It
stays below a size: the oldest Revisions go into the base. What a secret in clear says is not
written down, only that it changed; a sealed one is recorded as it is sealed.
"""

# Paths are text here, as the folder store has them.
# ruff: noqa: PTH105, PTH108, PTH110, PTH116, PTH120

import base64
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from heddle.schemas.errors import NotFoundError
from heddle.schemas.problem import Place, Problem
from heddle.specs.files.spare import SPARE
from heddle.specs.model.entry import data_of, spec_of, value_of
from heddle.specs.model.index import Key, key_of
from heddle.specs.model.limits import ASIDE
from heddle.specs.model.record import is_withheld, recorded
from heddle.specs.model.revision import Revision, RevisionChange
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource
from heddle.specs.stores.folder.atomic_write import flush_folder
from heddle.specs.stores.folder.read_mark import ReadMark
from heddle.specs.stores.folder.state_folder import FILE_MODE
from heddle.specs.stores.folder.writer_lock import WriterLock

LIMIT = 4 << 20
"""Bytes of Revisions, beyond the base, from which on the older half goes into the base."""

PATIENCE = 5.0
"""Seconds to wait for another writer of the same folder; after that it is written without a record."""

_BYTES = "\0bytes"


_KEY = re.compile(rb'\{"number":\d+,"key":"([0-9a-f-]{36})",')


class _Entry(msgspec.Struct, frozen=True, gc=False):
    """The place of the line of one Revision, and the marks that tell whether to read it."""

    number: int
    start: int
    size: int
    key: str
    spaces: tuple[str, ...]


class Journal:
    """The history of one folder or file, in a file beside it. Nothing is read before it is asked for."""

    def __init__(self, path: str, *, limit: int = LIMIT) -> None:
        self.path = path
        self.problems: tuple[Problem, ...] = ()
        self.lock_failure = ""
        """Why nobody can be the only writer here; empty if the last who wanted to was, or another one is."""
        self._limit = limit
        self._mark = ReadMark()
        self._state: dict[Key, Resource] = {}
        self._newest = 0
        self._beyond = 0
        # What was read is not read again: a question costs what it finds, not what the file holds.
        self._entries: list[_Entry] = []
        self._largest = 0
        self._number = 0
        self._torn = False

    @property
    def there(self) -> bool:
        """Whether anything was recorded yet."""
        return os.path.exists(self.path)

    @property
    def newest(self) -> int:
        """The number of the last Revision, as far as it was read; 0 if there is none."""
        return self._newest

    @asynccontextmanager
    async def locked(self, patience: float = PATIENCE) -> AsyncIterator[bool]:
        """Be the only writer of this folder until the block ends; False if that cannot be had in so many seconds."""
        lock = WriterLock(f"{self.path}.lock")
        alone = await lock.take(patience)
        self.lock_failure = lock.failure
        try:
            yield alone
        finally:
            lock.release()

    # --- reading ---

    def state(self) -> Mapping[Key, Resource]:
        """Return what everything was at the last Revision; secrets in clear are masked."""
        with self._loaded():
            return self._state

    @property
    def slow(self) -> bool:
        """Whether a question to it may take longer than a moment."""
        return self._largest > ASIDE or self.behind

    @property
    def behind(self) -> bool:
        """Whether somebody else has written so much that to read it may take longer than a moment."""
        try:
            status = os.stat(self.path)
        except OSError:
            return False
        return self._mark.left(status) > ASIDE

    def history(
        self, namespace: str | None = None, *, before: int | None = None, limit: int = 50
    ) -> Sequence[Revision]:
        """Return the Revisions, the newest first; see RevisionStore.history."""
        revisions: list[Revision] = []
        with self._loaded() as read:
            for entry in reversed(self._entries):
                if len(revisions) >= limit:
                    break
                if not entry.spaces or (namespace is not None and namespace not in entry.spaces):
                    continue
                if before is not None and entry.number >= before:
                    continue
                revision = _revision(read(entry))
                if revision is not None:
                    revisions.append(revision if namespace is None else revision.within(namespace))
        return revisions

    def revision(self, number: int) -> Revision:
        """Return one Revision; raise NotFoundError if there is none of that number."""
        revision = self._last(lambda entry: entry.number == number)
        if revision is None:
            raise NotFoundError(
                f"{self.path} has no revision {number}. See them with: heddle history"
            )
        return revision

    def keyed(self, key: UUID) -> Revision | None:
        """Return the Revision that was made under this key; None if there is none, or it is in the base."""
        return self._last(lambda entry: entry.key == str(key))

    def _last(self, matches: Callable[[_Entry], bool]) -> Revision | None:
        with self._loaded() as read:
            entry = next(filter(matches, reversed(self._entries)), None)
            return _revision(read(entry)) if entry is not None else None

    @contextmanager
    def _loaded(self) -> Iterator[Callable[[_Entry], bytes]]:
        """Read what was written since it was read last; give what reads the line of an entry.

        All of it is about the file that is open meanwhile, even if another process writes it anew.
        """
        try:
            handle = _opened(self.path, os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            self._reset(ReadMark())
            yield lambda _: b""
            return
        try:
            self._load(handle)
            yield lambda entry: os.pread(handle, entry.size, entry.start)
        finally:
            os.close(handle)

    # --- writing ---

    def begin(self, resources: Iterable[Resource]) -> None:
        """Begin it with what the files say now; raise OSError if it cannot be written."""
        state = {key_of(each): recorded(each) for each in resources}
        self._replace([_base(state.values())])
        self._reset(self._mark)
        self._state, self._number = state, 1

    def append(self, revision: Revision, key: UUID | None = None) -> None:
        """Add one Revision, made under this key, on disk when it returns; raise OSError if it cannot be written.

        Then nothing of it is left in the file, as far as that can be had.
        """
        line = _line(revision, key)
        handle = _opened(self.path, os.O_RDWR | os.O_APPEND)
        try:
            size = os.fstat(handle).st_size
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            known = not torn and self._mark.holds(handle) and self._mark.offset == size
            try:
                _write(handle, (b"\n" if torn else b"") + line)
                os.fsync(handle)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(handle, size)
                raise
            if known:
                self._mark.move(handle, line)
                self._number += 1
                self._note(_entry(line, revision, size))
                self._apply(revision)
                self._beyond += len(line)
            else:
                self._load(handle)
        finally:
            os.close(handle)
        if self._beyond > self._limit:
            # The Revision is recorded by then: if this fails, the next one tries it again.
            with suppress(OSError):
                self._shorten()

    def settle(self, key: Key, resource: Resource) -> None:
        """Have this object stand for what was recorded, as it says the same: it is held once then."""
        if not is_withheld(resource):
            self._state[key] = resource

    def _load(self, handle: int) -> None:
        """Read what was written since it was read last: all of it, if it is another file."""
        if not self._mark.holds(handle):
            self._reset(ReadMark())
        elif self._mark.offset == os.fstat(handle).st_size:
            return
        elif self._torn:
            self._reset(ReadMark())
        self._read(handle)

    def _reset(self, mark: ReadMark) -> None:
        self._mark, self._state, self._newest, self._beyond = mark, {}, 0, 0
        self._entries, self._number, self._torn, self.problems = [], 0, False, ()
        self._largest = 0

    def _read(self, handle: int) -> None:
        """Take in the lines from where the reading ended last."""
        start = self._mark.offset
        data = self._mark.read(handle)
        lines = data.split(b"\n")
        # Somebody may write the rest of the last one: then all is read anew.
        self._torn = bool(lines[-1])
        for line in lines if self._torn else lines[:-1]:
            self._number += 1
            self._take(line, start)
            start += len(line) + 1

    def _note(self, entry: _Entry) -> None:
        self._entries.append(entry)
        self._largest = max(self._largest, entry.size)

    def _take(self, line: bytes, start: int) -> None:
        base = _based(line)
        revision = _revision(line) if base is None else None
        if base is not None:
            self._state, self._beyond = {key_of(each): each for each in base}, 0
            return
        self._beyond += len(line) + 1
        if revision is not None:
            self._note(_entry(line, revision, start))
            self._apply(revision)
        elif line.strip():
            self.problems = (*self.problems, _broken(self.path, self._number))

    def _apply(self, revision: Revision) -> None:
        for turn in revision.turns:
            if turn.after is not None:
                self._state[turn.key] = recorded(turn.after)
            else:
                self._state.pop(turn.key, None)
        self._newest = max(self._newest, revision.number)

    def _shorten(self) -> None:
        """Let the older Revisions go into the base."""
        text = SPARE.attempt(Path(self.path).read_bytes)
        lines = [line for line in text.split(b"\n") if line.strip()]
        bases = [number for number, line in enumerate(lines) if _based(line) is not None]
        rest = lines[bases[-1] + 1 :] if bases else lines
        kept, size = len(rest) - 1, len(rest[-1])
        while kept > 0 and size + len(rest[kept - 1]) <= self._limit // 2:
            kept -= 1
            size += len(rest[kept])
        state = {key_of(each): each for each in (_based(lines[bases[-1]]) or ())} if bases else {}
        for line in rest[:kept]:
            revision = _revision(line)
            for turn in revision.turns if revision is not None else ():
                if turn.after is not None:
                    state[turn.key] = turn.after
                else:
                    state.pop(turn.key, None)
        base = _base(state.values())
        self._replace([base, *(line + b"\n" for line in rest[kept:])])
        self._entries, self._number, self._torn, self.problems = [], 1, False, ()
        start = len(base)
        for line in rest[kept:]:
            self._number += 1
            revision = _revision(line)
            if revision is not None:
                self._note(_entry(line, revision, start))
            else:
                self.problems = (*self.problems, _broken(self.path, self._number))
            start += len(line) + 1
        self._beyond = size

    def _replace(self, lines: list[bytes]) -> None:
        part, data, mark = f"{self.path}.part", b"".join(lines), ReadMark()
        handle = _opened(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        try:
            _write(handle, data)
            os.fsync(handle)
            mark.move(handle, data)
            os.replace(part, self.path)
        except BaseException:
            with suppress(OSError):
                os.unlink(part)
            raise
        finally:
            os.close(handle)
        self._mark = mark
        flush_folder(os.path.dirname(self.path))


# --- files --------------------------------------------------------------------------------------


def _opened(path: str, flags: int) -> int:
    """Open a file that only its owner may read, with a spare descriptor if no other is free."""
    return SPARE.attempt(lambda: os.open(path, flags | os.O_CLOEXEC, FILE_MODE))


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


# --- lines --------------------------------------------------------------------------------------


def _base(resources: Iterable[Resource]) -> bytes:
    return _json({"base": [_entry_data(each) for each in resources]})


def _line(revision: Revision, key: UUID | None = None) -> bytes:
    return _json(
        {
            "number": revision.number,
            **({"key": str(key)} if key is not None else {}),
            "time": revision.time,
            "author": revision.author,
            "message": revision.message,
            "turns": [
                {
                    "before": _entry_data(turn.before) if turn.before is not None else None,
                    "after": _entry_data(turn.after) if turn.after is not None else None,
                }
                for turn in revision.turns
            ],
        }
    )


def _entry(line: bytes, revision: Revision, start: int) -> _Entry:
    sides = [side for turn in revision.turns for side in (turn.before, turn.after)]
    key = _KEY.match(line)
    return _Entry(
        number=revision.number,
        start=start,
        size=len(line),
        key=key[1].decode() if key is not None else "",
        spaces=tuple(dict.fromkeys(side.namespace for side in sides if side is not None)),
    )


def _entry_data(resource: Resource) -> dict[str, Any]:
    entry = {**data_of(recorded(resource), namespace=""), "id": str(resource.id)}
    sort = "spec" if isinstance(resource, Spec) else "value"
    return {"revision": resource.revision, sort: entry}


def _json(data: Any) -> bytes:
    """Return one line; bytes are said under a key that nobody can write."""

    def plain(data: Any) -> Any:
        return {_BYTES: base64.b64encode(data).decode()}

    return json.dumps(data, separators=(",", ":"), default=plain).encode() + b"\n"


def _parsed(line: bytes) -> Any:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return _unescaped(value) if b"\\u0000bytes" in line else value


def _unescaped(data: Any) -> Any:
    if isinstance(data, list):
        return [_unescaped(item) for item in data]
    if not isinstance(data, dict):
        return data
    if data.keys() == {_BYTES}:
        return base64.b64decode(data[_BYTES])
    return {key: _unescaped(item) for key, item in data.items()}


def _based(line: bytes) -> list[Resource] | None:
    """Return the resources of a base; None if the line is none."""
    if not line.startswith(b'{"base":'):
        return None
    try:
        return [_resource(each) for each in _parsed(line)["base"]]
    except (ValueError, TypeError, KeyError):
        return None


def _revision(line: bytes) -> Revision | None:
    """Return the Revision of a line; None if it says none."""
    if not line.startswith(b'{"number":'):
        return None
    try:
        value = _parsed(line)
        turns = [
            RevisionChange(
                before=_resource(turn["before"]) if turn["before"] is not None else None,
                after=_resource(turn["after"]) if turn["after"] is not None else None,
            )
            for turn in value["turns"]
        ]
        return Revision(
            number=int(value["number"]),
            time=float(value["time"]),
            author=str(value["author"]),
            message=str(value["message"]),
            turns=tuple(turn for turn in turns if turn != RevisionChange()),
        )
    except (ValueError, TypeError, KeyError):
        return None


def _resource(data: dict[str, Any]) -> Resource:
    read = spec_of if "spec" in data else value_of
    entry = data["spec"] if "spec" in data else data["value"]
    resource, problems = read(entry, revision=int(data["revision"]))
    if resource is None:
        raise ValueError(str(problems[0]))
    return resource


def _broken(path: str, line: int) -> Problem:
    return Problem(
        code="unreadable-history",
        found="this line of the history cannot be read, and is left out",
        hint="Specs are not concerned. The line, or the whole file, may be deleted",
        place=Place(path, line),
    )
