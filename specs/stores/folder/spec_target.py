"""A SpecTarget is one file that is written: in steps, each of which opens its folder without following a link."""

# Paths are text here, as the folder store has them.
# ruff: noqa: PTH101, PTH103, PTH105, PTH112, PTH116

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EACCES, ELOOP, ENOENT, ENOTDIR
from pathlib import PurePath
from typing import TypedDict

_BY_HANDLE = {os.open, os.stat, os.unlink, os.rename} <= os.supports_dir_fd
_BY_NUMBER = {os.chmod, os.utime} <= os.supports_fd
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


class _Options(TypedDict, total=False):
    dir_fd: int


class SpecTarget:
    """The file that a path leads to by now.

    If a folder on the way becomes a link later, nothing is written: it could be written elsewhere. With
    `root`, the folder that it has to be in.
    """

    def __init__(self, path: str, root: str | None) -> None:
        self.path = os.path.realpath(path)
        self.folder, self.name = os.path.split(self.path)
        self.root = os.path.realpath(root) if root is not None else None

    @property
    def home(self) -> str:
        """The folder from which its path is told."""
        return self.root if self.root is not None else self.folder

    def prepare(self) -> None:
        """Make its folder; raise OSError if it may not be written."""
        if self.root is not None:
            if os.path.commonpath([self.path, self.root]) != self.root:
                raise OSError(ELOOP, "a link leads out of the folder", self.path)
            if not os.path.isdir(self.root):
                raise FileNotFoundError(ENOENT, "the folder is gone", self.root)
        os.makedirs(self.folder, exist_ok=True)
        with suppress(FileNotFoundError):
            # Renaming would go over a file that nobody may write.
            if not os.stat(self.path).st_mode & 0o222:
                raise PermissionError(EACCES, "it is read-only", self.path)

    def write_part(self, part: str, data: bytes, stamp: int | None = None) -> None:
        """Write a file beside it that holds the data, on disk, with its mode."""
        with self._opened() as (folder, options):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | getattr(os, "O_CLOEXEC", 0)
            handle = os.open(folder + part, flags, 0o600, **options)
            try:
                left = data
                while left:
                    left = left[os.write(handle, left) :]
                os.fsync(handle)
                self._set_mode(handle, folder, part, options)
                if stamp is not None:
                    at = handle if _BY_NUMBER else folder + part
                    os.utime(at, ns=(stamp, stamp))
            finally:
                os.close(handle)

    def _set_mode(self, handle: int, folder: str, part: str, options: _Options) -> None:
        at = handle if _BY_NUMBER else folder + part
        try:
            status = os.stat(folder + self.name, follow_symlinks=False, **options)
        except FileNotFoundError:
            os.chmod(at, 0o666 & ~_umask())
            return
        os.chmod(at, status.st_mode & 0o7777)
        with suppress(OSError):
            os.chown(at, status.st_uid, status.st_gid)

    def place(self, part: str | None) -> None:
        """Put a file beside it in its place, or remove it."""
        with self._opened() as (folder, options):
            with suppress(FileNotFoundError):
                status = os.stat(folder + self.name, follow_symlinks=False, **options)
                if stat.S_ISLNK(status.st_mode):
                    raise self._link()
            if part is None:
                os.unlink(folder + self.name, **options)
            elif (handle := options.get("dir_fd")) is not None:
                os.replace(part, self.name, src_dir_fd=handle, dst_dir_fd=handle)
            else:
                os.replace(folder + part, folder + self.name)

    def has_part(self, part: str) -> bool:
        """Return whether there is a file of that name beside it."""
        try:
            with self._opened() as (folder, options):
                os.stat(folder + part, follow_symlinks=False, **options)
        except FileNotFoundError:
            return False
        return True

    def drop_part(self, part: str) -> None:
        """Remove a file beside it, if there is one."""
        with suppress(OSError), self._opened() as (folder, options):
            os.unlink(folder + part, **options)

    @contextmanager
    def _opened(self) -> Iterator[tuple[str, _Options]]:
        """Give what stands before the names in its folder, and the options of calls with them."""
        if not _BY_HANDLE:
            if os.path.realpath(self.folder) != self.folder:
                raise self._link()
            yield self.folder + os.sep, {}
            return
        handle = os.open(self.home, _FOLDER)
        try:
            for name in PurePath(os.path.relpath(self.folder, self.home)).parts:
                try:
                    further = os.open(name, _FOLDER | _NO_LINK, dir_fd=handle)
                except OSError as error:
                    raise (self._link() if error.errno in (ELOOP, ENOTDIR) else error) from None
                os.close(handle)
                handle = further
            yield "", {"dir_fd": handle}
        finally:
            os.close(handle)

    def _link(self) -> OSError:
        return OSError(ELOOP, "a link has come in between", self.path)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
