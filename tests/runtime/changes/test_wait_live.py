"""Waiting for a change set: live, waiting, rejected, behind, and nobody there."""

import asyncio
import time

import pytest

from heddle.runtime.changes.wait_live import WaitResult, wait_live
from heddle.runtime.runtime import Runtime
from heddle.specs.model.report import Report
from heddle.specs.model.store import Put
from tests.runtime.changing import FLOW, do, read, store_of, until

pytestmark = pytest.mark.anyio

HELLO = "{kind: snippet, name: pong, language: text, code: hello}"


async def test_a_change_is_live_in_every_runtime() -> None:
    async with store_of(FLOW) as store, Runtime(store=store) as one:
        await until(store, lambda _: True)
        await store.report(_other(observed=1))
        applied = await do(store, HELLO)
        told: list[WaitResult] = []
        waiting = asyncio.ensure_future(
            wait_live(
                store, "default", applied.revision, applied.ids("default"), on_change=told.append
            )
        )
        await until(store, lambda report: report.runtime == one.id and report.observed == 2)
        assert not waiting.done()
        await store.report(_other(observed=2))
        waited = await waiting
        assert [each.state for each in waited.arrivals] == ["live", "live"]
        assert not waited.behind
        assert not waited.rejected
        assert [each.state for each in told[-1].arrivals] == ["live", "live"]
        assert await one.send("start") == "hello"


def _other(observed: int) -> Report:
    return Report(runtime="other", namespace="default", observed=observed, seen=time.time())


async def test_a_rejection_is_told_with_its_reason() -> None:
    async with store_of(FLOW) as store, Runtime(store=store):
        await until(store, lambda _: True)
        (wrong,) = read("{kind: nop, name: other, colour: red}")
        await store.apply([Put(resource=wrong)])
        waited = await wait_live(store, "default", 2, {wrong.id}, timeout=20)
        assert waited.rejected
        (arrival,) = waited.arrivals
        (symbol,) = arrival.symbols
        assert (symbol.name, symbol.revision, symbol.observed) == ("other", 2, 1)


async def test_what_waits_for_its_target_is_neither_live_nor_rejected() -> None:
    async with store_of(FLOW) as store, Runtime(store=store):
        await until(store, lambda _: True)
        early = await do(store, "{kind: pipe, name: e, ports: {out: [{name: nobody, port: in}]}}")
        waited = await wait_live(store, "default", early.revision, early.ids("default"))
        assert [each.state for each in waited.arrivals] == ["waiting"]
        assert not waited.rejected


async def test_a_mistake_of_another_change_is_not_mine() -> None:
    async with store_of(FLOW) as store, Runtime(store=store):
        await store.apply([Put(resource=one) for one in read("{kind: nop, name: w, colour: red}")])
        applied = await do(store, HELLO)
        waited = await wait_live(store, "default", applied.revision, applied.ids("default"))
        assert [each.state for each in waited.arrivals] == ["live"]


async def test_where_nobody_follows_nobody_is_waited_for() -> None:
    async with store_of(FLOW) as store:
        assert (await wait_live(store, "default", 1, ())).arrivals == ()


async def test_who_does_not_come_is_behind_when_the_time_is_over() -> None:
    async with store_of(FLOW) as store:
        await store.report(_other(observed=0))
        waited = await wait_live(store, "default", 1, (), timeout=0.05)
        assert waited.behind
        assert [each.state for each in waited.arrivals] == ["behind"]


async def test_who_ends_meanwhile_is_waited_for_no_longer() -> None:
    async with store_of(FLOW) as store:
        await store.report(_other(observed=0))
        waiting = asyncio.ensure_future(wait_live(store, "default", 1, ()))
        await asyncio.sleep(0)
        await store.withdraw("other")
        assert (await waiting).arrivals == ()
