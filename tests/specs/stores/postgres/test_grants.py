"""Real roles of the database: each can do what it is for, and nothing else."""

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeAlias

import pytest

from heddle.runtime.runtime import Runtime
from heddle.schemas.errors import StoreError
from heddle.specs.model.report import Report
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Delete, Put
from heddle.specs.stores.contract_story import Watch, spec
from heddle.specs.stores.postgres.admin import grant
from heddle.specs.stores.postgres.store import PostgresStore
from tests.specs.stores.postgres.databases import fresh, opened, role

pytestmark = pytest.mark.anyio

Deed: TypeAlias = Callable[[PostgresStore], Awaitable[object]]


async def reads(store: PostgresStore) -> None:
    assert [each.name for each in await store.specs()] == ["one"]
    await store.values()
    assert len(await store.history()) == 1
    assert await store.missed(0) is not None
    await store.reports()


async def reports(store: PostgresStore) -> None:
    await store.report(Report(runtime="r", namespace="default", seen=time.time()))
    await store.withdraw("r")


async def writes(store: PostgresStore) -> None:
    two = spec("two")
    await store.apply([Put(resource=two)])
    await store.apply([Delete(type=Spec, id=two.id)])


CAN = {"reader": [reads], "runtime": [reads, reports], "writer": [reads, reports, writes]}


@pytest.mark.parametrize("sort", list(CAN))
async def test_a_role_can_do_what_it_is_for_and_nothing_else(sort: str) -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh())
        owner = await stack.enter_async_context(opened(url))
        await owner.apply([Put(resource=spec("one"))])
        theirs = await stack.enter_async_context(role(url))
        with pytest.raises(StoreError, match="does not let this role do it"):
            await PostgresStore(theirs.url).open()
        await grant(url, theirs.name, sort)
        store = await stack.enter_async_context(opened(theirs.url))
        for deed in (reads, reports, writes):
            if deed in CAN[sort]:
                await deed(store)
            else:
                with pytest.raises(StoreError, match="heddle store grant"):
                    await deed(store)


async def test_a_runtime_follows_a_store_as_a_role_that_cannot_change_it() -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh())
        owner = await stack.enter_async_context(opened(url))
        theirs = await stack.enter_async_context(role(url))
        await grant(url, theirs.name, "runtime")
        rt = await stack.enter_async_context(Runtime(store=theirs.url))
        watch = await Watch.begin(owner)
        one = spec("one", "snippet", fields={"language": "text", "code": "hello"})
        await owner.apply([Put(resource=one)])
        await watch.next()
        await watch.stop()
        # It may have been told before somebody waits for it.
        await rt.events.wait("generation live", since=0)
        assert await rt.send("one") == "hello"
