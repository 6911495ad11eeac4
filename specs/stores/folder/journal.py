"""A Journal keeps the Revisions of a folder of specs in a file: one line each, only ever appended to.

    {"base": [...]}                what the files said before the first Revision of the Journal
    {"number": ..., "turns": ...}  a Revision

It never hinders: a line that cannot be read is told and left out, and the file may be deleted. It
stays below a size: the oldest Revisions go into the base. What a secret in clear says is not
written down, only that it changed; a sealed one is recorded as it is sealed.
"""

# Paths are text here, as the folder store has them.
# ruff: noqa: PTH105, PTH110, PTH116

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

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
from heddle.specs.stores.folder.state_folder import FILE_MODE

LIMIT = 4 << 20
"""Bytes of Revisions, beyond the base, from which on the older half goes into the base."""

PATIENCE = 5.0
"""Seconds to wait for another writer of the same folder; after that it is written without a record."""

_BYTES = "\0bytes"


class Journal:
    """The history of one folder or file, in a file beside it. Nothing is read before it is asked for."""

    def __init__(self, path: str, *, limit: int = LIMIT) -> None:
        self.path = path
        self.problems: tuple[Problem, ...] = ()
        self._limit = limit
        self._stamp: tuple[int, int] = (0, 0)
        self._state: dict[Key, Resource] = {}
        self._newest = 0
        self._beyond = 0

    @property
    def there(self) -> bool:
        """Whether anything was recorded yet."""
        return os.path.exists(self.path)

    @property
    def newest(self) -> int:
        """The number of the last Revision, as far as it was read; 0 where there is none."""
        return self._newest

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[bool]:
        """Be the only writer of this folder until the block ends; False where that cannot be had."""
        try:
            # The folder is not made here: it may have been moved away.
            handle = _opened(f"{self.path}.lock", os.O_RDWR | os.O_CREAT)
        except OSError:
            yield False
            return
        try:
            yield await _lock(handle)
        finally:
            os.close(handle)

    # --- reading ---

    def state(self) -> Mapping[Key, Resource]:
        """What everything was at the last Revision; secrets in clear are masked."""
        self._load()
        return self._state

    @property
    def large(self) -> bool:
        """Whether to read it may take longer than a moment."""
        try:
            return os.stat(self.path).st_size > ASIDE
        except OSError:
            return False

    def history(
        self, namespace: str | None = None, *, before: int | None = None, limit: int = 50
    ) -> Sequence[Revision]:
        """The Revisions, the newest first; see Recording.history."""
        revisions: list[Revision] = []
        for line in reversed(self._lines()):
            if len(revisions) >= limit:
                break
            revision = _revision(line)
            if revision is None or (before is not None and revision.number >= before):
                continue
            shown = revision if namespace is None else revision.within(namespace)
            if shown.turns:
                revisions.append(shown)
        return revisions

    def revision(self, number: int) -> Revision:
        """One Revision; NotFound where there is none of that number."""
        mark = f'"number":{number},'.encode()
        for line in reversed(self._lines()):
            if mark in line:
                revision = _revision(line)
                if revision is not None and revision.number == number:
                    return revision
        raise NotFoundError(f"{self.path} has no revision {number}. See them with: heddle history")

    def keyed(self, key: UUID) -> Revision | None:
        """The Revision that was made under this key; None if there is none, or it is in the base."""
        mark = f'"key":"{key}",'.encode()
        for line in reversed(self._lines()):
            if mark in line and _parsed(line).get("key") == str(key):
                return _revision(line)
        return None

    # --- writing ---

    def begin(self, resources: Iterable[Resource]) -> None:
        """Begin it with what the files say now; OSError where it cannot be written."""
        state = {key_of(each): recorded(each) for each in resources}
        self._replace([_base(state.values())])
        self._state, self._newest, self._beyond = state, 0, 0

    def append(self, revision: Revision, key: UUID | None = None) -> None:
        """Add one Revision, made under this key, on disk when it returns; OSError where it cannot be written."""
        line = _line(revision, key)
        handle = _opened(self.path, os.O_RDWR | os.O_APPEND)
        try:
            size = os.fstat(handle).st_size
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            _write(handle, (b"\n" if torn else b"") + line)
            os.fsync(handle)
            self._stamp = _stamp(os.fstat(handle))
        finally:
            os.close(handle)
        self._apply(revision)
        self._beyond += len(line)
        if self._beyond > self._limit:
            self._shorten()

    def settle(self, key: Key, resource: Resource) -> None:
        """Have this object stand for what was recorded, as it says the same: it is held once then."""
        if not is_withheld(resource):
            self._state[key] = resource

    def _load(self) -> None:
        """Read all of it, unless it is as it was when it was read last."""
        try:
            stamp = _stamp(os.stat(self.path))
        except OSError:
            stamp = (0, 0)
        if stamp == self._stamp:
            return
        self._stamp, self._state, self._newest, self._beyond = stamp, {}, 0, 0
        broken: list[int] = []
        for number, line in enumerate(self._lines(), 1):
            base = _based(line)
            revision = _revision(line) if base is None else None
            if base is not None:
                self._state, self._beyond = {key_of(each): each for each in base}, 0
                continue
            self._beyond += len(line) + 1
            if revision is not None:
                self._apply(revision)
            elif line.strip():
                broken.append(number)
        self.problems = tuple(_broken(self.path, number) for number in broken)

    def _lines(self) -> list[bytes]:
        """Its lines; none without a file. OSError if there is one that cannot be read."""
        try:
            return SPARE.attempt(Path(self.path).read_bytes).split(b"\n")
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _apply(self, revision: Revision) -> None:
        for turn in revision.turns:
            if turn.after is not None:
                self._state[turn.key] = recorded(turn.after)
            else:
                self._state.pop(turn.key, None)
        self._newest = max(self._newest, revision.number)

    def _shorten(self) -> None:
        """Let the older Revisions go into the base."""
        lines = [line for line in self._lines() if line.strip()]
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
        self._replace([_base(state.values()), *(line + b"\n" for line in rest[kept:])])
        self._beyond = size

    def _replace(self, lines: list[bytes]) -> None:
        part = f"{self.path}.part"
        handle = _opened(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            _write(handle, b"".join(lines))
            os.fsync(handle)
            self._stamp = _stamp(os.fstat(handle))
        finally:
            os.close(handle)
        os.replace(part, self.path)


# --- files --------------------------------------------------------------------------------------


def _opened(path: str, flags: int) -> int:
    """Open a file that only its owner may read, with a spare descriptor if no other is free."""
    return SPARE.attempt(lambda: os.open(path, flags | os.O_CLOEXEC, FILE_MODE))


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _stamp(status: os.stat_result) -> tuple[int, int]:
    return status.st_ino, status.st_size


async def _lock(handle: int) -> bool:
    """Lock a file against other processes and other tasks; False when it takes too long."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ImportError:  # Windows has no such lock: two writers there may leave a change unrecorded
        return True
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    while True:
        with suppress(BlockingIOError):
            flock(handle, LOCK_EX | LOCK_NB)
            return True
        if loop.time() > end:
            return False
        await asyncio.sleep(0.002)


# --- lines --------------------------------------------------------------------------------------


def _base(resources: Iterable[Resource]) -> bytes:
    return _json({"base": [_said(each) for each in resources]})


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
                    "before": _said(turn.before) if turn.before is not None else None,
                    "after": _said(turn.after) if turn.after is not None else None,
                }
                for turn in revision.turns
            ],
        }
    )


def _said(resource: Resource) -> dict[str, Any]:
    entry = {**data_of(recorded(resource), namespace=""), "id": str(resource.id)}
    sort = "spec" if isinstance(resource, Spec) else "value"
    return {"revision": resource.revision, sort: entry}


def _json(data: Any) -> bytes:
    """One line; bytes are said under a key that nobody can write."""

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
    """The resources of a base; None where the line is none."""
    if not line.startswith(b'{"base":'):
        return None
    try:
        return [_resource(each) for each in _parsed(line)["base"]]
    except (ValueError, TypeError, KeyError):
        return None


def _revision(line: bytes) -> Revision | None:
    """The Revision of a line; None where it says none."""
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
