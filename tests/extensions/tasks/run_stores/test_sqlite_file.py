"""A RunStore in a file: who may read it, what a newer or a full one means, and how it is migrated."""

import asyncio
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from heddle.extensions.tasks.run_stores.contract import RunStoreError, RunStoreFull
from heddle.extensions.tasks.run_stores.durable_journal import DurableJournal
from heddle.extensions.tasks.run_stores.kit import COMPLETED, commit, new_run
from heddle.extensions.tasks.run_stores.opener import default_address, make_run_store
from heddle.extensions.tasks.run_stores.sqlite import SqliteRunStore
from heddle.extensions.tasks.run_stores.sqlite_file import (
    APPLICATION,
    RunStoreMigration,
    load_migrations,
)
from heddle.extensions.tasks.status import RunStatus
from heddle.specs.stores.folder.store import FolderStore
from heddle.specs.stores.memory import MemoryStore

VERSION = load_migrations()[-1].version


async def open_and_close(
    path: Path, migrations: tuple[RunStoreMigration, ...] | None = None
) -> None:
    store = SqliteRunStore(path, migrations=migrations)
    await store.open()
    await store.close()


async def record_run(path: Path) -> str:
    """Record a run with one completed attempt, and return its id."""
    store = SqliteRunStore(path)
    await store.open()
    run, _ = await store.begin(new_run(), time.time())
    journal = DurableJournal(store, run)
    journal.begin("a", 1)
    await commit(journal)
    journal.end("a", 1, COMPLETED, "kept")
    await commit(journal)
    await store.close()
    return str(run.id)


def modes_in(folder: Path) -> dict[str, int]:
    """Return the modes of all files in a folder, by name."""
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}


def look(path: Path, sql: str) -> object:
    raw = sqlite3.connect(path)
    try:
        return raw.execute(sql).fetchone()[0]
    finally:
        raw.close()


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"

    async def story() -> None:
        store = SqliteRunStore(path)
        await store.open()
        await store.begin(new_run(status=RunStatus.QUEUED), time.time())
        modes = modes_in(tmp_path)
        assert modes.pop("owners") == 0o700
        assert set(modes) == {"runs.sqlite", "runs.sqlite-wal", "runs.sqlite-shm"}
        assert set(modes.values()) == {0o600}
        assert modes_in(tmp_path / "owners") == {store.owner: 0o600}
        await store.close()

    asyncio.run(story())
    assert sorted(each.name for each in tmp_path.iterdir()) == ["runs.sqlite"]


def test_the_file_says_whose_it_is(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    asyncio.run(open_and_close(path))
    assert look(path, "PRAGMA application_id") == APPLICATION
    assert look(path, "PRAGMA user_version") == load_migrations()[-1].version
    assert look(path, "PRAGMA journal_mode") == "wal"


def test_newer_file_is_error_that_names_both_versions_and_is_not_touched(
    tmp_path: Path,
) -> None:
    path = tmp_path / "runs.sqlite"
    newer = (*load_migrations(), RunStoreMigration(7, 7, "CREATE TABLE @more (id INTEGER);"))
    asyncio.run(open_and_close(path, newer))
    before, at = path.read_bytes(), path.stat().st_mtime_ns
    with pytest.raises(RunStoreError, match=r"version 7.* knows version \d") as raised:
        asyncio.run(open_and_close(path))
    assert "not touched" in str(raised.value)
    assert path.read_bytes() == before
    assert path.stat().st_mtime_ns == at
    assert [each.name for each in tmp_path.iterdir()] == ["runs.sqlite"]


def test_an_older_program_uses_a_newer_file_that_says_it_may(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    newer = (
        *load_migrations(),
        RunStoreMigration(VERSION + 1, 1, "CREATE TABLE @more (id INTEGER);"),
    )
    asyncio.run(open_and_close(path, newer))
    asyncio.run(record_run(path))
    assert look(path, "PRAGMA user_version") == VERSION + 1
    assert look(path, "SELECT count(*) FROM runs") == 1


def test_a_migration_copies_the_file_first(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    run = asyncio.run(record_run(path))
    newer = (
        *load_migrations(),
        RunStoreMigration(VERSION + 1, 1, "ALTER TABLE @runs ADD COLUMN more TEXT;"),
    )
    asyncio.run(open_and_close(path, newer))
    copy = tmp_path / f"runs.sqlite.version-{VERSION}.bak"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert look(copy, "PRAGMA user_version") == VERSION
    assert look(copy, "SELECT id FROM runs") == look(path, "SELECT id FROM runs") == run
    assert look(path, "SELECT count(*) FROM pragma_table_info('runs') WHERE name = 'more'") == 1


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    asyncio.run(record_run(path))
    bad = "CREATE TABLE @more (id INTEGER);\nCREATE TABLE @runs (id INTEGER);"
    with pytest.raises(RunStoreError, match="already exists"):
        asyncio.run(
            open_and_close(path, (*load_migrations(), RunStoreMigration(VERSION + 1, 1, bad)))
        )
    assert look(path, "PRAGMA user_version") == VERSION
    assert look(path, "SELECT count(*) FROM sqlite_master WHERE name = 'more'") == 0


def test_many_workers_may_make_the_file_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        stores = [SqliteRunStore(tmp_path / "runs.sqlite") for _ in range(6)]
        await asyncio.gather(*(each.open() for each in stores))
        await asyncio.gather(*(each.begin(new_run(), time.time()) for each in stores))
        assert len(await stores[0].find()) == 6
        await asyncio.gather(*(each.close() for each in stores))

    asyncio.run(story())


def test_what_is_not_a_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(
        "not a database, but a text that is longer than a header of one hundred bytes" * 3
    )
    with pytest.raises(RunStoreError, match="is not a SQLite database"):
        asyncio.run(open_and_close(path))
    with pytest.raises(RunStoreError, match="cannot be written"):
        asyncio.run(open_and_close(tmp_path / "missing" / "runs.sqlite"))
    with pytest.raises(RunStoreError, match=r'scheme "memroy".*"memory"'):
        make_run_store("memroy://")


def test_a_folder_has_its_run_store_in_it(tmp_path: Path) -> None:
    for address in (str(tmp_path), f"{tmp_path}/", f"file://{tmp_path}/runs.sqlite"):
        assert make_run_store(address).path == str(tmp_path / "runs.sqlite")
    assert make_run_store(f"sqlite:{tmp_path}/other.db").path == str(tmp_path / "other.db")
    assert make_run_store("memory://").path == ""


def test_attempts_that_were_packed_get_rows_when_it_closes(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"

    async def story() -> None:
        store = SqliteRunStore(path)
        await store.open()
        run, _ = await store.begin(new_run(), time.time())
        journal = DurableJournal(store, run)
        tasks = [f"t{place}" for place in range(50)]
        journal.begin_all([(each, 1) for each in tasks])
        await commit(journal)
        for each in tasks:
            journal.end_call(each, 1, each)
        await commit(journal)
        assert look(path, "SELECT count(*) FROM attempts") == 0
        before = await store.attempts(run.id), await store.transitions(run.id)
        journal.finish(RunStatus.COMPLETED, 1)
        await commit(journal)
        await store.close()
        assert look(path, "SELECT count(*) FROM attempts WHERE status = 'completed'") == 50
        assert look(path, "SELECT count(*) FROM history WHERE event IN ('pack', 'began')") == 0
        again = SqliteRunStore(path)
        await again.open()
        assert await again.attempts(run.id) == before[0]
        assert (await again.transitions(run.id))[:-1] == before[1]
        await again.close()

    asyncio.run(story())


def test_the_database_of_an_application_keeps_its_names(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    raw = sqlite3.connect(path)
    raw.execute("CREATE TABLE runs (mine TEXT)")
    raw.execute("PRAGMA user_version = 57")
    raw.commit()
    raw.close()
    asyncio.run(record_run(path))
    assert look(path, "SELECT count(*) FROM runs") == 0
    assert look(path, "SELECT count(*) FROM heddle_runs") == 1
    assert look(path, "PRAGMA user_version") == 57


def test_the_default_is_in_the_state_folder(tmp_path: Path) -> None:
    flows = tmp_path / "flows"
    flows.mkdir()

    async def story() -> None:
        store = FolderStore(str(flows))
        await store.open()
        address = default_address(store)
        assert address == str(flows / ".heddle" / "runs.sqlite")
        assert stat.S_IMODE((flows / ".heddle").stat().st_mode) == 0o700
        assert default_address(store, "mine.sqlite") == "mine.sqlite"
        await store.close()
        assert default_address(MemoryStore()) == "memory://"

    asyncio.run(story())


def test_a_state_folder_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    flows = tmp_path / "flows"
    flows.mkdir()
    (tmp_path / "file").write_text("")

    async def story() -> None:
        store = FolderStore(str(flows), state=str(tmp_path / "file" / "state"))
        await store.open()
        with pytest.raises(RunStoreError, match=r"\[state\] folder"):
            default_address(store)
        await store.close()

    asyncio.run(story())


FULL = """
import asyncio, resource, sys, time
from pathlib import Path
from heddle.extensions.tasks.run_stores.durable_journal import DurableJournal
from heddle.extensions.tasks.run_stores.kit import COMPLETED, commit, new_run
from heddle.extensions.tasks.run_stores.sqlite import SqliteRunStore

async def main(path):
    store = SqliteRunStore(path)
    await store.open()
    run, _ = await store.begin(new_run(), time.time())
    journal = DurableJournal(store, run)
    journal.begin("a", 1)
    await commit(journal)
    journal.end("a", 1, COMPLETED, "kept")
    await commit(journal)
    size = Path(path + "-wal").stat().st_size
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    journal.begin("b", 1)
    waiting = asyncio.create_task(commit(journal))
    while not store.condition:
        await asyncio.sleep(0.01)
    print(store.condition)
    assert not waiting.done()
    assert [each.output for each in await store.attempts(run.id)] == ["kept"]
    try:
        await store.begin(new_run(), time.time())
    except Exception as error:
        print(type(error).__name__)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    await waiting
    assert store.condition == ""
    assert [each.status for each in await store.attempts(run.id)] == ["completed", "running"]
    await store.close()

asyncio.run(main(sys.argv[1]))
"""


def test_on_a_full_disk_runs_wait_and_what_is_recorded_stays(tmp_path: Path) -> None:
    """The kernel's limit on the size of a file stands for the disk."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "runs.sqlite")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    condition, error = done.stdout.splitlines()
    assert condition.startswith("run store full: ")
    assert error == RunStoreFull.__name__


BESIDE = """
import asyncio, sys, time
from heddle.extensions.tasks.run_stores.kit import new_run
from heddle.extensions.tasks.run_stores.sqlite import SqliteRunStore

async def main(path):
    store = SqliteRunStore(path)
    await store.open()
    await store.begin(new_run(workflow="beside"), time.time())
    await store.close()

asyncio.run(main(sys.argv[1]))
"""


LIST = """
import sqlite3, sys
for (name,) in sqlite3.connect(sys.argv[1]).execute("SELECT workflow FROM runs ORDER BY 1"):
    print(name)
"""


def test_an_open_store_keeps_its_locks_when_its_file_opens_again(
    tmp_path: Path,
) -> None:
    """Otherwise another process takes the log for left behind and deletes it, with what comes later."""
    path = tmp_path / "runs.sqlite"

    async def story() -> None:
        store = SqliteRunStore(path)
        await store.open()
        await store.begin(new_run(workflow="before"), time.time())
        await open_and_close(path)
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", BESIDE, str(path)], timeout=60, check=True
        )
        assert done.returncode == 0
        await store.begin(new_run(workflow="after"), time.time())
        seen = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", LIST, str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert seen.stdout.split() == ["after", "before", "beside"]
        await store.close()

    asyncio.run(story())
    assert look(path, "PRAGMA integrity_check") == "ok"
    assert look(path, "SELECT count(*) FROM runs") == 3
