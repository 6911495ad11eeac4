"""A Source begins root processes, and ends them by their answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from heddle.runtime.flow.contracts import Host, ProcessStatus
from heddle.runtime.flow.errors import NOTHING, Error, NodeError, Payload
from heddle.runtime.flow.flow import Flow
from heddle.runtime.flow.machine import PendingAnswer
from heddle.runtime.flow.node import Handler, Node
from heddle.runtime.flow.source import Source
from heddle.runtime.runtime import Runtime
from heddle.specs.model.spec import Spec
from tests.runtime.nodes import act, visit
from tests.runtime.worlds import kind_of, linked, told, world
from tests.waiting import until

pytestmark = pytest.mark.anyio


class Origin(Node):
    """A node with a Source."""

    source: Source

    def handler(self, port: str) -> Handler | None:
        del port
        return None

    async def open(self, host: Host) -> None:
        self.source = Source(host, "origin failed")


@asynccontextmanager
async def flow(*specs: Spec, **kinds: Callable[[], Node]) -> AsyncIterator[tuple[Runtime, Source]]:
    """Provide a runtime with a Source `s`, and kinds whose nodes are made like this."""
    origin = Origin()
    made = [kind_of("origin", lambda: origin, ins=())]
    made += [kind_of(name, make) for name, make in kinds.items()]
    async with world(specs, made) as rt:
        yield rt, origin.source


def leading(to: str, error: str = "") -> Spec:
    """Return the Spec of the origin."""
    return linked("origin", "s", {"out": to} | ({"error": error} if error else {}))


def broken(payload: Payload) -> Payload:
    raise ValueError(f"{payload} is broken")


async def test_run_returns_the_answer_once_the_process_has_ended() -> None:
    ended: list[Error | None] = []

    async def note(flow: Flow, payload: Payload) -> Payload:
        flow.process.on_exit(ended.append)
        return payload + "!"

    async with flow(leading("n"), linked("note", "n"), note=lambda: visit(note)) as (rt, source):
        assert await source.run("x") == "x!"
        assert ended == [None]
        assert rt.processes == []


async def test_an_error_goes_to_the_error_port_and_its_answer_counts() -> None:
    specs = [leading("b", error="h"), linked("broken", "b"), linked("help", "h")]
    kinds: dict[str, Any] = {
        "broken": lambda: act(broken),
        "help": lambda: act(lambda error: f"handled: {error.message}"),
    }
    async with flow(*specs, **kinds) as (rt, source):
        assert await source.run("x") == "handled: x is broken"
        assert told(rt, "origin failed") == []


async def test_an_error_that_is_left_is_an_event_with_its_values() -> None:
    specs = [leading("b"), linked("broken", "b")]
    async with flow(*specs, broken=lambda: act(broken)) as (rt, source):
        answer = await source.run("x", file="a.txt")
        assert type(answer) is Error
        (event,) = told(rt, "origin failed")
        assert (event.symbol, event.data["file"]) == ("s", "a.txt")


async def test_without_a_link_the_answer_is_nothing_even_when_watched() -> None:
    async with flow(linked("origin", "s")) as (rt, source):
        assert not source.linked()
        assert await source.run("x") is NOTHING
        rt.agent.watch()
        assert await source.run("x") is NOTHING


async def test_a_plain_flow_is_answered_in_the_call() -> None:
    specs = [leading("u"), linked("upper", "u")]
    async with flow(*specs, upper=lambda: act(str.upper)) as (rt, source):
        process, answer = source.send("x")
        assert answer == "X"
        assert process.status is ProcessStatus.RUNNING
        process.end()
        assert rt.processes == []


async def test_a_caller_that_gives_up_cancels_the_process() -> None:
    stopped: list[Error | None] = []
    began = asyncio.Event()

    async def hang(flow: Flow, payload: Payload) -> Payload:
        flow.process.on_exit(stopped.append)
        began.set()
        await asyncio.Event().wait()
        return payload

    specs = [leading("h"), linked("hang", "h")]
    async with flow(*specs, hang=lambda: visit(hang)) as (rt, source):
        task = source.start("x")
        await began.wait()
        task.cancel()
        await asyncio.wait([task])
        await until(lambda: rt.processes == [])
        assert [error.code for error in stopped if error is not None] == ["cancelled"]


async def test_a_task_that_never_began_leaves_no_process() -> None:
    specs = [leading("u"), linked("upper", "u")]
    async with flow(*specs, upper=lambda: act(str.upper)) as (rt, source):
        task = source.start("x")
        assert len(rt.processes) == 1
        task.cancel()
        await asyncio.wait([task])
        await until(lambda: rt.processes == [])
        assert not source.tasks


async def test_a_flow_that_leads_back_to_its_source_does_not_nest() -> None:
    sources: list[Source] = []

    def back(left: int) -> int:
        if left:
            sources[0].start(left - 1)
        return left

    async with flow(leading("b"), linked("back", "b"), back=lambda: act(back)) as (rt, source):
        sources.append(source)
        source.start(5_000)
        await source.tasks.wait()
        assert told(rt, "origin failed") == []


async def test_a_failed_exit_hook_is_the_answer_of_the_process() -> None:
    def fails(error: Error | None) -> None:
        raise NodeError(Error("not committed", code="commit"))

    async def commit(flow: Flow, payload: Payload) -> Payload:
        flow.process.on_exit(fails)
        return payload

    specs = [leading("c"), linked("commit", "c")]
    async with flow(*specs, commit=lambda: visit(commit)) as (rt, source):
        process, answer = source.send("x")
        assert isinstance(answer, PendingAnswer | str)
        found = await source.complete(process, answer)
        assert type(found) is Error
        assert found.code == "commit"
        assert [event.reason for event in told(rt, "origin failed")] == ["not committed"]
