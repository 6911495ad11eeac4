"""A RunStore keeps runs, their attempts and their history, so that a run outlives its Processes.

One turn of the scheduler loop is one transaction of the store, a Turn. Whoever owns a run writes it; the
epoch, which every claim raises, fences off an owner that has lost it. Anyone else writes a Request.
"""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeAlias
from uuid import UUID

import msgspec

from heddle.extensions.extension import Error
from heddle.extensions.tasks.run_stores.payloads import decode_payload
from heddle.extensions.tasks.status import RunStatus, Transition
from heddle.schemas.errors import HeddleError

AGEING: Final = 600.0
"""Seconds of waiting that are worth one step of the priority of a run."""

MOST_CLAIMABLE: Final = 1000
"""Runs that one look for those to go on returns."""


class RunStoreError(HeddleError):
    """Raised when a RunStore cannot be used: the message names the file, the reason and what to do."""


class RunStoreFull(RunStoreError):  # noqa: N818 - a condition of the store
    """Raised when nothing can be written for now: the disk is full, or the folder is read-only."""


class UnknownRunStoreError(RunStoreError):
    """Raised when a workflow names a `run-store` that is not active, or not yet."""


class NoRun(RunStoreError):  # noqa: N818 - reads as what happened
    """Raised when a RunStore has no such run, or several; `candidates` are ids that come near."""

    def __init__(self, message: str, candidates: Sequence[UUID] = ()) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class RunDefinition(msgspec.Struct, frozen=True):
    """The expanded Specs of a workflow as JSON, and their content hash (32 bytes)."""

    hash: bytes
    specs: bytes


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is to begin. Times are seconds since 1970; `input` is the record of inputs.

    `status` is `running` (the store's owner works on it at once) or `queued`. `code` lists the Python
    modules that its functions stand in.
    """

    id: UUID
    namespace: str
    workflow: str
    input: Any
    definition: RunDefinition | None = None
    idempotency_key: str | None = None
    status: RunStatus = RunStatus.RUNNING
    priority: int = 1
    parent: UUID | None = None
    tags: Mapping[str, str] = {}
    creator: str = ""
    code: Sequence[str] = ()
    deadline: float | None = None


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it is recorded. Times are seconds since 1970.

    `reason` says why it is suspended or blocked. `lease` is the time until which `owner` has it,
    `wake` the time at which it is looked at again. `stored_input` and `stored_output` are payloads as
    bytes; None if there is none.
    """

    id: UUID
    namespace: str
    workflow: str
    status: RunStatus
    created: float
    definition: bytes | None = None
    idempotency_key: str | None = None
    reason: str = ""
    stored_input: bytes | None = None
    stored_output: bytes | None = None
    error: Error | None = None
    priority: int = 1
    parent: UUID | None = None
    tags: Mapping[str, str] = {}
    creator: str = ""
    code: Sequence[str] = ()
    began: float | None = None
    ended: float | None = None
    deadline: float | None = None
    wake: float | None = None
    owner: str = ""
    epoch: int = 0
    lease: float | None = None
    seq: int = 0

    @property
    def input(self) -> Any:
        """The record of inputs; None if the run has none."""
        return None if self.stored_input is None else decode_payload(self.stored_input)

    @property
    def output(self) -> Any:
        """The output of a completed run."""
        return None if self.stored_output is None else decode_payload(self.stored_output)


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt as it is recorded: `status` is a text of AttemptStatus, times are seconds since 1970.

    `began_seq` and `ended_seq` are the numbers of its two transitions; `due` is the time of the next
    attempt if one is planned; `by` the fallback task that gave the output. `stored_output` is the payload
    as bytes.
    """

    task: str
    number: int
    status: str
    began: float | None = None
    began_seq: int | None = None
    ended: float | None = None
    ended_seq: int | None = None
    due: float | None = None
    worker: str = ""
    by: str = ""
    progress: float | None = None
    note: str = ""
    stored_output: bytes | None = None
    error: Error | None = None

    @property
    def output(self) -> Any:
        """The output of a completed attempt."""
        return None if self.stored_output is None else decode_payload(self.stored_output)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request to the owner of a run: `cancel`, `retry`, `skip`, `complete`, `priority`.

    `task` is a task path, empty for the whole run; `payload` is stored as bytes. The owner, or the next
    one, acts on it and removes it in the same transaction.
    """

    id: int
    run: UUID
    at: float
    verb: str
    task: str = ""
    actor: str = ""
    payload: bytes | None = None


Completed: TypeAlias = tuple[str, int, float, int, float, bytearray]
"""A completed attempt: task path, number, began, number of that transition, ended, output.

A plain tuple, and a bytearray: sqlite3 binds neither None nor bytes as fast.
"""

Folded: TypeAlias = tuple[str, int, float, int, float, int, bytearray]
"""The same with the number of the transition by which it ended: a link has recorded it already."""


OpenAttempt: TypeAlias = tuple[str, int, float | None, int | None]
"""An attempt that has begun and not ended: task path, number, began, number of that transition."""


class EndedAttempt(NamedTuple):
    """One attempt that ended otherwise, or with more than an output.

    `output` holds the payload's bytes, `blob` its hash if it is kept apart. The Error is JSON. `began` is
    None for an output that no attempt gave.
    """

    task: str
    number: int
    status: str
    began: float | None
    began_seq: int | None
    ended: float
    output: bytes | bytearray | None = None
    blob: bytes | None = None
    error: str | None = None
    due: float | None = None
    by: str | None = None


class HistoryRow(NamedTuple):
    """One transition that no attempt can tell. `detail` is JSON; `task` is empty for the run."""

    at: float
    event: str
    task: str = ""
    actor: str = ""
    detail: str = ""


class RunLog(NamedTuple):
    """The text that an attempt has printed and logged."""

    task: str
    number: int
    data: str


BEGAN = "began"
"""The event of a row of the history that lists attempts which began together."""

STOPPED = "stopped"
"""The event of a row of the history that lists attempts which ended together, and how: `lost`, `interrupted`."""

LINK = "link"
"""The event of a row of the history that holds a whole turn, until it is folded into attempts."""

PACK = "pack"
"""The event of a row of the history that holds many completed attempts, until they get rows of their own."""

LINK_SIZE = 4096
"""Bytes up to which a turn may be a link."""


class RunTurn:
    """The content of one transaction of a run. The transitions get their numbers in this order.

    First the attempts in `completed` and `ended`, then those in `stopped` (a status, and what ended so),
    then those in `begun` (task path and number), then `history`. `at` is when they began. `seq` is the last number that this owner knows to be taken; the
    store raises it when it has recorded the turn. `change` holds columns of the run, `blobs`
    what is kept apart, `logs` what attempts printed, and whether it comes after what was kept
    or takes its place, `answered` the ids of Requests that are done. `size` is in bytes. `folded` are
    attempts that links have recorded: they get rows of their own, and the links before the number
    `fold_before` go.
    """

    __slots__ = (
        "answered",
        "at",
        "begun",
        "blobs",
        "change",
        "completed",
        "ended",
        "epoch",
        "fold_before",
        "folded",
        "history",
        "logs",
        "run",
        "seq",
        "size",
        "stopped",
    )

    def __init__(self, run: UUID, epoch: int, seq: int) -> None:
        self.run = str(run)
        self.epoch = epoch
        self.seq = seq
        self.at = 0.0
        self.folded: Sequence[Folded] = ()
        self.fold_before = 0
        self.completed: list[Completed] = []
        self.ended: list[EndedAttempt] = []
        self.stopped: list[tuple[str, list[OpenAttempt]]] = []
        self.begun: list[tuple[str, int]] = []
        self.history: list[HistoryRow] = []
        self.change: dict[str, Any] = {}
        self.blobs: list[tuple[bytes, bytes]] = []
        self.answered: list[int] = []
        self.logs: list[tuple[RunLog, bool]] = []
        self.size = 0

    @property
    def transitions(self) -> int:
        """How many transitions it records."""
        count = len(self.completed) + len(self.ended) + len(self.begun) + len(self.history)
        return count + sum(len(attempts) for _, attempts in self.stopped)


Output: TypeAlias = tuple[str, int, bytes | None, str | None]
"""The output of a completed task: task path, number of the attempt, payload as bytes, fallback."""


class RunClaim(msgspec.Struct, frozen=True):
    """A run that is ours from now on, with its new epoch, and what is recorded of its tasks.

    `completed` holds the outputs, `attempts` all attempts that did not complete, in order, `history` the
    transitions of tasks that no attempt tells.
    """

    run: RunRecord
    completed: Sequence[Output]
    attempts: Sequence[AttemptRecord]
    history: Sequence[Transition]
    requests: Sequence[Request] = ()


class RunStore(Protocol):
    """The store of runs. `owner` is the id of the worker that opened it; `url` is for people.

    Methods that return an Awaitable or the value give the value when it is there at once: the thread of
    the event loop never waits for a lock or for a large write. All of them raise RunStoreError.
    """

    url: str
    owner: str
    lease: float

    @property
    def path(self) -> str:
        """The path of its file; empty if it is not a file."""
        ...

    @property
    def prefix(self) -> str:
        """The prefix of the names of its tables in the database of an application."""
        ...

    @property
    def condition(self) -> str:
        """The reason why it cannot record: `run store full`, for example; empty if there is none."""
        ...

    async def open(self) -> None:
        """Open it; make or migrate it if needed. Raise RunStoreError, and touch nothing that is newer."""
        ...

    async def close(self) -> None:
        """Close it. Runs that this owner still has can be taken by others at once."""
        ...

    # -- by the owner ------------------------------------------------------------------------------

    async def begin(self, run: NewRun, at: float) -> tuple[RunRecord, bool]:
        """Record a run; if its idempotency key is taken, the run that has it, and False."""
        ...

    def commit(self, turn: RunTurn) -> Awaitable[None] | None:
        """Record a turn; raise Fenced if the epoch is not the run's any more.

        It waits as long as nothing can be written, and shows that as `condition`.
        """
        ...

    def link(self, run: str, epoch: int, seq: int, at: float, data: bytearray) -> bool:
        """Record a small turn as one row, which costs half of `commit`; False if `commit` has to do it.

        It is for at most one attempt that completed and one that begins: `data` holds both as
        MessagePack, `seq` is the number of the last transition. Nobody else may take numbers of the run
        at the same time. Raise FencedError. It never waits.
        """
        ...

    async def tidy(self) -> None:
        """Do what can wait until there is nothing else to do."""
        ...

    async def claim(
        self, run: UUID, at: float, *, take: bool = False, again: bool = False
    ) -> RunClaim | None:
        """Take a run that nobody works on; None if somebody does. With `take`, take it even then.

        Nobody works on a run that is not `running`, whose lease is over, or whose owner's lock is free.
        A settled run is not given, but with `again` one that failed.
        """
        ...

    async def load(self, run: UUID) -> RunClaim | None:
        """Return what is recorded of a run, without a claim."""
        ...

    async def adjust(self, *, lease: float, sync: str) -> None:
        """Go by other settings from now on: `lease` in seconds, and `sync`, `normal` or `full`."""
        ...

    def renew(self, at: float) -> None:
        """Extend the leases of all runs of this owner; any thread may call it, and it may wait."""
        ...

    async def claimable(
        self,
        namespace: str,
        at: float,
        *,
        workflows: Collection[str] | None = None,
        without: Collection[UUID] = (),
    ) -> Sequence[RunRecord]:
        """Return the runs of a namespace that are to go on: due, queued, drained, or left by their owner.

        The most urgent come first, at most MOST_CLAIMABLE: one step of the priority is worth AGEING
        seconds of waiting, so none waits for ever behind newer ones. `workflows` are those that the
        caller can go on with (None: all), and `without` names runs that it leaves alone.
        """
        ...

    async def requests(self, run: UUID | None = None) -> Sequence[Request]:
        """Return what others want of a run, or of all runs of this owner; oldest first."""
        ...

    # -- by anyone ---------------------------------------------------------------------------------

    async def request(
        self,
        run: UUID,
        verb: str,
        at: float,
        *,
        task: str = "",
        actor: str = "",
        payload: bytes | None = None,
    ) -> Request:
        """Ask the owner of a run for something, and wake the run."""
        ...

    def is_gone(self, owner: str) -> bool:
        """Return whether an owner is known to be gone, although its leases are not over; it may not wait."""
        ...

    def changes(self) -> int:
        """Return a number that is another one after somebody else has written; it may not wait."""
        ...

    async def find(
        self,
        *,
        namespace: str | None = None,
        workflow: str | None = None,
        status: Sequence[RunStatus] = (),
        since: float | None = None,
        limit: int = 100,
    ) -> Sequence[RunRecord]:
        """Return runs, newest first."""
        ...

    async def get(self, run: UUID) -> RunRecord | None:
        """Return a run, or None."""
        ...

    async def matching(self, text: str) -> Sequence[UUID]:
        """Return the ids of runs that contain this text, newest first; at most 20."""
        ...

    async def attempts(self, run: UUID) -> Sequence[AttemptRecord]:
        """Return all attempts of a run in the order in which they began."""
        ...

    async def transitions(self, run: UUID, after: int = 0) -> Sequence[Transition]:
        """Return the transitions of a run with numbers above `after`, without gaps."""
        ...

    async def logs(self, run: UUID, task: str = "", number: int = 0) -> Sequence[RunLog]:
        """Return what the attempts of a run printed; of one task, or one attempt, if named."""
        ...

    async def definition(self, key: bytes) -> RunDefinition | None:
        """Return the Definition of this content hash, or None."""
        ...

    async def prune(self, before: float, *, namespace: str | None = None) -> int:
        """Remove settled runs that ended before, and what only they needed; return how many runs."""
        ...

    async def tick(self, timer: str, at: float | None = None) -> float | None:
        """Return the last recorded tick of a timer; with `at`, record that one if it is later."""
        ...
