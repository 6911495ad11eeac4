"""Real processes share a store, and one of them ticks; whoever it is may be killed, or stopped for a while."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from heddle.specs.model.store import Put
from heddle.specs.stores.postgres.store import PostgresStore
from heddle.specs.yaml.document import read_text
from tests.cli.support import Started, ran, started
from tests.postgres import server
from tests.specs.stores.postgres.databases import dropped, url_in

# Every second, so that each tick has a name of its own.
FLOW = """\
- {kind: timer, name: tick, cron: '* * * * * *', ports: {out: {name: tell, port: in}}}
- {kind: log, name: tell, event: ticked, values: {due: self.at, missed: self.missed}}
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """Yield the address of a store in PostgreSQL with a timer in it."""
    url, schema = url_in(tmp_path)

    async def fill() -> None:
        one = PostgresStore(url)
        await one.open()
        await one.apply([Put(resource=each) for each in read_text(FLOW).specs])
        await one.close()

    asyncio.run(fill())
    yield url
    dropped(schema)


@contextmanager
def ticking(store: str, folder: Path, lease: float) -> Iterator[Started]:
    """Provide a `heddle start` of this store."""
    env = {"HEDDLE_LEASE": str(lease)}
    with started("--store", store, "--log-format", "json", cwd=folder, env=env) as one:
        one.until("runtime started")
        yield one


def due(one: Started) -> list[str]:
    """Return when the ticks were due that it has told so far, also those that nobody has waited for."""
    while not one._lines.empty():
        line = one._lines.get()
        if line is not None:
            one.told.append(json.loads(line))
    return [told["data"]["due"] for told in one.told if told["event"] == "ticked"]


def holders(store: str) -> list[int]:
    """Return the processes that hold the lease, by the table."""
    schema = store.partition("schema=")[2].partition("&")[0]
    with psycopg.connect(server(), autocommit=True) as raw:
        rows = raw.execute(f"SELECT pid FROM {schema}.leases WHERE runtime <> ''".encode())
        return [pid for (pid,) in rows.fetchall()]


@pytest.mark.parametrize("lease", [0.5, 2.0], ids=["rare", "frequent"])
def test_a_killed_holder_is_followed_by_another_and_no_tick_comes_twice(
    store: str, tmp_path: Path, lease: float
) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(ticking(store, tmp_path, lease))
        second = stack.enter_context(ticking(store, tmp_path, lease))
        for _ in range(2):
            first.until("ticked")
        assert holders(store) == [first.process.pid]
        shown = ran("status", "tick", "--store", store)
        assert f":{first.process.pid}" in shown.partition("acts in ")[2]
        first.process.kill()
        gone = time.monotonic()
        second.until("lease taken")
        # The lease, one look, and a busy machine.
        assert time.monotonic() - gone < lease + 5
        for _ in range(3):
            second.until("ticked")
        assert holders(store) == [second.process.pid]
        first.process.wait()
        every = due(first) + due(second)
        assert len(every) == len(set(every))
        assert second.stop() == 0
        assert holders(store) == []


def test_holder_that_was_stopped_does_not_tick_for_one_that_took_over(
    store: str, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(ticking(store, tmp_path, 1.0))
        second = stack.enter_context(ticking(store, tmp_path, 1.0))
        first.until("ticked")
        first.process.send_signal(signal.SIGSTOP)
        second.until("ticked")
        second.until("ticked")
        first.process.send_signal(signal.SIGCONT)
        first.until("lease lost")
        second.until("ticked")
        assert (first.stop(), second.stop()) == (0, 0)
        every = due(first) + due(second)
        assert len(every) == len(set(every))


def test_the_other_worker_ticks_when_the_first_is_killed(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW)
    with started("flow.yaml", "--workers", "2", "--log-format", "json", cwd=tmp_path) as one:
        one.until("all workers ready")
        one.until("ticked", lambda told: told["worker"] == 0)
        [path] = (tmp_path / ".heddle" / "leases").glob("*.lock")
        for _ in range(3):
            pid = json.loads(path.read_text())["holder"]["pid"]
            os.kill(pid, signal.SIGKILL)
            one.until("worker ended")
            # The other one takes over, or the new one, whoever looks first.
            one.until("ticked")
            assert json.loads(path.read_text())["holder"]["pid"] != pid
        assert one.stop() == 0
        every = due(one)
        assert len(every) == len(set(every))
