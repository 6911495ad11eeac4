"""A Place is one file below a root, found without ever leaving it."""

import os
import stat
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from heddle.extensions.net.http.path import segment_of

Links: TypeAlias = Literal["inside", "refuse", "follow"]
"""The rules for symbolic links: they lead to places inside the root, nothing, or anywhere."""

SWAPS: Final = 100
"""So many times a path is looked up again whose links are swapped meanwhile."""

_FORBIDDEN: Final = frozenset("\\\0:" if os.name == "nt" else "\\\0")


class StaticFile(msgspec.Struct, frozen=True):
    """A regular file: its real path, its size in bytes, and when it changed (nanoseconds).

    `number` and `entry`, when its entry changed, tell it from another file with the same time.
    """

    path: str
    size: int
    changed: int
    number: int
    entry: int = 0


class Folder(msgspec.Struct, frozen=True):
    """A folder, where a file was asked for."""


class StaticRoot:
    """A folder whose files may be read, and nothing outside of it."""

    def __init__(self, folder: str, *, links: Links = "inside", hidden: bool = False) -> None:
        self.folder = Path(folder)
        self._links = links
        self._hidden = hidden
        self._folds: bool | None = None

    def find(self, path: str) -> StaticFile | Folder | None:
        """Return what the text of a path below the root stands for; None if there is nothing to see.

        Looks at the disk. Each file has one path: one that climbs, has an empty segment before its
        end or one with a slash inside, or differs from the name on the disk, is nothing.
        """
        parts = [segment_of(part) for part in path.split("/")]
        if not parts[-1]:
            parts.pop()
        if not all(self._named(part) for part in parts):
            return None
        try:
            real = self._real(parts)
            for _ in range(SWAPS):
                try:
                    state = None if real is None else Path(real).stat()
                    break
                except FileNotFoundError:
                    # A link on the way may have been swapped in this very moment.
                    before, real = real, self._real(parts)
                    if real == before:
                        return None
            else:
                return None
        except (OSError, ValueError):
            return None
        if real is None or state is None:
            return None
        if stat.S_ISDIR(state.st_mode):
            return Folder()
        if not stat.S_ISREG(state.st_mode) or path.endswith("/"):
            return None
        return StaticFile(real, state.st_size, state.st_mtime_ns, state.st_ino, state.st_ctime_ns)

    def _real(self, parts: list[str]) -> str | None:
        """Return where these parts lead now; None if that is not to be seen."""
        root = os.path.realpath(self.folder)
        text = str(Path(root, *parts))
        real = os.path.realpath(text)
        if not self._spelled(root, parts):
            return None
        if self._links == "refuse" and real != text:
            return None
        if self._links != "follow" and real != root and not real.startswith(_below(root)):
            return None
        return real

    def _named(self, part: str) -> bool:
        """Return whether a part of a path may name something."""
        if part in ("", ".", "..") or "/" in part or not _FORBIDDEN.isdisjoint(part):
            return False
        return self._hidden or not part.startswith(".") or part == ".well-known"

    def _spelled(self, root: str, parts: list[str]) -> bool:
        """Return whether the disk has these very names; one that folds case would serve them under others."""
        if self._folds is None:
            self._folds = _folds(root)
        if self._folds is False:
            return True
        return all(
            part in _names(str(Path(root, *parts[:number]))) for number, part in enumerate(parts)
        )


def _folds(folder: str) -> bool | None:
    """Return whether a folder has its files under names in other letters, too; None if nothing tells."""
    if os.name == "nt":
        return True
    names = _names(folder)
    for name in names:
        other = name.swapcase()
        if other not in names:
            return (Path(folder) / other).exists()
    # Its own name tells it as well, if its files are called by numbers.
    itself = Path(folder)
    twin = itself.with_name(itself.name.swapcase()) if itself.name else itself
    return None if twin == itself else twin.exists() and twin.samefile(itself)


def _names(folder: str) -> set[str]:
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries}


def _below(root: str) -> str:
    return root if root.endswith(os.sep) else root + os.sep
