"""A Process owns its children and its resources: they end with it."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from heddle.runtime.flow.contracts import ProcessStatus
from heddle.runtime.flow.errors import Answer, Error, NodeError, Payload
from heddle.runtime.flow.finish import finish
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.process import LiveProcess
from tests.runtime.flow.process_support import ended, for_ever, process, slowly, status
from tests.runtime.nodes import act, ask, later, same, visit, wire

pytestmark = pytest.mark.anyio

# -- children --------------------------------------------------------------------------------------


async def test_children_end_with_a_cancelled_parent() -> None:
    flow = wire({"a": act(for_ever)})
    parent = LiveProcess(flow)
    child = parent.fork()
    grandchild = child.fork()
    waiting = asyncio.ensure_future(finish(grandchild, grandchild.run(flow.entry("a", "in"), 1)))
    await asyncio.sleep(0)
    reason = Error("enough", code="cancelled")
    parent.cancel(reason)
    assert await waiting is reason
    await ended(child)
    assert await ended(parent) is reason
    assert not flow.processes


async def test_a_child_that_nobody_ends_ends_with_its_cancelled_parent() -> None:
    told: list[Any] = []
    parent = process()
    child = parent.fork()
    child.on_exit(told.append)
    parent.cancel()
    await ended(parent)
    await parent.wiring.generation.idle()  # pyright: ignore[reportAttributeAccessIssue] - what a test adds to the contract
    assert [error.code for error in told] == ["cancelled"]
    assert status(child) is ProcessStatus.ENDED


async def test_forked_work_outlives_the_answer_and_keeps_the_process_from_ending() -> None:
    flow = wire({"a": act(same)})
    parent = LiveProcess(flow)
    child = parent.fork()
    assert await finish(parent, "answer") == "answer"
    assert status(parent) is ProcessStatus.ENDING
    assert parent in flow.processes
    child.end()
    await flow.generation.idle()
    assert status(parent) is ProcessStatus.ENDED


def test_outliving_needs_no_loop_where_nothing_waits() -> None:
    parent = process()
    first, second = parent.fork(), parent.fork()
    assert parent.end() is None
    first.end()
    assert status(parent) is ProcessStatus.ENDING
    second.end()
    assert status(parent) is ProcessStatus.ENDED


async def test_a_process_that_only_its_children_keep_can_still_be_cancelled() -> None:
    flow = wire({"a": act(for_ever)})
    parent = LiveProcess(flow)
    child = parent.fork()
    waiting = asyncio.ensure_future(finish(child, child.run(flow.entry("a", "in"), 1)))
    await finish(parent, "answer")
    reason = Error("drained", code="dropped")
    parent.cancel(reason)
    assert await waiting is reason
    await flow.generation.idle()


async def test_a_child_of_a_cancelled_process_is_cancelled_at_once() -> None:
    parent = process()
    parent.cancel(Error("enough", code="cancelled"))
    assert parent.fork().reason == Error("enough", code="cancelled")


async def test_the_deadline_of_an_answer_does_not_stop_what_was_forked() -> None:
    flow = wire({"a": act(later), "b": act(slowly)})
    parent = LiveProcess(flow)
    parent.deadline = asyncio.get_running_loop().time() + 0.005
    child = parent.fork()
    waiting = asyncio.ensure_future(finish(child, child.run(flow.entry("b", "in"), "x")))
    assert await finish(parent, parent.run(flow.entry("a", "in"), 1)) == 1
    assert await waiting == "x"


# -- resources -------------------------------------------------------------------------------------


async def test_a_resource_is_made_once_however_many_ask() -> None:
    made = []

    async def make() -> object:
        made.append(1)
        await asyncio.sleep(0)
        return object()

    one = process()
    first, second = await asyncio.gather(one.local("db", make), one.local("db", make))
    assert first is second
    assert await one.local("db", make) is first
    assert await one.local("other", make) is not first
    assert len(made) == 2
    await ended(one)


async def test_a_failure_to_make_it_reaches_all_and_is_not_kept() -> None:
    tries = []

    async def make() -> str:
        tries.append(1)
        await asyncio.sleep(0)
        if len(tries) == 1:
            raise OSError("rejected")
        return "made"

    one = process()
    found = await asyncio.gather(
        one.local("db", make), one.local("db", make), return_exceptions=True
    )
    assert [str(error) for error in found] == ["rejected", "rejected"]
    assert await one.local("db", make) == "made"
    await ended(one)


async def test_a_waiter_that_gives_up_does_not_take_it_from_the_others() -> None:
    let_go = asyncio.Event()

    async def make() -> str:
        await let_go.wait()
        return "made"

    one = process()
    first = asyncio.ensure_future(one.local("db", make))
    second = asyncio.ensure_future(one.local("db", make))
    await asyncio.sleep(0)
    first.cancel()
    let_go.set()
    assert await second == "made"
    await ended(one)


async def test_what_is_still_being_made_stops_with_the_process() -> None:
    stopped = []

    async def make() -> str:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            stopped.append(1)
        return "never"

    one = process()
    asking = asyncio.ensure_future(one.local("db", make))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await ended(one)
    await asyncio.wait([asking])
    assert asking.cancelled()
    assert stopped == [1]


async def test_a_task_of_a_process_ends_with_it() -> None:
    stopped = []

    async def ticks() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            stopped.append(1)

    one = process()
    task = one.tasks.start(ticks(), awaited=True)
    await asyncio.sleep(0)
    await ended(one)
    assert task.cancelled()
    assert stopped == [1]


async def test_a_task_that_never_began_leaves_no_coroutine_unawaited() -> None:
    one = process()
    task = one.tasks.start(asyncio.sleep(1), awaited=True)
    one.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    late = one.tasks.start(asyncio.sleep(1), awaited=True)
    await asyncio.wait([late])
    assert late.cancelled()
    await ended(one)


async def test_a_task_that_exits_does_not_exit_the_runtime() -> None:
    async def leaves() -> None:
        raise SystemExit(3)

    one = process()
    with pytest.raises(NodeError, match="SystemExit: 3"):
        await one.tasks.start(leaves(), awaited=True)
    await ended(one)


async def test_a_node_may_end_its_own_process() -> None:
    async def ends(flow: Flow, payload: Payload) -> Answer:
        found = flow.process.end()
        if isinstance(found, Awaitable):
            await found
        return payload

    assert await asyncio.wait_for(ask(wire({"a": visit(ends, waits=True)})), 60) == "x"
