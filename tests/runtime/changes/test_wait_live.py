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


async def test_a_spec_with_several_problems_is_rejected_in_its_newest_revision() -> None:
    async with store_of(FLOW) as store, Runtime(store=store):
        await until(store, lambda _: True)
        (wrong,) = read("{kind: nop, name: other, ports: {oot: [{name: pong, port: inn}]}}")
        await store.apply([Put(resource=wrong)])
        waited = await wait_live(store, "default", 2, {wrong.id}, timeout=20)
        assert waited.rejected
        assert [(each.revision, each.observed) for each in waited.arrivals[0].symbols] == [(2, 1)]


WORD = "{kind: snippet, name: sum, language: cel, code: '{{ WORD }}', env: {WORD: {name: word}}}"
GROUP = """\
- {kind: step, name: sum, uses: add}
- kind: step
  name: add
  params: {}
  specs: [{kind: snippet, name: say, language: cel, code: '{{ WORD }}', env: {WORD: {name: word}}}]
"""


@pytest.mark.parametrize("made", [WORD, GROUP])
async def test_a_value_is_rejected_by_whoever_cannot_be_made_with_it(made: str) -> None:
    good, other = "{name: word, data: 1 + 1}", "{name: other, data: 1}"
    async with store_of(f"- {good}\n- {other}\n", made) as store, Runtime(store=store):
        await until(store, lambda _: True)
        for name, data, states in (
            ("word", "1 +", ["rejected"]),
            ("other", "2", ["live"]),
            ("word", "2 + 2", ["live"]),
        ):
            changed = read(f"{{name: {name}, data: {data}}}")
            await store.apply([Put(resource=each) for each in changed])
            revision, ids = await store.newest(), {each.id for each in changed}
            waited = await wait_live(store, "default", revision, ids, timeout=20)
            assert [each.state for each in waited.arrivals] == states
            symbols = [symbol for each in waited.arrivals for symbol in each.symbols]
            assert [symbol.rejected for symbol in symbols] == [False] * len(symbols)
            assert bool(symbols) is waited.rejected


async def test_a_value_that_a_start_cannot_use_is_rejected() -> None:
    async with store_of("{name: word, data: 1 +}") as store:
        await store.apply([Put(resource=each) for each in read(WORD)])
        async with Runtime(store=store):
            await until(store, lambda _: True)
            ids = {each.id for each in await store.values()}
            waited = await wait_live(store, "default", 1, ids, timeout=20)
            assert [each.state for each in waited.arrivals] == ["rejected"]
            assert [symbol.name for each in waited.arrivals for symbol in each.symbols] == ["sum"]


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
