"""A clock that jumps: as soon as nothing is left to do, the next thing that is due is due now.

Time stands still while anything happens, so that no test depends on how fast the machine is. For
tests that wait for nothing but time: what comes from threads, processes and sockets comes too late.
"""

import asyncio
import selectors
from types import ModuleType
from typing import Any

import pytest


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time moves by jumps alone."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(_Jump(self))

    def time(self) -> float:
        """See BaseEventLoop."""
        return self.now


class _Jump(selectors.SelectSelector):
    """Waits for nothing: if it should, it moves the time on."""

    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        """See BaseSelector."""
        found = super().select(None if timeout is None else 0)
        if not found and timeout is not None:
            self._loop.now += timeout
        return found


JUMPING = ("asyncio", {"loop_factory": JumpingLoop})
"""What `anyio_backend` returns where time jumps."""


def follow(monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
    """Let modules that look at `monotonic` look at the time of the loop."""
    for module in modules:
        monkeypatch.setattr(module, "monotonic", lambda: asyncio.get_running_loop().time())
