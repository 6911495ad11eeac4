"""Writing files: all of them or none, each one whole at every moment."""

# Paths are text here, as the folder store has them.
# ruff: noqa: PTH101, PTH112, PTH114, PTH103, PTH105, PTH108, PTH116, PTH120

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from errno import EACCES, ELOOP, ENAMETOOLONG, ENOENT, EPERM, EROFS
from pathlib import Path

from heddle.schemas.errors import ConflictError, RejectedError, StoreError


def write_files(
    contents: Mapping[str, tuple[bytes | None, bytes | None]],
    *,
    stamp: int | None = None,
    root: str | None = None,
) -> None:
    """Write files, each given as what it held and what it is to hold (None: no file).

    With `stamp`, nanoseconds since 1970, all of them changed at that very time, and the folders of
    those that are removed not before it. Folders are made below `root`, which has to be there.

    Everything is written beside the files first and flushed to disk, then renamed into place; a
    mode is kept, a link stays a link. When one of them fails, those before it are put back.
    Conflict when a file holds something else than it is said to; StoreError when writing fails, or
    a file is read-only.
    """
    parts: list[tuple[str, str | None]] = []
    done: list[str] = []
    try:
        for path, (_, new) in contents.items():
            target = os.path.realpath(path)
            _check_inside(root, target)
            _check_writable(target)
            _make_below(root, os.path.dirname(target))
            parts.append((target, _beside(target, new, stamp) if new is not None else None))
        for path, (old, _) in contents.items():
            if read_bytes(path) != old:
                raise ConflictError(f"{path} was changed by somebody else in the meantime")
        for target, part in parts:
            _check_still(target)
            _place(target, part)
            done.append(target)
    except OSError as error:
        _undo(contents, done)
        # Nobody but who runs it can put these right: trying again does not help.
        kind = RejectedError if error.errno in (EACCES, EPERM, EROFS, ENAMETOOLONG) else StoreError
        raise kind(f"{error.filename or 'a file'} cannot be written: {error.strerror}") from error
    finally:
        for _, part in parts:
            if part is not None:
                with suppress(OSError):
                    os.unlink(part)
    for folder in {os.path.dirname(target) for target, _ in parts}:
        flush_folder(folder)
    if stamp is not None:
        for folder in {os.path.dirname(target) for target, part in parts if part is None}:
            with suppress(OSError):
                if os.stat(folder).st_mtime_ns < stamp:
                    os.utime(folder, ns=(stamp, stamp))


def _check_inside(root: str | None, target: str) -> None:
    """OSError if a link leads out of the root: it may have been put there since the plan was checked."""
    if root is not None:
        home = os.path.realpath(root)
        if os.path.commonpath([target, home]) != home:
            raise OSError(ELOOP, "a link leads out of the folder", target)


def _check_still(target: str) -> None:
    """OSError if a folder on the way has become a link since: the file would be written elsewhere.

    Between this look and the rename it could still happen. Only who may write into the folder can
    do that, and they can write specs anyway, which run with the same rights.
    """
    folder = os.path.dirname(target)
    if os.path.realpath(folder) != folder or os.path.islink(target):
        raise OSError(ELOOP, "a link has come in between", target)


def _make_below(root: str | None, folder: str) -> None:
    """Make a folder; FileNotFoundError when the root that it has to stand in is gone."""
    if root is not None and not os.path.isdir(root):
        raise FileNotFoundError(ENOENT, "the folder is gone", root)
    os.makedirs(folder, exist_ok=True)


def _check_writable(target: str) -> None:
    """PermissionError for a file that nobody may write: renaming would go over it."""
    try:
        mode = os.stat(target).st_mode
    except OSError:
        return
    if not mode & 0o222:
        raise PermissionError(EACCES, "it is read-only", target)


def read_bytes(path: str) -> bytes | None:
    """Return what a file holds; None if there is none."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return None


def _beside(target: str, data: bytes, stamp: int | None = None) -> str:
    """Return a file beside the target that holds the data, on disk, with the target's mode."""
    folder = os.path.dirname(target)
    handle, part = tempfile.mkstemp(prefix=".heddle-", suffix=".part", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if stamp is not None:
            os.utime(part, ns=(stamp, stamp))
        try:
            status = os.stat(target)
        except FileNotFoundError:
            os.chmod(part, 0o666 & ~_umask())
        else:
            os.chmod(part, status.st_mode & 0o7777)
            with suppress(OSError):
                os.chown(part, status.st_uid, status.st_gid)
    except BaseException:
        os.unlink(part)
        raise
    return part


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _place(target: str, part: str | None) -> None:
    if part is not None:
        os.replace(part, target)
    else:
        os.unlink(target)


def _undo(contents: Mapping[str, tuple[bytes | None, bytes | None]], done: list[str]) -> None:
    for path, (old, _) in contents.items():
        target = os.path.realpath(path)
        if target in done:
            with suppress(OSError):
                _place(target, _beside(target, old) if old is not None else None)


def flush_folder(folder: str) -> None:
    """Have what was renamed in a folder on disk, as far as its file system does that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
