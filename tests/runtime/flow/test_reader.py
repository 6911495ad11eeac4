"""A Reader receives packets of one process, and answers each when it likes."""

import asyncio
from typing import Any

import pytest

from heddle.runtime.flow.errors import Answer, Error, Payload
from heddle.runtime.flow.finish import finish, settle
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.packet import Packet
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.reader import Reader
from tests.runtime.nodes import act, ask, say, talk, visit, wire

pytestmark = pytest.mark.anyio


async def test_a_conversation_answers_each_packet_when_it_likes() -> None:
    async def backwards(reader: Reader) -> None:
        packets: list[Packet] = []
        async for packet in reader:
            packets.append(packet)
            if len(packets) == 3:
                for late in reversed(packets):
                    late.answer(late.payload * 10)

    assert await ask(three_to(talk(backwards))) == [10, 20, 30]


async def test_one_conversation_serves_one_process() -> None:
    began = []

    async def counts(reader: Reader) -> None:
        began.append(reader.process)
        number = 0
        async for packet in reader:
            number += 1
            packet.answer(number)

    flow = three_to(talk(counts))
    assert await ask(flow) == [1, 2, 3]
    assert await ask(flow) == [1, 2, 3]
    assert len(set(began)) == 2


async def test_a_conversation_knows_its_place() -> None:
    async def tells(reader: Reader) -> None:
        async for packet in reader:
            packet.answer([reader.label, reader.port, packet.payload])

    assert await ask(wire({"a": talk(tells)})) == ["a", "in", "x"]


async def test_what_is_unanswered_at_the_end_is_answered_with_the_reason() -> None:
    async def silent(reader: Reader) -> None:
        async for _ in reader:
            pass

    flow = wire({"a": talk(silent)})
    one = LiveProcess(flow)
    waiting = asyncio.ensure_future(settle(one.run(flow.entry("a", "in"), 1)))
    await settled()
    found = one.end(Error("broken"))
    assert not isinstance(found, Error)
    assert found is not None
    await found
    assert await waiting == Error("broken")


async def test_a_conversation_that_stops_reading_answers_what_is_left() -> None:
    async def first_only(reader: Reader) -> None:
        packet = await anext(reader)
        packet.answer("first")

    first, second, third = await ask(three_to(talk(first_only), together=True))
    assert first == "first"
    assert second == third == Error("b has stopped reading", code="dropped")


async def test_a_conversation_that_raises_has_failed_for_all_who_ask() -> None:
    async def breaks(reader: Reader) -> None:
        await anext(reader)
        raise ValueError("broken")

    answers = await ask(three_to(talk(breaks)))
    assert [(one.message, one.symbol) for one in answers] == [("broken", "b")] * 3


@pytest.mark.parametrize("raised", [SystemExit(1), asyncio.CancelledError(), RecursionError("x")])
async def test_whatever_a_conversation_raises_goes_to_its_error_port(
    raised: BaseException,
) -> None:
    async def breaks(reader: Reader) -> None:
        async for _ in reader:
            raise raised

    flow = wire({"a": talk(breaks), "e": say("handled")}, {"a.error": "e"})
    assert await ask(flow) == "handled"


async def test_an_error_that_a_conversation_answers_is_an_answer() -> None:
    async def rejects(reader: Reader) -> None:
        async for packet in reader:
            packet.answer(Error("no"))

    flow = wire({"a": talk(rejects), "e": say("handled")}, {"a.error": "e"})
    assert await ask(flow) == Error("no")


async def test_a_conversation_may_finish_what_it_began_when_its_process_ends() -> None:
    flushed: list[Any] = []

    async def gathers(reader: Reader) -> None:
        seen = []
        async for packet in reader:
            seen.append(packet.payload)
            packet.answer()
        await asyncio.sleep(0)
        flushed.append(seen)

    await ask(three_to(talk(gathers)))
    assert flushed == [[1, 2, 3]]


async def test_a_conversation_that_is_busy_when_its_process_ends_is_stopped() -> None:
    stopped = []

    async def busy(reader: Reader) -> None:
        packet = await anext(reader)
        packet.answer("early")
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            stopped.append(1)

    assert await asyncio.wait_for(ask(wire({"a": talk(busy)})), 60) == "early"
    assert stopped == [1]


async def test_several_tasks_may_read_from_one_reader() -> None:
    async def shared(reader: Reader) -> None:
        async def reads(name: str) -> None:
            async for packet in reader:
                await asyncio.sleep(0)
                packet.answer(name)

        await asyncio.gather(reads("one"), reads("two"))

    answers = await asyncio.wait_for(ask(three_to(talk(shared), together=True)), 60)
    assert set(answers) == {"one", "two"}


async def test_a_packet_whose_sender_has_gone_may_still_be_answered() -> None:
    taken: list[Packet] = []

    async def keeps(reader: Reader) -> None:
        taken.extend([packet async for packet in reader])

    flow = wire({"a": talk(keeps)})
    one = LiveProcess(flow)
    waiting = asyncio.ensure_future(settle(one.run(flow.entry("a", "in"), 1)))
    await settled()
    waiting.cancel()
    await asyncio.wait([waiting])
    await finish(one, None)
    assert taken[0].answer("late")


def three_to(node: Any, *, together: bool = False) -> Any:
    """Return a flow that sends 1, 2 and 3 to the conversation, and answers the three answers."""

    async def sends(flow: Flow, payload: Payload) -> Answer:
        writer = flow.process.writer("a", "out")
        if together:
            for number in (1, 2, 3):
                writer.write(number)
            return [await writer.receive() for _ in range(3)]
        for number in (1, 2):
            writer.write(number)
        first = writer.send(3)
        third = await first
        return [await writer.receive(), await writer.receive(), third]

    return wire({"a": visit(sends, waits=True), "b": node, "c": act(str)}, {"a.out": "b"})


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)
