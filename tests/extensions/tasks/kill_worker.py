"""Runs of four shapes, whose worker is killed at random moments until they have ended.

    python -m tests.extensions.tasks.kill_worker FOLDER SHAPE KILLS SEED

One process for all: each worker is forked from it, as most of the time of a fresh program goes into imports.
A worker runs a Runtime on the file `shop.db`, which is both the database of the application and the
RunStore. Each second task inserts a row into `effects` by the kind `sql`; the others append a line to the file
`effects`, which is another system. Runs that ended long ago are removed meanwhile. The result is printed as JSON.
"""

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

from heddle.extensions.tasks.run_stores.contract import RunRecord
from heddle.extensions.tasks.run_stores.durable_journal import DurableJournal
from heddle.extensions.tasks.run_stores.kit import COMPLETED, commit, new_run
from heddle.extensions.tasks.run_stores.runs import open_runs
from heddle.extensions.tasks.run_stores.sqlite import SqliteRunStore
from heddle.extensions.tasks.status import RunStatus
from heddle.runtime.runtime import Runtime
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.yaml.document import read_text

SIZE = 36
OLD, OLD_TASKS = 40, 50
"""Runs that ended long ago, and the tasks of each."""

LONGEST = 0.1
"""Seconds that a worker is at work at most before it is killed."""


def append(task: str, after: Any = None) -> str:
    """Have an effect in another system, which takes a moment."""
    del after
    handle = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{task}\n".encode())
    os.close(handle)
    time.sleep(0.004)
    return task


def task(name: str, place: int, after: list[str]) -> dict[str, Any]:
    """Return a task with an effect: in the database, or elsewhere."""
    inputs: dict[str, Any] = {"task": {"value": name}}
    if place % 2:
        statement = "INSERT INTO effects (task) VALUES (:task) RETURNING task"
        source = os.environ["DATABASE"] + "?_journal_mode=wal"
        do = {"kind": "sql", "source": source, "statement": statement, "wait": "60s"}
        work: dict[str, Any] = {"do": do}
    else:
        work = {"run": "tests.extensions.tasks.kill_worker:append"}
    return {"name": name, "inputs": inputs, "after": after, **work}


def shape(name: str) -> list[dict[str, Any]]:
    """Return the tasks of a shape."""
    if name == "chain":
        return [task(f"t{n}", n, [f"t{n - 1}"] if n else []) for n in range(SIZE)]
    if name == "fan":
        middle = [f"t{n}" for n in range(1, SIZE - 1)]
        first, last = task("t0", 0, []), task(f"t{SIZE - 1}", 1, middle)
        return [first, *(task(each, n, ["t0"]) for n, each in enumerate(middle)), last]
    if name == "grid":
        tasks = []
        for row in range(6):
            for column in range(6):
                above = [f"t{row - 1}_{column}"] if row else []
                left = [f"t{row}_{column - 1}"] if column else []
                tasks.append(task(f"t{row}_{column}", row + column, above + left))
        return tasks
    items = [f"item{n}" for n in range(SIZE // 2)]
    rows, lines = task("rows", 1, []), task("lines", 0, ["rows"])
    for each in (rows, lines):
        each["inputs"] = {"task": {"value": items}}
        each["for_each"] = {"over": "task", "concurrency": 3}
    return [rows, lines]


async def work(place: Path, name: str, up: int) -> None:
    """Go on with the run, or begin it, and wait until it has ended; write to `up` when it is at work."""
    # The kills are no fault of the tasks: none of them has crashed.
    run_store = {
        "kind": "run-store",
        "name": "main",
        "url": str(place / "shop.db"),
        "lease": "2s",
        "losses": 100,
        "keep": "1h",
    }
    workflow = {"kind": "workflow", "name": name, "durable": "main", "tasks": shape(name)}
    workflow["idempotency_key"] = "'only'"
    reading = read_text(json.dumps([run_store, workflow]), file="kill.yaml")
    if reading.problems:
        raise SystemExit("\n".join(str(each) for each in reading.problems))
    async with Runtime(store=MemoryStore(reading.specs), watch=False) as runtime:
        os.write(up, b"!")
        await runtime.send(name, {})


async def fill(place: Path) -> None:
    """Record runs that ended two hours ago."""
    store = SqliteRunStore(place / "shop.db")
    await store.open()
    for _ in range(OLD):
        run, _ = await store.begin(new_run(workflow="old"), time.time())
        journal = DurableJournal(store, run)
        journal.begin_all([(f"t{each}", 1) for each in range(OLD_TASKS)])
        await commit(journal)
        for each in range(OLD_TASKS):
            journal.end(f"t{each}", 1, COMPLETED, "x" * 9_000 if each % 9 == 0 else each)
        journal.finish(RunStatus.COMPLETED, 1)
        await commit(journal)
    await store.close()
    with closing(sqlite3.connect(place / "shop.db")) as raw:
        raw.execute("UPDATE heddle_runs SET ended = ended - 7200")
        raw.commit()


def run_child(work: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run work in a child: this process has no threads, and can be forked again."""
    child = os.fork()
    if not child:
        asyncio.run(work())
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise SystemExit("a child failed: see above")


def read_old(place: Path) -> dict[str, int]:
    """Return how many old runs are whole or damaged, and how many rows belong to none."""
    counts = {"whole": 0, "damaged": 0, "stray": 0}
    with closing(sqlite3.connect(place / "shop.db")) as raw:
        old = [row[0] for row in raw.execute("SELECT id FROM heddle_runs WHERE workflow = 'old'")]
        for run in old:
            (count,) = raw.execute(
                "SELECT count(*) FROM heddle_attempts WHERE run = ?", (run,)
            ).fetchone()
            counts["whole" if count == OLD_TASKS else "damaged"] += 1
        (counts["stray"],) = raw.execute(
            "SELECT count(*) FROM heddle_attempts WHERE run NOT IN (SELECT id FROM heddle_runs) "
            "AND run NOT IN (SELECT run FROM heddle_removed)"
        ).fetchone()
    return counts


def fork_worker(place: Path, name: str) -> int:
    """Fork a worker; return its process id once it is at work."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        os.read(reader, 1)
        os.close(reader)
        return child
    try:
        os.close(reader)
        asyncio.run(work(place, name, writer))
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def wait_or_kill(child: int, seconds: float) -> bool:
    """Wait for a worker so long, then kill it; return whether it was killed. Its failure is ours."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            if os.waitstatus_to_exitcode(status):
                raise SystemExit("a worker failed: see above")
            return False
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


async def read_run(place: Path) -> dict[str, Any]:
    """Return what is recorded of the run."""
    async with open_runs(str(place / "shop.db")) as runs:
        found = [each for each in await runs.list() if each.workflow != "old"]
        if not found:
            return {"status": "none", "completed": [], "numbers": []}
        run: RunRecord = found[0]
        view = await runs.show(run.id)
        return {
            "runs": len(found),
            "status": str(run.status),
            "error": str(run.error),
            "completed": sorted(
                each.task for each in view.attempts if each.status == "completed" and each.number
            ),
            "lost": sum(each.status == "lost" for each in view.attempts),
            "numbers": [each.seq for each in await runs.events(run.id)],
        }


def read_forked(place: Path) -> dict[str, Any]:
    """Return the same, read in a child: this process has no threads, and can be forked again."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, json.dumps(asyncio.run(read_run(place))).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    result: dict[str, Any] = json.loads(data)
    return result


def run_round(place: Path, name: str, kills: int, chance: random.Random) -> dict[str, Any]:
    """Kill workers until there were so many kills, or the run has ended; then let it end."""
    place.mkdir()
    os.environ["DATABASE"] = str(place / "shop.db")
    os.environ["EFFECTS"] = str(place / "effects")
    with sqlite3.connect(place / "shop.db") as raw:
        raw.execute("CREATE TABLE effects (task TEXT)")
    raw.close()
    run_child(lambda: fill(place))
    killed, recorded = 0, set[str]()
    while killed < kills and wait_or_kill(fork_worker(place, name), chance.uniform(0.0, LONGEST)):
        killed += 1
        if killed % 3 == 0:
            completed = set(read_forked(place)["completed"])
            if recorded - completed:
                raise SystemExit(f"what was recorded is gone: {sorted(recorded - completed)}")
            recorded = completed
    if wait_or_kill(fork_worker(place, name), 60.0):
        raise SystemExit(f"the run does not end: {read_forked(place)}")
    state = read_forked(place)
    with sqlite3.connect(place / "shop.db") as raw:
        rows = [row[0] for row in raw.execute("SELECT task FROM effects ORDER BY task")]
        check = raw.execute("PRAGMA integrity_check").fetchone()[0]
    raw.close()
    lines = (place / "effects").read_text().splitlines()
    old = read_old(place)
    return {**state, "kills": killed, "old": old, "rows": rows, "lines": lines, "check": check}


def main(folder: str, name: str, kills: int, seed: int) -> None:
    """Run one after the other until there were so many kills; print what is left of each."""
    chance = random.Random(seed)
    rounds: list[dict[str, Any]] = []
    while (left := kills - sum(each["kills"] for each in rounds)) > 0:
        rounds.append(run_round(Path(folder) / f"{name}{len(rounds)}", name, left, chance))
    print(json.dumps(rounds))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
