"""A Process owns a run: its data, its children, its deadline, its end."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from heddle.runtime.flow.contracts import Process, ProcessStatus
from heddle.runtime.flow.errors import NOTHING, Answer, Error, NodeError, Payload
from heddle.runtime.flow.finish import finish, settle
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.machine import PendingAnswer
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.wiring import Wiring
from tests.runtime.nodes import act, add, ask, later, same, say, visit, wire

pytestmark = pytest.mark.anyio


def process() -> Process:
    return LiveProcess(wire({"a": act(same)}))


def status(one: Process) -> ProcessStatus:
    return one.status


def ended_at(one: Process) -> float:
    """Return when it ended; 0 if it has not."""
    return one.ended or 0.0


async def for_ever(_: Payload) -> Answer:
    return await asyncio.get_running_loop().create_future()


async def ended(one: Process, error: Error | None = None) -> Error | None:
    """End it, and wait if there is something to wait for."""
    found = one.end(error)
    return await found if isinstance(found, Awaitable) else found


# -- who it is -------------------------------------------------------------------------------------


def test_a_process_has_one_id_and_times() -> None:
    one = process()
    first = one.id
    assert one.id == first
    assert first.version == 7
    assert not ended_at(one)
    one.end()
    assert ended_at(one) >= one.started


def test_a_child_has_begun_and_has_not_ended() -> None:
    parent = process()
    child = parent.fork()
    assert child.started >= parent.started
    assert not ended_at(child)


def test_a_process_stands_in_its_generation_until_it_ends() -> None:
    one = process()
    assert one in one.wiring.processes  # pyright: ignore[reportAttributeAccessIssue] - what a test adds to the contract
    assert status(one) is ProcessStatus.RUNNING
    one.end()
    assert status(one) is ProcessStatus.ENDED
    assert not one.wiring.processes  # pyright: ignore[reportAttributeAccessIssue] - what a test adds to the contract


# -- data ------------------------------------------------------------------------------------------


def test_a_child_reads_through_and_writes_its_own() -> None:
    parent = process()
    parent.set("user", "ada")
    parent.set("city", "london")
    child = parent.fork()
    child.set("city", "paris")
    assert (child.get("user"), child.get("city"), parent.get("city")) == ("ada", "paris", "london")
    assert sorted(child.keys()) == ["city", "user"]
    assert child.remove("city") == "paris"
    assert child.get("city") == "london"


def test_removing_touches_nobody_elses() -> None:
    parent = process()
    parent.set("user", "ada")
    child = parent.fork()
    assert child.remove("user") is None
    assert child.get("user") == parent.get("user") == "ada"


def test_a_null_that_is_kept_hides_what_an_ancestor_has() -> None:
    parent = process()
    parent.set("user", "ada")
    child = parent.fork().fork()
    child.set("user", None)
    assert child.get("user", "nobody") is None
    assert child.get("other", "nobody") == "nobody"


# -- the end ---------------------------------------------------------------------------------------


def test_exit_hooks_run_last_in_first_out_and_are_told_the_outcome() -> None:
    told: list[Any] = []
    one = process()
    one.on_exit(lambda error: told.append(("first", error)))
    one.on_exit(lambda error: told.append(("second", error)))
    assert one.end() is None
    assert told == [("second", None), ("first", None)]


def test_exit_hooks_are_told_the_error() -> None:
    told: list[Any] = []
    one, error = process(), Error("broken")
    one.on_exit(told.append)
    assert one.end(error) is error
    assert told == [error]


def test_plain_exit_hooks_need_no_loop() -> None:
    one = process()
    one.on_exit(lambda _: None)
    assert one.end() is None
    assert status(one) is ProcessStatus.ENDED


def test_a_hook_may_add_a_hook() -> None:
    told: list[str] = []
    one = process()
    one.on_exit(lambda _: one.on_exit(lambda _: told.append("late")))
    one.end()
    assert told == ["late"]


def test_a_hook_after_the_end_is_rejected() -> None:
    one = process()
    one.end()
    with pytest.raises(ValueError, match="ended"):
        one.on_exit(lambda _: None)


def test_a_failing_hook_makes_a_good_end_bad_and_the_others_run() -> None:
    told: list[Any] = []
    one = process()
    one.on_exit(told.append)
    one.on_exit(lambda _: (_ for _ in ()).throw(ValueError("no commit")))
    one.on_exit(told.append)
    found = one.end()
    assert isinstance(found, Error)
    assert found.message == "no commit"
    assert told == [None, found]
    assert one.error is found


def test_a_failing_hook_does_not_hide_the_first_error() -> None:
    one, error = process(), Error("broken")
    one.on_exit(lambda _: exit(1))
    assert one.end(error) is error


async def test_a_waiting_hook_is_waited_for_and_may_fail() -> None:
    order: list[str] = []

    async def commits(_: Error | None) -> None:
        await asyncio.sleep(0)
        order.append("commit")
        raise NodeError(Error("conflict", code="conflict"))

    one = process()
    one.on_exit(lambda error: order.append(f"close {error}"))
    one.on_exit(commits)
    found = await ended(one)
    assert isinstance(found, Error)
    assert found.code == "conflict"
    assert order == ["commit", "close conflict"]


async def test_the_sender_sees_the_error_of_a_hook_that_failed() -> None:
    async def commits(_: Error | None) -> None:
        raise NodeError(Error("conflict"))

    def begins(payload: Payload, one: Process) -> Payload:
        one.on_exit(commits)
        return payload

    assert await ask(wire({"a": act(begins, process=True)})) == Error("conflict")


async def test_the_sender_sees_the_first_error_where_a_hook_fails_too() -> None:
    def begins(payload: Payload, one: Process) -> Payload:
        one.on_exit(lambda _: exit(1))
        raise ValueError("broken")

    assert await ask(wire({"a": act(begins, process=True)})) == Error("broken")


async def test_a_hook_is_finished_though_whoever_waits_is_cancelled() -> None:
    began, let_go, told = asyncio.Event(), asyncio.Event(), []

    async def commits(error: Error | None) -> None:
        began.set()
        await let_go.wait()
        told.append(error)

    one = process()
    one.on_exit(commits)
    waiting = asyncio.ensure_future(finish(one, "fine"))
    await began.wait()
    waiting.cancel()
    await asyncio.sleep(0)
    assert waiting.cancelled()
    let_go.set()
    await one.wiring.generation.idle()  # pyright: ignore[reportAttributeAccessIssue] - what a test adds to the contract
    assert told == [None]


async def test_an_end_takes_its_course_though_nobody_awaits_it() -> None:
    told = []

    async def commits(error: Error | None) -> None:
        await asyncio.sleep(0)
        told.append(error)

    one = process()
    one.on_exit(commits)
    one.end()
    await one.wiring.generation.idle()  # pyright: ignore[reportAttributeAccessIssue] - what a test adds to the contract
    assert told == [None]


async def test_a_second_end_changes_nothing_and_waits_for_the_first() -> None:
    calls = []

    async def hook(error: Error | None) -> None:
        calls.append(error)
        await asyncio.sleep(0)

    one, error = process(), Error("broken")
    one.on_exit(hook)
    first = one.end(error)
    second = one.end()
    assert isinstance(first, Awaitable)
    assert isinstance(second, Awaitable)
    assert await second is error
    assert await first is error
    assert one.end(Error("other")) is error
    assert calls == [error]


async def test_whoever_gives_up_waiting_cancels_the_process() -> None:
    told: list[Any] = []
    flow = wire({"a": act(for_ever)})
    one = LiveProcess(flow)
    one.on_exit(told.append)
    waiting = asyncio.ensure_future(finish(one, one.run(flow.entry("a", "in"), 1)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert [error.message for error in told] == ["the caller that waited for the answer has gone"]
    assert status(one) is ProcessStatus.ENDED


async def test_what_is_sent_after_the_end_is_answered_with_that() -> None:
    flow = wire({"a": add("!")})
    one = LiveProcess(flow)
    one.end()
    assert one.run(flow.entry("a", "in"), "x") == Error("the process has ended", code="dropped")
    with pytest.raises(NodeError):
        one.fork()
    with pytest.raises(NodeError):
        await one.local("key", lambda: asyncio.sleep(0))


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


# -- helps -----------------------------------------------------------------------------------------


def visit_through() -> Any:
    async def through(flow: Flow, payload: Payload) -> Answer:
        return await flow.send("out", payload)

    return visit(through)


async def slowly(payload: Payload) -> Payload:
    await asyncio.sleep(0.02)
    return payload if isinstance(payload, str) else NOTHING


async def ask_of(flow: Wiring, payload: Payload) -> Answer:
    one = LiveProcess(flow)
    answer = one.run(flow.entry("a", "in"), payload)
    assert type(answer) is PendingAnswer
    return await finish(one, answer)


async def test_sending_from_a_process_looks_where_its_port_leads() -> None:
    flow = wire({"a": say("never"), "b": add("!")}, {"a.out": "b"})
    one = LiveProcess(flow)
    assert one.send("a", "out", "x") == "x!"
    assert one.send("a", "out[0]", "x") == "x!"
    assert one.send("a", "out[1]", "x") == "x"
    await ended(one)
