"""A worker that writes to one SQLite file through the kind `sql` and through the RunStore, at once.

    python -m tests.extensions.tasks.run_stores.busy_worker FILE NAME COUNT

Each attempt of its run inserts one row into the table `effects`, in a transaction that records the end of
the attempt, too. Beside that, a chain of attempts without `sql` is recorded, and what is large.
"""

import asyncio
import sys
import time
from uuid import UUID

from heddle.extensions.tasks.run_stores.durable_journal import DurableJournal
from heddle.extensions.tasks.run_stores.kit import COMPLETED, commit, new_run
from heddle.extensions.tasks.run_stores.sqlite import SqliteRunStore
from heddle.runtime.flow.finish import finish, settle
from heddle.runtime.runtime import Runtime
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.yaml.document import read_text

FLOW = """\
- kind: sql
  name: effect
  source: 'FILE?_journal_mode=wal'
  statement: INSERT INTO effects (worker, place) VALUES (:worker, :place)
  wait: 60s
"""


async def run_effect(runtime: Runtime, journal: DurableJournal, name: str, place: int) -> None:
    """Run one attempt as the scheduler does: a Process of its own, a packet, the end."""
    task = f"effect{place}"
    journal.begin(task, 1)
    await commit(journal)
    process = runtime.start()
    journal.opened(process, task, 1)
    symbol = runtime.table.get("effect")
    assert symbol is not None
    entry = process.wiring.entry(symbol.id, "in")
    answer = await settle(process.run(entry, {"worker": name, "place": place}))
    journal.closing(process, task, 1, answer)
    answer = await finish(process, answer)
    assert answer == {"affected": 1, "id": answer["id"]}, answer
    journal.end(task, 1, COMPLETED, answer)
    await commit(journal)


async def run_chain(journal: DurableJournal, count: int) -> None:
    """Record a chain of attempts; each tenth output is large."""
    for place in range(count):
        journal.begin(f"plain{place}", 1)
        await commit(journal)
        await asyncio.sleep(0)
        output = "x" * 200_000 if place % 10 == 9 else place
        journal.end(f"plain{place}", 1, COMPLETED, output)
        await commit(journal)


async def main(file: str, name: str, count: int) -> UUID:
    """Run it all; print the id of the run."""
    store = SqliteRunStore(file)
    await store.open()
    reading = read_text(FLOW.replace("FILE", file), file="flow.yaml")
    assert not reading.problems, reading.problems
    async with Runtime(store=MemoryStore(reading.specs), watch=False) as runtime:
        run, _ = await store.begin(new_run(workflow=name), time.time())
        journal = DurableJournal(store, run)
        chain = asyncio.create_task(run_chain(journal, count))
        for place in range(count):
            await run_effect(runtime, journal, name, place)
        await chain
    await store.close()
    return run.id


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
