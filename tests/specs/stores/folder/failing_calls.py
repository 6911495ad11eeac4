"""Calls of the operating system that fail one at a time, and what has to hold of a folder afterwards."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EIO
from pathlib import Path
from typing import Any

from heddle.specs.model.index import Key, key_of
from heddle.specs.model.record import recorded
from heddle.specs.model.store import Resource
from heddle.specs.stores.folder.store import FolderStore

CALLS: tuple[tuple[Any, str], ...] = (
    (io, "open"),
    *((os, name) for name in ("open", "write", "fsync", "replace", "unlink", "utime", "chmod")),
    *((os, name) for name in ("mkdir", "pread", "ftruncate")),
)


LOOKS: tuple[tuple[Any, str], ...] = tuple(
    (os, name) for name in ("stat", "lstat", "readlink", "scandir", "listdir")
)
"""Calls that only look at what is there."""


def io_error() -> OSError:
    """Return what a disk says that cannot."""
    return OSError(EIO, os.strerror(EIO))


def no_process() -> OSError:
    """End this process, as a kill does."""
    os._exit(9)


@contextmanager
def failing(
    first: int,
    below: Path,
    error: Callable[[], BaseException] = io_error,
    *,
    last: int | None = None,
) -> Iterator[list[str]]:
    """Have the calls with these numbers fail, counted from 0 (`last` None: one); give the names of the calls.

    A call with a path elsewhere than below this folder, or with a name alone in a folder that is open,
    fails as well as any.
    """
    made: list[str] = []

    def wrapped(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def fail(*args: Any, **options: Any) -> Any:
            path = str(args[0])
            if not path.startswith("/") or path.startswith(str(below)):
                made.append(name)
                if first < len(made) <= (first + 1 if last is None else last + 1):
                    raise error()
            return call(*args, **options)

        return fail

    before = [(owner, name, getattr(owner, name)) for owner, name in CALLS]
    try:
        for owner, name, call in before:
            setattr(owner, name, wrapped(name, call))
        yield made
    finally:
        for owner, name, call in before:
            setattr(owner, name, call)


@contextmanager
def before_call(number: int, work: Callable[[], None]) -> Iterator[list[str]]:
    """Do this before the call of this number, counted from 0; give the names of the calls."""
    made: list[str] = []

    def wrapped(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def first(*args: Any, **options: Any) -> Any:
            made.append(name)
            if len(made) == number + 1:
                work()
            return call(*args, **options)

        return first

    before = [(owner, name, getattr(owner, name)) for owner, name in (*CALLS, *LOOKS)]
    try:
        for owner, name, call in before:
            setattr(owner, name, wrapped(name, call))
        yield made
    finally:
        for owner, name, call in before:
            setattr(owner, name, call)


async def check_sound(path: Path, store: FolderStore | None = None) -> dict[Key, Resource]:
    """Check that a folder that was empty and its history agree, for this store and for one that is opened now.

    Return what it holds.
    """
    fresh = FolderStore(path)
    await fresh.open()
    try:
        revisions = await fresh.history(limit=10_000)
        held = {key_of(each): each for each in (*await fresh.specs(), *await fresh.values())}
        replayed: dict[Key, Resource] = {}
        for revision in reversed(revisions):
            for change in revision.turns:
                assert change.before is None or recorded(change.before) == replayed.pop(change.key)
                if change.after is not None:
                    replayed[change.key] = recorded(change.after)
        assert replayed == {key: recorded(each) for key, each in held.items()}
        assert not await fresh.problems()
        numbers = [each.number for each in revisions]
        assert numbers == sorted(set(numbers), reverse=True)
        if store is not None:
            assert await store.history(limit=10_000) == revisions
            mine = (*await store.specs(), *await store.values())
            assert {key_of(each): each for each in mine} == held
            assert not await store.problems()
    finally:
        await fresh.close()
    return held


def leftovers(path: Path) -> list[Path]:
    """Return what a write has left beside the files."""
    return [
        each
        for each in path.rglob("*")
        if each.name.endswith(".part") or each.name == "writing.jsonl"
    ]


def code_of(work: Callable[[], Any]) -> int:
    """Return the exit code of a process that does this."""
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
