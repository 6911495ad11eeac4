"""A Journal is where the scheduler reports what happens in a run, and learns what has happened before.

A run in memory has the journal NOTHING_KEPT, which costs nothing: the scheduler asks `keeps` once
for each run. A journal that keeps is used in turns. In a turn the scheduler reports the attempts
that ended, what follows from that, and the attempts that begin next; then it commits. Nothing that
reads an output begins before the commit that holds the output.
"""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import msgspec

from heddle.extensions.extension import Answer, Error, Process
from heddle.extensions.tasks.status import AttemptStatus, RunStatus, TaskStatus


class Recorded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The knowledge of a journal about one task path from earlier in the run.

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


class RunSpeaker:
    """The attempt whose code runs in one context: its task path and its number."""

    __slots__ = ("number", "path", "taker")

    def __init__(self, taker: Any = None, path: str = "", number: int = 0) -> None:
        self.taker = taker
        self.path = path
        self.number = number


class RunJournal:
    """The contract, and what a run has that keeps nothing.

    `keeps` tells whether anything is to be reported. While `draining` is true, no further attempt
    begins. `burst` is how many attempts may begin in one
    turn. `recorded` is what is known by task path when the run begins or is resumed. All methods
    but `commit` return at once; they are called only if `keeps` is true.

    The scheduler reports attempts and tasks, and commits whenever something new may begin. It need not
    commit what it reports last: whoever began the run calls `finish` with its answer, and commits.
    If its Process is cancelled, the scheduler reports the attempts that it stops, as `interrupted` if
    the code of the reason is among SUSPENDING, else as `cancelled`, and returns the reason.
    """

    keeps: bool = False
    draining: bool = False
    burst: int = 1000
    recorded: Mapping[str, Recorded] = {}
    suspects: Collection[str] = ()
    """Tasks whose worker has died of them, or beside them: each begins alone, so that no other suffers."""

    def begin(self, path: str, number: int) -> None:
        """Report that an attempt begins, once the turn is committed."""

    def begin_all(self, keys: Sequence[tuple[str, int]]) -> None:
        """Report that these attempts begin, each a task path and a number, once the turn is committed."""
        for path, number in keys:
            self.begin(path, number)

    def drop(self, keys: Sequence[tuple[str, int]]) -> None:
        """Report that attempts which have begun are cancelled before any of their code was called."""
        for path, number in keys:
            self.end(path, number, AttemptStatus.CANCELLED)

    def enter(self, path: str, number: int) -> None:
        """Keep what is printed in this context from now on with this attempt: its code is called next."""

    def enter_all(self) -> "RunSpeaker":
        """Keep what is printed in this context with the attempt that the Speaker names at the moment."""
        return RunSpeaker()

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
        """Report how an attempt ended: `answer` is its output, or its Error.

        With `due` (seconds since 1970) the task is tried again at that time; otherwise the task is
        settled by it. Return True if the turn has lasted so long that it should be committed before
        anything else begins or goes on: a kill would cost too much. Raise UnstorableError for an output that
        cannot be kept: nothing is reported then, and the attempt is to end as failed.
        """
        return False

    def end_call(self, path: str, number: int, value: Any) -> bool:
        """Report that an attempt completed; it is `end` for the shortest tasks."""
        return self.end(path, number, AttemptStatus.COMPLETED, value)

    def settle(
        self,
        path: str,
        status: TaskStatus,
        answer: Answer = None,
        *,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Report that a task is settled without an attempt of its own.

        It is skipped, cancelled, or completed by the value of its fallback; or it is a workflow or a
        `for_each`, whose attempts are those inside. Raise UnstorableError as `end` does.
        """

    def finish(self, status: RunStatus, answer: Answer = None) -> None:
        """Report that the run has ended: `answer` is its output, or its Error. Not for the scheduler."""

    def commit(self) -> Awaitable[None] | None:
        """Make what was reported in this turn lasting; None if that is done already.

        Otherwise an awaitable that ends when it is. It raises Fenced if another owner has the run.
        """
        return None

    def opened(self, process: Process, path: str, number: int) -> None:
        """Note that an attempt has got a Process of its own; this is called before its packet is sent."""

    def closing(self, process: Process, path: str, number: int, answer: Answer) -> None:
        """End an attempt with this answer: its Process is about to end, and its transactions commit then."""


class FencedError(Exception):
    """Another owner has claimed the run: nothing of it may be recorded here any more."""


class UnstorableError(Exception):
    """An output cannot be kept; `path` is the task path, and the text says which part of it."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


NOTHING_KEPT = RunJournal()
"""The journal of a run in memory that nobody watches."""

DRAINED = "drained"
"""The code of the Error with which a Process is cancelled when its run is only suspended."""

SUSPENDING = frozenset({DRAINED, "dropped"})
"""The codes of the reasons that suspend a run: its runtime stops, or its generation was replaced."""

CRASHED = "crashed"
"""The code of the Error of a task that was lost too often: its worker dies of it."""


class Workload(Protocol):
    """The methods of the Node of a workflow that durable runs need, to begin a run and to go on with one.

    `namespace` and `name` are those of its Spec, `specs` its expanded Specs as JSON (the Definition),
    `code` the Python modules of its functions. `execute` runs the scheduler in this Process, with the
    record of inputs: the answer, or an awaitable of it. It does not call `journal.finish`.
    """

    namespace: str
    name: str

    @property
    def code(self) -> Sequence[str]:
        """The modules of its functions."""
        ...

    @property
    def specs(self) -> bytes:
        """Its expanded Specs as JSON."""
        ...

    def is_idempotent(self, path: str) -> bool:
        """Return whether the task of this task path may run again after a crash; True if unknown."""
        ...

    def mask(self, value: Any) -> Any:
        """Return the same plain data with every known secret masked: nobody is to read one in a run."""
        ...

    def start(self) -> Process:
        """Return a new Process on the current generation; whoever starts it ends it."""
        ...

    def execute(self, process: Process, record: Any, journal: RunJournal, run: UUID) -> Answer:
        """Run the tasks that are not settled yet; return the output of the run, or its Error."""
        ...
