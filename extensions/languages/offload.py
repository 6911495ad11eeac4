"""A Leave takes a program that would hold the event loop into a worker, and remembers that it did."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from heddle.extensions.languages.errors import UnsendableError
from heddle.extensions.languages.limits import timeout_of
from heddle.runtime.assembly.language import Options, Program
from heddle.runtime.flow.elsewhere import ElsewhereError, outcome

HOLD: Final = 0.005
"""Seconds of the processor that a program may hold the event loop."""

QUICK: Final = 0.002
"""Seconds within which a run in a worker counts as quick."""

SLACK: Final = 3.0
"""How many times its time limit a run may wait for a processor: in this process it had one."""

CALM: Final = 64
"""How many runs in a row have to be quick before the program comes back; twice as many each time."""


class Leave:
    """The place where one program runs. `away` says that it runs in a worker from the start."""

    __slots__ = (
        "_calm",
        "_code",
        "_language",
        "_needs",
        "_options",
        "_program",
        "_thread",
        "away",
    )
    leaves = True

    def __init__(
        self, language: str, code: str, options: Options, thread: Program | None = None
    ) -> None:
        """`thread` runs in a thread on payloads that no worker can be given: streams, for example."""
        self.away = False
        self._thread = thread
        self._language = language
        self._code = code
        self._options = options
        self._program: Callable[[Any], Awaitable[Any]] | None = None
        self._calm = 0
        self._needs = CALM

    def __call__(self, payload: Any) -> Any:
        """Return what a run in a worker has come to, or raise ElsewhereError so that there is one."""
        done = outcome(self, payload)
        if done is None:
            self.away = True
            raise ElsewhereError(self, payload, self._run)
        if not done.succeeded:
            raise done.value
        return done.value

    async def _run(self, payload: Any) -> Any:
        if self._program is None:
            from heddle.extensions.languages.workers.program import IsolatedProgram

            options = msgspec.structs.replace(
                self._options,
                isolation="process",
                waits=True,
                leaves=False,
            )
            slack = SLACK * timeout_of(options, 0.0)
            program = IsolatedProgram(self._language, self._code, options, slack)
            self._program = program.waiting()
        began = time.monotonic()
        try:
            return await self._program(payload)
        except UnsendableError:
            if self._thread is None:
                raise
            return await asyncio.to_thread(self._thread, payload)
        finally:
            self._count(time.monotonic() - began)

    def _count(self, seconds: float) -> None:
        self._calm = self._calm + 1 if seconds < QUICK else 0
        if self._calm >= self._needs:
            self.away, self._calm, self._needs = False, 0, self._needs * 2

    def close(self) -> None:
        """Let go of the workers."""
        close = getattr(self._program, "close", None)
        self._program = None
        if close is not None:
            close()


def leave_of(
    language: str, code: str, options: Options, thread: Program | None = None
) -> Leave | None:
    """Return how a program leaves; None if its caller cannot wait, or there are no workers."""
    if not options.leaves or sys.platform == "win32" or timeout_of(options) <= HOLD:
        return None
    # Where it runs is not its author's choice: the limits stay those of a run in this process.
    bounded = msgspec.structs.replace(options, timeout=timeout_of(options))
    return Leave(language, code, bounded, thread)
