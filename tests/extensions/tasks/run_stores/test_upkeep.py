"""What keeps a RunStore small and fair: who goes on first, removal in pieces, owners that are gone."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from uuid import UUID

from heddle.extensions.tasks.run_stores.contract import AGEING, NewRun, RunRecord
from heddle.extensions.tasks.run_stores.durable_journal import DurableJournal
from heddle.extensions.tasks.run_stores.kit import COMPLETED, commit, new_run
from heddle.extensions.tasks.run_stores.owner_locks import OwnerLock, forget_gone, list_owners
from heddle.extensions.tasks.run_stores.sqlite import SqliteRunStore
from heddle.extensions.tasks.run_stores.sqlite_prune import ROWS, RUNS
from heddle.extensions.tasks.status import RunStatus
from heddle.specs.model.names import new_id
from tests.waiting import until


async def queue(
    store: SqliteRunStore, at: float, *, priority: int = 1, workflow: str = "w"
) -> UUID:
    """Begin a run that waits from this time on."""
    run = NewRun(
        id=new_id(),
        namespace="default",
        workflow=workflow,
        input={},
        status=RunStatus.QUEUED,
        priority=priority,
    )
    record, _ = await store.begin(run, at)
    return record.id


async def finish(store: SqliteRunStore, *, tasks: int, output: object = 1) -> RunRecord:
    """Record a run with so many tasks, to its end."""
    run, _ = await store.begin(new_run(), time.time())
    journal = DurableJournal(store, run)
    names = [f"t{place}" for place in range(tasks)]
    journal.begin_all([(each, 1) for each in names])
    await commit(journal)
    for each in names:
        journal.end(each, 1, COMPLETED, output)
    await commit(journal)
    journal.finish(RunStatus.COMPLETED, output)
    await commit(journal)
    return run


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as raw:
        return int(raw.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_a_run_that_waits_long_precedes_newer_ones_of_higher_priority(tmp_path: Path) -> None:
    async def story() -> None:
        store = SqliteRunStore(tmp_path / "runs.sqlite")
        await store.open()
        now = time.time()
        old = await queue(store, now - 3 * AGEING - 1, priority=0)
        newer = await queue(store, now - 2, priority=1)
        newest = await queue(store, now - 1, priority=1)
        urgent = await queue(store, now, priority=2)
        order = [each.id for each in await store.claimable("default", now)]
        assert order == [old, urgent, newer, newest]
        await store.close()

    asyncio.run(story())


def test_runs_of_others_do_not_hide_those_of_a_worker(tmp_path: Path) -> None:
    async def story() -> None:
        store = SqliteRunStore(tmp_path / "runs.sqlite")
        await store.open()
        now = time.time()
        left = [await queue(store, now - 9, priority=9) for _ in range(1001)]
        for _ in range(1001):
            await queue(store, now - 9, priority=9, workflow="other")
        mine = await queue(store, now)
        due = await store.claimable("default", now, workflows=["w"], without=left)
        assert [each.id for each in due] == [mine]
        await store.close()

    asyncio.run(story())


def test_settled_and_waiting_runs_cost_a_look_nothing(tmp_path: Path) -> None:
    """The rule is the plan of SQLite: no part of a look goes through the table of runs."""
    plans: list[str] = []

    async def story() -> None:
        seen: list[str] = []
        store = SqliteRunStore(tmp_path / "runs.sqlite", trace=seen.append)
        await store.open()
        await queue(store, time.time())
        seen.clear()
        assert await store.claimable("default", time.time(), workflows=["w"])
        looks = [each for each in seen if "AS urgency" in each]
        assert len(looks) == 3
        with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as raw:
            for each in looks:
                plans.extend(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {each}"))
        await store.close()

    asyncio.run(story())
    assert [each for each in plans if each.startswith("SCAN runs")] == []
    assert [each for each in plans if "runs_created" in each] == []


def test_a_request_wakes_a_run_that_waits_for_a_person(tmp_path: Path) -> None:
    """It came while the owner was suspending the run: the row of the run says nothing of it."""

    async def story() -> None:
        store = SqliteRunStore(tmp_path / "runs.sqlite")
        await store.open()
        now = time.time()
        run, _ = await store.begin(new_run(), now)
        journal = DurableJournal(store, run)
        await store.request(run.id, "cancel", now, actor="ada")
        journal.suspend("drained")
        await commit(journal)
        assert (await store.get(run.id) or run).wake is None
        assert [each.id for each in await store.claimable("default", now)] == [run.id]
        await store.close()

    asyncio.run(story())


def test_removal_goes_in_pieces_between_which_runs_go_on(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"

    async def story() -> None:
        sizes: list[int] = []
        rows = 0

        def trace(sql: str) -> None:
            nonlocal rows
            if sql.startswith("DELETE"):
                rows += 1
            elif sql.startswith("COMMIT"):
                sizes.append(rows)
                rows = 0

        store = SqliteRunStore(path, trace=trace)
        await store.open()
        large = b"x" * 100_000
        await finish(store, tasks=3 * ROWS)
        for _ in range(2 * RUNS):
            await finish(store, tasks=1, output=large)
        kept, _ = await store.begin(new_run(), time.time())
        journal = DurableJournal(store, kept)
        journal.begin("a", 1)
        await commit(journal)
        journal.end("a", 1, COMPLETED, large)
        await commit(journal)
        await store.tidy()
        sizes.clear()
        assert await store.prune(time.time() + 60) == 2 * RUNS + 1
        assert max(sizes) < 2 * ROWS + 10 * RUNS
        assert len(sizes) > 5
        # What is used on stays: the same content is kept once.
        assert [each.output for each in await store.attempts(kept.id)] == [large]
        assert count(path, "blobs") == 1
        assert count(path, "runs") == count(path, "attempts") == 1
        assert count(path, "removed") == 0
        await store.close()

    asyncio.run(story())


def test_a_removal_that_was_interrupted_goes_on_with_the_next(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"

    async def story() -> None:
        store = SqliteRunStore(path)
        await store.open()
        run = await finish(store, tasks=2 * ROWS)
        await store.tidy()
        removal = asyncio.create_task(store.prune(time.time() + 60))

        async def is_hidden() -> bool:
            return await store.get(run.id) is None

        await until(is_hidden)
        removal.cancel()
        await asyncio.wait([removal])
        assert await store.find() == []
        await store.prune(time.time() + 60)
        assert count(path, "attempts") == count(path, "history") == count(path, "removed") == 0
        await store.close()

    asyncio.run(story())


def test_the_files_of_owners_that_are_gone_go_with_their_runs(tmp_path: Path) -> None:
    owners = tmp_path / "owners"

    async def story() -> None:
        dead = SqliteRunStore(tmp_path / "runs.sqlite")
        await dead.open()
        run, _ = await dead.begin(new_run(), time.time())
        # It closes, but could not record that its run is suspended: the file tells that it is gone.
        await dead.close()
        assert list_owners(owners) == [dead.owner]
        store = SqliteRunStore(tmp_path / "runs.sqlite")
        await store.open()
        now = time.time()
        assert [each.id for each in await store.claimable("default", now)] == [run.id]
        assert await store.claim(run.id, now) is not None
        assert await store.claimable("default", now) == []
        assert list_owners(owners) == [store.owner]
        await store.close()

    asyncio.run(story())


def test_an_owner_keeps_its_file_while_others_look_for_dead_ones(tmp_path: Path) -> None:
    async def story() -> None:
        stop = asyncio.Event()

        def sweep() -> None:
            while not stop.is_set():
                for each in list_owners(tmp_path / "owners"):
                    forget_gone(tmp_path / "owners", each)

        sweeping = asyncio.create_task(asyncio.to_thread(sweep))
        for place in range(200):
            lock = OwnerLock(tmp_path / "owners", f"owner-{place}")
            await asyncio.to_thread(lock.take)
            assert list_owners(tmp_path / "owners") == [f"owner-{place}"]
            lock.free()
        stop.set()
        await sweeping

    asyncio.run(story())


def test_an_owner_waits_for_its_file_while_another_one_looks_at_it(tmp_path: Path) -> None:
    """Who looks is slow: a disk over the network, or a machine that does much else."""
    lock = OwnerLock(tmp_path, "mine")
    looking = OwnerLock(tmp_path, "mine")
    looking.take()
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if sum(waited) > 1.0:
            looking.free(keep=True)

    lock.take(wait)
    assert 0 < waited[0] < waited[-1] < 0.1
    lock.free()
    assert list_owners(tmp_path) == []


def test_what_an_ended_attempt_still_prints_comes_after_what_is_kept(tmp_path: Path) -> None:
    async def story() -> None:
        store = SqliteRunStore(tmp_path / "runs.sqlite")
        await store.open()
        run, _ = await store.begin(new_run(), time.time())
        journal = DurableJournal(store, run)
        journal.begin("a", 1)
        await commit(journal)
        journal.write_output("a", 1, "one\n")
        journal.end("a", 1, COMPLETED, 1)
        await commit(journal)
        for text in ("two\n", "three\n"):
            journal.write_output("a", 1, text)
            assert journal.flush_output()
            await commit(journal)
        journal.write_output("a", 1, "four\n")
        journal.finish(RunStatus.COMPLETED, 1)
        await commit(journal)
        (log,) = await store.logs(run.id)
        assert log.data == "one\ntwo\nthree\nfour\n"
        await store.close()

    asyncio.run(story())


def test_what_had_begun_and_is_dropped_does_not_hold_a_drain_up(tmp_path: Path) -> None:
    async def story() -> None:
        store = SqliteRunStore(tmp_path / "runs.sqlite")
        await store.open()
        run, _ = await store.begin(new_run(), time.time())
        journal = DurableJournal(store, run)
        journal.begin_all([("a", 1), ("b", 1)])
        await commit(journal)
        journal.idle = asyncio.Event()
        journal.end("a", 1, COMPLETED, 1)
        assert not journal.idle.is_set()
        journal.drop([("b", 1)])
        assert journal.idle.is_set()
        await store.close()

    asyncio.run(story())
