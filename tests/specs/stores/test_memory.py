"""The memory store keeps every promise of a Store."""

import asyncio
from pathlib import Path

from heddle.specs.model.store import Put, Store
from heddle.specs.stores.contract import StoreContract
from heddle.specs.stores.contract_story import Watch, spec
from heddle.specs.stores.indexed_contract import IndexedContract
from heddle.specs.stores.keyed_contract import KeyedContract
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.stores.recording_contract import (
    AcceptanceContract,
    ReportContract,
    ResumableContract,
    RevisionContract,
)


class TestMemoryStore(
    IndexedContract,
    StoreContract,
    RevisionContract,
    KeyedContract,
    ResumableContract,
    ReportContract,
    AcceptanceContract,
):
    kept = False

    def make(self, folder: Path) -> Store:
        del folder
        return MemoryStore()


def test_it_starts_with_what_it_is_given() -> None:
    async def story() -> None:
        store = MemoryStore([spec("one"), spec("two")])
        await store.open()
        assert [each.name for each in await store.specs()] == ["one", "two"]
        assert all(each.revision == 1 for each in await store.specs())

    asyncio.run(story())


def test_a_watcher_that_does_not_read_gets_everything_in_the_end() -> None:
    async def story() -> None:
        store = MemoryStore()
        await store.open()
        watch = await Watch.begin(store)
        names = [f"n{number}" for number in range(500)]
        for name in names:
            await store.apply([Put(resource=spec(name))])
        told = await watch.until(spec(name).id for name in names)
        assert len(told) < len(names)
        await watch.stop()

    asyncio.run(story())
