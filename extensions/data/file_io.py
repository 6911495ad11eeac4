"""Files are read and written here, by plain calls that wait: whoever calls them does so in a thread."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import Any

from heddle.extensions.data.errors import rejected
from heddle.extensions.data.root import FolderRoot

CHUNK = 256 * 1024
"""Bytes that are read or written at a time."""


def read(path: Path, limit: int) -> bytes:
    """Return all of a file; NodeError past the limit (0: none)."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if limit and size > limit:
            raise rejected(
                f"{path.name} has {size} bytes, more than the limit of {limit}: raise it, or read "
                "the file as a stream",
                "too-large",
            )
        data = file.read(limit + 1 if limit else -1)
    if limit and len(data) > limit:
        raise rejected(f"{path.name} has more than {limit} bytes", "too-large")
    return data


class FileDraft:
    """A file that is being written beside the one that it will replace, all at once."""

    def __init__(self, path: Path, *, folders: bool) -> None:
        if folders:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._draft = path.with_name(f".{path.name[:200]}.{token_hex(6)}.draft")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._file = os.fdopen(os.open(self._draft, flags, 0o666), "wb")
        with suppress(OSError):
            os.chmod(self._draft, stat.S_IMODE(path.stat().st_mode))  # noqa: PTH101 - as it was

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self._file.write(data)

    def finish(self) -> int:
        """Put it in the place of the old one, once the disk has it; how many bytes it has."""
        self._file.flush()
        size = self._file.tell()
        os.fsync(self._file.fileno())
        self._file.close()
        self._draft.replace(self._path)
        return size

    def drop(self) -> None:
        """Leave everything as it was; after `finish` this does nothing."""
        self._file.close()
        with suppress(OSError):
            self._draft.unlink()


def write(path: Path, data: bytes, *, folders: bool) -> int:
    """Replace a file as a whole: whoever reads it meanwhile sees the old one, or the new one."""
    draft = FileDraft(path, folders=folders)
    try:
        draft.write(data)
        return draft.finish()
    finally:
        draft.drop()


def append(path: Path, data: bytes, *, folders: bool) -> int:
    """Add to the end of a file, which need not be there yet; how many bytes were added."""
    if folders:
        path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]
    return len(data)


def remove(path: Path) -> bool:
    """Remove a file; whether it was there."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def entries(root: FolderRoot, folder: Path, pattern: str, most: int) -> list[dict[str, Any]]:
    """Return the files below a folder whose path from there fits the pattern, by path."""
    listed: list[dict[str, Any]] = []
    for path in _below(folder, "/" in pattern or "**" in pattern):
        if not fits(path.relative_to(folder).as_posix(), pattern):
            continue
        try:
            state = path.stat()
        except OSError:
            # It went away while we looked.
            continue
        if not stat.S_ISREG(state.st_mode):
            continue
        if len(listed) >= most:
            raise rejected(f"more than {most} files fit: narrow the pattern", "too-large")
        listed.append(
            {
                "path": root.name(path),
                "name": path.name,
                "size": state.st_size,
                "modified": datetime.fromtimestamp(state.st_mtime, UTC).isoformat(),
            }
        )
    return sorted(listed, key=lambda data: str(data["path"]))


def _below(folder: Path, deep: bool) -> Iterator[Path]:
    """Yield the files in a folder, and in the folders in it; links are not followed into folders."""
    with os.scandir(folder) as listing:
        for entry in listing:
            if entry.is_dir(follow_symlinks=False):
                if deep:
                    yield from _below(Path(entry.path), deep)
            elif not is_draft(entry.name) and not entry.is_symlink():
                yield Path(entry.path)


def is_draft(name: str) -> bool:
    """Return whether a file is one that we are still writing."""
    return name.startswith(".") and name.endswith(".draft")


def fits(path: str, pattern: str) -> bool:
    """Return whether a path fits: `*` stays within a folder, `**` is any number of folders."""
    return _fits(PurePosixPath(path).parts, PurePosixPath(pattern).parts)


def _fits(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        if len(pattern) == 1:
            return True
        return any(_fits(parts[skip:], pattern[1:]) for skip in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])
