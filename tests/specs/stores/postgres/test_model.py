"""Whatever is done to it, a store in PostgreSQL does what the memory store does."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heddle.schemas.errors import ConflictError, NotFoundError
from heddle.specs.model.revision import RevisionStore
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Change, Delete, Put, Resource, Store
from heddle.specs.model.value import Value
from heddle.specs.stores.contract_story import spec, value
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.stores.postgres.store import PostgresStore
from tests.specs.stores.postgres.databases import fresh

IDS = [UUID(int=number) for number in range(1, 5)]
NAMES = ["a", "b", "c", None]
# What a change says of the revision: nothing, that it is new, the one that is there, an older one.
SAYS = st.sampled_from(["nothing", "nothing", "new", "now", "stale"])

DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["spec", "value", "drop"]),
        st.sampled_from([Spec, Value]),
        st.sampled_from(IDS),
        st.sampled_from(NAMES),
        st.sampled_from(["default", "shop"]),
        st.integers(0, 2),
        SAYS,
    ),
    min_size=1,
    max_size=4,
)


async def resources(store: Store) -> dict[tuple[type[Any], UUID], Resource]:
    """Everything in it."""
    found: list[Resource] = [*await store.specs(), *await store.values()]
    return {(type(each), each.id): each for each in found}


async def changed(store: Store, deeds: Sequence[Any]) -> str:
    """Do these deeds as one change set; what became of it."""
    held = await resources(store)
    changes: list[Change] = []
    for what, sort, id_, name, namespace, number, says in deeds:
        kind = Spec if what == "spec" else Value if what == "value" else sort
        there = held.get((kind, id_))
        now = there.revision if there is not None else 0
        # Never 0, which means new: the stores count from different numbers.
        stale = now - 1 if now != 1 else now + 1
        revision = {"nothing": None, "new": 0, "now": now, "stale": stale}[says]
        more = {"id": id_, "namespace": namespace}
        if what == "spec":
            changes.append(
                Put(resource=spec(name, fields={"n": number}, **more), revision=revision)
            )
        elif what == "value":
            changes.append(Put(resource=value(name, {"n": number}, **more), revision=revision))
        else:
            changes.append(Delete(type=sort, id=id_, revision=revision))
    try:
        put = await store.apply(changes)
    except (ConflictError, NotFoundError) as error:
        return type(error).__name__
    return repr([(type(each), each.id, each.name) for each in put])


async def told(store: Store) -> list[Any]:
    """Return the log, without its numbers and times."""
    assert isinstance(store, RevisionStore)
    return [
        [(turn.before, turn.after) for turn in revision.turns]
        for revision in await store.history(limit=1000)
    ]


@pytest.fixture
def loop_and_url() -> Any:
    """Return an event loop that outlives the examples, and a store in it."""
    with asyncio.Runner() as runner:
        context = fresh()
        url = runner.run(context.__aenter__())
        stores = [PostgresStore(url), PostgresStore(url)]
        for store in stores:
            runner.run(store.open())
        yield runner, stores
        for store in stores:
            runner.run(store.close())
        runner.run(context.__aexit__(None, None, None))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.tuples(st.integers(0, 1), DEEDS), min_size=1, max_size=6))
def test_it_does_what_the_memory_store_does(
    loop_and_url: tuple[asyncio.Runner, list[PostgresStore]], sets: list[Any]
) -> None:
    runner, stores = loop_and_url

    async def story() -> None:
        model = MemoryStore()
        await model.open()
        there = [Delete(type=sort, id=id_) for sort, id_ in await resources(stores[0])]
        if there:
            await stores[0].apply(there)
        began = await stores[0].newest()
        for which, deeds in sets:
            assert await changed(stores[which], deeds) == await changed(model, deeds)
            assert await resources(stores[1 - which]) == await resources(model)
        ours = await told(stores[0])
        assert ours[: len(ours) - began] == await told(model)
        assert await stores[0].newest() - began == await model.newest()
        for namespace in ("default", "shop"):
            seen = {each.id for each in await stores[0].specs(namespace)}
            assert seen == {each.id for each in await model.specs(namespace)}

    runner.run(story())
