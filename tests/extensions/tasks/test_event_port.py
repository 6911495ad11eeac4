"""The port event: each transition of a run in order, beside the run, whatever its readers do."""

import asyncio
from typing import Any

import pytest

from heddle.extensions.extension import node
from heddle.extensions.tasks.event_port import TRANSITION
from tests.extensions.tasks.work import forget, run, workflow
from tests.support import running

pytestmark = pytest.mark.anyio

TASKS = """
- {name: a, run: '$:double_later', inputs: {x: {value: 1}}}
- {name: b, run: '$:double', inputs: {x: a}, when: 'false'}
- {name: c, run: '$:flaky', retry: 3}
"""


async def test_transitions_come_in_order_and_are_numbered_without_a_gap() -> None:
    forget()
    seen: list[Any] = []
    ended = asyncio.Event()

    @node("reader")
    async def reader(payload: Any) -> None:
        """Note a transition."""
        await asyncio.sleep(0)
        seen.append(payload)
        if payload["event"] == "completed" and not payload.get("task"):
            ended.set()

    flow = workflow(TASKS, ports="{event: [{name: r}]}") + "- {kind: reader, name: r}\n"
    async with running(flow, extensions=[reader]) as rt:
        await run(rt, "w")
        async with asyncio.timeout(10):
            await ended.wait()
    assert [one["seq"] for one in seen] == list(range(1, len(seen) + 1))
    assert len({one["run"] for one in seen}) == 1
    steps = [(one.get("task", ""), one["event"], one.get("number", 0)) for one in seen]
    assert steps[0] == ("", "running", 0)
    assert steps[-1] == ("", "completed", 0)
    assert [step for step in steps if step[0] == "c"] == [
        ("c", "running", 1),
        ("c", "retrying", 1),
        ("c", "running", 2),
        ("c", "retrying", 2),
        ("c", "running", 3),
        ("c", "completed", 3),
    ]
    assert ("b", "skipped", 0) in steps


async def test_a_reader_that_fails_fails_no_run_and_becomes_an_event() -> None:
    forget()
    flow = workflow(TASKS, ports="{event: [{name: r}]}") + "- {kind: throw, name: r}\n"
    async with running(flow) as rt:
        failed = asyncio.ensure_future(rt.events.wait("event failed"))
        await asyncio.sleep(0)
        assert (await run(rt, "w"))["c"] == "attempt 3"
        async with asyncio.timeout(10):
            assert (await failed).symbol == "w"


async def test_transitions_are_events_of_the_runtime_only_on_request() -> None:
    async with running(workflow("- {name: a, run: '$:numbers'}")) as rt:
        await run(rt, "w")
        assert TRANSITION not in {one.event for one in rt.events.recent}
        end = rt.events.want(TRANSITION)
        await run(rt, "w")
        end()
        told = [one.data for one in rt.events.recent if one.event == TRANSITION]
    assert [(one.get("task", ""), one["status"]) for one in told] == [
        ("", "running"),
        ("a", "running"),
        ("a", "completed"),
        ("", "completed"),
    ]
