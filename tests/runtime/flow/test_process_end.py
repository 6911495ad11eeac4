"""A Process is cancelled, or ends by its deadline, and everything that waits in it is answered."""

import asyncio
from typing import Any

import pytest

from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.errors import Answer, Error, Payload
from heddle.runtime.flow.finish import finish, settle
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.machine import PendingAnswer
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.wiring import Wiring
from tests.runtime.flow.process_support import for_ever, process, slowly
from tests.runtime.nodes import act, add, ask, later, visit, wire

pytestmark = pytest.mark.anyio

# -- cancel and deadline ---------------------------------------------------------------------------


async def test_the_answer_of_a_cancelled_process_is_the_reason() -> None:
    flow = wire(
        {"a": add("1"), "b": visit_through(), "c": act(for_ever)}, {"a.out": "b", "b.out": "c"}
    )
    one, reason = LiveProcess(flow), Error("the client went away", code="cancelled")
    waiting = asyncio.ensure_future(finish(one, one.run(flow.entry("a", "in"), "x")))
    await asyncio.sleep(0)
    one.cancel(reason)
    assert await waiting is reason
    assert one.error is reason


async def test_cancelled_before_it_was_awaited_the_answer_is_the_reason_too() -> None:
    flow = wire({"a": visit_through(), "b": act(for_ever)}, {"a.out": "b"})
    one, reason = LiveProcess(flow), Error("too late", code="cancelled")
    pending = one.run(flow.entry("a", "in"), "x")
    one.cancel(reason)
    assert await finish(one, pending) is reason


async def test_a_second_cancel_changes_nothing() -> None:
    one, first = process(), Error("first", code="cancelled")
    one.cancel(first)
    one.cancel(Error("second", code="cancelled"))
    assert one.reason is first
    assert one.end() is first


async def test_a_deadline_answers_with_timeout() -> None:
    one = wire({"a": act(for_ever)})
    error = await ask(one, deadline=0.01)
    assert isinstance(error, Error)
    assert error.code == "timeout"


async def test_a_deadline_that_has_passed_stops_the_first_thing_that_waits() -> None:
    error = await ask(wire({"a": act(for_ever)}), deadline=-1)
    assert isinstance(error, Error)
    assert error.code == "timeout"


async def test_a_deadline_can_be_moved_and_lifted() -> None:
    flow = wire({"a": act(slowly)})
    one = LiveProcess(flow)
    loop = asyncio.get_running_loop()
    one.deadline = loop.time() + 0.005
    waiting = asyncio.ensure_future(finish(one, one.run(flow.entry("a", "in"), "x")))
    await asyncio.sleep(0)
    one.deadline = None
    assert one.deadline is None
    assert await waiting == "x"


async def test_a_plain_flow_does_not_mind_its_deadline() -> None:
    assert await ask(wire({"a": add("!")}), deadline=-1) == "x!"


async def test_what_is_cleaned_up_may_wait() -> None:
    cleaned = []

    async def holds(_: Payload) -> Answer:
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            cleaned.append("held")

    flow = wire({"a": visit_through(), "b": act(holds)}, {"a.out": "b"})
    error = await ask(flow, deadline=0.01)
    assert isinstance(error, Error)
    assert (error.code, cleaned) == ("timeout", ["held"])


async def test_cancelling_reaches_a_node_that_awaits_a_packet_of_its_own() -> None:
    async def asks(payload: Payload, one: Process) -> Payload:
        first = await settle(one.send("a", "side", payload))
        await asyncio.get_running_loop().create_future()
        return first

    flow = wire({"a": act(asks, process=True), "b": act(later)}, {"a.side": "b"})
    error = await asyncio.wait_for(ask(flow, deadline=0.05), 60)
    assert isinstance(error, Error)
    assert error.code == "timeout"


async def test_a_node_does_not_go_on_with_the_reason_for_an_answer() -> None:
    went_on = []

    async def asks(payload: Payload, one: Process) -> Payload:
        went_on.append(await settle(one.send("a", "side", payload)))
        return payload

    flow = wire({"a": act(asks, process=True), "b": act(for_ever)}, {"a.side": "b"})
    error = await asyncio.wait_for(ask(flow, deadline=0.01), 60)
    assert isinstance(error, Error)
    assert (error.code, went_on) == ("timeout", [])


async def test_an_exception_never_ends_another_process() -> None:
    async def breaks(payload: Payload) -> Payload:
        await asyncio.sleep(0)
        if payload == "bad":
            raise SystemExit(1)
        await asyncio.sleep(0)
        return payload

    flow = wire({"a": act(breaks)})
    bad, good = await asyncio.gather(ask_of(flow, "bad"), ask_of(flow, "good"))
    assert isinstance(bad, Error)
    assert good == "good"


def visit_through() -> Any:
    async def through(flow: Flow, payload: Payload) -> Answer:
        return await flow.send("out", payload)

    return visit(through)


async def ask_of(flow: Wiring, payload: Payload) -> Answer:
    one = LiveProcess(flow)
    answer = one.run(flow.entry("a", "in"), payload)
    assert type(answer) is PendingAnswer
    return await finish(one, answer)
