"""The state folder of a store in files: the history, what runtimes report, locks. It is not for people.

It is made when a command or a runtime starts, never by a later write: a writer must not bring back a
folder that somebody moved away.
"""

# Paths are text here, as the folder store has them.
# ruff: noqa: PTH100, PTH101, PTH102, PTH103, PTH110, PTH111, PTH112, PTH116, PTH117, PTH118, PTH120

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from heddle.specs.files.spare import SPARE

HIDDEN = ".heddle"
"""The folder beside the specs, which is never read as such."""

MARK = "store"
"""The file that names the store whose state a configured folder holds."""

FOLDER_MODE, FILE_MODE = 0o700, 0o600
"""Only the owner sees what is in it: a history may hold what is nobody else's business."""


class StateFolder:
    """The folder in which a store keeps its state, if it can. `path` is that of the folder.

    `beside` says that it is part of the store's own folder, and goes if that goes.
    """

    def __init__(self, path: str, *, beside: bool = False, store: str = "") -> None:
        self.path = path
        self.beside = beside
        self.reason = ""
        """Why nothing can be kept; empty when it can, or nobody has tried."""
        self._store = store
        self._prepared = False

    @property
    def there(self) -> bool:
        """Whether the folder is there now."""
        return os.path.isdir(self.path)

    def file(self, name: str) -> str:
        """Return the path of a file in it."""
        return os.path.join(self.path, name)

    def prepare(self) -> bool:
        """Make the folder when it is missing; whether it can be written. Only the first call makes it.

        A configured folder that another store was given at the same moment makes `path` another one.
        """
        if self._prepared:
            if self.reason and self.there and _writable(self.path):
                self.reason = ""
            return not self.reason and self.there
        self._prepared = True
        try:
            SPARE.attempt(self._make)
        except OSError as error:
            self.reason = f"{self.path}: {(error.strerror or str(error)).lower()}"
        return not self.reason

    def renew(self) -> None:
        """Let the next `prepare` make it again: the store stands in another folder by now."""
        if self.beside:
            self._prepared = False
            self.reason = ""

    def _make(self) -> None:
        if self.beside:
            # The folder that it stands in has to be there: it is not made anew.
            with suppress(FileExistsError):
                os.mkdir(self.path, FOLDER_MODE)
            ignore = self.file(".gitignore")
            if not os.path.exists(ignore):
                write_private(ignore, b"*\n")
        else:
            os.makedirs(self.path, FOLDER_MODE, exist_ok=True)
            with suppress(FileExistsError):
                write_private(self.file(MARK), f"{self._store}\n".encode(), flags=os.O_EXCL)
            if _owner(self.path) not in ("", self._store):
                self.path = os.path.join(self.path, _name(self._store))
                os.makedirs(self.path, FOLDER_MODE, exist_ok=True)
        status = os.stat(self.path)
        if status.st_mode & 0o777 != FOLDER_MODE and status.st_uid == _user():
            os.chmod(self.path, FOLDER_MODE)
        if not _writable(self.path):
            raise PermissionError(13, "it cannot be written", self.path)


def state_of(
    store: str, *, single: bool = False, folder: str = "", environ: Mapping[str, str] | None = None
) -> StateFolder:
    """Return the state folder of the store at a path; nothing is made yet.

    `folder` is the one of the settings. Without it: `.heddle` beside the specs if that can be
    written, else a folder below `$XDG_STATE_HOME/heddle`. A configured folder that holds the state of
    another store has one below it for each further store.
    """
    full = os.path.abspath(store)
    name = _name(full)
    if folder:
        path = os.path.abspath(os.path.expanduser(folder))
        owner = _owner(path)
        return StateFolder(path if owner in ("", full) else os.path.join(path, name), store=full)
    around = os.path.dirname(full) if single else full
    beside = os.path.join(around, HIDDEN)
    if _writable(beside) if os.path.isdir(beside) else _writable(around):
        return StateFolder(beside, beside=True)
    environ = os.environ if environ is None else environ
    home = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(home):
        home = os.path.join(os.path.expanduser("~"), ".local", "state")
    return StateFolder(os.path.join(home, "heddle", name), store=full)


def write_private(
    path: str, data: bytes, *, flags: int = os.O_TRUNC, more: Iterable[bytes] = ()
) -> None:
    """Write a file that only its owner may read, `more` piece by piece; OSError when that cannot be."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, FILE_MODE)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        for piece in more:
            file.write(piece)


def _name(store: str) -> str:
    """Return the name of a folder for a store, by its path."""
    return sha256(os.fsencode(store)).hexdigest()[:16]


def _owner(folder: str) -> str:
    """Return the store whose state a folder holds; empty when it says nothing."""
    try:
        return Path(os.path.join(folder, MARK)).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _writable(folder: str) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else -1


def lock_path(folder: str, name: str) -> str:
    """Return the path of a lock in this folder, made if it can be; empty if it cannot be written to.

    What the folder stands in is never made anew: the specs may have been moved away.
    """
    hidden = os.path.dirname(folder)
    with suppress(OSError):
        os.mkdir(hidden)
        Path(os.path.join(hidden, ".gitignore")).write_text("*\n")
    with suppress(OSError):
        os.mkdir(folder)
    return (
        os.path.join(folder, f"{quote(name, safe='')}.lock") if os.access(folder, os.W_OK) else ""
    )
