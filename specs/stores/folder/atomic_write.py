"""Writing files: all of them or none, each one whole at every moment."""

# Paths are text here, as the folder store has them.
# ruff: noqa: PTH116, PTH118

import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from errno import EACCES, ENAMETOOLONG, EPERM, EROFS
from hashlib import sha256
from pathlib import Path

from heddle.schemas.errors import ConflictError, RejectedError, StoreError
from heddle.specs.files.spec_names import is_below
from heddle.specs.stores.folder.spec_target import SpecTarget
from heddle.specs.stores.folder.write_log import PendingFile, PendingWrite, WriteLog

_PREFIX, _SUFFIX = ".heddle-", ".part"


def write_files(
    contents: Mapping[str, tuple[bytes | None, bytes | None]],
    *,
    stamp: int | None = None,
    root: str | None = None,
    log: WriteLog | None = None,
) -> None:
    """Write files, each given as what it held and what it is to hold (None: no file).

    With `stamp`, nanoseconds since 1970, all of them changed at that very time, and the folders of
    those that are removed not before it. Folders are made below `root`, which has to be there. With
    a `log`, what a process that ends on the way leaves can be finished: see `finish_write`. The log is
    left to the caller, who ends it, if the files were written, or if they could not be put back.

    Everything is written beside the files first and flushed to disk, then renamed into place; a
    mode is kept, a link stays a link. When one of them fails, those before it are put back.
    Conflict when a file holds something else than it is said to; StoreError when writing fails, or
    a file is read-only.
    """
    # One function: what was placed, and what is put back when one step fails, is its own.
    token = secrets.token_hex(6)
    targets = [
        (SpecTarget(path, root), f"{_PREFIX}{token}-{number}{_SUFFIX}", old, new)
        for number, (path, (old, new)) in enumerate(contents.items())
    ]
    placed: list[tuple[SpecTarget, str, bytes | None]] = []
    left = False
    try:
        for target, _, _, _ in targets:
            target.prepare()
        if log is not None:
            log.begin([_pending(*each) for each in targets])
        for target, part, _, new in targets:
            if new is not None:
                target.write_part(part, new, stamp)
        for path, (old, _) in contents.items():
            if read_bytes(path) != old:
                raise ConflictError(f"{path} was changed by somebody else in the meantime")
        if log is not None:
            log.place()
        for target, part, old, new in targets:
            target.place(part if new is not None else None)
            placed.append((target, f"{part[: -len(_SUFFIX)]}-before{_SUFFIX}", old))
    except OSError as error:
        left = not _undo(placed)
        raise _failure(error, left=left, logged=log is not None) from error
    except BaseException:
        left = not _undo(placed)
        raise
    finally:
        if len(placed) < len(targets) and not (left and log is not None):
            for target, part, _, _ in targets:
                target.drop_part(part)
            if log is not None:
                log.end()
    _settle(
        [target for target, _, _, _ in targets],
        stamp,
        [t for t, _, _, new in targets if new is None],
    )


def _failure(error: OSError, *, left: bool, logged: bool) -> StoreError:
    """Return why files cannot be written; `left` if some of them are by now and cannot be put back."""
    why = f"{error.filename or 'a file'} cannot be written: {error.strerror}"
    if left:
        why += ". Some of the files are written, and cannot be put back at the moment"
        return StoreError(f"{why}; the next change writes the rest" if logged else why)
    # Nobody but who runs it can put these right: trying again does not help.
    if error.errno in (EACCES, EPERM, EROFS, ENAMETOOLONG):
        return RejectedError(why)
    return StoreError(why)


def finish_write(write: PendingWrite, home: str) -> None:
    """Put the rest of what was being written below a folder in its place, or remove it if it was not complete.

    Raise OSError if that cannot be done now. A file that was changed since then stays as it is.
    """
    targets: list[tuple[SpecTarget, PendingFile]] = []
    for each in write.files:
        path = os.path.join(home, each.path)
        target = SpecTarget(path, home)
        # The log may have come with the folder, from somebody else.
        own = not each.part or (each.part.startswith(_PREFIX) and each.part.endswith(_SUFFIX))
        if own and os.sep not in each.part and is_below(target.path, target.home):
            targets.append((target, each))
    for target, each in targets:
        if each.part and not target.has_part(each.part):
            continue
        if write.placing and _digest(read_bytes(target.path)) == each.before:
            if each.part or each.before:
                target.place(each.part or None)
        elif each.part:
            target.drop_part(each.part)
    if write.placing:
        removed = [target for target, each in targets if not each.part]
        _settle([target for target, _ in targets], write.number * 1000, removed)


def _pending(target: SpecTarget, part: str, old: bytes | None, new: bytes | None) -> PendingFile:
    return PendingFile(
        path=os.path.relpath(target.path, target.home),
        part=part if new is not None else "",
        before=_digest(old),
    )


def _digest(data: bytes | None) -> str:
    return sha256(data).hexdigest() if data is not None else ""


def _settle(
    targets: Iterable[SpecTarget], stamp: int | None, removed: Iterable[SpecTarget]
) -> None:
    """Have what was renamed on disk, and folders from which files are gone changed by then."""
    for folder in {target.folder for target in targets}:
        flush_folder(folder)
    for folder in {target.folder for target in removed} if stamp is not None else ():
        with suppress(OSError):
            if os.stat(folder).st_mtime_ns < (stamp or 0):
                os.utime(folder, ns=(stamp or 0, stamp or 0))


def read_bytes(path: str) -> bytes | None:
    """Return what a file holds; None if there is none."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return None


def _undo(placed: Sequence[tuple[SpecTarget, str, bytes | None]]) -> bool:
    """Put back what was there; False if some of it cannot be: then nothing is, if possible."""
    try:
        for target, part, old in placed:
            if old is not None:
                target.write_part(part, old)
        for target, part, old in placed:
            target.place(part if old is not None else None)
    except OSError:
        for target, part, _ in placed:
            target.drop_part(part)
        return False
    return True


def flush_folder(folder: str) -> None:
    """Have what was renamed in a folder on disk, as far as its file system does that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
