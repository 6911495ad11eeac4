"""Tasks own what a node, a process or a server has started."""

import asyncio

import pytest

from heddle.runtime.flow.contracts import Host
from heddle.runtime.flow.errors import Error, Payload
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.node import Node
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.tasks import Tasks
from tests.runtime.nodes import add, visit, wire
from tests.runtime.worlds import World, kind_of, linked, remove, step, told, world
from tests.waiting import until

pytestmark = pytest.mark.anyio


async def fail(text: str = "broken") -> None:
    await asyncio.sleep(0)
    raise ValueError(text)


async def test_a_failure_is_reported_and_stops_no_other_task() -> None:
    failures: list[Exception] = []
    tasks, go = Tasks(failures.append), asyncio.Event()
    other = tasks.start(go.wait())
    failed = tasks.start(fail())
    await asyncio.wait([failed])
    assert [str(error) for error in failures] == ["broken"]
    assert not other.done()
    go.set()
    assert await other
    await tasks.wait()
    assert not tasks


async def test_a_failure_that_the_caller_takes_is_not_reported() -> None:
    failures: list[Exception] = []
    with pytest.raises(ValueError, match="broken"):
        await Tasks(failures.append).start(fail(), awaited=True)
    assert failures == []


async def test_without_a_report_the_event_loop_gets_the_failure() -> None:
    seen: list[object] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: seen.append(context["exception"]))
    try:
        await asyncio.wait([Tasks().start(fail())])
    finally:
        loop.set_exception_handler(before)
    assert [str(error) for error in seen] == ["broken"]


async def test_closing_cancels_what_goes_on_and_what_is_started_later() -> None:
    tasks = Tasks()
    first = tasks.start(asyncio.Event().wait())
    await asyncio.sleep(0)
    await tasks.close()
    assert first.cancelled()
    late = tasks.start(asyncio.Event().wait())
    await asyncio.wait([late])
    assert late.cancelled()


async def test_a_task_may_close_the_owner_that_it_belongs_to() -> None:
    tasks = Tasks()
    other = tasks.start(asyncio.Event().wait())
    await tasks.start(tasks.close())
    assert other.cancelled()


async def test_the_failure_of_a_task_of_a_process_is_an_event() -> None:
    async def begin(flow: Flow, payload: Payload) -> Payload:
        task = flow.process.tasks.start(fail())
        await asyncio.wait([task])
        return payload

    kind = kind_of("begin", lambda: visit(begin))
    async with world([linked("begin", "b")], [kind]) as rt:
        assert await rt.send("b", "x") == "x"
        (event,) = told(rt, "task failed")
        assert (event.reason, event.level) == ("broken at runtime", "error")


async def test_the_end_of_a_process_cancels_its_tasks() -> None:
    process = LiveProcess(wire({"a": add("")}))
    task = process.tasks.start(asyncio.Event().wait())
    await asyncio.sleep(0)
    assert len(process.tasks) == 1
    ended = process.end()
    assert ended is not None
    assert not isinstance(ended, Error)
    await ended
    assert task.cancelled()


class Busy(Node):
    """Starts a task that never ends, and one that fails."""

    async def open(self, host: Host) -> None:
        self.going = host.tasks.start(asyncio.Event().wait())
        self.failing = host.tasks.start(fail())
        OPEN.append(self)

    def handler(self, port: str) -> None:
        del port


OPEN: list[Busy] = []


async def test_a_node_that_is_closed_leaves_no_task_behind() -> None:
    OPEN.clear()
    specs = [linked("busy", "b"), step("a")]
    async with world(specs, [*World().kinds(), kind_of("busy", Busy)], watch=False) as rt:
        (node,) = OPEN
        await asyncio.wait([node.failing])
        (event,) = told(rt, "task failed")
        assert (event.symbol, event.reason) == ("b", "broken at b")
        assert not node.going.done()
        await remove(rt, linked("busy", "b"))
        await until(node.going.cancelled)
