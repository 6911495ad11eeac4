"""The work for a change is counted: it is the same in a small namespace and in a large one."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

import pytest

from heddle.runtime.assembly.expander import Expander
from heddle.runtime.assembly.scheme import Scheme
from heddle.runtime.changes.apply import plan_apply
from heddle.runtime.changes.plan import apply_plan, plan_delete, plan_steps
from heddle.runtime.changes.rollback import plan_rollback
from heddle.runtime.runtime import Runtime
from heddle.schemas.link import Link
from heddle.specs.model.index import ResourceIndex
from heddle.specs.model.names import named_id
from heddle.specs.model.spec import Binding, Spec
from heddle.specs.model.store import Put, Resource
from heddle.specs.model.value import Value
from heddle.specs.stores.contract_story import spec, value
from heddle.specs.stores.memory import MemoryStore
from tests.runtime.changing import everything, looked

SIZES = (20, 1200)


class Counting(MemoryStore):
    """A store that counts how many resources it gives."""

    def __init__(self, work: "Counter[str]") -> None:
        super().__init__()
        self.work = work

    async def specs(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Spec]:
        return self._counted(await super().specs(namespace, ids))

    async def values(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Value]:
        return self._counted(await super().values(namespace, ids))

    async def named(self, namespace: str, names: Collection[str]) -> Sequence[Resource]:
        return self._counted(await super().named(namespace, names))

    async def mentioning(self, namespace: str, words: Collection[str]) -> Sequence[Spec]:
        return self._counted(await super().mentioning(namespace, words))

    def _counted(self, found: Any) -> Any:
        self.work["read"] += len(found)
        return found


def leaf(text: str, **more: Any) -> Spec:
    """Return the Spec that is changed, bound to a Value."""
    env = {"V": Binding(name="v0")}
    return spec(
        "leaf",
        "snippet",
        env=env,
        fields={"language": "text", "code": f"{text} {{{{ V }}}}"},
        **more,
    )


def world(size: int) -> list[Resource]:
    """Chains of ten nodes, each node bound to a Value that nobody else is; one leads to the leaf."""
    many: list[Resource] = [leaf("first"), value("v0", 0)]
    for number in range(1, size):
        last = number % 10 == 0
        links = {} if last else {"out": (Link(name=f"n{number + 1}"),)}
        if number == 5:
            links = {"out": (Link(name="leaf"),)}
        fields = {"language": "text", "code": "{{ V }}"}
        env = {"V": Binding(name=f"v{number}")}
        many.append(spec(f"n{number}", "snippet", env=env, ports=links, fields=fields))
        many.append(value(f"v{number}", number))
    many.append(spec(f"n{size}"))
    return many


Change = Callable[[Counting], Awaitable[None]]


async def put(store: Counting) -> None:
    old = (await store.specs("default", [leaf("").id]))[0]
    await apply_plan(store, await plan_steps(store, [(old, leaf("put"))], everything()))


async def apply(store: Counting) -> None:
    await apply_plan(store, await plan_apply(store, [leaf("applied")], everything()))


async def link_elsewhere(store: Counting) -> None:
    links = {"out": (Link(name="n7"),)}
    planned = await plan_apply(store, [leaf("linked", ports=links)], everything())
    assert not planned.problems
    await apply_plan(store, planned)


async def create(store: Counting) -> None:
    planned = await plan_apply(
        store, [spec("new", ports={"out": (Link(name="leaf"),)})], everything()
    )
    await apply_plan(store, planned)


async def change_a_value(store: Counting) -> None:
    await apply_plan(store, await plan_apply(store, [value("v0", "other")], everything()))


async def delete(store: Counting) -> None:
    gone = await store.specs("default", [named_id("spec", "default", "n1")])
    planned = await plan_delete(store, gone, everything())
    assert not planned.problems
    await apply_plan(store, planned)


async def delete_what_is_needed(store: Counting) -> None:
    gone = await store.specs("default", [leaf("").id])
    assert (await plan_delete(store, gone, everything())).problems


async def roll_back(store: Counting) -> None:
    newest = await store.newest()
    await apply_plan(store, await plan_apply(store, [leaf("mistake")], everything()))
    await apply_plan(store, await plan_rollback(store, newest, everything()))


CHANGES: tuple[Change, ...] = (
    put,
    apply,
    link_elsewhere,
    create,
    change_a_value,
    delete,
    delete_what_is_needed,
    roll_back,
)


async def count(size: int, change: Change, monkeypatch: pytest.MonkeyPatch) -> "Counter[str]":
    """Return what a change takes in a namespace of that size: of the writer, and of a runtime that follows."""
    work: Counter[str] = Counter()
    store = Counting(work)
    await store.open()
    await store.apply([Put(resource=each) for each in world(size)])

    def count_calls(patch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def counted(self: Any, *args: Any, **more: Any) -> Any:
            work[name] += 1
            return original(self, *args, **more)

        patch.setattr(owner, name, counted)

    with monkeypatch.context() as patch:
        for owner, name in (
            (Scheme, "compile"),
            (Scheme, "check_unbound"),
            (ResourceIndex, "get"),
            (ResourceIndex, "put"),
            (Expander, "bind"),
        ):
            count_calls(patch, owner, name)
        async with Runtime(store=store, kinds=everything()) as rt:
            # The index of mentions is made once, when somebody writes for the first time.
            await store.mentioning("default", ["leaf"])
            work.clear()
            await change(store)
            await looked(rt, await store.newest())
        return work


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_the_work_for_a_change_is_that_of_a_small_namespace(
    change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = (asyncio.run(count(size, change, monkeypatch)) for size in SIZES)
    assert small["read"] > 0
    assert small == large
