"""The file of a RunStore in SQLite: how it is opened, checked and migrated. A newer file is not touched.

Every file is opened through the standard library's sqlite3, also to look at its header: a process that
closes any other descriptor of a file drops its locks on that file, and others delete the log that it
still writes.
"""

import os
import re
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from importlib.resources import files
from typing import Final, NamedTuple
from urllib.parse import quote

from heddle import __version__
from heddle.extensions.tasks.run_stores.contract import RunStoreError, RunStoreFull

APPLICATION: Final = 0x48644C52
"""The application_id of our files: "HdLR"."""

OLDEST: Final = (3, 35, 0)
"""The first SQLite that has RETURNING."""

_MAKING: Final = threading.Lock()
"""Held while a file is made: no connection of this process may open it before that descriptor is closed."""

_FULL = frozenset(
    {"SQLITE_FULL", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_PERM"}
)


class RunStoreMigration(NamedTuple):
    """One step of the schema. An older program can still use a file if it is at `readable_since`."""

    version: int
    readable_since: int
    sql: str


def load_migrations() -> tuple[RunStoreMigration, ...]:
    """Return the migrations in order: `NNNN.sql`, whose first line states `readable_since`."""
    folder = files("heddle.extensions.tasks.run_stores") / "migrations"
    steps = []
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.name.endswith(".sql"):
            text = entry.read_text(encoding="utf-8")
            since = re.match(r"-- readable_since: (\d+)", text)
            if since is None:
                raise RunStoreError(f"{entry.name} does not state readable_since")
            steps.append(RunStoreMigration(int(entry.name[:4]), int(since[1]), text))
    return tuple(steps)


class SqliteFile:
    """A file, or memory (path ""): gives connections to it once `prepare` has run.

    `prefix` stands before the names of the tables: empty in a file of ours, `heddle_` in the database of
    an application. `sync` is `normal` (safe against kill -9) or `full` (against power loss, too).
    """

    def __init__(
        self,
        path: str,
        *,
        sync: str = "normal",
        migrations: Sequence[RunStoreMigration] | None = None,
        trace: Callable[[str], None] | None = None,
    ) -> None:
        self.path = os.path.abspath(path) if path else ""  # noqa: PTH100 - a path is text here
        self.sync = sync
        self.prefix = ""
        self._trace = trace
        self._migrations = tuple(migrations) if migrations is not None else load_migrations()

    @property
    def version(self) -> int:
        """The version of the schema that this program writes."""
        return self._migrations[-1].version

    def connect(self, *, wait: float) -> sqlite3.Connection:
        """Open a connection that waits so many seconds for a lock. Raise RunStoreError."""
        uri = f"file:{quote(self.path)}" if self.path else ":memory:"
        try:
            raw = sqlite3.connect(
                uri,
                uri=bool(self.path),
                isolation_level=None,
                check_same_thread=False,
                timeout=wait,
                cached_statements=256,
            )
            if self._trace is not None:
                raw.set_trace_callback(self._trace)
            raw.execute(f"PRAGMA synchronous = {self.sync}")
            # Checkpoints are the work of the writer's thread, never of the loop's.
            raw.execute("PRAGMA wal_autocheckpoint = 0")
        except sqlite3.Error as error:
            raise self.failure(error) from error
        return raw

    def prepare(self) -> sqlite3.Connection:
        """Check the file, make or migrate it, and return a connection that waits for locks."""
        if sqlite3.sqlite_version_info < OLDEST:
            raise RunStoreError(
                f"SQLite {sqlite3.sqlite_version} is too old for a RunStore (expected: 3.35 or newer)"
            )
        if self.path:
            self.check_newer()
            self._make()
        raw = self.connect(wait=10.0)
        try:
            if self.path:
                _set_wal(raw)
            self._migrate(raw)
        except sqlite3.Error as error:
            raw.close()
            raise self.failure(error) from error
        except BaseException:
            raw.close()
            raise
        return raw

    def look(self) -> sqlite3.Connection:
        """Return a connection that only reads, and changes no byte of the file. Raise RunStoreError.

        SQLite wants to write beside a file that has a write-ahead log. If nobody has written to the log,
        it is told that the file does not change; if the folder cannot be written, a copy is read.
        """
        log = f"{self.path}-wal"
        uri = f"file:{quote(self.path)}?mode=ro"
        try:
            if not os.path.exists(log) or not os.path.getsize(log):  # noqa: PTH110, PTH202
                raw = _connect_to_read(f"{uri}&immutable=1")
            elif os.path.exists(f"{self.path}-shm"):  # noqa: PTH110
                raw = _connect_to_read(uri)
            else:
                raw = self._read_copy(log)
        except (sqlite3.Error, OSError) as error:
            raise self.failure(error) from error
        try:
            if not self._find(raw):
                raise RunStoreError(f"{self.path} holds no runs (expected: the file of a RunStore)")
        except sqlite3.Error as error:
            raw.close()
            raise self.failure(error) from error
        except BaseException:
            raw.close()
            raise
        return raw

    def stamp(self) -> tuple[int, ...]:
        """Return what is another one once somebody has written to the file or its log, or closed it."""
        numbers: list[int] = []
        for name in (self.path, f"{self.path}-wal", f"{self.path}-shm"):
            try:
                seen = os.stat(name)  # noqa: PTH116 - a path is text here
            except OSError:
                numbers += (0, 0)
            else:
                numbers += (seen.st_size, seen.st_mtime_ns)
        return tuple(numbers)

    def _read_copy(self, log: str) -> sqlite3.Connection:
        """Read a file and its log, which nobody has open, into memory."""
        with tempfile.TemporaryDirectory(prefix="heddle-runs-") as folder:
            copy = f"{folder}/runs.sqlite"
            # Without the file "-shm" nobody in this process has it open, and no lock is lost by a copy.
            shutil.copyfile(self.path, copy)
            shutil.copyfile(log, f"{copy}-wal")
            memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            with closing(sqlite3.connect(copy)) as raw:
                raw.backup(memory)
        return memory

    def failure(self, error: Exception) -> RunStoreError:
        """Return what an error of SQLite means for a user."""
        name = getattr(error, "sqlite_errorname", "") or ""
        kind = "_".join(name.split("_")[:2])
        where = self.path or "the RunStore in memory"
        if kind in _FULL:
            reason = "the disk is full" if kind == "SQLITE_FULL" else str(error)
            return RunStoreFull(f"{where} cannot be written: {reason}")
        if kind == "SQLITE_NOTADB":
            return RunStoreError(
                f"{where} is not a SQLite database (expected: the file of a RunStore, or a path "
                "that does not exist yet)"
            )
        return RunStoreError(f"{where}: {error}")

    def check_newer(self) -> None:
        """Raise RunStoreError if a newer Heddle made the file; the file is not changed by that.

        What is not a database, or cannot be read, is left for `connect` to report.
        """
        uri = f"file:{quote(self.path)}?mode=ro&immutable=1"
        with suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True)) as raw:
            version = int(raw.execute("PRAGMA user_version").fetchone()[0])
            if not _is_ours(raw) or version <= self.version:
                return
            if self._readable_since(raw, version) > self.version:
                raise RunStoreError(
                    f"{self.path} has version {version} of the RunStore, and this Heddle ({__version__}) "
                    f"knows version {self.version}. The file was not touched. Use the newer Heddle, or "
                    "another file with --runs."
                )

    def _readable_since(self, raw: sqlite3.Connection, version: int) -> int:
        """Return the oldest version that may use a newer file."""
        with suppress(sqlite3.Error):
            cursor = raw.execute("SELECT max(readable_since), max(version) FROM migrations")
            since, newest = cursor.fetchone()
            if newest == version:
                return int(since)
        return version

    def _make(self) -> None:
        """Make an empty file that only its owner can read, if there is none; its folder has to be there."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        try:
            with _MAKING, suppress(FileExistsError):
                os.close(os.open(self.path, flags, 0o600))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RunStoreFull(f"{self.path} cannot be written: {reason}") from error

    def _migrate(self, raw: sqlite3.Connection) -> None:
        # Most files are as they should be: then nobody waits for the write lock.
        if self._find(raw) == self.version:
            return
        raw.execute("BEGIN IMMEDIATE")
        try:
            version = self._find(raw)
            todo = [step for step in self._migrations if step.version > version]
            if not todo:
                raw.execute("ROLLBACK")
                return
            if version and self.path:
                self._copy(version)
            self._apply(raw, todo)
            raw.execute("COMMIT")
        except BaseException:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            raise
        if self.path:
            # Who looks at the header of the file sees the version from now on.
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _find(self, raw: sqlite3.Connection) -> int:
        """Return the version of the tables that are there, 0 for none; set the prefix of their names."""
        tables = {
            row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        foreign = bool(tables) and not _is_ours(raw)
        self.prefix = "heddle_" if foreign else ""
        if f"{self.prefix}migrations" not in tables:
            return 0
        row = raw.execute(f"SELECT max(version), max(readable_since) FROM {self.prefix}migrations")
        version, since = row.fetchone()
        if since is not None and since > self.version:
            raise RunStoreError(
                f"{self.path} has version {version} of the RunStore, and this Heddle ({__version__}) "
                f"knows version {self.version}. Nothing in it was changed."
            )
        return int(version or 0)

    def _apply(self, raw: sqlite3.Connection, todo: Sequence[RunStoreMigration]) -> None:
        raw.execute(
            f"CREATE TABLE IF NOT EXISTS {self.prefix}migrations (version INTEGER PRIMARY KEY, "
            "readable_since INTEGER NOT NULL, at REAL NOT NULL, by TEXT NOT NULL)"
        )
        for step in todo:
            for statement in split_statements(self.named(step.sql)):
                raw.execute(statement)
            raw.execute(
                f"INSERT INTO {self.prefix}migrations VALUES (?, ?, ?, ?)",
                (step.version, step.readable_since, time.time(), __version__),
            )
        if not self.prefix:
            raw.execute(f"PRAGMA application_id = {APPLICATION}")
            raw.execute(f"PRAGMA user_version = {self.version}")

    def named(self, sql: str) -> str:
        """Return SQL with the names of the tables, each of which is written `@name`."""
        return sql.replace("@", self.prefix)

    def _copy(self, version: int) -> None:
        """Copy the file as it is before a migration, to `FILE.version-N.bak`."""
        target = f"{self.path}.version-{version}.bak"
        with suppress(FileExistsError):
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            source, copy = sqlite3.connect(self.path), sqlite3.connect(target)
            try:
                source.backup(copy)
            finally:
                copy.close()
                source.close()


def _connect_to_read(uri: str) -> sqlite3.Connection:
    raw = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10.0
    )
    try:
        raw.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        raw.close()
        raise
    return raw


def split_statements(sql: str) -> list[str]:
    """Return the statements of a text; `executescript` would commit the transaction that it stands in."""
    statements, begun = [], ""
    for line in sql.splitlines():
        begun += line + "\n"
        if sqlite3.complete_statement(begun):
            statements.append(begun.strip())
            begun = ""
    return [each for each in statements if each]


def _is_ours(raw: sqlite3.Connection) -> bool:
    return bool(raw.execute("PRAGMA application_id").fetchone()[0] == APPLICATION)


def _set_wal(raw: sqlite3.Connection) -> None:
    """Switch to write-ahead logging: readers and one writer do not wait for each other."""
    until = time.monotonic() + 10.0
    while True:
        try:
            raw.execute("PRAGMA journal_mode = wal").fetchall()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def is_busy(error: BaseException) -> bool:
    """Return whether an error of SQLite says that somebody else holds a lock."""
    code = getattr(error, "sqlite_errorcode", 0) or 0
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_full(error: BaseException) -> bool:
    """Return whether an error of SQLite says that nothing can be written for now."""
    name = getattr(error, "sqlite_errorname", "") or ""
    return "_".join(name.split("_")[:2]) in _FULL
