"""The knowledge of an attempt about its run: a RunRoot for the whole run, a RunContext for the attempt."""

import asyncio
from typing import Any, Final
from uuid import UUID, uuid5

from heddle.extensions.tasks.scheduler.journal import NOTHING_KEPT, RunJournal
from heddle.extensions.tasks.scheduler.timers import Timers
from heddle.specs.model.names import new_id

RUN: Final = "heddle.run"
"""The key under which a Process holds the RunContext of the attempt that it works on."""


class RunRoot:
    """A whole run, with the runs of the workflows inside it: its id and its journal.

    Whoever begins a run with a journal puts a RunContext with a RunRoot into its Process, under RUN.
    """

    __slots__ = ("_id", "_timers", "journal", "numbers")

    def __init__(self, journal: RunJournal = NOTHING_KEPT, id: UUID | None = None) -> None:  # noqa: A002
        self.journal = journal
        self.numbers: dict[str, int] = {}
        """The number of the last attempt by task path, if the journal keeps anything."""
        self._id = id
        self._timers: Timers | None = None

    @property
    def id(self) -> UUID:
        """The id of the run: a UUID version 7, made at the first look."""
        if self._id is None:
            self._id = new_id()
        return self._id

    @property
    def timers(self) -> Timers:
        """The timers of the run; they need a running event loop."""
        if self._timers is None:
            self._timers = Timers(asyncio.get_running_loop())
        return self._timers

    def next_number(self, path: str) -> int:
        """Return the number of the next attempt at a task path."""
        known = self.numbers.get(path)
        if known is None:
            recorded = self.journal.recorded.get(path)
            known = recorded.attempts if recorded is not None else 0
        return known + 1

    def token(self, path: str) -> UUID:
        """Return the token of a task: the same UUID in each attempt, another in each run."""
        return uuid5(self.id, path)


class RunContext:
    """The run and the task path of an attempt. `number` counts its attempts.

    `owner` is the id of the symbol that does the work: only that one takes the context for its own.
    `limits` are those that the attempt is inside of already.
    """

    __slots__ = ("limits", "number", "owner", "path", "root")

    def __init__(
        self, root: RunRoot, path: str, owner: Any, number: int = 1, limits: tuple[Any, ...] = ()
    ) -> None:
        self.root = root
        self.path = path
        self.owner = owner
        self.number = number
        self.limits = limits
