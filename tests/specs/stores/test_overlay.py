"""A store seen through what is there anyway."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from heddle.schemas.errors import NotFoundError, StoreError
from heddle.specs.model.names import new_id
from heddle.specs.model.report import ReportStore
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Delete, Put, Store
from heddle.specs.stores.contract import StoreContract
from heddle.specs.stores.contract_story import spec, value
from heddle.specs.stores.indexed_contract import IndexedContract
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.stores.overlay import Overlay, overlay
from heddle.specs.stores.recording_contract import ReportContract

pytestmark = pytest.mark.anyio

SHIPPED = [
    spec("router", namespace="system", fields={"a": 1}),
    spec("limit", namespace="system"),
    value("rate", 5, namespace="system"),
]


class TestWithNothingBelow(IndexedContract, StoreContract):
    """Over nothing, it is the store."""

    kept = False

    def make(self, folder: Path) -> Store:
        """Return an Overlay of a memory store."""
        del folder
        return overlay(MemoryStore(), [])


class TestReporting(ReportContract):
    """Runtimes say in the store beneath how they are."""

    kept = False

    def make(self, folder: Path) -> Store:
        """Return an Overlay of a memory store."""
        del folder
        return overlay(MemoryStore(), [])


async def opened() -> Overlay:
    """Return an open Overlay of a memory store over what is shipped."""
    found = overlay(MemoryStore(), SHIPPED)
    await found.open()
    return found


def named(many: object) -> list[str]:
    """Return the names of specs, sorted."""
    assert isinstance(many, list | tuple)
    return sorted(str(each.name) for each in many)


async def test_what_the_store_does_not_say_is_shipped() -> None:
    store = await opened()
    assert named(await store.specs("system")) == ["limit", "router"]
    assert named(await store.specs()) == ["limit", "router"]
    assert named(await store.specs("default")) == []
    assert [each.data for each in await store.values("system")] == [5]
    [router] = await store.specs("system", [SHIPPED[0].id])
    assert router == SHIPPED[0]
    assert await store.specs("system", []) == []


async def test_what_the_store_says_stands_over_it_until_it_is_deleted() -> None:
    store = await opened()
    mine = spec("router", namespace="system", fields={"a": 2})
    await store.apply([Put(resource=mine, revision=0)])
    assert {each.name: dict(each.fields) for each in await store.specs("system")} == {
        "router": {"a": 2},
        "limit": {},
    }
    assert await store.specs(None, [mine.id]) == [mine]
    await store.apply([Delete(type=Spec, id=mine.id)])
    assert await store.specs("system", [mine.id]) == [SHIPPED[0]]


async def test_another_id_of_the_same_name_stands_over_it_too() -> None:
    store = await opened()
    mine = spec("router", namespace="system", id=new_id())
    await store.apply([Put(resource=mine)])
    assert named(await store.specs("system")) == ["limit", "router"]
    # By its own id it is not there any more: its name is taken.
    assert await store.specs("system", [SHIPPED[0].id]) == []
    assert await store.specs("system", [mine.id]) == [mine]
    renamed = msgspec.structs.replace(mine, name="mine")
    await store.apply([Put(resource=renamed)])
    assert named(await store.specs("system")) == ["limit", "mine", "router"]


async def test_a_value_stands_over_it_too() -> None:
    store = await opened()
    await store.apply([Put(resource=value("rate", 9, namespace="system"))])
    assert [each.data for each in await store.values("system")] == [9]
    assert [each.data for each in await store.values(None, [SHIPPED[2].id])] == [9]


async def test_what_is_shipped_cannot_be_deleted() -> None:
    store = await opened()
    with pytest.raises(NotFoundError):
        await store.apply([Delete(type=Spec, id=SHIPPED[0].id)])


async def test_a_change_tells_of_what_may_have_come_out_from_under_it() -> None:
    store = await opened()
    watching = store.watch("system")
    told = []
    mine = spec("router", namespace="system", id=new_id())
    first = asyncio.ensure_future(anext(watching))
    await asyncio.sleep(0)
    await store.apply([Put(resource=mine)])
    told.append(await asyncio.wait_for(first, 10))
    assert told[0].specs == {mine.id, SHIPPED[0].id, SHIPPED[1].id}
    assert told[0].values == frozenset()


async def test_what_somebody_else_owns_stays_open() -> None:
    beneath = MemoryStore()
    await beneath.open()
    borrowed = overlay(beneath, SHIPPED, owned=False)
    await borrowed.open()
    await borrowed.close()
    assert await beneath.specs() == []
    owned = overlay(beneath, SHIPPED)
    await owned.close()
    with pytest.raises(StoreError):
        await beneath.specs()


def test_it_reports_where_the_store_beneath_does() -> None:
    assert isinstance(overlay(MemoryStore(), []), ReportStore)
    assert not isinstance(Overlay(MemoryStore(), []), ReportStore)
