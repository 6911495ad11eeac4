"""The Collector: no full collection while much is made, and what stays is set aside without a leak."""

import asyncio
import gc
from collections.abc import Iterator
from weakref import ref

import pytest

from heddle.schemas import collector
from heddle.schemas.collector import MUCH, NEVER, Collector
from tests.waiting import until

pytestmark = pytest.mark.anyio


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


async def test_in_a_process_of_others_there_is_no_moment_after() -> None:
    its, before = Collector(), gc.get_threshold()
    with its.hold():
        assert gc.get_threshold()[2] == NEVER
    assert gc.get_threshold() == before


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
