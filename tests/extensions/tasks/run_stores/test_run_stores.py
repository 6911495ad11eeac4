"""Every RunStore passes the contract."""

import subprocess
import sys
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


def test_a_kill_between_any_two_statements_loses_nothing_that_is_recorded(tmp_path: Path) -> None:
    module = "heddle.extensions.tasks.run_stores.kill_points"
    done = subprocess.run(
        [sys.executable, "-m", module, str(tmp_path)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 200
