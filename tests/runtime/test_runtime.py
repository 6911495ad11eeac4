"""The Runtime owns all of it: one namespace, from opening its store to closing its last node."""

import asyncio
from typing import Any

import pytest

from heddle.runtime.assembly.kind import node
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.finish import finish
from heddle.runtime.runtime import NoSymbolError, Runtime
from heddle.schemas.errors import StoreError
from heddle.specs.model.store import ChangeSet, Put
from heddle.specs.stores.memory import MemoryStore
from tests.runtime.worlds import World, linked, node_of, put, registry_of, remove, step, told, world
from tests.waiting import until

pytestmark = pytest.mark.anyio


def quiet(here: World, **options: Any) -> dict[str, Any]:
    return {"kinds": here.kinds(), "watch": False, **options}


# -- sending ---------------------------------------------------------------------------------------


async def test_a_packet_is_sent_and_answered() -> None:
    async with world([step("a", "b"), step("b")], **quiet(World())) as rt:
        assert await rt.send("a", ">") == ">ab"
        assert await rt.send(step("b").id, ">") == ">b"
        assert await rt.send("b", ">", port="in[0]") == ">b"
        assert not rt.processes


async def test_an_error_is_returned_and_not_raised() -> None:
    async with world([linked("boom", "x")], **quiet(World())) as rt:
        error = await rt.send("x")
        assert error == Error("boom")
        assert error.symbol == "x"


async def test_a_packet_has_so_much_time() -> None:
    async with world([step("a", waits=True)], **quiet(World())) as rt:
        error = await rt.send("a", "", timeout=0.01)
        assert error.code == "timeout"


async def test_whoever_gives_up_waiting_ends_the_process() -> None:
    async with world([step("a", waits=True)], **quiet(World())) as rt:
        sending = asyncio.ensure_future(rt.send("a", ""))
        await until(lambda: len(rt.processes) == 1)
        sending.cancel()
        await asyncio.wait([sending])
        assert not rt.processes


async def test_what_cannot_be_sent_to_says_why() -> None:
    async with world([step("a", "nobody"), step("b")], **quiet(World())) as rt:
        with pytest.raises(NoSymbolError, match='there is no symbol "x" in the namespace default'):
            await rt.send("x")
        with pytest.raises(NoSymbolError, match='"a" is not active: waits for "nobody"'):
            await rt.send("a")
        with pytest.raises(NoSymbolError, match='"b" has no in port "side"'):
            await rt.send("b", port="side")


async def test_processes_can_be_seen_while_they_run() -> None:
    here = World()
    async with world([step("a", waits=True)], **quiet(here)) as rt:
        sending = asyncio.ensure_future(rt.send("a", ""))
        await until(lambda: len(rt.processes) == 1)
        assert rt.processes[0].origin == "runtime"
        assert rt.status().processes == 1
        here.gate.set()
        assert await sending == "a"


async def test_a_kind_in_ten_lines_runs() -> None:
    @node("shout")
    async def shout(payload: str, *, times: int = 1) -> str:
        return payload.upper() + "!" * times

    specs = [linked("shout", "a", times=3)]
    async with Runtime(store=MemoryStore(specs), extensions=[shout], watch=False) as rt:
        assert await rt.send("a", "hey") == "HEY!!!"


# -- status ----------------------------------------------------------------------------------------


async def test_status_shows_every_symbol_by_name() -> None:
    specs = [step("b", "a"), step("a"), step("c", "nobody"), step("d", refuse="no")]
    async with world(specs, **quiet(World())) as rt:
        status = rt.status()
        assert (status.namespace, status.store, status.generation) == ("default", "memory://", 1)
        shown = [(one.name, one.kind, one.state, one.place) for one in status.symbols]
        assert shown == [
            ("a", "step", "active", "a.yaml:1:1"),
            ("b", "step", "active", "b.yaml:1:1"),
            ("c", "step", "waiting", "c.yaml:1:1"),
            ("d", "step", "rejected", "d.yaml:1:1"),
        ]
        assert [one.generation for one in status.symbols] == [1, 1, 0, 0]
        assert status.symbols[0].node == {"add": "a", "shown": ""}
        await put(rt, step("a", add="2"))
        assert [one.generation for one in rt.status().symbols] == [2, 1, 0, 0]


async def test_rings_that_wait_say_so() -> None:
    specs = [step("a", "b"), step("b", {"out": "a", "side": "nobody"}), step("x", "y")]
    async with world([*specs, step("y", "x")], **quiet(World())) as rt:
        states = {one.name: (one.state, one.reasons) for one in rt.status().symbols}
        assert states["a"] == (
            "waiting",
            (
                "part of a cycle that is not active (a → b → a)",
                '"b": waits for "nobody", linked at ports.side',
            ),
        )
        assert states["x"] == ("active", ())


# -- the end ---------------------------------------------------------------------------------------


async def test_closing_lets_what_is_in_flight_end_and_closes_every_node() -> None:
    here = World()
    store = MemoryStore([step("a", "b", waits=True), step("b")])
    rt = Runtime(store=store, kinds=registry_of(here.kinds()))
    async with rt:
        sending = asyncio.ensure_future(rt.send("a", ""))
        await until(lambda: len(rt.processes) == 1)
        closing = asyncio.ensure_future(rt.close())
        await until(lambda: "bb: pause" in here.log)
        assert "bb: close" not in here.log
        here.gate.set()
        assert await sending == "ab"
        await closing
    assert here.log[-2:] == ["aa: close", "bb: close"]
    with pytest.raises(StoreError, match="not open"):
        await store.specs()
    with pytest.raises(NoSymbolError):
        await rt.send("a", "")


async def test_closing_cuts_what_does_not_end_in_time() -> None:
    here = World()
    async with world([step("a", waits=True)], **quiet(here, drain=0.02)) as rt:
        sending = asyncio.ensure_future(rt.send("a", ""))
        await until(lambda: len(rt.processes) == 1)
        await rt.close()
        assert (await sending).code == "dropped"
        assert here.log[-1] == "aa: close"


async def test_closing_twice_closes_once_and_both_wait() -> None:
    here = World()
    async with world([step("a", waits=True)], **quiet(here)) as rt:
        sending = asyncio.ensure_future(rt.send("a", ""))
        await until(lambda: len(rt.processes) == 1)
        both = [asyncio.ensure_future(rt.close()) for _ in range(2)]
        await rt.wait_closed()
        await asyncio.sleep(0)
        assert not any(one.done() for one in both)
        here.gate.set()
        await asyncio.gather(*both)
        assert await sending == "a"
    assert here.log.count("aa: close") == 1


async def test_closing_goes_on_though_whoever_waits_gives_up() -> None:
    here = World()
    async with world([step("a", waits=True)], **quiet(here)) as rt:
        sending = asyncio.ensure_future(rt.send("a", ""))
        await until(lambda: len(rt.processes) == 1)
        closing = asyncio.ensure_future(rt.close())
        await until(lambda: "aa: pause" in here.log)
        closing.cancel()
        here.gate.set()
        await until(lambda: "aa: close" in here.log)
        assert await sending == "a"


async def test_a_change_that_is_being_loaded_is_finished_before_the_end() -> None:
    here = World()
    async with world([step("a")], **{**quiet(here), "watch": True}) as rt:
        await rt.store.apply([Put(resource=step("b", open="gate"))])
        await until(lambda: "bb: open" in here.log)
        closing = asyncio.ensure_future(rt.close())
        await asyncio.sleep(0.01)
        assert not closing.done()
        here.gate.set()
        await closing
    assert here.log.count("bb: close") == here.log.count("aa: close") == 1


async def test_a_closed_runtime_loads_nothing_more() -> None:
    here = World()
    async with world([step("a")], **quiet(here)) as rt:
        await rt.close()
        loaded = await rt.load(ChangeSet(specs=frozenset({step("a").id})))
        assert loaded.rejected
        assert loaded.reason == "the runtime is closed"
        assert len(rt.table) == 0


async def test_nothing_is_left_running_after_the_end() -> None:
    before = asyncio.all_tasks()
    async with world([step("a", "b"), step("b", "a")], World().kinds()) as rt:
        await put_twice(rt)
    for _ in range(3):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def put_twice(rt: Runtime) -> None:
    for add in "xy":
        live = asyncio.ensure_future(rt.events.wait("generation live"))
        await asyncio.sleep(0)
        await rt.store.apply([Put(resource=step("a", "b", add=add))])
        await asyncio.wait_for(live, 60)


# -- under load ------------------------------------------------------------------------------------


async def test_edits_under_load_lose_no_packet_and_show_no_mixture() -> None:
    here = World()
    specs = [step("a", "b", add="0"), step("b", "c", add="0"), step("c", add="0", waits=True)]
    here.gate.set()
    async with world(specs, **quiet(here)) as rt:
        nodes: dict[int, Any] = {}
        stop = False

        async def hammer() -> int:
            asked = 0
            while not stop:
                answer = await rt.send("a", "")
                assert len(answer) == 3
                assert len(set(answer)) == 1, answer
                asked += 1
                await asyncio.sleep(0)
            return asked

        clients = [asyncio.ensure_future(hammer()) for _ in range(5)]
        for number in range(1, 10):
            nodes[number] = node_of(rt, "c")
            mark = str(number % 10)
            await put(
                rt,
                step("a", "b", add=mark),
                step("b", "c", add=mark),
                step("c", add=mark, waits=True),
            )
            await asyncio.sleep(0.005)
        stop = True
        assert min(await asyncio.gather(*clients)) > 0
        await until(lambda: all(one.closed == 1 for one in nodes.values()))


async def test_a_long_process_and_its_children_stay_on_their_generation() -> None:
    here = World()
    async with world([step("a", waits=True)], **quiet(here)) as rt:
        process = rt.start()
        child = process.fork()
        await put(rt, step("a", waits=True, add="2"))
        old = child.wiring.entry(step("a").id, "in")
        waiting = asyncio.ensure_future(finish(child, child.run(old, "")))
        here.gate.set()
        assert await waiting == "a"
        assert await rt.send("a", "") == "2"
        process.end()


async def test_a_removed_symbol_is_gone_at_once_for_new_processes() -> None:
    async with world([step("a")], **quiet(World())) as rt:
        await remove(rt, step("a"))
        with pytest.raises(NoSymbolError):
            await rt.send("a", "")
        assert told(rt, "generation live")[-1].reason == "removed a"


# -- what cannot be opened -------------------------------------------------------------------------


async def test_a_store_that_cannot_be_reached_is_an_error() -> None:
    class Away(MemoryStore):
        async def open(self) -> None:
            raise StoreError("nobody answers at db.example:5432")

    with pytest.raises(StoreError, match="nobody answers"):
        async with Runtime(store=Away(), kinds=registry_of([])):
            pytest.fail("it began")


async def test_a_store_that_cannot_be_read_is_closed_again() -> None:
    class Torn(MemoryStore):
        closed = 0

        async def specs(self, *_: Any, **__: Any) -> Any:
            raise StoreError("unreadable")

        async def close(self) -> None:
            self.closed += 1
            await super().close()

    store = Torn()
    with pytest.raises(StoreError, match="unreadable"):
        async with Runtime(store=store, kinds=registry_of([])):
            pytest.fail("it began")
    assert store.closed == 1


async def test_a_change_that_the_store_cannot_read_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("heddle.runtime.assembly.watcher.PAUSE", 0.01)

    class Flaky(MemoryStore):
        broken = False

        async def specs(self, *args: Any, **named: Any) -> Any:
            if self.broken:
                raise StoreError("unreadable")
            return await super().specs(*args, **named)

    store = Flaky([step("a")])
    async with Runtime(store=store, kinds=registry_of(World().kinds())) as rt:
        store.broken = True
        await store.apply([Put(resource=step("a", add="2"))])
        await asyncio.wait_for(rt.events.wait("load failed"), 60)
        assert await rt.send("a", "") == "a"
        store.broken = False
        await asyncio.wait_for(rt.events.wait("generation live", since=1), 60)
        assert await rt.send("a", "") == "2"
