"""Rolling back makes a new revision that says what an older one said."""

import pytest

from heddle.runtime.changes.plan import apply_plan
from heddle.runtime.changes.rollback import between, plan_rollback
from heddle.schemas.errors import NotFoundError, StoreError
from heddle.specs.model.store import Put
from heddle.specs.stores.memory import MemoryStore
from tests.runtime.changing import FLOW, do, everything, read, said, store_of

pytestmark = pytest.mark.anyio

HELLO = "{kind: snippet, name: pong, language: text, code: hello}"
NEW = "{kind: nop, name: new}"


async def test_a_rollback_undoes_what_came_after_and_can_be_rolled_back() -> None:
    async with store_of(FLOW, HELLO, NEW) as store:
        await do(store, FLOW.replace("- {kind: nop, name: other}\n", ""), prune=True)
        applied = await apply_plan(store, await plan_rollback(store, 1, everything()))
        assert sorted(said(applied)) == [("created", "other")]
        assert await store.specs() == read(FLOW)
        again = await apply_plan(store, await plan_rollback(store, 3, everything()))
        assert sorted(said(again)) == [("created", "new"), ("updated", "pong")]
        assert applied.revision < again.revision == await store.newest()


async def test_revision_0_is_the_empty_store_and_newest_one_is_no_change() -> None:
    async with store_of(FLOW, HELLO) as store:
        assert not (await plan_rollback(store, 2, everything())).changed
        await apply_plan(store, await plan_rollback(store, 0, everything()))
        assert list(await store.specs()) == []


async def test_only_the_namespace_is_rolled_back() -> None:
    shop = "- {kind: nop, name: till, namespace: shop}\n"
    async with store_of(FLOW + shop) as store:
        await do(store, HELLO + "\n---\n{kind: pipe, name: till, namespace: shop}\n")
        planned = await plan_rollback(store, 1, everything(), namespace="default")
        assert said(planned) == [("updated", "pong")]
        whole = await plan_rollback(store, 1, everything())
        assert sorted(said(whole)) == [("updated", "pong"), ("updated", "till")]


async def test_a_past_that_cannot_run_is_rejected_with_its_revision() -> None:
    async with store_of(FLOW) as store:
        (old,) = read("{kind: nop, name: old, colour: red}")
        await store.apply([Put(resource=old)])
        await do(store, "{kind: nop, name: old}")
        planned = await plan_rollback(store, 2, everything())
        assert [problem.code for problem in planned.problems] == ["unknown-field"]
        assert (await apply_plan(store, planned)).revision == 0


async def test_a_revision_that_is_not_there_is_said() -> None:
    async with store_of(FLOW) as store:
        with pytest.raises(NotFoundError, match="there is no revision 7"):
            await plan_rollback(store, 7, everything())


async def test_what_tells_two_revisions_apart_goes_both_ways() -> None:
    async with store_of(FLOW, HELLO, NEW) as store:
        forth = await between(store, 1, 2)
        assert [(each.action, each.resource.label) for each in forth] == [("updated", "pong")]
        assert (forth[0].details[0].before, forth[0].details[0].after) == ("pong", "hello")
        back = await between(store, 3, 1)
        assert sorted((each.action, each.resource.label) for each in back) == [
            ("deleted", "new"),
            ("updated", "pong"),
        ]
        assert [each.resource.label for each in await between(store, 2, None)] == ["new"]
        assert await between(store, 2, 2) == []
        with pytest.raises(NotFoundError):
            await between(store, 1, 9)


async def test_a_store_that_keeps_no_revisions_says_so() -> None:
    class Forgetful(MemoryStore):
        history = None  # type: ignore[assignment]

    with pytest.raises(StoreError, match="keeps no revisions"):
        await plan_rollback(Forgetful(), 1, everything())
