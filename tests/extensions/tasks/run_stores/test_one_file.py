"""The kind `sql` and the RunStore share one SQLite file, in two processes at once."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path
from uuid import UUID

from heddle.extensions.tasks.run_stores.sqlite import SqliteRunStore

COUNT = 80
WORKER = "tests.extensions.tasks.run_stores.busy_worker"
ROOT = Path(__file__).parents[4]


def test_two_workers_under_load_leave_a_sound_file(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    with sqlite3.connect(file) as raw:
        raw.execute("CREATE TABLE effects (worker TEXT, place INTEGER)")
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", WORKER, str(file), name, str(COUNT)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    ended = [worker.communicate(timeout=300) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], ended
    runs = [UUID(out.strip()) for out, _ in ended]

    with sqlite3.connect(file) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        effects = raw.execute(
            "SELECT worker, count(*), count(DISTINCT place) FROM effects GROUP BY 1"
        )
        assert effects.fetchall() == [("one", COUNT, COUNT), ("two", COUNT, COUNT)]
        # In the database of an application, our tables are those that begin with `heddle_`.
        assert raw.execute("PRAGMA application_id").fetchone() == (0,)
    raw.close()
    asyncio.run(check_runs(file, runs))


async def check_runs(file: Path, runs: list[UUID]) -> None:
    """Check that everything is recorded, with numbers without gaps."""
    store = SqliteRunStore(file)
    await store.open()
    for run in runs:
        attempts = await store.attempts(run)
        assert len(attempts) == 2 * COUNT
        assert {each.status for each in attempts} == {"completed"}
        numbers = [each.seq for each in await store.transitions(run)]
        assert numbers == list(range(1, 4 * COUNT + 2))
    await store.close()
