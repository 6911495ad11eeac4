"""The Collector: no full collection while much is made, and what stays is set aside without a leak."""

import asyncio
import collections
import gc
from collections.abc import Iterator
from weakref import ref

import pytest

from heddle.schemas import collector
from heddle.schemas.collector import MORE, MUCH, NEVER, Collector
from tests.support import change, running
from tests.waiting import until

pytestmark = pytest.mark.anyio

LEAF = "- {kind: snippet, name: leaf, language: text, code: leaf %d}"


class Cyclic:
    """Refers to itself, as a node of others may."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Yield the collector of this process as it was, whatever becomes of it."""
    before = gc.get_threshold()
    monkeypatch.setattr(collector, "CALM", 0.01)
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


async def test_no_full_collection_while_much_is_made_and_a_moment_after() -> None:
    its, before = Collector(), gc.get_threshold()
    its.take_over(0)
    with its.hold():
        with its.hold():
            pass
        assert gc.get_threshold()[2] == NEVER
    assert gc.get_threshold()[2] == NEVER
    await until(lambda: gc.get_threshold() == before)


async def test_collector_of_a_process_of_others_stays_as_it_is() -> None:
    its, before = Collector(), gc.get_threshold()
    thing = Cyclic()
    with its.hold():
        assert gc.get_threshold() == before
        its.watch(thing)
        its.note_much(MUCH, MUCH)
    its.note_work()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


async def test_thresholds_that_somebody_else_sets_meanwhile_stay() -> None:
    its, before = Collector(), gc.get_threshold()
    its.take_over(0)
    with its.hold():
        gc.set_threshold(before[0] + 1, before[1], before[2])
    await until(lambda: its._before is None)
    assert gc.get_threshold() == (before[0] + 1, before[1], before[2])


async def test_a_replaced_cyclic_object_is_freed_though_set_aside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collector, "FREED", 0.02)
    its = Collector()
    thing, kept = Cyclic(), Cyclic()
    thing_ref, kept_ref = ref(thing), ref(kept)
    its.take_over(0)
    for each in (thing, kept):
        its.watch(each)
    del thing, each
    gc.collect()
    assert thing_ref() is not None, "a collection does not look at what was set aside"
    await until(lambda: thing_ref() is None)
    assert gc.get_freeze_count() > 0, "the rest is set aside again"
    assert kept_ref() is kept
    del kept
    await until(lambda: kept_ref() is None)


async def test_nothing_is_looked_at_for_what_was_replaced_just_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may have requests in flight: changes that follow on changes cost no collection."""
    monkeypatch.setattr(collector, "FREED", 0.05)
    its = Collector()
    looks: list[int] = []
    monkeypatch.setattr(its, "_look_at_everything", lambda: looks.append(1))
    its.take_over(0)
    first = Cyclic()
    its.watch(first)
    monkeypatch.setattr(collector, "FREED", 60.0)
    await until(lambda: its._look is None or its._pause == 60.0)
    assert not looks
    assert its._look is not None, "it is looked at again, in time"


async def test_list_of_replaced_things_stays_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "ROOM", 10)
    its = Collector()
    its._room = 10
    its.take_over(0)
    for _ in range(1000):
        its.watch(collections.deque())
    assert len(its._replaced) <= 10


async def test_replaced_node_of_an_extension_that_refers_to_itself_is_freed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A host, and with it a whole generation, may hang on such a node."""
    monkeypatch.setattr(collector, "FREED", 0.05)
    its = Collector()
    monkeypatch.setattr("heddle.runtime.assembly.loader.COLLECTOR", its)
    async with running(LEAF % 0, drain=0.1) as rt:
        symbol = rt.table.get("leaf")
        assert symbol is not None
        node, wiring = ref(symbol.node), ref(rt.table.wiring)
        vars(symbol.node)["itself"] = [symbol.node, rt.table.wiring]
        del symbol
        its.take_over(1)
        await change(rt, LEAF % 1)
        await until(lambda: node() is None and wiring() is None)


async def test_work_without_end_does_not_put_collections_off_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Waiting for a collection must end."""
    monkeypatch.setattr(collector, "CALM", 60.0)
    monkeypatch.setattr(collector, "LONGEST", 0.05)
    its, before = Collector(), gc.get_threshold()
    its.take_over(0)
    async with asyncio.timeout(5):
        its.note_work()
        while gc.get_threshold() != before:
            await asyncio.sleep(0)
            if gc.get_threshold() != before:
                its.note_work()


async def test_what_is_much_is_set_aside_in_a_process_of_ours_alone() -> None:
    its = Collector()
    its.note_much(MUCH, MUCH)
    await asyncio.sleep(0)
    assert gc.get_freeze_count() == 0

    its.take_over(0)
    count = gc.get_freeze_count()
    kept = [[number] for number in range(1000)]
    its.note_much(MUCH, MUCH)
    await until(lambda: gc.get_freeze_count() > count + len(kept) // 2)


async def test_what_is_little_is_not_set_aside() -> None:
    its = Collector()
    its.take_over(0)
    count = gc.get_freeze_count()
    kept = [[number] for number in range(1000)]
    its.note_much(MUCH - 1, MUCH)
    its.note_work()
    await until(lambda: gc.get_threshold()[2] != NEVER)
    assert gc.get_freeze_count() < count + len(kept)


async def test_cycles_that_were_set_aside_are_freed_once_they_are_many() -> None:
    its = Collector()
    its.take_over(MUCH)
    closed: list[ref[Cyclic]] = []
    for _ in range(60):
        things = [Cyclic() for _ in range(20 * MUCH)]
        closed.append(ref(things[0]))
        its.note_much(MUCH, MUCH)
        await until(lambda: gc.get_threshold()[2] != NEVER)
        del things
        if closed[0]() is None:
            break
    assert closed[0]() is None
    assert gc.get_freeze_count() > 0, "the rest is set aside again"


async def test_large_change_counts_with_what_it_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects that came with it are not more than there should be: nothing is looked at in vain."""
    its = Collector()
    monkeypatch.setattr("heddle.runtime.assembly.loader.COLLECTOR", its)
    looks: list[int] = []
    monkeypatch.setattr(its, "_look_at_everything", lambda: looks.append(1))
    text = "".join(f"- {{kind: nop, name: n{number}}}\n" for number in range(MUCH))
    async with running("- {kind: nop, name: first}", drain=0.1) as rt:
        gc.collect()
        its.take_over(1)
        # A little too few, whatever other tests have left in this process.
        its._usual = int(gc.get_freeze_count() / MORE) - MUCH
        await change(rt, "- {kind: nop, name: first}\n" + text)
        await until(lambda: its._before is None and its._most > 1)
        assert its._most == len(rt.table) == MUCH + 1
        assert not looks


def test_loop_that_ended_leaves_nothing_undone_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A program may run one loop after the other; what the first was to do later, the next one does."""
    monkeypatch.setattr(collector, "CALM", 0.01)
    monkeypatch.setattr(collector, "FREED", 0.02)
    its, before = Collector(), gc.get_threshold()
    its.take_over(0)
    left: list[ref[Cyclic]] = []

    async def work() -> None:
        with its.hold():
            thing = Cyclic()
            left.append(ref(thing))
            its.watch(thing)

    async def go_on() -> None:
        await work()
        await until(lambda: gc.get_threshold() == before)
        await until(lambda: all(each() is None for each in left))

    for loops in (asyncio.new_event_loop, new_uvloop):
        loop = loops()
        loop.run_until_complete(work())
        loop.close()
    asyncio.run(go_on())


def new_uvloop() -> asyncio.AbstractEventLoop:
    """Return a loop of the other kind."""
    uvloop = pytest.importorskip("uvloop")
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
