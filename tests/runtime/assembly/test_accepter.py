"""What a runtime accepted is in its store in the end, whatever changes or fails while it is written."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heddle.runtime.assembly.accepter import Accepter
from heddle.runtime.events.events import Events
from heddle.schemas.errors import StoreError
from heddle.specs.model.accepted import AcceptedKey, AcceptedResource
from heddle.specs.model.spec import Spec
from heddle.specs.model.value import Value
from heddle.specs.stores.contract_story import spec, value
from heddle.specs.stores.memory import MemoryStore
from tests.waiting import until

pytestmark = pytest.mark.anyio


class SlowStore(MemoryStore):
    """A memory store whose acceptance waits to be let on, and may fail before or after it is made."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = asyncio.Event()
        self.go = asyncio.Event()
        self.writes = 0
        self.fails = 0
        self.fails_after = 0

    async def accept(
        self,
        namespace: str,
        kept: Sequence[AcceptedResource],
        dropped: Collection[AcceptedKey] = (),
    ) -> None:
        """Keep these records once it is let on."""
        self.entered.set()
        await self.go.wait()
        if self.fails:
            self.fails -= 1
            raise StoreError("the store is away")
        await super().accept(namespace, kept, dropped)
        self.writes += 1
        if self.fails_after:
            self.fails_after -= 1
            raise StoreError("the store went away")


@asynccontextmanager
async def accepting() -> AsyncIterator[tuple[SlowStore, Accepter]]:
    """Provide an open store and an Accepter that writes into it."""
    store = SlowStore()
    await store.open()
    accepter = Accepter(store, "default", Events("default"))
    accepter.start()
    try:
        yield store, accepter
        store.go.set()
    finally:
        await accepter.stop()


async def held(store: SlowStore) -> set[tuple[str | None, int]]:
    """Return the names and revisions of what the store has as accepted."""
    state = await store.accepted("default")
    return {(item.resource.name, item.revision) for item in state.items}


def at(resource: Spec | Value, revision: int) -> Spec:
    """Return a Spec at a revision."""
    changed = msgspec.structs.replace(resource, revision=revision)
    assert isinstance(changed, Spec)
    return changed


async def test_what_changes_back_while_it_is_written_is_written_again() -> None:
    async with accepting() as (store, accepter):
        one = spec("one")
        store.go.set()
        accepter.note(at(one, 1), active=True, values={})
        await until(lambda: store.writes == 1)
        store.go.clear()
        store.entered.clear()
        accepter.note(at(one, 2), active=True, values={})
        await store.entered.wait()
        accepter.note(at(one, 1), active=True, values={})
        store.go.set()
        await until(lambda: store.writes > 1)
    assert await held(store) == {("one", 1)}


async def test_what_changes_back_after_a_failed_write_is_written_again() -> None:
    async with accepting() as (store, accepter):
        one = spec("one")
        store.go.set()
        accepter.note(at(one, 1), active=True, values={})
        await until(lambda: store.writes == 1)
        store.fails_after = 1
        accepter.note(at(one, 2), active=True, values={})
        await until(lambda: not store.fails_after)
        accepter.note(at(one, 1), active=True, values={})
    assert await held(store) == {("one", 1)}


async def test_the_value_of_a_held_spec_is_dropped_with_the_spec() -> None:
    """However often it was noted that the Spec serves as before."""
    async with accepting() as (store, accepter):
        store.go.set()
        one, data = spec("one"), value("data", 1)
        accepter.note(one, active=True, values={data.id: data})
        await until(lambda: store.writes == 1)
        for _ in range(3):
            accepter.hold(one.id, [data.id])
        accepter.forget(one.id)
    assert await held(store) == set()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("note"), st.integers(0, 2), st.integers(1, 3)),
        st.tuples(st.just("forget"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("fail"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("go"), st.integers(0, 3), st.just(0)),
    ),
    max_size=14,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_the_store_has_what_is_live_in_the_end(steps: list[tuple[str, int, int]]) -> None:
    asyncio.run(live_in_the_end(steps))


async def live_in_the_end(steps: list[tuple[str, int, int]]) -> None:
    """Note changes at any point of a write, which may fail, and compare what is left."""
    live: dict[str, int] = {}
    async with accepting() as (store, accepter):
        for action, which, revision in steps:
            name = f"s{which}"
            if action == "note":
                accepter.note(at(spec(name), revision), active=True, values={})
                live[name] = revision
            elif action == "forget":
                accepter.forget(spec(name).id)
                live.pop(name, None)
            elif action == "fail":
                store.fails, store.fails_after = which, 1 - which
            else:
                (store.go.clear if store.go.is_set() else store.go.set)()
                for _ in range(which):
                    await asyncio.sleep(0.0005)
        store.fails = store.fails_after = 0
    assert await held(store) == set(live.items())
