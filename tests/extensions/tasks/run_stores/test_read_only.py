"""A RunStore that is only read: no byte of it changes, whoever writes to it or left it behind."""

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from heddle.cli.main import cli
from heddle.extensions.tasks.run_stores.contract import RunStoreError
from heddle.extensions.tasks.run_stores.durable_journal import DurableJournal
from heddle.extensions.tasks.run_stores.kit import commit, new_run
from heddle.extensions.tasks.run_stores.runs import open_runs
from heddle.extensions.tasks.run_stores.sqlite import SqliteRunStore
from heddle.extensions.tasks.status import RunStatus


def bytes_in(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return the content and the time of each file below a folder."""
    return {
        str(each.relative_to(folder)): (each.read_bytes(), each.stat().st_mtime_ns)
        for each in folder.rglob("*")
        if each.is_file()
    }


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Take the right to write to a folder and its files away, as far as the user has to heed it."""
    entries = [folder, *folder.rglob("*")]
    modes = {each: each.stat().st_mode for each in entries}
    for each in entries:
        each.chmod(0o555 if each.is_dir() else 0o444)
    try:
        yield
    finally:
        for each, mode in modes.items():
            each.chmod(mode)


async def record(path: Path, *, status: RunStatus = RunStatus.COMPLETED) -> str:
    store = SqliteRunStore(path)
    await store.open()
    run, _ = await store.begin(new_run(), time.time())
    journal = DurableJournal(store, run)
    tasks = [f"t{place}" for place in range(20)]
    journal.begin_all([(each, 1) for each in tasks])
    await commit(journal)
    for each in tasks:
        journal.end_call(each, 1, each)
    await commit(journal)
    journal.finish(status, "answer")
    await commit(journal)
    await store.close()
    return str(run.id)


def test_list_and_show_change_no_byte(tmp_path: Path) -> None:
    place = tmp_path / "runs"
    place.mkdir()
    run = asyncio.run(record(place / "runs.sqlite"))
    before = bytes_in(place)
    with locked(place):
        for command in (["list"], ["show", run], ["events", run], ["logs", run]):
            done = CliRunner().invoke(cli, ["runs", *command, "--runs", str(place)])
            assert done.exit_code == 0, done.output
            assert bytes_in(place) == before
        shown = CliRunner().invoke(cli, ["runs", "show", run, "--runs", str(place), "--json"])
    assert '"completed"' in shown.output


def test_what_a_killed_worker_left_in_the_log_is_seen_and_stays(tmp_path: Path) -> None:
    live, left = tmp_path / "live", tmp_path / "left"
    live.mkdir()

    async def story() -> None:
        store = SqliteRunStore(live / "runs.sqlite")
        await store.open()
        run, _ = await store.begin(new_run(), time.time())
        # What a machine leaves behind that lost its power: the file and its log.
        left.mkdir()
        for name in ("runs.sqlite", "runs.sqlite-wal"):
            await asyncio.to_thread(shutil.copyfile, live / name, left / name)
        before = bytes_in(left)
        with locked(left):
            async with open_runs(str(left), read_only=True) as runs:
                assert [each.id for each in await runs.list()] == [run.id]
        assert bytes_in(left) == before
        await store.close()

    asyncio.run(story())


def test_a_reader_sees_what_a_worker_writes_that_came_later(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    asyncio.run(record(path))

    async def story() -> None:
        async with open_runs(str(path), read_only=True) as runs:
            assert len(await runs.list()) == 1
            store = SqliteRunStore(path)
            await store.open()
            await store.begin(new_run(status=RunStatus.QUEUED), time.time())
            assert len(await runs.list()) == 2
            await store.begin(new_run(status=RunStatus.QUEUED), time.time())
            assert len(await runs.list()) == 3
            await store.close()
            assert len(await runs.list()) == 3

    asyncio.run(story())


def test_who_only_reads_cannot_decide(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    asyncio.run(record(path, status=RunStatus.FAILED))

    async def story() -> None:
        async with open_runs(str(path), read_only=True) as runs:
            (run,) = await runs.list()
            with pytest.raises(RunStoreError, match="opened only to be read"):
                await runs.retry(run.id)

    asyncio.run(story())


def test_the_database_of_an_application_without_runs_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE orders (id INTEGER)")
        raw.commit()
    before = bytes_in(tmp_path)

    async def story() -> None:
        with pytest.raises(RunStoreError, match=r"holds no runs .*expected"):
            async with open_runs(str(path), read_only=True):
                raise AssertionError(os.fspath(path))

    asyncio.run(story())
    assert bytes_in(tmp_path) == before
