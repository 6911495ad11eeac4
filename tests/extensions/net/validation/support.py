"""Helps of these stories: Problems of a text, and how long the event loop is held."""

import asyncio
from collections.abc import Awaitable
from time import thread_time
from typing import TypeVar

from heddle.cli.extensions import installed
from heddle.cli.options import settings_of
from heddle.runtime.assembly.check import check_specs
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import ValueSet
from heddle.specs.yaml.document import read_text

T = TypeVar("T")


def problems_of(text: str) -> list[Problem]:
    """Return the Problems of a text."""
    reading = read_text(text, file="flow.yaml")
    registry = installed(settings_of(None, ()))
    return list(check_specs(reading.specs, ValueSet(reading.values), registry).problems)


async def held(work: Awaitable[T]) -> tuple[T, float]:
    """Return what comes of the work, and the most seconds of the processor that the loop was held by it."""
    task = asyncio.ensure_future(work)
    longest, begun = 0.0, thread_time()
    while not task.done():
        await asyncio.sleep(0)
        now = thread_time()
        longest, begun = max(longest, now - begun), now
    return await task, longest
