"""Owners of runs: leases, heartbeats, the fence, and code that is not there."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from heddle.extensions.extension import Error
from heddle.extensions.tasks.run_stores import run_delays, run_service
from heddle.extensions.tasks.run_stores.active_run import ActiveRun
from heddle.extensions.tasks.run_stores.contract import NewRun, RunStoreError
from heddle.extensions.tasks.run_stores.heartbeat import Heartbeat
from heddle.extensions.tasks.run_stores.runs import Runs, open_runs
from heddle.extensions.tasks.run_stores.sqlite import SqliteRunStore
from heddle.extensions.tasks.status import RunStatus
from heddle.runtime.runtime import Runtime
from heddle.specs.model.names import new_id
from tests.extensions.tasks import durable_tasks
from tests.extensions.tasks.test_durable import (
    REPORT,
    looking,
    node_of,
    running,
    story,
    until,
    until_status,
)
from tests.support import change, stored


def test_an_owner_that_lost_its_run_stops_and_writes_nothing(tmp_path: Path) -> None:
    """As `resume --take` does: the new owner goes on, the old one is fenced off."""

    async def work() -> None:
        durable_tasks.done.clear()
        durable_tasks.gates.clear()
        async with running(tmp_path) as first, running(tmp_path) as second:
            run = await node_of(first).durable.begin({"day": "monday"})
            assert isinstance(run, ActiveRun)
            await until(lambda: "slow" in durable_tasks.gates)
            assert await node_of(second).durable.resume(run.id) is None
            taken = await node_of(second).durable.resume(run.id, take=True)
            assert isinstance(taken, ActiveRun)
            await until(lambda: durable_tasks.done.count("slow") == 2)
            durable_tasks.gates["slow"].set()
            answer = await run.wait()
            assert type(answer) is Error
            assert answer.code == "fenced"
            assert await taken.wait() == "monday"
            # Whoever waited at the first owner gets the answer of the second.
            assert await node_of(first).durable.answer(run) == "monday"
            assert not [each for each in first.processes if each.origin == "report"]
        async with looking(tmp_path) as runs:
            view = await runs.show(run.id)
            assert [(each.task, each.number, each.status) for each in view.attempts] == [
                ("first", 1, "completed"),
                ("slow", 1, "lost"),
                ("slow", 2, "completed"),
                ("last", 1, "completed"),
            ]
            events = await runs.events(run.id)
            assert [each.seq for each in events] == list(range(1, len(events) + 1))

    story(work())


def test_a_run_whose_lease_is_over_is_taken_without_a_lock(tmp_path: Path) -> None:
    """As that of an owner on another machine, of which only the lease is known."""

    async def work() -> None:
        durable_tasks.done.clear()
        durable_tasks.gates.clear()
        async with running(tmp_path) as first:
            service = node_of(first).durable
            run = await service.begin({"day": "monday"})
            await until(lambda: "slow" in durable_tasks.gates)
            store = SqliteRunStore(tmp_path / "runs.sqlite")
            await store.open()
            now = time.time()
            assert await store.claimable("default", now) == []
            assert [each.id for each in await store.claimable("default", now + 31)] == [run.id]
            assert await store.claim(run.id, now) is None
            assert await store.claim(run.id, now + 31) is not None
            await store.close()
            durable_tasks.gates["slow"].set()

    story(work())


def test_a_heartbeat_goes_on_while_the_loop_is_held_for_a_moment() -> None:
    async def work() -> None:
        beats: list[float] = []
        heartbeat = Heartbeat(beats.append, 0.02, health=0.5)
        heartbeat.start()
        await until(lambda: len(beats) > 2)
        before = len(beats)
        time.sleep(0.2)  # noqa: ASYNC251 - a function that holds the loop
        assert len(beats) > before
        time.sleep(0.6)  # noqa: ASYNC251
        held = len(beats)
        time.sleep(0.1)  # noqa: ASYNC251
        assert len(beats) == held
        await until(lambda: len(beats) > held)
        heartbeat.stop()

    story(work())


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the looks of controllers for runs that are to go on, and their claims; they look often."""
    entries: list[str] = []
    claimable, claim = SqliteRunStore.claimable, SqliteRunStore.claim

    async def look(store: SqliteRunStore, *more: Any, **options: Any) -> Any:
        entries.append("look")
        return await claimable(store, *more, **options)

    async def take(store: SqliteRunStore, run: UUID, *more: Any, **options: Any) -> Any:
        entries.append(str(run))
        return await claim(store, run, *more, **options)

    monkeypatch.setattr(SqliteRunStore, "claimable", look)
    monkeypatch.setattr(SqliteRunStore, "claim", take)
    monkeypatch.setattr(run_service, "LOOK", 0.02)
    return entries


def test_a_run_without_its_code_is_left_alone_and_reported_once(
    tmp_path: Path, looks: list[str]
) -> None:
    async def work() -> None:
        durable_tasks.done.clear()
        durable_tasks.gates.clear()
        async with running(tmp_path) as runtime:
            run = await node_of(runtime).durable.begin({"day": "monday"})
            await until(lambda: "slow" in durable_tasks.gates)
        store = SqliteRunStore(tmp_path / "runs.sqlite")
        await store.open()
        raw = store._on_loop
        assert raw is not None
        raw.execute("""UPDATE runs SET code = '["no.such.module"]'""")
        await store.close()
        async with running(tmp_path) as runtime, looking(tmp_path) as runs:
            await until(lambda: any(e.event == "run left alone" for e in runtime.events.recent))
            before = len(looks)
            await until(lambda: len(looks) > before + 2)
            told = [each for each in runtime.events.recent if each.event == "run left alone"]
            assert len(told) == 1
            assert "no.such.module" in told[0].reason
            assert (await runs.get(run.id)).status is RunStatus.SUSPENDED

    story(work())


def test_two_runtimes_begin_and_end_each_run_once(tmp_path: Path) -> None:
    """What one runtime leaves, the other one takes; nothing runs twice."""

    async def work() -> None:
        durable_tasks.done.clear()
        durable_tasks.gates.clear()
        durable_tasks.gates["slow"] = asyncio.Event()
        async with running(tmp_path, REPORT), looking(tmp_path) as runs:
            async with running(tmp_path, REPORT) as leaving:
                run = await node_of(leaving).durable.begin({"day": "monday"})
                await until(lambda: durable_tasks.done.count("slow") == 1)
            await until(lambda: durable_tasks.done.count("slow") == 2)
            durable_tasks.gates["slow"].set()
            ended = await until_status(runs, RunStatus.COMPLETED)
            assert (ended.id, ended.output) == (run.id, "monday")
            assert durable_tasks.done == ["first", "slow", "slow", "last"]

    story(work())


def test_an_unreadable_run_keeps_no_other_run_from_going_on(tmp_path: Path) -> None:
    """What is recorded of one run is damaged: it is left alone, and the controller goes on."""

    async def work() -> None:
        durable_tasks.done.clear()
        durable_tasks.gates.clear()
        async with running(tmp_path) as runtime:
            bad = await node_of(runtime).durable.begin({"day": "bad"}, priority=9)
            good = await node_of(runtime).durable.begin({"day": "good"})
            await until(lambda: durable_tasks.done.count("slow") == 2)
        with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as raw:
            raw.execute("UPDATE attempts SET output = x'c1' WHERE run = ?", (str(bad.id),))
            raw.commit()
        durable_tasks.gates["slow"] = asyncio.Event()
        durable_tasks.gates["slow"].set()
        async with running(tmp_path) as runtime, looking(tmp_path) as runs:

            async def ended() -> bool:
                return (await runs.get(good.id)).status is RunStatus.COMPLETED

            await until(ended)
            left = [each for each in runtime.events.recent if each.event == "run left alone"]
            assert [each.data["run"] for each in left] == [str(bad.id)]
            assert "cannot be resumed" in left[0].reason
            # Nobody has it: another program, or a person, may go on with it.
            run = await runs.get(bad.id)
            assert run.status is RunStatus.SUSPENDED
            assert "cannot be resumed" in run.reason
            # The controller looks on: what becomes due later is begun, too.
            again = await node_of(runtime).durable.begin({"day": "later"})
            assert await node_of(runtime).durable.answer(again) == "later"

    story(work())


def test_a_run_taken_while_it_resumes_is_left_to_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        durable_tasks.done.clear()
        durable_tasks.gates.clear()
        async with running(tmp_path) as runtime:
            first = await node_of(runtime).durable.begin({"day": "first"}, priority=9)
            second = await node_of(runtime).durable.begin({"day": "second"})
            await until(lambda: durable_tasks.done.count("slow") == 2)
        durable_tasks.gates["slow"] = asyncio.Event()
        durable_tasks.gates["slow"].set()
        other = SqliteRunStore(tmp_path / "runs.sqlite")
        await other.open()
        claim = SqliteRunStore.claim

        async def claim_twice(store: SqliteRunStore, run: UUID, at: float, **more: Any) -> Any:
            """Claim a run; the other worker takes the first one before that is used."""
            claimed = await claim(store, run, at, **more)
            if run == first.id and store is not other:
                other_claim = await claim(other, run, at, take=True)
                assert other_claim is not None
                assert claimed is not None
                await other.request(run, "priority", at, payload=bytes(8))
                return msgspec.structs.replace(
                    claimed, requests=await other.requests(run), run=claimed.run
                )
            return claimed

        monkeypatch.setattr(SqliteRunStore, "claim", claim_twice)
        async with running(tmp_path) as runtime, looking(tmp_path) as runs:

            async def ended() -> bool:
                return (await runs.get(second.id)).status is RunStatus.COMPLETED

            await until(ended)
            assert (await runs.get(first.id)).owner == other.owner
            assert not [each for each in runtime.events.recent if "left alone" in each.event]
        await other.close()

    story(work())


STORED = """\
- {kind: run-store, name: main, url: 'URL', lease: 30s, losses: 3}
- kind: workflow
  name: plain
  durable: main
  inputs: {day: {type: string}}
  tasks:
    - {name: only, inputs: {day: in.day}, do: {kind: snippet, language: cel, code: self.day}}
"""


@asynccontextmanager
async def waiting_runs(path: Path, *priorities: int) -> AsyncIterator[tuple[Runs, list[UUID]]]:
    """Provide runs of `plain` that wait for a worker, begun by another program."""
    store = SqliteRunStore(path)
    await store.open()
    ids: list[UUID] = []
    for priority in priorities:
        run = NewRun(
            id=new_id(),
            namespace="default",
            workflow="plain",
            input={"day": "monday"},
            status=RunStatus.QUEUED,
            priority=priority,
        )
        record, _ = await store.begin(run, time.time())
        ids.append(record.id)
    async with open_runs(str(path)) as runs:
        yield runs, ids
    await store.close()


async def until_completed(runs: Runs, run: UUID) -> None:
    """Wait until this run is completed."""

    async def is_completed() -> bool:
        return (await runs.get(run)).status is RunStatus.COMPLETED

    await until(is_completed)


def test_a_run_that_the_store_fails_for_holds_up_no_other(
    tmp_path: Path, looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others go on in the same look; it is tried again, less and less often, and reported once."""
    claim = SqliteRunStore.claim

    async def fail_two(store: SqliteRunStore, run: UUID, *more: Any, **options: Any) -> Any:
        if run in bad:
            looks.append(str(run))
            raise RunStoreError(f"no page of {run}")
        return await claim(store, run, *more, **options)

    bad: list[UUID] = []
    monkeypatch.setattr(SqliteRunStore, "claim", fail_two)
    monkeypatch.setattr(run_delays, "FIRST", 0.02)

    async def work() -> None:
        path = tmp_path / "runs.sqlite"
        async with waiting_runs(path, 9, 9, 1, 1) as (runs, ids):
            bad.extend(ids[:2])
            looks.clear()
            async with Runtime(store=stored(STORED.replace("URL", str(path)))) as runtime:
                for run in ids[2:]:
                    await until_completed(runs, run)
                await until(lambda: looks.count("look") > 1)
                first = looks[: looks.index("look", 1)]
                assert {str(each) for each in ids} < set(first)
                await until(lambda: looks.count(str(bad[0])) >= 6)
                times = [place for place, each in enumerate(looks) if each == str(bad[0])]
                pauses = [looks[a:b].count("look") for a, b in pairwise(times)]
                assert pauses[-1] > pauses[0]
                delayed = [e.data["run"] for e in runtime.events.recent if e.event == "run delayed"]
                assert sorted(delayed) == sorted(str(each) for each in bad)

    story(work())


@pytest.mark.usefixtures("looks")
def test_runs_go_on_while_old_ones_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prune = SqliteRunStore.prune

    async def prune_later(store: SqliteRunStore, before: float, **more: Any) -> int:
        begun.set()
        await gate.wait()
        return await prune(store, before, **more)

    begun, gate = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr(SqliteRunStore, "prune", prune_later)

    async def work() -> None:
        path = tmp_path / "runs.sqlite"
        text = STORED.replace("URL", str(path)).replace("lease: 30s", "lease: 30s, keep: 1d")
        async with Runtime(store=stored(text)):
            await asyncio.wait_for(begun.wait(), 30)
            async with waiting_runs(path, 1) as (runs, ids):
                await until_completed(runs, ids[0])
            assert not gate.is_set()
            gate.set()

    story(work())


def test_an_edit_of_a_run_store_takes_effect_at_once(tmp_path: Path) -> None:
    async def work() -> None:
        text = STORED.replace("URL", str(tmp_path / "one.sqlite"))
        async with Runtime(store=stored(text)) as runtime:
            assert await runtime.send("plain", {"day": "monday"}) == "monday"
            service = await node_of(runtime, "plain").durable.serve()
            await change(runtime, text.replace("lease: 30s", "lease: 9s, sync: full, keep: 1d"))
            assert await node_of(runtime, "plain").durable.serve() is service
            assert service.store.lease == 9.0
            assert service.store._file.sync == "full"
            assert await runtime.send("plain", {"day": "tuesday"}) == "tuesday"
            # With another address it is another RunStore, for workflows that were not edited, too.
            await change(runtime, text.replace("one.sqlite", "two.sqlite"))
            assert await runtime.send("plain", {"day": "friday"}) == "friday"
        async with open_runs(str(tmp_path / "one.sqlite"), read_only=True) as runs:
            assert [each.output for each in await runs.list()] == ["tuesday", "monday"]
        async with open_runs(str(tmp_path / "two.sqlite"), read_only=True) as runs:
            assert [each.output for each in await runs.list()] == ["friday"]

    story(work())


def test_a_run_store_that_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    async def work() -> None:
        path = tmp_path / "runs.sqlite"
        path.write_text("not a database, but a text that is longer than a header " * 4)
        async with Runtime(store=stored(STORED.replace("URL", str(path)))) as runtime:
            node = node_of(runtime, "plain")
            for each in (runtime.table.get("main"), runtime.table.get("plain")):
                assert each is not None
                await until(each.node.degraded)
                reason = each.node.degraded()
                assert str(path) in reason
                assert "is not a SQLite database (expected: " in reason
            assert "run store failed" in [each.event for each in runtime.events.recent]
            path.unlink()
            await until(lambda: not node.degraded())
            assert await runtime.send("plain", {"day": "monday"}) == "monday"

    story(work())


def test_runs_of_a_named_run_store_go_on_after_a_restart(tmp_path: Path) -> None:
    """Nobody begins another run: the workflow finds its `run-store`, which comes in the same change."""

    async def work() -> None:
        path = tmp_path / "runs.sqlite"
        text = f"- {{kind: run-store, name: main, url: '{path}'}}\n" + REPORT.replace(
            "durable: true", "durable: main"
        )
        durable_tasks.gates.clear()
        async with Runtime(store=stored(text), drain=1.0) as runtime:
            run = await node_of(runtime).durable.begin({"day": "monday"})
            await until(lambda: "slow" in durable_tasks.gates)
        durable_tasks.gates["slow"].set()
        async with (
            Runtime(store=stored(text)) as runtime,
            open_runs(str(path), read_only=True) as runs,
        ):

            async def ended() -> bool:
                return (await runs.get(run.id)).status is RunStatus.COMPLETED

            await until(ended)
            assert "run store failed" not in [each.event for each in runtime.events.recent]

    story(work())
