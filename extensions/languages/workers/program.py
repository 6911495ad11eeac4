"""An IsolatedProgram hands its payload to a worker, and takes the result from there."""

import weakref
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Final

import msgspec

from heddle.extensions.languages.errors import ProgramError
from heddle.extensions.languages.limits import (
    WORKER_TIMEOUT,
    memory_of,
    out_of_memory,
    timed_out,
    timeout_of,
)
from heddle.extensions.languages.workers.pool import BENCH, Bench, WorkerPool, pool_here
from heddle.extensions.languages.workers.protocol import Answer, RunRequest, from_bytes, to_bytes
from heddle.runtime.assembly.language import Options
from heddle.runtime.flow.errors import Error, NodeError

_numbers: Final = count(1)


class IsolatedProgram:
    """Called, it runs at once and everything else stands still; `waiting` gives one that waits."""

    def __init__(self, language: str, code: str, options: Options, slack: float = 0.0) -> None:
        self._language = language
        self._code = code
        self._number = next(_numbers)
        self._options = options
        self._timeout = timeout_of(options, WORKER_TIMEOUT)
        self._memory = memory_of(options)
        self._slack = slack
        self._pool: WorkerPool | None = None
        self._releases: list[weakref.finalize[Any, Any]] = []
        self._benched = False

    def __call__(self, payload: Any) -> Any:
        if not self._benched:
            self._hold(BENCH)
            self._benched = True
        return self._result(BENCH.run(self._code, self._request(payload)))

    def waiting(self) -> Callable[[Any], Awaitable[Any]]:
        """Return the same as an `async` function: others go on while it runs."""

        async def program(payload: Any) -> Any:
            pool = pool_here()
            if pool is not self._pool:
                self._pool = pool
                self._hold(pool)
            return self._result(await pool.run(self._code, self._request(payload)))

        program.close = self.close  # type: ignore[attr-defined]
        return program

    def close(self) -> None:
        """Let go of the workers."""
        self._pool, self._benched = None, False
        for release in self._releases:
            release()
        self._releases.clear()

    def _hold(self, workers: WorkerPool | Bench) -> None:
        """Keep the workers until this is closed, or nobody has it any more."""
        workers.hold()
        self._releases.append(weakref.finalize(self, workers.release))

    def _request(self, payload: Any) -> RunRequest:
        return RunRequest(
            self._number,
            self._language,
            "",
            msgspec.Raw(to_bytes(payload)),
            self._timeout,
            self._memory,
            self._options.condition,
            self._slack,
        )

    def _result(self, answer: Answer) -> Any:
        for level, text in answer.lines:
            self._options.output(level if level in _LEVELS else "info", text)
        if answer.end == "failed":
            raise ProgramError(answer.message, line=answer.line)
        if answer.end == "timeout":
            raise timed_out(self._timeout, answer.line)
        if answer.end == "memory":
            raise out_of_memory(self._memory, answer.line)
        try:
            value = from_bytes(answer.value)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise ProgramError(f"the result is not a payload: {error}") from None
        if isinstance(value, Error) and answer.end == "error":
            raise NodeError(value)
        return value


_LEVELS: Final = ("debug", "info", "warning", "error")
