"""The statuses of runs, tasks and attempts, and the transitions between them."""

from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

import msgspec


class RunStatus(StrEnum):
    """The progress of a run."""

    QUEUED = "queued"
    RUNNING = "running"
    SUSPENDED = "suspended"
    BLOCKED = "blocked"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TaskStatus(StrEnum):
    """The progress of a task of a run."""

    PENDING = "pending"
    READY = "ready"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class AttemptStatus(StrEnum):
    """The outcome of one try at a task, or that it has not ended.

    `lost`: its worker is gone. `interrupted`: it was cancelled because its runtime stops; this
    counts neither as a try nor as a loss.
    """

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    INTERRUPTED = "interrupted"


class TaskState(IntEnum):
    """The status of a task as the scheduler keeps it: one byte of a bytearray."""

    PENDING = 0
    READY = 1
    RUNNING = 2
    COMPLETED = 3
    FAILED = 4
    SKIPPED = 5
    CANCELLED = 6

    @property
    def status(self) -> TaskStatus:
        """The same as people read it."""
        return TaskStatus(self.name.lower())


SETTLED_RUN = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})
"""A run of such a status goes no further."""

SETTLED = frozenset(
    {TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.SKIPPED, TaskStatus.CANCELLED}
)
"""A task of such a status goes no further."""


class Transition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change of the status of a run (`task` is empty) or of a task of it.

    `seq` counts the transitions of the run from 1, without gaps. `at` is in seconds since 1970.
    `task` is a task path, `number` that of the attempt, if there is one. `event` is the new
    status, or `retrying`, `suspended`, `resumed`, … for what has no status of its own. `detail`
    holds what belongs to it: an error, a reason, the time of the next attempt.
    """

    run: UUID
    seq: int
    at: float
    event: str
    task: str = ""
    number: int = 0
    actor: str = ""
    detail: dict[str, Any] = {}
