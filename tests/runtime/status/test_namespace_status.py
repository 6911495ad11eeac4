"""How a namespace stands: what its store holds, beside what its runtimes say."""

import time

import pytest

from heddle.runtime.runtime import Runtime
from heddle.runtime.status.namespace_status import namespace_status
from heddle.specs.model.report import Report
from heddle.specs.model.store import Put
from tests.runtime.changing import FLOW, do, looked, read, store_of, until
from tests.waiting import until as so

pytestmark = pytest.mark.anyio


async def states(store: object, **options: object) -> dict[str, str]:
    found = await namespace_status(store, "default", **options)  # type: ignore[arg-type]
    return {each.label: each.state for each in found.symbols}


async def test_all_is_well_where_a_runtime_runs_what_the_store_holds() -> None:
    async with store_of(FLOW) as store, Runtime(store=store) as rt:
        await until(store, lambda _: True)
        found = await namespace_status(store, "default")
        assert (found.revision, found.followed, found.well) == (1, True, True)
        assert [each.runtime for each in found.runtimes] == [rt.id]
        assert await states(store) == dict.fromkeys(["start", "pong", "other"], "active")


async def test_no_runtime_follows_is_not_well() -> None:
    async with store_of(FLOW) as store:
        found = await namespace_status(store, "default")
        assert (found.followed, found.well) == (False, False)
        assert set((await states(store)).values()) == {"idle"}


async def test_each_that_is_not_well_says_how_and_why() -> None:
    async with store_of(FLOW) as store, Runtime(store=store, interval=1000) as rt:
        wrong = "- {kind: nop, name: other, colour: red}\n- {kind: nop, name: new, colour: red}\n"
        await store.apply([Put(resource=each) for each in read(wrong)])
        await do(store, "{kind: pipe, name: early, ports: {out: [{name: nobody, port: in}]}}")
        await until(store, lambda report: report.observed == 3)
        await do(store, "{kind: nop, name: late}")
        found = await namespace_status(store, "default")
        states = {each.label: each.state for each in found.symbols if each.label != "late"}
        assert states == {
            "start": "active",
            "pong": "active",
            "other": "degraded",
            "new": "rejected",
            "early": "waiting",
        }
        assert not found.well
        (other,) = (each for each in found.symbols if each.label == "other")
        assert (other.revision, other.runtimes[0].observed) == (2, 1)
        why = other.runtimes[0].why
        assert why is not None
        assert why.place == "flow.yaml:1:28"
        await looked(rt, 4)


async def test_the_worst_of_several_runtimes_counts() -> None:
    async with store_of(FLOW) as store, Runtime(store=store):
        await until(store, lambda _: True)
        slow = Report(runtime="slow", namespace="default", observed=0, seen=time.time())
        await store.report(slow)
        assert await states(store, names=["pong"]) == {"pong": "behind"}
        await store.report(
            Report(runtime="slow", namespace="default", observed=1, seen=time.time())
        )
        assert await states(store, names=["pong"]) == {"pong": "active"}


async def test_a_symbol_whose_deletion_was_rejected_is_still_told_of() -> None:
    async with store_of(FLOW) as store, Runtime(store=store):
        from heddle.specs.model.store import Delete

        (pong,) = (each for each in await store.specs() if each.name == "pong")
        await store.apply([Delete(type=type(pong), id=pong.id)])
        await until(store, lambda report: report.observed == 2)
        found = await namespace_status(store, "default", names=["pong"])
        (one,) = found.symbols
        assert (one.state, one.revision, one.runtimes[0].observed) == ("degraded", 0, 1)


async def test_what_is_well_again_is_told_no_more() -> None:
    async with store_of(FLOW) as store, Runtime(store=store) as rt:
        await store.apply([Put(resource=each) for each in read("{kind: nop, name: other, a: 1}")])
        await until(store, lambda report: bool(report.symbols))
        await do(store, "{kind: nop, name: other}")
        await so(lambda: not rt.report().symbols)
        await until(store, lambda report: not report.symbols and report.observed == 3)
        assert (await namespace_status(store, "default")).well
