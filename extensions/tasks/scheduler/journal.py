"""A Journal is where the scheduler reports what happens in a run, and learns what has happened before.

A run in memory has the journal NOTHING_KEPT, which costs nothing: the scheduler asks `keeps` once
for each run. A journal that keeps is used in turns. In a turn the scheduler reports the attempts
that ended, what follows from that, and the attempts that begin next; then it commits. Nothing that
reads an output begins before the commit that holds the output.
"""

from collections.abc import Awaitable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from heddle.extensions.extension import Answer, Error, Process
from heddle.extensions.tasks.status import AttemptStatus, RunStatus, TaskStatus


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What a journal knows of one task path from earlier in the run.

    `attempts` is the number of the last attempt, `tries` how many of them count against `retry`,
    `due` the time of the next attempt (seconds since 1970) if one is planned. `by` names the
    fallback task that gave the output, if a fallback did.
    """

    status: TaskStatus
    output: Any = None
    error: Error | None = None
    attempts: int = 0
    tries: int = 0
    due: float | None = None
    by: str = ""


class Journal:
    """The contract, and what a run has that keeps nothing.

    `keeps` tells whether anything is to be reported. `burst` is how many attempts may begin in one
    turn. `recorded` is what is known by task path when the run begins or is resumed. All methods
    but `commit` return at once and never raise; they are called only if `keeps` is true.
    """

    keeps: bool = False
    burst: int = 1000
    recorded: Mapping[str, Recorded] = {}

    def begin(self, path: str, number: int) -> None:
        """Report that an attempt begins, once the turn is committed."""

    def end(
        self,
        path: str,
        number: int,
        status: AttemptStatus,
        answer: Answer = None,
        *,
        due: float | None = None,
        by: str = "",
    ) -> None:
        """Report how an attempt ended: `answer` is its output, or its Error.

        With `due` (seconds since 1970) the task is tried again at that time; otherwise the task is
        settled by it. An output that cannot be kept makes the next `commit` raise Unstorable.
        """

    def settle(
        self, path: str, status: TaskStatus, *, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Report that a task is settled without an attempt: skipped, cancelled, or by its fallback."""

    def finish(self, status: RunStatus, answer: Answer = None) -> None:
        """Report that the run has ended: `answer` is its output, or its Error."""

    def commit(self) -> Awaitable[None] | None:
        """Make what was reported in this turn lasting; None if that is done already.

        Otherwise an awaitable that ends when it is. It raises Fenced if another owner has the run.
        """
        return None

    def opened(self, process: Process, path: str, number: int) -> None:
        """An attempt has got a Process of its own; this is called before its packet is sent."""

    def closing(self, process: Process, path: str, number: int, answer: Answer) -> None:
        """The Process of an attempt is about to end with this answer; its transactions commit then."""


class Fenced(Exception):  # noqa: N818 - the run goes on elsewhere: no fault of this one
    """Another owner has claimed the run: nothing of it may be recorded here any more."""


class Unstorable(Exception):  # noqa: N818 - reads as what it tells
    """An output cannot be kept; `path` is the task path, and the text says which part of it."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


NOTHING_KEPT = Journal()
"""The journal of a run in memory that nobody watches."""

RUN = "heddle.run"
"""The key under which a Process holds the RunContext of the attempt that it works on."""


class RunContext(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt knows of its run: kept in its Process under RUN.

    `path` is the task path of the attempt, `number` counts its attempts, `owner` is the id of the
    symbol that does the work: only that one takes the context for its own.
    """

    run: UUID
    path: str
    number: int
    journal: Journal
    owner: Any = None
