"""A LeavingProgram runs CEL that may visit many elements: a few at once, more of them in a worker."""

from typing import Any, Final

from heddle.extensions.languages.cel.compiler import CelProgram
from heddle.extensions.languages.cel.errors import (
    BudgetExceededError,
    EvaluationError,
    OversizeError,
)
from heddle.extensions.languages.errors import ProgramError
from heddle.extensions.languages.offload import Leave
from heddle.runtime.assembly.language import Where

BUDGET: Final = 50_000
"""How many elements a run may visit before it leaves the event loop to others: some 5 ms."""


class LeavingProgram:
    """Maps payloads as `quick` does, which is compiled with the small budget."""

    __slots__ = ("_leave", "_quick", "_where", "hints", "names")
    leaves = True

    def __init__(self, quick: CelProgram, leave: Leave, where: Where | None = None) -> None:
        self._where = where
        self._quick = quick
        self._leave = leave
        self.names = quick.names
        self.hints = quick.hints

    def __call__(self, payload: Any) -> Any:
        if not self._leave.away:
            try:
                return self._quick(payload)
            except EvaluationError as error:
                # What no budget allows would fail in a worker, too.
                cause = error.__context__
                if not isinstance(cause, BudgetExceededError) or isinstance(cause, OversizeError):
                    raise
        try:
            return self._leave(payload)
        except ProgramError as error:
            if self._where is None or not error.line:
                raise
            where = self._where(error.line, 0)
            raise EvaluationError(error.message, line=error.line, where=where) from error

    def close(self) -> None:
        """Let go of the worker, if there is one."""
        self._leave.close()
