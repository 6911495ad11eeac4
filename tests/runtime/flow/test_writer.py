"""A Writer has several packets in flight; answers come back in the order of the questions."""

import asyncio

import pytest

from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.errors import Error, Payload
from heddle.runtime.flow.finish import finish
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.writer import ClosedError, Writer
from tests.runtime.nodes import act, add, say, wire

pytestmark = pytest.mark.anyio


async def slow_first(payload: Payload) -> Payload:
    for _ in range(10 - payload):
        await asyncio.sleep(0)
    return payload


async def for_ever(_: Payload) -> Payload:
    return await asyncio.get_running_loop().create_future()


async def test_answers_come_back_in_the_order_of_the_questions() -> None:
    process = LiveProcess(wire({"a": add(""), "b": act(slow_first)}, {"a.out": "b"}))
    writer = process.writer("a", "out")
    for number in range(5):
        writer.write(number)
    assert [await writer.receive() for _ in range(5)] == [0, 1, 2, 3, 4]
    await finish(process, None)


async def test_plain_and_waiting_answers_keep_their_order() -> None:
    process = LiveProcess(wire({"a": add(""), "b": say("plain")}, {"a.out": "b"}))
    writer = process.writer("a", "out")
    writer.write(1)
    assert await writer.receive() == "plain"
    await finish(process, None)


async def test_each_sender_gets_the_answer_to_its_own_packet() -> None:
    process = LiveProcess(wire({"a": add(""), "b": act(slow_first)}, {"a.out": "b"}))
    writer = process.writer("a", "out")
    assert await asyncio.gather(*(writer.send(number) for number in range(5))) == [0, 1, 2, 3, 4]
    await finish(process, None)


async def test_an_unlinked_port_answers_with_the_packet() -> None:
    process = LiveProcess(wire({"a": add("")}))
    writer = process.writer("a", "out")
    assert not writer.linked
    assert await writer.send("x") == "x"
    await finish(process, None)


async def test_there_is_nothing_to_receive_where_nothing_is_in_flight() -> None:
    process = LiveProcess(wire({"a": add("")}))
    with pytest.raises(ClosedError, match="no packet is in flight"):
        await process.writer("a", "out").receive()
    await finish(process, None)


async def test_a_receiver_that_gives_up_leaves_the_answer_for_the_next() -> None:
    process, writer = to_for_ever()
    writer.write(1)
    writer.write(2)
    first = asyncio.ensure_future(writer.receive())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    writer.close(Error("closed"))
    assert [await writer.receive(), await writer.receive()] == [Error("closed"), Error("closed")]
    await finish(process, None)


async def test_closing_answers_whoever_waits_with_the_reason() -> None:
    process, writer = to_for_ever()
    writer.write(1)
    waiting = asyncio.ensure_future(writer.receive())
    sending = asyncio.ensure_future(writer.send(2))
    await asyncio.sleep(0)
    writer.close()
    assert await waiting == await sending == Error("the writer was closed", code="dropped")
    with pytest.raises(ClosedError):
        writer.write(3)
    await finish(process, None)


async def test_what_is_in_flight_when_the_process_ends_is_answered_with_reason() -> None:
    process, writer = to_for_ever()
    writer.write(1)
    waiting = asyncio.ensure_future(writer.receive())
    await asyncio.sleep(0)
    await finish(process, Error("broken"))
    assert await waiting == Error("broken")


async def test_what_is_in_flight_when_process_is_cancelled_is_answered_with_reason() -> None:
    process, writer = to_for_ever()
    writer.write(1)
    waiting = asyncio.ensure_future(writer.receive())
    await asyncio.sleep(0)
    process.cancel(Error("gone", code="cancelled"))
    assert await waiting == Error("gone", code="cancelled")
    assert await writer.send(2) == Error("gone", code="cancelled")
    await finish(process, None)


async def test_whoever_gives_up_a_send_gives_up_its_packet() -> None:
    stopped = asyncio.Event()

    async def holds(_: Payload) -> Payload:
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            stopped.set()

    process = LiveProcess(wire({"a": add(""), "b": act(holds)}, {"a.out": "b"}))
    sending = asyncio.ensure_future(process.writer("a", "out").send(1))
    for _ in range(3):
        await asyncio.sleep(0)
    sending.cancel()
    await asyncio.wait_for(stopped.wait(), 60)
    await finish(process, None)


def to_for_ever() -> tuple[Process, Writer]:
    process = LiveProcess(wire({"a": add(""), "b": act(for_ever)}, {"a.out": "b"}))
    return process, process.writer("a", "out")
