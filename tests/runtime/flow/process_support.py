"""Processes of a flow of one node, and their ends."""

import asyncio
from collections.abc import Awaitable

from heddle.runtime.flow.contracts import Process, ProcessStatus
from heddle.runtime.flow.errors import NOTHING, Answer, Error, Payload
from heddle.runtime.flow.process import LiveProcess
from tests.runtime.nodes import act, same, wire


def process() -> Process:
    return LiveProcess(wire({"a": act(same)}))


def status(one: Process) -> ProcessStatus:
    return one.status


async def for_ever(_: Payload) -> Answer:
    return await asyncio.get_running_loop().create_future()


async def ended(one: Process, error: Error | None = None) -> Error | None:
    """End it, and wait if there is something to wait for."""
    found = one.end(error)
    return await found if isinstance(found, Awaitable) else found


async def slowly(payload: Payload) -> Payload:
    await asyncio.sleep(0.02)
    return payload if isinstance(payload, str) else NOTHING
