"""A Process owns a run: its data, its children, its deadline, its end."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from heddle.runtime.flow.contracts import Process, ProcessStatus
from heddle.runtime.flow.errors import Error, NodeError, Payload
from heddle.runtime.flow.finish import finish
from heddle.runtime.flow.process import LiveProcess
from tests.runtime.flow.process_support import ended, for_ever, process, status
from tests.runtime.nodes import act, add, ask, say, wire

pytestmark = pytest.mark.anyio


def ended_at(one: Process) -> float:
    """Return when it ended; 0 if it has not."""
    return one.ended or 0.0


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


async def test_sending_from_a_process_looks_where_its_port_leads() -> None:
    flow = wire({"a": say("never"), "b": add("!")}, {"a.out": "b"})
    one = LiveProcess(flow)
    assert one.send("a", "out", "x") == "x!"
    assert one.send("a", "out[0]", "x") == "x!"
    assert one.send("a", "out[1]", "x") == "x"
    await ended(one)
