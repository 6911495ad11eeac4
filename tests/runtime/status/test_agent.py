"""The Agent watches packets pass, and changes nothing by it."""

import asyncio
import logging
from typing import Any

import pytest

from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.finish import finish
from heddle.runtime.flow.step import RunStep
from heddle.runtime.runtime import Runtime
from heddle.runtime.status.agent import Frame
from tests.runtime.worlds import World, linked, put, step, world
from tests.waiting import until

pytestmark = pytest.mark.anyio


def quiet(here: World, **options: Any) -> dict[str, Any]:
    return {"kinds": here.kinds(), "watch": False, **options}


def shown(rt: Runtime, frames: Any) -> list[tuple[str, str, Any, Any]]:
    """Frames by name: where, what went in, what came back."""
    labels = {one.id: one.label for one in rt.table.all()}
    return [
        (
            f"{labels[one.symbol]}.{one.port}",
            "in" if one.inbound else "out",
            one.payload,
            one.answer,
        )
        for one in frames
    ]


async def test_frames_show_each_packet_and_its_answer() -> None:
    async with world([step("a", "b"), step("b")], **quiet(World())) as rt:
        watch = rt.agent.watch()
        assert await rt.send("a", "") == "ab"
        assert shown(rt, watch.frames) == [
            ("a.in", "in", "", "ab"),
            ("a.out", "out", "a", "ab"),
            ("b.in", "in", "a", "ab"),
            ("b.out", "out", "ab", "ab"),
        ]
        assert all(one.answered and one.ended >= one.began for one in watch.frames)


async def test_only_what_somebody_wants_to_see_is_noted() -> None:
    async with world([step("a", "b"), step("b")], **quiet(World())) as rt:
        one = rt.agent.watch([step("b").id])
        other = rt.agent.watch(ports=["out"])
        await rt.send("a", "")
        assert [place for place, *_ in shown(rt, one.frames)] == ["b.in", "b.out"]
        assert [place for place, *_ in shown(rt, other.frames)] == ["a.out", "b.out"]


async def test_without_a_watch_observation_costs_nothing_again() -> None:
    async with world([step("a", "b"), step("b")], **quiet(World())) as rt:
        plain = type(rt.table.wiring.entry(step("a").id, "in"))
        watch = rt.agent.watch()
        assert type(rt.table.wiring.entry(step("a").id, "in")) is not plain
        rt.agent.unwatch(watch)
        rt.agent.unwatch(watch)
        assert type(rt.table.wiring.entry(step("a").id, "in")) is plain is RunStep
        await rt.send("a", "")
        assert not watch.frames


async def test_only_so_many_frames_are_kept() -> None:
    async with world([step("a")], **quiet(World())) as rt:
        watch = rt.agent.watch(ports=["in"], keep=2)
        for number in range(4):
            await rt.send("a", str(number))
        assert [one.payload for one in watch.frames] == ["2", "3"]


async def test_a_watch_sees_the_generations_to_come() -> None:
    async with world([step("a")], **quiet(World())) as rt:
        watch = rt.agent.watch(ports=["in"])
        await put(rt, step("a", add="2"), step("new"))
        await rt.send("new", "x")
        assert shown(rt, watch.frames) == [("new.in", "in", "x", "xnew")]


async def test_a_watch_that_begins_while_a_change_is_made_sees_it() -> None:
    here = World()
    async with world([step("a")], **quiet(here)) as rt:
        changing = asyncio.ensure_future(put(rt, step("b", open="gate")))
        await until(lambda: "bb: open" in here.log)
        watch = rt.agent.watch(ports=["in"])
        here.gate.set()
        await changing
        await rt.send("b", "")
        assert len(watch.frames) == 1


async def test_it_is_told_of_a_packet_and_again_of_its_answer() -> None:
    seen: list[tuple[bool, Any]] = []

    def on_frame(frame: Frame) -> None:
        seen.append((frame.answered, frame.answer))

    here = World()
    async with world([step("a", waits=True)], **quiet(here)) as rt:
        rt.agent.watch(ports=["in"], on_frame=on_frame)
        sending = asyncio.ensure_future(rt.send("a", ""))
        await until(lambda: len(seen) == 1)
        here.gate.set()
        await sending
    assert [answered for answered, _ in seen] == [False, True]
    assert seen[-1][1] == "a"


async def test_who_looks_changes_nothing_even_where_looking_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def breaks(_: Frame) -> None:
        raise ValueError("no eyes")

    async with world([step("a", {"error": "e"}), step("e")], **quiet(World())) as rt:
        rt.agent.watch(on_frame=breaks)
        with caplog.at_level(logging.ERROR, logger="heddle"):
            assert await rt.send("a", "") == "a"
        assert "no eyes" in caplog.text


async def test_failures_are_seen_where_they_go() -> None:
    specs = [linked("router", "r", {"error": "e"}), linked("boom", "x"), step("e")]
    async with world(specs, **quiet(World())) as rt:
        watch = rt.agent.watch(ports=["error"])
        rt.agent.watch(ports=["in"])
        error = await rt.send("x")
        assert error == Error("boom")
        answer = await rt.send("r", [])
        assert answer.endswith("e")
        assert [one.port for one in watch.frames] == ["error", "error"]


async def test_a_packet_that_was_given_up_is_not_left_open() -> None:
    here = World()
    async with world([step("a", "b"), step("b", waits=True)], **quiet(here)) as rt:
        watch = rt.agent.watch(ports=["in"])
        process = rt.start()
        entry = process.wiring.entry(step("a").id, "in")
        sending = asyncio.ensure_future(finish(process, process.run(entry, "")))
        await until(lambda: len(watch.frames) == 2)
        process.cancel(Error("gone", code="cancelled"))
        await sending
        assert [one.answered for one in watch.frames] == [True, True]
        assert {one.answer.message for one in watch.frames} == {"gone"}


async def test_a_port_that_leads_nowhere_is_seen_and_still_leads_nowhere() -> None:
    async with world([step("a")], **quiet(World())) as rt:
        watch = rt.agent.watch(ports=["out"])
        process = rt.start()
        writer = process.writer(step("a").id, "out")
        assert not writer.linked
        assert await writer.send("x") == "x"
        assert process.send(step("a").id, "out[0]", "y") == "y"
        assert [(one.port, one.payload) for one in watch.frames] == [("out", "x"), ("out", "y")]
        process.end()
