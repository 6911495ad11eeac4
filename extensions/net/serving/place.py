"""A Place is one file below a root, found without ever leaving it."""

import os
import stat
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

Links: TypeAlias = Literal["inside", "refuse", "follow"]
"""What symbolic links may do: lead to places inside the root, nothing, or anywhere."""

_FORBIDDEN: Final = frozenset("\\\0:" if os.name == "nt" else "\\\0")


class Found(msgspec.Struct, frozen=True):
    """A regular file: its real path, its size in bytes, and when it changed (nanoseconds)."""

    path: str
    size: int
    changed: int
    number: int


class Folder(msgspec.Struct, frozen=True):
    """A folder, where a file was asked for."""


class Root:
    """A folder whose files may be read, and nothing outside of it."""

    def __init__(self, folder: str, *, links: Links = "inside", hidden: bool = False) -> None:
        self.folder = Path(folder)
        self._links = links
        self._hidden = hidden

    def find(self, path: str) -> Found | Folder | None:
        """What a path with slashes stands for; None where there is nothing, or nothing to see.

        Looks at the disk. A path that climbs, or has a part that no file can be named, is nothing.
        """
        parts = [part for part in path.split("/") if part]
        if not all(self._named(part) for part in parts):
            return None
        try:
            root = os.path.realpath(self.folder)
            asked = str(Path(root, *parts))
            real = os.path.realpath(asked)
            if self._links == "refuse" and real != asked:
                return None
            if self._links != "follow" and real != root and not real.startswith(_below(root)):
                return None
            state = Path(real).stat()
        except (OSError, ValueError):
            return None
        if stat.S_ISDIR(state.st_mode):
            return Folder()
        if not stat.S_ISREG(state.st_mode) or path.endswith("/"):
            return None
        return Found(real, state.st_size, state.st_mtime_ns, state.st_ino)

    def _named(self, part: str) -> bool:
        """Whether a part of a path may name something."""
        if part in (".", "..") or not _FORBIDDEN.isdisjoint(part):
            return False
        return self._hidden or not part.startswith(".") or part == ".well-known"


def _below(root: str) -> str:
    return root if root.endswith(os.sep) else root + os.sep
