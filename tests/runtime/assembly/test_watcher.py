"""The Watcher hears which keys changed; a store that cannot be followed is tried again."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any
from uuid import UUID

import pytest

from heddle.runtime.assembly import watcher
from heddle.runtime.assembly.outcome import LoadResult
from heddle.runtime.assembly.watcher import Watcher, merge
from heddle.runtime.events.events import Events
from heddle.runtime.runtime import Runtime
from heddle.schemas.errors import StoreError
from heddle.schemas.problem import Problem
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import ChangeSet, Delete, Put
from heddle.specs.stores.memory import MemoryStore
from tests.runtime.worlds import World, registry_of, step, told
from tests.waiting import until

pytestmark = pytest.mark.anyio


class Shaky(MemoryStore):
    """A memory store whose watches can be broken off, and rejected for a while.

    It cannot tell what somebody missed.
    """

    missed: Any = None

    def __init__(self, *specs: Spec) -> None:
        super().__init__(specs)
        self.down = False
        self.cut = asyncio.Event()

    def watch(self, namespace: str | None = None) -> AsyncIterator[ChangeSet]:
        return self._watch(super().watch(namespace))

    async def _watch(self, inner: AsyncIterator[ChangeSet]) -> AsyncIterator[ChangeSet]:
        if self.down:
            raise StoreError("the database is not reachable")
        while True:
            step_ = asyncio.ensure_future(_next(inner))
            cut = asyncio.ensure_future(self.cut.wait())
            done, _ = await asyncio.wait([step_, cut], return_when=asyncio.FIRST_COMPLETED)
            cut.cancel()
            if step_ not in done:
                step_.cancel()
                raise StoreError("the connection was lost")
            changes = step_.result()
            if changes is None:
                return
            yield changes


class Remembering(Shaky):
    """As Shaky, but it can tell what somebody missed; how often everything was read is counted."""

    def __init__(self, *specs: Spec) -> None:
        super().__init__(*specs)
        self.whole = 0

    async def missed(self, since: int, namespace: str | None = None) -> Sequence[ChangeSet] | None:
        if self.down:
            raise StoreError("the database is not reachable")
        return await MemoryStore.missed(self, since, namespace)

    async def specs(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Spec]:
        self.whole += ids is None
        return await super().specs(namespace, ids)


async def _next(inner: AsyncIterator[ChangeSet]) -> ChangeSet | None:
    return await anext(inner, None)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "PAUSE", 0.01)


def runtime(store: MemoryStore, here: World | None = None, **options: Any) -> Runtime:
    return Runtime(store=store, kinds=registry_of((here or World()).kinds()), **options)


async def test_a_change_of_the_store_goes_live_by_itself() -> None:
    async with runtime(MemoryStore([step("a")])) as rt:
        live = asyncio.ensure_future(rt.events.wait("generation live", since=1))
        await rt.store.apply([Put(resource=step("a", add="2"))])
        assert (await asyncio.wait_for(live, 60)).reason == "changed a"
        assert await rt.send("a", "") == "2"


async def test_a_runtime_that_does_not_watch_changes_nothing_by_itself() -> None:
    async with runtime(MemoryStore([step("a")]), watch=False) as rt:
        await rt.store.apply([Put(resource=step("a", add="2"))])
        for _ in range(20):
            await asyncio.sleep(0)
        assert await rt.send("a", "") == "a"


async def test_change_sets_that_come_while_one_is_loaded_are_taken_together() -> None:
    here = World()
    async with runtime(MemoryStore([step("a")]), here) as rt:
        await rt.store.apply([Put(resource=step("slow", open="gate"))])
        await until(lambda: "slowslow: open" in here.log)
        for number in range(5):
            await rt.store.apply([Put(resource=step("a", add=str(number)))])
        await rt.store.apply([Put(resource=step("b"))])
        for _ in range(50):
            await asyncio.sleep(0)
        here.gate.set()
        await until(lambda: len(told(rt, "generation live")) == 3)
        assert told(rt, "generation live")[-1].reason == "changed a, b"
        assert here.compiled.count("a") == 2


async def test_among_those_one_mistake_does_not_hold_up_the_others() -> None:
    here = World()
    async with runtime(MemoryStore([step("a")]), here) as rt:
        await rt.store.apply([Put(resource=step("slow", open="gate"))])
        await until(lambda: "slowslow: open" in here.log)
        await rt.store.apply([Put(resource=step("x", refuse="no"))])
        await rt.store.apply([Put(resource=step("a", add="2"))])
        for _ in range(50):
            await asyncio.sleep(0)
        here.gate.set()
        await until(lambda: len(told(rt, "generation live")) == 3)
        assert await rt.send("a", "") == "2"
        assert len(told(rt, "change rejected")) == 1


async def test_watch_that_breaks_is_told_and_tried_again_and_nothing_is_missed() -> None:
    store = Shaky(step("a", "b"), step("b"), step("c"))
    async with runtime(store) as rt:
        store.down = True
        store.cut.set()
        failed = await asyncio.wait_for(rt.events.wait("watch failed"), 60)
        assert (failed.level, failed.reason) == ("error", "the connection was lost")
        await until(lambda: len(told(rt, "watch failed")) > 2)
        pauses = [one.data["again"] for one in told(rt, "watch failed")]
        assert pauses[:3] == [0.01, 0.02, 0.04]
        await store.apply([Put(resource=step("b", add="2")), Put(resource=step("d"))])
        await store.apply([Put(resource=step("wrong", refuse="no"))])
        await store.apply([Delete(type=Spec, id=step("c").id)])
        store.cut.clear()
        store.down = False
        await asyncio.wait_for(rt.events.wait("generation live", since=1), 60)
        assert await rt.send("a", "") == "a2"
        assert await rt.send("d", "") == "d"
        assert rt.table.get("c") is None
        assert [problem.path for problem in rt.status().problems] == ["wrong.refuse"]
        await until(lambda: bool(told(rt, "change rejected")))
        await store.apply([Put(resource=step("b", add="3"))])
        await asyncio.wait_for(rt.events.wait("generation live", since=2), 60)
        assert await rt.send("a", "") == "a3"


async def test_what_was_missed_and_is_not_fit_stays_as_it_was() -> None:
    store = Shaky(step("a", "b"), step("b"), step("c"))
    async with runtime(store) as rt:
        store.cut.set()
        await asyncio.wait_for(rt.events.wait("watch failed"), 60)
        await store.apply([Delete(type=Spec, id=step("b").id), Put(resource=step("c", add="2"))])
        store.cut.clear()
        await asyncio.wait_for(rt.events.wait("generation live", since=1), 60)
        assert await rt.send("a", "") == "ab"
        assert await rt.send("c", "") == "2"
        assert [problem.code for problem in rt.status().problems] == ["missing-link"]


async def test_store_that_remembers_tells_what_was_missed_and_nothing_else_is_read() -> None:
    store = Remembering(step("a"), step("b"))
    async with runtime(store) as rt:
        assert store.whole == 1
        store.down = True
        store.cut.set()
        await asyncio.wait_for(rt.events.wait("watch failed"), 5)
        await store.apply([Put(resource=step("a", add="2"))])
        await store.apply([Put(resource=step("wrong", refuse="no")), Put(resource=step("c"))])
        await store.apply([Put(resource=step("b", add="2"))])
        store.cut.clear()
        store.down = False
        await until(lambda: bool(told(rt, "change rejected")))
        await store.apply([Put(resource=step("last"))])
        await until(lambda: rt.table.get("last") is not None)
        assert [await rt.send(name, "") for name in "ab"] == ["2", "2"]
        assert [problem.path for problem in rt.status().problems] == ["wrong.refuse"]
        assert store.whole == 1


async def test_a_store_that_was_put_back_is_looked_at_as_a_whole() -> None:
    store = Remembering(step("a"), step("b"))
    async with runtime(store) as rt:
        await store.apply([Put(resource=step("a", add="2"))])
        await until(lambda: len(told(rt, "generation live")) == 2)
        store.down = True
        store.cut.set()
        await asyncio.wait_for(rt.events.wait("watch failed"), 5)
        store._revisions.pop()
        store._index.put(step("a", add="1"))
        store.cut.clear()
        store.down = False
        await until(lambda: len(told(rt, "generation live")) == 3)
        assert await rt.send("a", "") == "1"
        assert store.whole == 2


async def test_a_runtime_begins_though_its_store_cannot_be_followed_yet() -> None:
    store = Shaky(step("a"))
    store.down = True
    async with asyncio.timeout(60), runtime(store) as rt:
        assert await rt.send("a", "") == "a"
        await store.apply([Put(resource=step("a", add="2"))])
        store.down = False
        await rt.events.wait("generation live", since=1)
        assert await rt.send("a", "") == "2"


async def test_a_load_that_fails_is_told_and_the_next_one_goes_on() -> None:
    tries: list[ChangeSet] = []
    events, store = Events("default"), MemoryStore()

    async def load(changes: ChangeSet, *, trial: bool = False) -> LoadResult:
        del trial
        tries.append(changes)
        if len(tries) == 1:
            raise StoreError("unreadable")
        return LoadResult(generation=2)

    await store.open()
    following = Watcher(store, "default", load, events)
    await following.start()
    await store.apply([Put(resource=step("a"))])
    await asyncio.wait_for(events.wait("load failed"), 60)
    await store.apply([Put(resource=step("b"))])
    await until(lambda: len(tries) == 2)
    await following.stop()
    await store.close()
    assert events.recent[-1].reason == "unreadable"


async def test_what_is_being_loaded_is_finished_though_nobody_follows_any_more() -> None:
    let_go, done = asyncio.Event(), []
    store = MemoryStore()

    async def load(changes: ChangeSet, *, trial: bool = False) -> LoadResult:
        del changes, trial
        await let_go.wait()
        done.append(1)
        return LoadResult()

    await store.open()
    following = Watcher(store, "default", load, Events("default"))
    await following.start()
    await store.apply([Put(resource=step("a"))])
    for _ in range(5):
        await asyncio.sleep(0)
    await following.stop()
    let_go.set()
    await until(lambda: bool(done))
    await store.close()


async def test_a_store_that_closes_ends_the_watch_without_a_complaint() -> None:
    async with runtime(MemoryStore([step("a")])) as rt:
        await rt.store.close()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not told(rt, "watch failed")
        assert await rt.send("a", "") == "a"


def test_change_sets_merge_to_one_that_looks_wherever_one_does() -> None:
    problem = Problem(code="syntax", found="x")
    one, two = (step(name).id for name in "ab")
    merged = merge(
        [
            ChangeSet(specs=frozenset({one}), problems=(problem,), origin="a.yaml"),
            ChangeSet(specs=frozenset({one, two}), values=frozenset({two}), origin="a.yaml"),
            ChangeSet(problems=(problem,), origin="b.yaml"),
        ]
    )
    assert merged.specs == {one, two}
    assert merged.values == {two}
    assert merged.problems == (problem,)
    assert merged.origin == "a.yaml, b.yaml"
