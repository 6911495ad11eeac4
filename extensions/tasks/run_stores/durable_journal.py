"""A DurableJournal writes what the scheduler reports to a RunStore: a turn at a time, each one transaction."""

# One file: all of it reads and writes the turn that is open, and the shortest way through it is
# the cost of a task. Parts of it that call each other would make every task dearer.

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from itertools import count, repeat
from typing import Any, Final

import msgspec

from heddle.extensions.extension import Answer, Error, Process, Tasks
from heddle.extensions.tasks.run_stores.attempt_output import CURRENT, AttemptOutput
from heddle.extensions.tasks.run_stores.companion import AttemptCompanion
from heddle.extensions.tasks.run_stores.contract import (
    LINK_SIZE,
    EndedAttempt,
    Folded,
    HistoryRow,
    OpenAttempt,
    RunLog,
    RunRecord,
    RunStore,
    RunTurn,
)
from heddle.extensions.tasks.run_stores.payloads import (
    BLOB,
    UnstorablePartError,
    content_hash,
    encode_payload,
    error_fields,
)
from heddle.extensions.tasks.run_stores.turn_transitions import list_transitions_of
from heddle.extensions.tasks.scheduler.journal import (
    FencedError,
    Recorded,
    RunJournal,
    RunSpeaker,
    UnstorableError,
)
from heddle.extensions.tasks.status import AttemptStatus, RunStatus, TaskStatus, Transition

LASTS: Final = 0.005
"""Seconds of work that a kill may cost: after them a turn is committed, although more could run."""

BURST: Final = 512
"""How many attempts begin in one turn at most."""

QUICKLY: Final = 32
"""How many times as many begin in the next turn, if at this rate they would take half of LASTS."""

LINKS: Final = 256
"""Links after which a turn folds them: as rows of the attempts they cost less in numbers."""

LINKS_KEPT: Final = 4096
"""Links that are folded before they are removed: to remove a few now and then makes each commit dearer."""

_encode_into = msgspec.msgpack.Encoder().encode_into

_COMPLETED = AttemptStatus.COMPLETED


class DurableJournal(RunJournal):
    """The journal of one run that this worker owns. `draining`: begin nothing more in this run.

    `fenced` says that another owner has
    the run: nothing may be written any more.
    """

    keeps = True

    def __init__(
        self,
        store: RunStore,
        run: RunRecord,
        *,
        clock: Callable[[], float] = time.time,
        mask: Callable[[Any], Any] | None = None,
    ) -> None:
        """`mask` returns plain data with every known secret masked: outputs are kept as they are."""
        self.run = run.id
        self.run_id = str(run.id)
        self.epoch = run.epoch
        self.recorded: Mapping[str, Recorded] = {}
        self.watch: Callable[[Transition], None] | None = None
        """Takes each transition once it is recorded; it may not wait, nor raise."""
        self.suspects: Collection[str] = ()
        self.burst = 1
        self.draining = False
        self.fenced = False
        self.idle: asyncio.Event | None = None
        self.path: str = store.path
        self.prefix: str = store.prefix
        self._store = store
        self._clock = clock
        self._mask = mask if mask is not None else _same
        self._seq = run.seq
        self._skipped: set[str] = set()
        self._turn = RunTurn(run.id, run.epoch, run.seq)
        self._turned = 0.0
        self._flying: asyncio.Future[None] | None = None
        self._batch: dict[tuple[str, int], tuple[float, int]] = {}
        self._written: set[tuple[str, int]] = set()
        self._companions = 0
        self._outputs: dict[tuple[str, int], AttemptOutput] = {}
        self._unfolded: list[Folded] = []
        self._links = 0
        self._folded = 0
        self._buffer = bytearray()

    @property
    def at_work(self) -> int:
        """How many attempts have begun and not ended."""
        return len(self._batch) + len(self._turn.begun)

    @property
    def seq(self) -> int:
        """The last number that is known to be taken."""
        return self._seq

    def now(self) -> float:
        """Return the time of the clock that it goes by, in seconds since 1970."""
        return self._clock()

    def resume(
        self,
        recorded: Mapping[str, Recorded],
        skipped: Iterable[str],
        suspects: Collection[str] = (),
    ) -> None:
        """Know what is recorded of earlier; `skipped` are the tasks whose skip is in the history."""
        self.recorded = recorded
        self.suspects = suspects
        self._skipped.update(skipped)

    # -- what the scheduler reports ----------------------------------------------------------------

    def begin(self, path: str, number: int) -> None:
        """Report that an attempt begins, once the turn is committed."""
        self._turn.begun.append((path, number))

    def begin_all(self, keys: Sequence[tuple[str, int]]) -> None:
        """Report that these attempts begin, once the turn is committed."""
        self._turn.begun += keys

    def end_call(self, path: str, number: int, value: Any) -> bool:
        """Report that an attempt completed; True if the turn should be committed now. Raise UnstorableError."""
        if self._outputs or self._written or self.idle is not None:
            return self.end(path, number, _COMPLETED, value)
        try:
            data = encode_payload(value)
        except UnstorablePartError as error:
            raise UnstorableError(path, str(error)) from None
        size = len(data)
        if size >= BLOB:
            return self.end(path, number, _COMPLETED, value)
        began = self._batch.pop((path, number), None)
        if began is None:
            return self.end(path, number, _COMPLETED, value)
        now = self._clock()
        turn = self._turn
        turn.completed.append((path, number, began[0], began[1], now, bytearray(data)))
        turn.size += size + 80
        return now - self._turned > LASTS

    def enter(self, path: str, number: int) -> None:
        """Keep what is printed in this context from now on with this attempt."""
        CURRENT.set(RunSpeaker(self, path, number))

    def enter_all(self) -> RunSpeaker:
        """Keep what is printed in this context with the attempt that the Speaker names at the moment."""
        speaker = RunSpeaker(self)
        CURRENT.set(speaker)
        return speaker

    def write_output(self, path: str, number: int, text: str) -> None:
        """Take what an attempt prints; it is recorded when the attempt ends, and now and then."""
        output = self._outputs.get((path, number))
        if output is None:
            output = self._outputs[path, number] = AttemptOutput()
        output.write(text)

    def flush_output(self) -> bool:
        """Report what running attempts have printed since the last time; False if that is nothing."""
        changed = [(key, each) for key, each in tuple(self._outputs.items()) if each.changed]
        for key, output in changed:
            if key in self._batch:
                self.log(*key, output.take())
            else:
                # It has ended: what its threads and tasks print now comes after what is kept.
                del self._outputs[key]
                self.log(*key, output.take(), more=True)
        return bool(changed)

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
        """Report how an attempt ended; True if the turn should be committed now. Raise UnstorableError."""
        turn = self._turn
        now = self._clock()
        if status is _COMPLETED and not by:
            try:
                data = encode_payload(answer)
            except UnstorablePartError as error:
                raise UnstorableError(path, str(error)) from None
            size = len(data)
            if size < BLOB and not self._written:
                began = self._batch.pop((path, number), None)
                if began is not None:
                    turn.size += size + 80
                    turn.completed.append((path, number, began[0], began[1], now, bytearray(data)))
                    return self._ended(now, (path, number) if self._outputs else None)
            return self._end(path, number, status, now, data=data)
        return self._end(path, number, status, now, answer=answer, due=due, by=by)

    def _end(
        self,
        path: str,
        number: int,
        status: AttemptStatus,
        now: float,
        *,
        data: bytes | None = None,
        answer: Answer = None,
        due: float | None = None,
        by: str = "",
    ) -> bool:
        """Report an end that needs more than the few columns of most."""
        if (path, number) in self._written:
            self._written.discard((path, number))
            self._batch.pop((path, number), None)
            if status is _COMPLETED:
                return self._ended(now, (path, number) if self._outputs else None)
        turn = self._turn
        error = blob = None
        if status is _COMPLETED:
            if data is None:
                try:
                    data = encode_payload(answer)
                except UnstorablePartError as unstorable:
                    raise UnstorableError(path, str(unstorable)) from None
            if len(data) >= BLOB:
                blob = content_hash(data)
                turn.blobs.append((blob, data))
                turn.size += len(data)
                data = None
        elif type(answer) is Error:
            error = self._encode_error(answer)
            turn.size += len(error)
        began = self._batch.pop((path, number), None)
        turn.ended.append(
            EndedAttempt(
                path,
                number,
                str(status),
                began and began[0],
                began and began[1],
                now,
                data,
                blob,
                error,
                due,
                by or None,
            )
        )
        turn.size += 200 + (len(data) if data else 0)
        return self._ended(now, (path, number) if self._outputs else None)

    def _ended(self, now: float, key: tuple[str, int] | None = None) -> bool:
        if self._outputs and key is not None:
            output = self._outputs.pop(key, None)
            if output is not None and output.changed:
                self.log(*key, output.take())
        if self.idle is not None and not self.at_work:
            self.idle.set()
        return now - self._turned > LASTS

    def settle(
        self,
        path: str,
        status: TaskStatus,
        answer: Answer = None,
        *,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Report that a task is settled without an attempt of its own. Raise UnstorableError.

        A skip that is recorded already is not recorded again. An output is kept under the number 0.
        """
        if status is TaskStatus.COMPLETED:
            try:
                self.complete(path, 0, encode_payload(answer))
            except UnstorablePartError as error:
                raise UnstorableError(path, str(error)) from None
            return
        if status is TaskStatus.SKIPPED:
            if path in self._skipped:
                return
            self._skipped.add(path)
        if type(answer) is Error:
            detail = {"code": answer.code, "message": answer.message, **(detail or {})}
        self.note(str(status), task=path, detail=detail)

    def note(
        self,
        event: str,
        *,
        task: str = "",
        actor: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Report a transition that no attempt can tell."""
        text = self._encode(dict(detail), str) if detail else ""
        self._turn.history.append(HistoryRow(self._clock(), event, task, actor, text))
        self._turn.size += 100 + len(text)

    def _encode(self, data: dict[str, Any], enc_hook: Callable[[Any], Any]) -> str:
        """Return plain data as JSON, its secrets masked."""
        plain = msgspec.json.decode(msgspec.json.encode(data, enc_hook=enc_hook))
        return msgspec.json.encode(self._mask(plain)).decode()

    def _encode_error(self, error: Error) -> str:
        return self._encode(error_fields(error), repr)

    def drop(self, keys: Sequence[tuple[str, int]]) -> None:
        """Report that attempts which have begun are cancelled before any of their code was called."""
        dropped: list[OpenAttempt] = []
        for key in keys:
            at, seq = self._batch.pop(key, (None, None))
            if seq is not None:
                dropped.append((*key, at, seq))
        if dropped:
            self._turn.stopped.append((str(AttemptStatus.CANCELLED), dropped))
            self._turn.size += 100 * len(dropped)
        if self.idle is not None and not self.at_work:
            self.idle.set()

    def _stop_attempts(self, status: AttemptStatus) -> None:
        """Report the attempts that have begun and of which no end was reported; there is none left then."""
        self._turn.begun.clear()
        if self._batch:
            stopped: list[OpenAttempt] = [(*key, at, seq) for key, (at, seq) in self._batch.items()]
            self._turn.stopped.append((str(status), stopped))
            self._turn.size += 100 * len(stopped)
            self._batch.clear()

    def finish(
        self, status: RunStatus, answer: Answer = None, *, actor: str = "", reason: str = ""
    ) -> None:
        """Report that the run has ended; raise UnstorableError if its output cannot be kept."""
        self.flush_output()
        self._stop_attempts(AttemptStatus.CANCELLED)
        turn, now = self._turn, self._clock()
        change: dict[str, Any] = {
            "status": str(status),
            "reason": self._mask(reason),
            "ended": now,
            "owner": "",
            "lease": None,
            "wake": None,
        }
        detail: dict[str, Any] = {"reason": reason} if reason else {}
        if status is RunStatus.COMPLETED:
            try:
                data = encode_payload(answer)
            except UnstorablePartError as error:
                raise UnstorableError("", str(error)) from None
            if len(data) >= BLOB:
                change["output_blob"] = content_hash(data)
                turn.blobs.append((change["output_blob"], data))
                turn.size += len(data)
            else:
                change["output"] = data
        elif type(answer) is Error:
            change["error"] = self._encode_error(answer)
            detail |= {"code": answer.code, "message": answer.message}
        self.note(str(status), actor=actor, detail=detail)
        turn.change.update(change)

    def suspend(
        self,
        reason: str,
        *,
        wake: float | None = None,
        status: RunStatus = RunStatus.SUSPENDED,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Report that nobody works on the run from now on; at `wake` a run controller takes it."""
        self.flush_output()
        self._stop_attempts(AttemptStatus.INTERRUPTED)
        self.note(str(status), detail={"reason": reason, **(detail or {})})
        reason = self._mask(reason)
        self._turn.change.update(status=str(status), reason=reason, owner="", lease=None, wake=wake)

    def complete(self, path: str, number: int, data: bytes) -> None:
        """Report an output that no attempt gave, but a person or the tasks inside of this one."""
        now = self._clock()
        blob = content_hash(data) if len(data) >= BLOB else None
        if blob is not None:
            self._turn.blobs.append((blob, data))
        self._turn.ended.append(
            EndedAttempt(path, number, "completed", None, None, now, None if blob else data, blob)
        )
        self._turn.size += len(data)

    def prioritize(self, priority: int, actor: str = "") -> None:
        """Report another priority of the run."""
        self._turn.change["priority"] = priority
        self.note("priority", actor=actor, detail={"priority": priority})

    def answer_requests(self, *ids: int) -> None:
        """Report that these requests are done."""
        self._turn.answered += ids

    def log(self, path: str, number: int, text: str, *, more: bool = False) -> None:
        """Keep what an attempt has printed so far, in the place of what was kept before.

        With `more`, the text comes after what was kept.
        """
        text = self._mask(text)
        logs = self._turn.logs
        if not more:
            logs = [each for each in logs if each[0][:2] != (path, number)]
        logs.append((RunLog(path, number, text), more))
        self._turn.logs = logs
        self._turn.size += len(text)

    # -- how it becomes lasting --------------------------------------------------------------------

    def commit(self) -> Awaitable[None] | None:
        """Record the turn: None if that is done, an awaitable otherwise. Raise FencedError."""
        if self._flying is not None:
            return self._commit_after(self._flying)
        if self.fenced:
            raise FencedError(self.run_id)
        turn = self._turn
        if (
            turn.size < LINK_SIZE
            and len(turn.completed) <= 1
            and len(turn.begun) <= 1
            and self._is_link(turn)
        ):
            if self._link(turn):
                return None
        elif not (turn.transitions or turn.change or turn.logs or turn.answered):
            return None
        return self._commit(turn)

    def _is_link(self, turn: RunTurn) -> bool:
        """Return whether a turn of at most one end and one beginning may be one row."""
        return (
            bool(turn.completed or turn.begun)
            and self._links < LINKS
            and not self._companions
            and self.watch is None
            and not (turn.ended or turn.stopped or turn.history or turn.change)
            and not (turn.answered or turn.logs)
        )

    def _link(self, turn: RunTurn) -> bool:
        """Record a small turn as one row; False if that cannot be at once."""
        completed, begun = turn.completed, turn.begun
        seq = self._seq + len(completed) + len(begun)
        at = self._clock()
        data = self._buffer
        _encode_into((completed, begun), data)
        try:
            if not self._store.link(self.run_id, self.epoch, seq, at, data):
                return False
        except FencedError:
            self.fenced = True
            raise
        self._links += 1
        self._seq = seq
        if completed:
            task, number, began, began_seq, ended, output = completed.pop()
            self._unfolded.append((task, number, began, began_seq, ended, seq - len(begun), output))
        if begun:
            self._batch[begun.pop()] = at, seq
            self._adapt(1, at)
        self._turned = self._clock()
        turn.size = 0
        return True

    def _adapt(self, begins: int, now: float) -> None:
        """Let more begin in a turn while a turn takes little time: so a kill never costs much.

        All that has begun counts as lost then, although most of it was not called yet.
        """
        if not self._turned:
            return
        elapsed = now - self._turned
        if elapsed > LASTS:
            self.burst = max(1, self.burst // 2)
        elif begins >= self.burst and elapsed < LASTS / 2:
            factor = QUICKLY if elapsed * QUICKLY < LASTS / 2 else 4
            self.burst = min(self.burst * factor, BURST)

    def _commit(self, turn: RunTurn) -> Awaitable[None] | None:
        """Record a turn of any shape; it takes the links before it in."""
        self._turn = RunTurn(self.run, self.epoch, self._seq)
        turn.at = self._clock()
        turn.seq = self._seq
        if turn.begun:
            self._adapt(len(turn.begun), turn.at)
        turn.folded = self._unfolded
        if turn.change or self._folded >= LINKS_KEPT:
            # What has begun and not ended is told by the row alone by which it began.
            turn.fold_before = min((seq for _, seq in self._batch.values()), default=turn.seq + 1)
        try:
            waits = self._store.commit(turn)
        except FencedError:
            self.fenced = True
            raise
        if waits is None:
            self._settled(turn)
            return None
        self._flying = Tasks().start(self._land(turn, waits), awaited=True)
        return asyncio.shield(self._flying)

    @property
    def condition(self) -> str:
        """The reason why the store cannot record; empty if there is none."""
        return self._store.condition

    def abandon(self) -> None:
        """Give up the turn that waits to be written: whoever waits for it is cancelled."""
        if self._flying is not None:
            self._flying.cancel()

    async def land(self) -> None:
        """Wait until what was committed is recorded, or raise why it is not: Fenced."""
        while self._flying is not None:
            await asyncio.shield(self._flying)

    async def _commit_after(self, flying: "asyncio.Future[None]") -> None:
        """Record what was reported since the turn that is being written."""
        await asyncio.shield(flying)
        waits = self.commit()
        if waits is not None:
            await waits

    async def _land(self, turn: RunTurn, waits: Awaitable[None]) -> None:
        try:
            await waits
        except FencedError:
            self.fenced = True
            raise
        finally:
            self._flying = None
        self._settled(turn)

    def _settled(self, turn: RunTurn) -> None:
        """Know the numbers of a turn that is recorded."""
        # A turn lasts from here: what the commit before it took is no work of tasks.
        self._turned = self._clock()
        self._seq = max(self._seq, turn.seq)
        self._folded += len(turn.folded)
        if turn.fold_before:
            self._folded = 0
        self._unfolded = []
        self._links = 0
        if self.watch is not None:
            for transition in list_transitions_of(self.run, turn):
                self.watch(transition)
        begun = turn.begun
        if begun:
            at = turn.at
            first = turn.seq - len(turn.history) - len(begun) + 1
            self._batch.update(zip(begun, zip(repeat(at), count(first)), strict=False))

    # -- companions: the end of an attempt inside the transaction of its own Process ------------------

    def opened(self, process: Process, path: str, number: int) -> None:
        """Let the transactions of an attempt's Process record its end with what they do."""
        if self.path:
            process.companions = (*process.companions, AttemptCompanion(self, path, number))

    def closing(self, process: Process, path: str, number: int, answer: Answer) -> None:
        """Know how the attempt ends, before its Process ends and its transactions commit."""
        for companion in process.companions:
            if isinstance(companion, AttemptCompanion):
                companion.answer = answer

    def began(self, key: tuple[str, int]) -> tuple[float, int] | None:
        """Return when an attempt without a row began, and its number."""
        return self._batch.get(key)

    def enter_companion(self) -> None:
        """Know that somebody else takes a number of the run now: it is taken from the store."""
        self._companions += 1

    def leave_companion(self, key: tuple[str, int], seq: int, *, committed: bool) -> None:
        """Know whether the end of an attempt is recorded, and its number."""
        self._companions -= 1
        if committed:
            self._written.add(key)
            self._seq = max(self._seq, seq)
            if self.watch is not None:
                task, number = key
                self.watch(
                    Transition(
                        run=self.run,
                        seq=seq,
                        at=self._clock(),
                        event="completed",
                        task=task,
                        number=number,
                    )
                )


def _same(value: Any) -> Any:
    """Return it: no secret is known."""
    return value
