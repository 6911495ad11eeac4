"""The fault injector of the test kit: each story is killed before each of its statements in turn.

    python -m heddle.extensions.tasks.run_stores.kill_points FOLDER

Each round forks a child, which runs the story in an empty place and kills itself before statement n. Then
another child opens the same place and checks what a user was promised. One process for all: what takes
time is to start Python.
"""

import asyncio
import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from uuid import UUID

from heddle.extensions.extension import Error
from heddle.extensions.tasks.run_stores.contract import NewRun
from heddle.extensions.tasks.run_stores.durable_journal import DurableJournal
from heddle.extensions.tasks.run_stores.sqlite import SqliteRunStore
from heddle.extensions.tasks.scheduler.journal import FencedError
from heddle.extensions.tasks.status import AttemptStatus, RunStatus, TaskStatus
from heddle.specs.model.names import new_id

Trace = Callable[[str], None]
Make = Callable[[Path, Trace | None], SqliteRunStore]

COMPLETED, FAILED = AttemptStatus.COMPLETED, AttemptStatus.FAILED


def make_sqlite(place: Path, trace: Trace | None) -> SqliteRunStore:
    """Return the RunStore that is tried; the trace is called before each statement."""
    # What a kill leaves does not depend on when the disk has it.
    return SqliteRunStore(place / "runs.sqlite", sync="off", trace=trace)


class Promises:
    """The record of what the story was told: a line in a file for each, before it goes on."""

    def __init__(self, place: Path) -> None:
        self._path = place / "promises"

    def add(self, run: UUID, line: str) -> None:
        """Note that something of a run is recorded, such as `completed t1`."""
        with self._path.open("a") as file:
            file.write(f"{run} {line}\n")

    def read(self) -> list[list[str]]:
        """Return all lines, each in words."""
        return (
            [line.split() for line in self._path.read_text().splitlines()]
            if self._path.exists()
            else []
        )


async def commit(journal: DurableJournal) -> None:
    """Commit a turn and wait for it."""
    waits = journal.commit()
    if waits is not None:
        await waits


async def write_trace(place: Path, trace: Trace) -> None:
    """Run the story: every way in which something is recorded comes up in it once."""
    promises = Promises(place)
    store = make_sqlite(place, trace)
    await store.open()
    first, _ = await store.begin(
        NewRun(id=new_id(), namespace="n", workflow="w", input="x" * 5000, idempotency_key="k"),
        time.time(),
    )
    promises.add(first.id, "begun")
    journal = DurableJournal(store, first)
    journal.begin("t0", 1)
    await commit(journal)
    for place_in_chain in range(3):
        journal.end(f"t{place_in_chain}", 1, COMPLETED, place_in_chain)
        journal.begin(f"t{place_in_chain + 1}", 1)
        await commit(journal)
        promises.add(first.id, f"completed t{place_in_chain}")
    journal.end("t3", 1, FAILED, Error("no"), due=time.time())
    journal.settle("other", TaskStatus.SKIPPED)
    for item in range(25):
        journal.begin(f"page#{item}", 1)
    await commit(journal)
    promises.add(first.id, "failed t3")
    for item in range(25):
        journal.end(f"page#{item}", 1, COMPLETED, "y" * (70_000 if item == 1 else 3))
    journal.log("page#0", 1, "hello\n")
    await commit(journal)
    promises.add(first.id, "completed page#1")
    journal.suspend("drained", wake=time.time())
    await commit(journal)
    promises.add(first.id, "suspended")
    await store.request(first.id, "skip", time.time(), task="t3", actor="ada")
    promises.add(first.id, "requested")
    claim = await store.claim(first.id, time.time())
    if claim is None:
        raise RuntimeError("the run is not given")
    promises.add(first.id, "claimed")
    journal = DurableJournal(store, claim.run)
    journal.answer_requests(*(each.id for each in claim.requests))
    journal.finish(RunStatus.COMPLETED, "z" * 70_000)
    await commit(journal)
    promises.add(first.id, "ended")
    await store.prune(time.time() + 60, namespace="another")
    await store.close()


async def check(place: Path) -> None:
    """Check what is left: everything promised is there, numbers have no gap, and the run can go on."""
    promises = Promises(place).read()
    store = make_sqlite(place, None)
    await store.open()
    runs = await store.find()
    expect(len(runs) <= 1, f"{len(runs)} runs")
    for run, verb, *task in promises:
        expect(bool(runs) and str(runs[0].id) == run, f"the run {run} is gone")
        if verb in ("completed", "failed"):
            attempts = {each.task: each.status for each in await store.attempts(UUID(run))}
            expect(
                attempts.get(task[0]) == verb, f"{task[0]} is {attempts.get(task[0])}, not {verb}"
            )
    for record in runs:
        numbers = [each.seq for each in await store.transitions(record.id)]
        expect(numbers == list(range(1, len(numbers) + 1)), f"numbers {numbers}")
        same, is_new = await store.begin(
            NewRun(id=new_id(), namespace="n", workflow="w", input=1, idempotency_key="k"), 0.0
        )
        expect(not is_new and same.id == record.id, "the key began another run")
        if any(line[1] == "ended" for line in promises):
            expect(record.output == "z" * 70_000, "the output is gone")
        if record.status is not RunStatus.COMPLETED:
            await go_on(store, record.id)
    await store.close()


PRUNED, KEPT = UUID(int=1), UUID(int=2)
LARGE = "z" * 70_000
TASKS = 30


async def write_prune(place: Path, trace: Trace) -> None:
    """Remove a run in many small pieces; another one, which goes on, has a result with the same content."""
    promises = Promises(place)
    store = make_sqlite(place, None)
    await store.open()
    for run in (PRUNED, KEPT):
        record, _ = await store.begin(
            NewRun(id=run, namespace="n", workflow="w", input="x" * 5000), time.time()
        )
        journal = DurableJournal(store, record)
        journal.begin_all([(f"t{number}", 1) for number in range(TASKS)])
        await commit(journal)
        for number in range(TASKS):
            journal.end(f"t{number}", 1, COMPLETED, LARGE if number % 10 == 0 else number)
        journal.log("t0", 1, "hello\n")
        await commit(journal)
        if run == PRUNED:
            journal.finish(RunStatus.COMPLETED, LARGE)
        else:
            journal.suspend("drained", wake=time.time())
        await commit(journal)
    await store.close()
    store = make_sqlite(place, trace)
    await store.open()
    removed = await store.prune(time.time() + 60, rows=7)
    promises.add(PRUNED, f"pruned {removed}")
    await store.close()


async def check_pruned(place: Path) -> None:
    """Check that the run is whole or gone, that the other has all it had, and that nothing of it stays."""
    promised = Promises(place).read()
    store = make_sqlite(place, None)
    await store.open()
    record = await store.get(PRUNED)
    if record is not None:
        expect(not promised, "a run that was removed is there")
        expect(record.output == LARGE, "the output is gone")
        expect(len(await store.attempts(PRUNED)) == TASKS, "some of its attempts are gone")
        expect(len(await store.logs(PRUNED)) == 1, "its log is gone")
        numbers = [each.seq for each in await store.transitions(PRUNED)]
        expect(numbers == list(range(1, len(numbers) + 1)), f"numbers {numbers}")
    await store.prune(time.time() + 60, rows=7)
    expect(await store.get(PRUNED) is None, "it cannot be removed")
    outputs = [each.output for each in await store.attempts(KEPT)]
    expect(outputs.count(LARGE) == TASKS // 10, "the other run has lost results")
    await go_on(store, KEPT)
    await store.close()
    with closing(sqlite3.connect(place / "runs.sqlite")) as raw:
        for table in ("attempts", "history", "logs", "requests", "gates", "jobs"):
            (left,) = raw.execute(
                f"SELECT count(*) FROM {table} WHERE run = ?", (str(PRUNED),)
            ).fetchone()
            expect(not left, f"{left} rows of {table} stay")
        expect(not raw.execute("SELECT * FROM removed").fetchall(), "the removal has not ended")


async def go_on(store: SqliteRunStore, run: UUID) -> None:
    """Take the run as the next worker does, and end it; nothing of the old owner counts any more."""
    before = await store.get(run)
    claim = await store.claim(run, time.time())
    if claim is None or before is None:
        raise AssertionError("the run of a worker that is gone is not given")
    expect(all(each.status != "running" for each in claim.attempts), "an attempt is still running")
    numbers = [each.seq for each in await store.transitions(run)]
    expect(numbers == list(range(1, claim.run.seq + 1)), f"numbers {numbers} up to {claim.run.seq}")
    stale = DurableJournal(store, before)
    stale.begin("late", 1)
    try:
        await commit(stale)
    except FencedError:
        pass
    else:
        raise AssertionError("a stale owner has written")
    journal = DurableJournal(store, claim.run)
    journal.finish(RunStatus.COMPLETED, 1)
    await commit(journal)


def expect(true: bool, otherwise: str) -> None:
    """Raise AssertionError unless something is true."""
    if not true:
        raise AssertionError(otherwise)


def run_forked(work: Callable[[], None]) -> int:
    """Run work in a child; return its exit code, or minus the signal that killed it."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        work()
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def kill_before(number: int) -> Trace:
    """Return a trace that kills this process before the statement of this number."""
    left = [number]

    def trace(statement: str) -> None:
        del statement
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return trace


Story = Callable[[Path, Trace], Coroutine[None, None, None]]
Check = Callable[[Path], Coroutine[None, None, None]]


def try_kill(place: Path, number: int, story: Story, check_after: Check) -> bool:
    """Kill the story before one statement, and check; return False if it has fewer statements."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    code = run_forked(lambda: asyncio.run(story(place, kill_before(number))))
    if run_forked(lambda: asyncio.run(check_after(place))):
        raise SystemExit(f"killed before statement {number}: see above")
    if code not in (0, -signal.SIGKILL):
        raise SystemExit(f"the story failed at statement {number}")
    return code != 0


def try_kills(folder: Path) -> int:
    """Kill each story before each of its statements; return how many that were."""
    stories: tuple[tuple[Story, Check], ...] = ((write_trace, check), (write_prune, check_pruned))
    kills = 0
    for story, check_after in stories:
        number = 1
        while try_kill(folder / "place", number, story, check_after):
            number += 1
        kills += number - 1
    return kills


if __name__ == "__main__":
    print(try_kills(Path(sys.argv[1])))
