"""Every RunStore passes the contract."""

from pathlib import Path
from typing import Any

from heddle.extensions.tasks.run_stores.kit import RunStoreContract
from heddle.extensions.tasks.run_stores.sqlite import SqliteRunStore


class TestMemory(RunStoreContract):
    """In memory."""

    def make(self, place: Path, **options: Any) -> SqliteRunStore:
        del place
        return SqliteRunStore("", **options)


class TestSqlite(RunStoreContract):
    """In a file."""

    def make(self, place: Path, **options: Any) -> SqliteRunStore:
        return SqliteRunStore(place / "runs.sqlite", **options)


class TestSqliteFull(RunStoreContract):
    """In a file that survives a loss of power: the writer's thread makes every commit."""

    def make(self, place: Path, **options: Any) -> SqliteRunStore:
        return SqliteRunStore(place / "runs.sqlite", sync="full", **options)
