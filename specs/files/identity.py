"""The identity of every part of a path, and the state of the file at its end.

A link may stand anywhere in a path, and lead to other links. Whoever follows a file compares these
with what they were: a link that is swapped, a folder that is moved away and back, another file
system in its place all show.
"""

# Paths are text here, as the kernel names them.
# ruff: noqa: PTH100, PTH115, PTH116, PTH117, PTH118, PTH120, PTH206

import os
import stat
from typing import NamedTuple, TypeAlias

LINKS = 40
"""So many links are followed in one path: the kernel follows no more, either."""

Stamp: TypeAlias = tuple[int, int, int, int, int]
"""When a file changed last (its data, then its entry), its size, and which file it is."""


class PathPart(NamedTuple):
    """One part of a path: which file or folder it is, and where it leads if it is a link."""

    path: str
    device: int = 0
    inode: int = 0
    target: str = ""
    folder: bool = False

    @property
    def missing(self) -> bool:
        """Whether nothing is there."""
        return not self.inode and not self.device


def look_at(path: str) -> PathPart:
    """Return what stands at a path, itself: links are not followed."""
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            return PathPart(path, status.st_dev, status.st_ino, os.readlink(path))
        return PathPart(path, status.st_dev, status.st_ino, "", stat.S_ISDIR(status.st_mode))
    except (OSError, ValueError):
        return PathPart(path)


def parts_of(path: str, known: dict[str, PathPart] | None = None) -> list[PathPart]:
    """Return every part of a path from the root on, links and the parts they lead through included.

    It ends at the first part that is missing, and after LINKS links: a loop ends, too. `known` saves
    looking at the same part twice.
    """
    known = {} if known is None else known
    drive, rest = os.path.splitdrive(path if os.path.isabs(path) else os.path.abspath(path))
    here = drive + os.sep
    names = rest.split(os.sep)[::-1]
    entries: list[PathPart] = []
    links = 0
    while names:
        name = names.pop()
        if name in ("", os.curdir):
            continue
        if name == os.pardir:
            here = os.path.dirname(here)
            continue
        step = os.path.join(here, name)
        part = known.get(step)
        if part is None:
            part = known[step] = look_at(step)
        entries.append(part)
        if not part.target:
            if part.missing:
                break
            here = step
            continue
        links += 1
        if links > LINKS:
            break
        if os.path.isabs(part.target):
            here = drive + os.sep
        names.extend(part.target.split(os.sep)[::-1])
    return entries


def stamp_of(path: str | os.PathLike[str]) -> Stamp | None:
    """Return what tells one state of the file that a path leads to from the next; None if it is missing."""
    try:
        return stamp(os.stat(path))
    except (OSError, ValueError):
        return None


def stamp(status: os.stat_result) -> Stamp:
    """Return the Stamp of a status.

    The time of the entry is part of it: who unpacks an archive, or swaps a volume, may give another
    file the same time of change, size and number.
    """
    return (
        status.st_mtime_ns,
        status.st_size,
        status.st_ino,
        status.st_dev,
        status.st_ctime_ns,
    )


def place_of(path: str) -> tuple[int, int] | None:
    """Return which folder or file a path leads to; None if there is nothing."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def leads_to(handle: int, real: str) -> bool:
    """Return whether an open file is the one at this real path, on which no link may stand.

    The path was looked up before it was opened: a folder on the way may have been a link by then. The
    kernel tells which file it has opened; where it does not, the path is looked up again.
    """
    opened = opened_path(handle)
    if opened is not None:
        return opened == real
    try:
        status, there = os.fstat(handle), os.stat(real, follow_symlinks=False)
    except OSError:
        return False
    return os.path.realpath(real) == real and os.path.samestat(status, there)


def opened_path(handle: int) -> str | None:
    """Return the real path of an open file, as the kernel has it; None if it does not tell."""
    try:
        path = os.readlink(f"/proc/self/fd/{handle}")
    except OSError:
        return None
    # What stands outside of the root of this process has no path here.
    return path if path.startswith(os.sep) else None
