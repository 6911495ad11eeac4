"""A runtime says in its store how it is: after every load, and every few seconds."""

import asyncio
from pathlib import Path

import pytest

from heddle.runtime.runtime import Runtime
from heddle.schemas import pieces
from heddle.schemas.errors import StoreError
from heddle.specs.model.report import Report
from heddle.specs.model.store import ChangeSet, Put
from heddle.specs.model.symbol_status import Condition
from heddle.specs.stores.folder.store import FolderStore
from heddle.specs.stores.memory import MemoryStore
from tests.runtime.changing import FLOW, do, looked, read, store_of, until
from tests.runtime.worlds import told
from tests.waiting import until as so

pytestmark = pytest.mark.anyio


async def test_a_report_comes_with_the_start_and_after_every_change() -> None:
    async with store_of(FLOW) as store, Runtime(store=store, interval=1000) as rt:
        first = await until(store, lambda report: report.observed == 1)
        assert (first.runtime, first.namespace, first.active) == (rt.id, "default", 3)
        assert first.runtime[14] == "7"
        assert first.pid
        assert first.host
        assert first.version
        await store.apply([Put(resource=each) for each in read("{kind: nop, name: x, a: 1}")])
        second = await until(store, lambda report: report.observed == 2)
        assert [each.name for each in second.symbols] == ["x"]
        await do(store, "{kind: nop, name: x}")
        third = await until(store, lambda report: report.observed == 3)
        assert (third.symbols, third.active) == ((), 4)


async def test_a_report_is_withdrawn_when_the_runtime_ends() -> None:
    async with store_of(FLOW) as store:
        rt = Runtime(store=store)
        async with rt:
            await until(store, lambda _: True)
        await store.open()
        assert list(await store.reports()) == []


async def test_a_runtime_that_does_not_follow_its_store_does_not_report() -> None:
    async with store_of(FLOW) as store, Runtime(store=store, watch=False) as rt:
        await rt.load(ChangeSet())
        assert list(await store.reports()) == []


async def test_a_report_is_renewed_where_nothing_happens() -> None:
    async with store_of(FLOW) as store, Runtime(store=store, interval=0.02):
        first = await until(store, lambda _: True)
        assert (await until(store, lambda report: report.seen > first.seen)).interval == 0.02


class Away(MemoryStore):
    """A memory store that keeps no Reports for a while."""

    away = True

    async def report(self, report: Report) -> None:
        if self.away:
            raise StoreError("the store is away")
        await super().report(report)


async def test_a_store_that_is_away_is_no_harm_and_told_once() -> None:
    store = Away(read(FLOW))
    async with Runtime(store=store, interval=0.01) as rt:
        await so(lambda: bool(told(rt, "report failed")))
        await do(store, "{kind: snippet, name: pong, language: text, code: hello}")
        await looked(rt, 2)
        assert await rt.send("start") == "hello"
        store.away = False
        await until(store, lambda report: report.observed == 2)
        assert len(told(rt, "report failed")) == 1


async def test_a_store_that_can_only_be_read_is_told_once() -> None:
    class ReadOnly(Away):
        """Says how often a Report was tried; what is in it can be read."""

        tries = 0

        async def report(self, report: Report) -> None:
            self.tries += 1
            await super().report(report)

    store = ReadOnly(read(FLOW))
    async with Runtime(store=store, interval=0.01) as rt:
        await so(lambda: store.tries > 3)
        assert len(told(rt, "report failed")) == 1


async def test_a_change_of_another_namespace_is_looked_at_without_a_sound() -> None:
    class Quiet(MemoryStore):
        """Tells nothing, as a store does of other namespaces."""

        def watch(self, namespace: str | None = None):  # type: ignore[no-untyped-def]
            return _nothing()

    store = Quiet(read(FLOW))
    async with Runtime(store=store, interval=0.01) as rt:
        await do(store, "{kind: nop, name: x, namespace: shop}")
        generation = rt.table.wiring.generation.number
        await until(store, lambda report: report.observed == 2)
        assert rt.table.wiring.generation.number == generation
        # What was missed in its own is found by itself.
        await do(store, "{kind: nop, name: mine}")
        await until(store, lambda report: report.observed == 3)
        assert rt.table.get("mine") is not None


async def _nothing():  # type: ignore[no-untyped-def]
    await asyncio.get_running_loop().create_future()
    yield ChangeSet()


async def test_a_store_that_cannot_be_followed_is_told_as_degraded() -> None:
    class Deaf(MemoryStore):
        deaf = True

        def watch(self, namespace: str | None = None):  # type: ignore[no-untyped-def]
            if self.deaf:
                raise StoreError("nobody answers")
            return super().watch(namespace)

    store = Deaf(read(FLOW))
    async with Runtime(store=store, interval=0.01) as rt:
        report = await until(
            store, lambda each: any(c.type == "Degraded" and c.status for c in each.conditions)
        )
        (degraded,) = (each for each in report.conditions if each.type == "Degraded")
        assert degraded.reason == "StoreNotFollowed"
        assert "nobody answers" in degraded.message
        assert await rt.send("start") == "pong"
        store.deaf = False
        await until(
            store, lambda each: not any(c.type == "Degraded" and c.status for c in each.conditions)
        )


async def test_nothing_counts_as_looked_at_while_something_is_missing() -> None:
    class Shaky(MemoryStore):
        broken = False

        async def specs(self, namespace=None, ids=None):  # type: ignore[no-untyped-def]
            if self.broken and ids is not None:
                raise StoreError("not now")
            return await super().specs(namespace, ids)

    store = Shaky(read(FLOW))
    async with Runtime(store=store, interval=1000) as rt:
        put = [Put(resource=each) for each in read("{kind: nop, name: x}")]
        store.broken = True
        await store.apply(put)
        await so(lambda: bool(told(rt, "load failed")))
        assert rt.observed == 1
        store.broken = False
        await looked(rt, 2)
        assert rt.table.get("x") is not None


def condition(rt: Runtime) -> Condition:
    """Return what the runtime says of whether it is as it should be."""
    (found,) = (each for each in rt.report().conditions if each.type == "Degraded")
    return found


async def test_folder_that_is_gone_is_told_as_degraded_until_it_is_back(tmp_path: Path) -> None:
    folder, away = tmp_path / "flows", tmp_path / "away"
    folder.mkdir()
    (folder / "flow.yaml").write_text(FLOW)
    async with Runtime(store=str(folder), interval=0.05) as rt:
        folder.rename(away)
        await so(lambda: condition(rt).reason == "Unreadable")
        found = condition(rt)
        assert "the folder cannot be read: it is gone" in found.message
        assert await rt.send("start") == "pong"
        assert not folder.exists()
        away.rename(folder)
        await so(lambda: not condition(rt).status)
        assert await rt.send("start") == "pong"


async def test_a_state_folder_that_cannot_be_written_is_told_and_hinders_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW)
    store = FolderStore(tmp_path, state="/proc/state")
    async with Runtime(store=store) as rt:
        found = condition(rt)
        assert (found.status, found.reason) == (True, "ReportsNotKept")
        assert "/proc/state" in found.message
        assert await rt.send("start") == "pong"


async def test_event_loop_goes_on_while_a_report_says_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a large change as many symbols drain as it replaced, and each has its conditions."""
    monkeypatch.setattr(pieces, "SLICE", 0.00005)
    text = "".join(
        f"- {{kind: pipe, name: n{number}, ports: {{out: {{name: no}}}}}}\n" for number in range(50)
    )
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    store = MemoryStore(read(text))
    ticking = asyncio.create_task(tick())
    try:
        async with Runtime(store=store, interval=1000) as rt:
            assert len(rt.report().symbols) == 50
            before = turns
            await rt._report_by_turns()
            assert turns - before >= 5
    finally:
        ticking.cancel()
