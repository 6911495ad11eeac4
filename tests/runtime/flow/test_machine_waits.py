"""Nodes that wait: they overlap, take turns, are cancelled, and leave nothing behind."""

import asyncio
import gc
import sys
import threading
import warnings
from typing import Any

import pytest

from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.errors import Answer, Error, Payload
from heddle.runtime.flow.finish import settle
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.machine import PendingAnswer
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.reader import Reader
from tests.runtime.flow.machine_support import process_ended, same_node
from tests.runtime.nodes import (
    act,
    add,
    ask,
    later,
    talk,
    through,
    visit,
    wire,
)

pytestmark = pytest.mark.anyio

# -- waiting ---------------------------------------------------------------------------------------


async def test_two_waiting_targets_really_overlap() -> None:
    both = asyncio.Barrier(2)

    async def meets(payload: Payload) -> Payload:
        await both.wait()
        return payload

    nodes = {"a": same_node(), "b": act(meets), "c": act(meets)}
    assert await ask(wire(nodes, {"a.out": ["b", "c"]}), deadline=5) == ["x", "x"]


async def test_one_waiting_target_among_plain_ones_makes_no_task() -> None:
    nodes = {"a": same_node(), "b": act(later), "c": add("c")}
    flow = wire(nodes, {"a.out": ["b", "c"]})
    before = len(asyncio.all_tasks())
    process = LiveProcess(flow)
    pending = process.run(flow.entry("a", "in"), "x")
    assert isinstance(pending, PendingAnswer)
    assert len(asyncio.all_tasks()) == before
    assert await pending == ["x", "xc"]


@pytest.mark.parametrize("wants", [False, True])
async def test_packets_of_one_process_do_not_take_turns_if_action_wants_none(
    wants: bool,
) -> None:
    inside, most = 0, 0

    async def count(payload: Payload, process: Process | None = None) -> Payload:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1
        return (process is not None, payload)

    process = LiveProcess(wire({"a": act(count, process=wants, turns=False)}))
    step = process.wiring.entry("a", "in")
    answers = [
        process.tasks.start(settle(process.run(step, number)), awaited=True) for number in range(3)
    ]
    assert await asyncio.gather(*answers) == [(wants, 0), (wants, 1), (wants, 2)]
    assert most == 3
    process.end()


async def test_packets_of_one_process_pass_waiting_node_one_at_time_in_order() -> None:
    inside, log = 0, list[int]()

    async def alone(payload: Payload) -> Payload:
        nonlocal inside
        inside += 1
        assert inside == 1
        # The first takes longest: only turns keep the order.
        for _ in range(10 - payload):
            await asyncio.sleep(0)
        inside -= 1
        log.append(payload)
        return payload

    async def send_all(flow: Flow, payload: Payload) -> Answer:
        writer = flow.process.writer("a", "out")
        for number in range(10):
            writer.write(number)
        return [await writer.receive() for _ in range(10)]

    flow = wire({"a": visit(send_all, waits=True), "b": act(alone)}, {"a.out": "b"})
    assert await ask(flow) == list(range(10))
    assert log == list(range(10))


async def test_different_processes_do_not_wait_for_each_other() -> None:
    both = asyncio.Barrier(2)

    async def meets(payload: Payload) -> Payload:
        await both.wait()
        return payload

    flow = wire({"a": act(meets)})
    process, other = LiveProcess(flow), LiveProcess(flow)
    step = flow.entry("a", "in")
    answers = asyncio.gather(settle(process.run(step, 1)), settle(other.run(step, 2)))
    assert list(await asyncio.wait_for(answers, 60)) == [1, 2]


async def test_a_cancelled_packet_gives_its_turn_away() -> None:
    let_go = asyncio.Event()

    async def held(payload: Payload) -> Payload:
        await let_go.wait()
        return payload

    flow = wire({"a": act(held)})
    process = LiveProcess(flow)
    step = flow.entry("a", "in")
    tasks: list[asyncio.Task[Answer]] = [
        asyncio.ensure_future(settle(process.run(step, number))) for number in range(3)
    ]
    await asyncio.sleep(0)
    tasks[1].cancel()
    tasks[0].cancel()
    let_go.set()
    assert await asyncio.wait_for(tasks[2], 60) == 2
    assert not process.busy("a")


async def test_a_timeout_inside_a_node_is_that_nodes_failure() -> None:
    async def slow(_: Payload) -> Payload:
        async with asyncio.timeout(0.01):
            await asyncio.get_running_loop().create_future()

    async def tries(flow: Flow, payload: Payload) -> Answer:
        answer = await flow.send("out", payload)
        return f"saw {answer.code}"

    flow = wire({"a": visit(tries), "b": act(slow)}, {"a.out": "b"})
    assert await ask(flow) == "saw timeout"


async def test_a_timeout_around_a_send_reaches_what_waits_below() -> None:
    stopped = asyncio.Event()

    async def slow(_: Payload) -> Payload:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            stopped.set()

    async def limits(flow: Flow, payload: Payload) -> Answer:
        try:
            async with asyncio.timeout(0.01):
                return await flow.send("out", payload)
        except TimeoutError:
            return "in time"

    flow = wire({"a": visit(limits, waits=True), "b": act(slow)}, {"a.out": "b"})
    assert await ask(flow) == "in time"
    assert stopped.is_set()


async def test_what_a_node_waits_for_being_cancelled_is_its_own_failure() -> None:
    async def waits(_: Payload) -> Payload:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        return await future

    error = await ask(wire({"a": act(waits)}))
    assert isinstance(error, Error)
    assert (error.code, error.symbol) == ("cancelled", "a")


async def test_a_node_that_cancels_its_process_begins_nothing_more() -> None:
    began = []

    async def gives_up(payload: Payload, process: Process) -> Payload:
        process.cancel(Error("gave up", code="cancelled"))
        return payload

    async def slow(payload: Payload) -> Payload:
        began.append(payload)
        return await asyncio.get_running_loop().create_future()

    flow = wire({"a": act(gives_up, process=True), "b": act(slow)}, {"a.out": "b"})
    error = await asyncio.wait_for(ask(flow), 60)
    assert error == Error("gave up", code="cancelled")
    assert began == []


async def test_what_a_node_begins_beside_itself_may_overlap() -> None:
    both = asyncio.Barrier(2)

    async def meets(payload: Payload) -> Payload:
        await both.wait()
        return payload

    async def begins(flow: Flow, payload: Payload) -> Answer:
        ways = [flow.begin("out", payload), flow.begin("out[1]", payload)]
        tasks: list[asyncio.Task[Answer]] = [
            flow.process.tasks.start(way, awaited=True)
            for way in ways
            if isinstance(way, PendingAnswer)
        ]
        return [await task for task in tasks]

    nodes = {"a": visit(begins, waits=True), "b": act(meets), "c": act(meets)}
    flow = wire(nodes, {"a.out": "b", "a.out[1]": "c"})
    assert await asyncio.wait_for(ask(flow), 60) == ["x", "x"]


async def test_no_task_outlives_a_process_and_no_coroutine_is_left_unawaited() -> None:
    async def for_ever(_: Payload) -> Answer:
        return await asyncio.get_running_loop().create_future()

    async def talks(reader: Reader) -> None:
        async for _ in reader:
            pass

    nodes = {
        "a": act(later),
        "b": act(for_ever),
        "c": visit(through, turns=True),
        "d": talk(talks),
    }
    flow = wire(nodes, {"a.out": ["b", "c", "d"], "c.out": "b"})
    before = asyncio.all_tasks()
    with warnings.catch_warnings(record=True) as caught, unraised() as unraisable:
        warnings.simplefilter("always")
        for wait in (0, 1, 2, 5):
            process = LiveProcess(flow)
            task = asyncio.ensure_future(settle(process.run(flow.entry("a", "in"), 1)))
            for _ in range(wait):
                await asyncio.sleep(0)
            process.cancel()
            assert (await task).code == "cancelled"
            await process_ended(process)
        dropped = LiveProcess(flow).run(flow.entry("a", "in"), 1)
        assert isinstance(dropped, PendingAnswer)
        dropped.close()
        del dropped
        gc.collect()
        await asyncio.sleep(0)
    assert [str(one.message) for one in caught] == []
    assert unraisable == []
    assert asyncio.all_tasks() == before


async def test_a_pending_answer_wants_a_task() -> None:
    flow = wire({"a": act(later)})
    pending = LiveProcess(flow).run(flow.entry("a", "in"), 1)
    assert isinstance(pending, PendingAnswer)
    seen: list[BaseException] = []

    def elsewhere() -> None:
        try:
            pending.__await__().send(None)
        except RuntimeError as error:
            seen.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(seen) == 1


class unraised:  # noqa: N801 - reads as the statement it is used in
    """Collects what could not be raised anywhere."""

    def __enter__(self) -> list[Any]:
        self._before = sys.unraisablehook
        self.found: list[Any] = []
        sys.unraisablehook = lambda one: self.found.append(one.exc_value)
        return self.found

    def __exit__(self, *_: object) -> None:
        sys.unraisablehook = self._before
