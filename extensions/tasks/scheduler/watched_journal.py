"""A WatchedJournal hands the transitions of a run in memory to whoever watches it, and keeps nothing."""

from collections.abc import Callable, Mapping
from time import time
from typing import Any
from uuid import UUID

from heddle.extensions.extension import Answer, Error
from heddle.extensions.tasks.scheduler.journal import RunJournal
from heddle.extensions.tasks.status import AttemptStatus, RunStatus, TaskStatus, Transition
from heddle.runtime.assembly.retry_rule import error_data

Watch = Callable[[Transition], None]
"""Takes each transition in order; it must not wait."""


class WatchedJournal(RunJournal):
    """Numbers the transitions of one run. `failed` takes what a watcher raises: it harms nothing else."""

    keeps = True

    def __init__(
        self,
        run: Callable[[], UUID],
        watchers: tuple[Watch, ...],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._run = run
        self._watchers = watchers
        self._failed = failed
        self._seq = 0

    def begin(self, path: str, number: int) -> None:
        """Report that an attempt begins."""
        self._emit("running", path, number)

    def end(
        self,
        path: str,
        number: int,
        status: AttemptStatus,
        answer: Answer = None,
        *,
        due: float | None = None,
        by: str = "",
    ) -> bool:
        """Report how an attempt ended."""
        detail: dict[str, Any] = {"by": by} if by else {}
        if type(answer) is Error:
            detail["error"] = error_data(answer)
        if due is not None:
            detail["due"] = due
        self._emit("retrying" if due is not None else str(status), path, number, detail)
        return False

    def settle(
        self,
        path: str,
        status: TaskStatus,
        answer: Answer = None,
        *,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Report that a task is settled without an attempt of its own."""
        more = {"error": error_data(answer)} if type(answer) is Error else {}
        self._emit(str(status), path, 0, {**(detail or {}), **more})

    def finish(self, status: RunStatus, answer: Answer = None) -> None:
        """Report that the run has begun or ended."""
        detail = {"error": error_data(answer)} if type(answer) is Error else {}
        self._emit(str(status), "", 0, detail)

    def _emit(
        self, event: str, task: str, number: int, detail: dict[str, Any] | None = None
    ) -> None:
        self._seq += 1
        transition = Transition(
            run=self._run(),
            seq=self._seq,
            at=time(),
            event=event,
            task=task,
            number=number,
            detail=detail or {},
        )
        for watch in self._watchers:
            try:
                watch(transition)
            except Exception as error:
                self._failed(error)
