"""A Generation knows when the last of its processes has ended."""

import asyncio

import pytest

from heddle.runtime.flow.generation import Generation
from heddle.runtime.flow.process import LiveProcess
from tests.runtime.nodes import add, wire

pytestmark = pytest.mark.anyio


async def test_a_generation_without_processes_is_idle() -> None:
    """Waiting for it must end."""
    await asyncio.wait_for(Generation(1).idle(), 1)


async def test_it_is_idle_when_the_last_process_has_ended() -> None:
    flow = wire({"a": add("")})
    first, second = LiveProcess(flow), LiveProcess(flow)
    waits = [asyncio.ensure_future(flow.generation.idle()) for _ in range(2)]
    first.end()
    await asyncio.sleep(0)
    assert not any(one.done() for one in waits)
    second.end()
    await asyncio.wait_for(asyncio.gather(*waits), 1)


async def test_whoever_gives_up_waiting_does_not_keep_the_others_waiting() -> None:
    flow = wire({"a": add("")})
    process = LiveProcess(flow)
    first = asyncio.ensure_future(flow.generation.idle())
    second = asyncio.ensure_future(flow.generation.idle())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    process.end()
    await asyncio.wait_for(second, 1)


async def test_a_process_that_begins_meanwhile_is_waited_for_too() -> None:
    flow = wire({"a": add("")})
    first = LiveProcess(flow)
    waiting = asyncio.ensure_future(flow.generation.idle())
    await asyncio.sleep(0)
    first.end()
    second = LiveProcess(flow)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    second.end()
    await asyncio.wait_for(waiting, 1)
