"""Of several runtimes one acts: it holds a lease, and another takes over when that ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from heddle.extensions import control, languages, net
from heddle.extensions.extension import node
from heddle.extensions.time.clock import SystemClock, TimerClock
from heddle.extensions.time.timer import timer
from heddle.runtime.assembly.extension import Registry
from heddle.runtime.runtime import Runtime
from heddle.specs.model.store import Put, Store
from heddle.specs.yaml.document import read_text
from tests.extensions.time.test_timer import HandClock
from tests.postgres import Line, server
from tests.specs.stores.postgres.databases import fresh, in_schema, opened, schema_of
from tests.support import degraded

pytestmark = pytest.mark.anyio

TTL = 1.0


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Return both loops."""
    return request.param


def a_timer(*lines: str) -> str:
    """Return a timer that leads to the node that sees its ticks."""
    more = "".join(f"  {line}\n" for line in lines)
    return f"- kind: timer\n  name: t\n{more}  ports: {{out: {{name: see, port: in}}}}\n- {{kind: see, name: see}}\n"


async def put(store: Store, text: str) -> None:
    """Apply what a text says."""
    reading = read_text(text, file="flow.yaml")
    await store.apply([Put(resource=one) for one in (*reading.specs, *reading.values)])


class Ticking:
    """One runtime, and the ticks that came in it."""

    def __init__(self, rt: Runtime) -> None:
        self.rt = rt
        self.times: list[float] = []
        self.ticks: list[Any] = []
        self._came = asyncio.Event()

    async def more(self, number: int = 1) -> None:
        """Wait for so many more ticks."""
        wanted = len(self.ticks) + number
        async with asyncio.timeout(30):
            while len(self.ticks) < wanted:
                self._came.clear()
                await self._came.wait()

    def see(self, payload: Any) -> Any:
        """Note a tick."""
        self.times.append(asyncio.get_running_loop().time())
        self.ticks.append(payload)
        self._came.set()
        return payload

    @property
    def lease(self) -> Any:
        """The lease as people see it."""
        symbol = self.rt.table.get("t")
        return symbol.node.snapshot()["lease"] if symbol is not None else None

    async def until_held(self) -> None:
        """Wait until it holds the lease."""
        async with asyncio.timeout(30):
            while not self.lease["held"]:  # noqa: ASYNC110 - what people see tells nobody
                await asyncio.sleep(0.01)


@asynccontextmanager
async def ticking(url: str, clock: TimerClock | None = None) -> AsyncIterator[Ticking]:
    """Provide a runtime of this store with a timer."""
    found = Registry()
    held: list[Ticking] = []
    see = node("see")(lambda payload: held[0].see(payload))
    kinds = timer(clock or SystemClock())
    for source in (control.register, languages.register, net.register, kinds, see):
        found.add(source)
    rt = Runtime(store=url, kinds=found, lease=TTL)
    held.append(Ticking(rt))
    async with rt:
        yield held[0]


async def test_of_two_runtimes_one_ticks_and_both_say_which() -> None:
    async with fresh() as url, AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(url))
        await put(store, a_timer("interval: 100ms"))
        first = await stack.enter_async_context(ticking(url))
        second = await stack.enter_async_context(ticking(url))
        await first.more(15)
        assert second.ticks == []
        assert (first.lease["held"], second.lease["held"]) == (True, False)
        assert first.lease["runtime"] == second.lease["runtime"] == first.rt.id
        assert degraded(second.rt, "t") == ""
        symbol = first.rt.table.get("t")
        assert symbol is not None
        assert (first.rt.report().leases, second.rt.report().leases) == ((symbol.id,), ())


async def test_a_runtime_that_ends_hands_over_at_once() -> None:
    async with fresh() as url, opened(url) as store:
        await put(store, a_timer("interval: 100ms"))
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(ticking(url))
            async with ticking(url) as second:
                await first.more(2)
                await first.rt.close()
                async with asyncio.timeout(TTL * 0.9):
                    await second.until_held()
                await second.more(2)
                assert second.times[0] > first.times[-1]


async def test_every_worker_ticks_if_it_is_told_to() -> None:
    async with fresh() as url, AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(url))
        await put(store, a_timer("interval: 100ms", "singleton: worker"))
        both = [await stack.enter_async_context(ticking(url)) for _ in range(2)]
        await asyncio.gather(*(one.more(2) for one in both))


async def test_on_one_machine_one_ticks_if_it_is_told_to() -> None:
    async with fresh() as url, AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(url))
        await put(store, a_timer("interval: 50ms", "singleton: machine"))
        first = await stack.enter_async_context(ticking(url))
        async with ticking(url) as second:
            await first.more(5)
            assert second.ticks == []
            await first.rt.close()
            await second.more(2)


async def test_a_holder_that_is_cut_off_acts_until_its_lease_ends() -> None:
    async with fresh() as url, AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(url))
        await put(store, a_timer("interval: 100ms"))
        line = Line(server())
        await line.mend()
        stack.push_async_callback(line.cut)
        through = in_schema(line.url, schema_of(url), wait=0.5)
        first = await stack.enter_async_context(ticking(through))
        second = await stack.enter_async_context(ticking(url))
        await first.more(2)
        before = len(first.ticks)
        lost = asyncio.ensure_future(first.rt.events.wait("lease lost"))
        await line.cut()
        await lost
        assert len(first.ticks) >= before + 3
        assert "lease lost: " in degraded(first.rt, "t")
        await second.more(3)
        assert second.times[0] > first.times[-1]
        assert second.times[0] < first.times[-1] + 2 * TTL + 1
        stopped = len(first.ticks)
        await line.mend()
        await second.more(5)
        assert len(first.ticks) == stopped
        async with asyncio.timeout(20):
            while degraded(first.rt, "t"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert first.lease["runtime"] == second.rt.id


async def test_a_timer_that_changes_keeps_its_lease() -> None:
    async with fresh() as url, AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(url))
        await put(store, a_timer("interval: 200ms"))
        first = await stack.enter_async_context(ticking(url))
        second = await stack.enter_async_context(ticking(url))
        for interval in (100, 150, 120, 80):
            await first.more()
            live = [one.rt.events.wait("generation live") for one in (first, second)]
            waiting = asyncio.gather(*live)
            await asyncio.sleep(0)
            await put(store, a_timer(f"interval: {interval}ms"))
            async with asyncio.timeout(20):
                await waiting
        await first.more(8)
        assert second.ticks == []
        assert not [one for one in first.rt.events.recent if one.event == "lease lost"]


async def test_rare_tick_is_never_made_twice_nor_lost_when_its_holder_goes() -> None:
    clock = HandClock()
    async with fresh() as url, AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(url))
        await put(store, a_timer('cron: "* * * * *"'))
        line = Line(server())
        await line.mend()
        stack.push_async_callback(line.cut)
        through = in_schema(line.url, schema_of(url), wait=0.5)
        first = await stack.enter_async_context(ticking(through, clock))
        second = await stack.enter_async_context(ticking(url, clock))
        coming = asyncio.ensure_future(first.more())
        await clock.run(60)
        await coming
        assert [tick["at"][11:19] for tick in first.ticks] == ["12:01:00"]
        # It is gone right after the tick, without a word.
        await line.cut()
        await second.until_held()
        assert second.ticks == []
        coming = asyncio.ensure_future(second.more())
        await clock.run(60)
        await coming
        assert [tick["at"][11:19] for tick in second.ticks] == ["12:02:00"]
        # What is due while nobody has the lease is made up for.
        await line.mend()
        async with asyncio.timeout(20):
            while first.lease["runtime"] != second.rt.id:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        async with ticking(url, clock) as third:
            release = second.rt.close()
            coming = asyncio.ensure_future(
                asyncio.wait(
                    [asyncio.ensure_future(one.more()) for one in (first, third)],
                    return_when=asyncio.FIRST_COMPLETED,
                )
            )
            clock._now += 60
            await release
            await coming
            ticks = (*first.ticks, *second.ticks, *third.ticks)
            made = sorted(tick["at"][11:19] for tick in ticks)
            assert made == ["12:01:00", "12:02:00", "12:03:00"]


async def test_a_message_for_a_connection_elsewhere_says_who_has_it() -> None:
    flow = "- {kind: websocket-client, name: t, url: 'ws://127.0.0.1:1/'}\n"
    async with fresh() as url, AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(url))
        await put(store, flow)
        first = await stack.enter_async_context(ticking(url))
        second = await stack.enter_async_context(ticking(url))
        answer = await second.rt.send("t", "hello")
        assert answer.code == "elsewhere"
        assert f"{first.lease['host']}:{first.lease['pid']} has the lease" in answer.message
        await first.rt.close()
        await second.until_held()
