"""Waiting for what nobody announces: one way for tests that wait, and one for those that do not."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

PATIENCE = 60.0
"""Seconds that something may take on a machine with much else to do."""

LOOK = 0.002
"""Seconds between two looks."""


async def until(true: Callable[[], Any], *, timeout: float = PATIENCE) -> None:
    """Wait until this returns (or, awaited, comes to) something true; TimeoutError if it never does."""
    async with asyncio.timeout(timeout):
        while True:
            value = true()
            if inspect.isawaitable(value):
                value = await value
            if value:
                return
            await asyncio.sleep(LOOK)


def wait_until(true: Callable[[], Any], *, timeout: float = PATIENCE) -> None:
    """Wait for the state of other processes until this returns something true."""
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(LOOK * 10)
