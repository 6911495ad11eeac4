"""A Host is what a node that begins things is given."""

from collections.abc import Awaitable
from typing import Any

import pytest

from heddle.runtime.assembly.codec import Kind
from heddle.runtime.flow.contracts import Host, Process
from heddle.runtime.flow.errors import Answer, Error, Payload
from heddle.runtime.flow.node import Node
from heddle.runtime.flow.source import Source
from heddle.runtime.runtime import Runtime
from tests.runtime.worlds import World, kind_of, linked, put, remove, step, told, world
from tests.waiting import until

pytestmark = pytest.mark.anyio

OPEN: dict[str, "Beginner"] = {}


class Beginner(Node):
    """Begins a process for whatever a story gives it."""

    def __init__(self) -> None:
        self.first: Answer = None
        self.closed = False

    async def open(self, host: Host) -> None:
        self.host = host
        self.source = Source(host)
        OPEN[host.label] = self
        self.first = await self.begin("first")

    async def close(self) -> None:
        self.closed = True

    async def begin(self, payload: Payload, parent: Process | None = None) -> Answer:
        return await self.source.run(payload, parent)


SOURCE: Kind[Any] = kind_of("source", Beginner, ins=())


async def test_a_node_may_send_as_soon_as_it_opens() -> None:
    async with world([linked("source", "s", "a"), step("a")], [*World().kinds(), SOURCE]):
        assert OPEN["s"].first == "firsta"
        assert OPEN["s"].host.namespace == "default"


async def test_each_process_begins_on_the_generation_of_its_moment() -> None:
    specs = [linked("source", "s", "a"), step("a")]
    async with world(specs, [*World().kinds(), SOURCE], watch=False) as rt:
        source = OPEN["s"]
        long = source.source.begin()
        await put(rt, step("a", add="2"))
        assert OPEN["s"] is source
        assert await source.begin("x") == "x2"
        assert long.send(source.host.id, "out", "x") == "xa"
        long.end()


async def test_a_conversation_outlives_a_reload_by_starting_children() -> None:
    specs = [linked("source", "s", "a"), step("a")]
    async with world(specs, [*World().kinds(), SOURCE], watch=False, drain=0.05) as rt:
        source, old = OPEN["s"], rt.table.get("a")
        session = source.source.begin()
        session.set("user", "ada")
        await put(rt, step("a", add="2"))
        child = source.source.begin(session)
        assert child.get("user") == "ada"
        assert child.send(source.host.id, "out", "x") == "x2"
        assert old is not rt.table.get("a")
        child.end()
        session.end()


async def test_a_node_that_was_retired_goes_on_where_it_was_last() -> None:
    specs = [linked("source", "s", "a"), step("a")]
    async with world(specs, [*World().kinds(), SOURCE], watch=False) as rt:
        source = OPEN["s"]
        held = source.source.begin()
        await remove(rt, linked("source", "s"))
        assert await source.begin("x") == "xa"
        assert not source.closed
        held.end()
        await until(lambda: source.closed)


async def test_it_knows_which_of_its_ports_lead_somewhere_even_when_watched() -> None:
    specs = [linked("source", "s", "a"), step("a")]
    async with world(specs, [*World().kinds(), SOURCE], watch=False) as rt:
        source = OPEN["s"].source
        for _ in range(2):
            assert source.linked()
            assert source.linked("out[0]")
            assert not source.linked("error")
            rt.agent.watch()


async def test_it_tells_events_of_its_symbol() -> None:
    async with world([linked("source", "s")], [SOURCE]) as rt:
        host = OPEN["s"].host
        host.emit("listening", url="http://localhost")
        host.emit("broke", level="warning", error=Error("no", code="x"), count=2)
        (listening,) = told(rt, "listening")
        assert (listening.symbol, listening.data) == ("s", {"url": "http://localhost"})
        (broke,) = told(rt, "broke")
        assert (broke.level, broke.reason, broke.data) == (
            "warning",
            "no",
            {"code": "x", "count": 2},
        )


async def test_a_process_that_a_host_began_is_seen_by_its_origin() -> None:
    async with world([linked("source", "s")], [SOURCE]) as rt:
        process = OPEN["s"].source.begin()
        assert [one.origin for one in origins(rt)] == ["s"]
        ended = process.end()
        assert not isinstance(ended, Awaitable)


def origins(rt: Runtime) -> list[Process]:
    return rt.processes
