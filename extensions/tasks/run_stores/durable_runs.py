"""DurableRuns begins runs in a RunStore, goes on with those that nobody works on, and suspends its own."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

import msgspec

from heddle.extensions.extension import Answer, Error, Tasks
from heddle.extensions.tasks.run_stores.active_run import ActiveRun
from heddle.extensions.tasks.run_stores.attempt_output import CAPTURE
from heddle.extensions.tasks.run_stores.contract import (
    NewRun,
    Request,
    RunClaim,
    RunDefinition,
    RunRecord,
    RunStore,
    RunStoreError,
)
from heddle.extensions.tasks.run_stores.decisions import apply_requests
from heddle.extensions.tasks.run_stores.durable_journal import DurableJournal
from heddle.extensions.tasks.run_stores.heartbeat import Heartbeat
from heddle.extensions.tasks.run_stores.payloads import content_hash
from heddle.extensions.tasks.run_stores.recorded import LOSSES, read_claim
from heddle.extensions.tasks.scheduler.journal import DRAINED, FencedError, Workload
from heddle.extensions.tasks.status import SETTLED_RUN, RunStatus, TaskStatus, Transition
from heddle.specs.model.names import new_id

LOOK: Final = 0.25
"""Seconds between two looks at whether others want something of our runs; a look costs 2 µs."""

REST: Final = 16
"""Looks without a run after which the looking ends; after half of them the store is tidied."""

FLUSH: Final = 1.0
"""Seconds between two recordings of what a running attempt prints."""

Emit = Callable[..., None]

Watch = Callable[[Transition], None]
"""Takes a transition once it is recorded; it may not wait, nor raise."""


class DurableRuns:
    """The runs that this worker works on in one RunStore.

    `drain` is how many seconds running attempts get when a run is suspended; `health` how long the event
    loop may stand still before our leases are no longer renewed; `losses` after how many lost attempts a task
    has crashed; `tell(event, **data)` reports.
    """

    def __init__(
        self,
        store: RunStore,
        *,
        drain: float = 30.0,
        health: float = 60.0,
        heartbeat: float | None = None,
        losses: int = LOSSES,
        emit: Emit = lambda *_, **__: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self.drain = drain
        self._emit = emit
        self._clock = clock
        self._losses = losses
        self._definitions: WeakKeyDictionary[Workload, RunDefinition] = WeakKeyDictionary()
        self._active: dict[UUID, ActiveRun] = {}
        self._watches: dict[UUID, Watch] = {}
        self._looking: asyncio.Task[None] | None = None
        self._tasks = Tasks(self._failed)
        self._seen = -1
        self._reported = ""
        self._flushed = 0.0
        self._heartbeat = Heartbeat(
            store.renew, heartbeat or store.lease / 3, health=health, failed=self._not_renewed
        )

    def adjust(self, *, heartbeat: float | None, losses: int) -> None:
        """Go by other settings from now on."""
        self._losses = losses
        self._heartbeat.adjust(heartbeat or self.store.lease / 3)

    @property
    def active(self) -> Mapping[UUID, ActiveRun]:
        """The runs that are worked on here, by id."""
        return self._active

    def watch(self, run: UUID, take: Watch) -> None:
        """Hand over each transition of a run that is worked on here, from now until the run is settled.

        It stays watched if it is suspended and resumed. There is one watch for each run.
        """
        self._watches[run] = take
        active = self._active.get(run)
        if active is not None:
            active.journal.watch = take

    # -- beginning and going on --------------------------------------------------------------------

    async def begin(
        self,
        workload: Workload,
        record: Any,
        *,
        key: str | None = None,
        creator: str = "",
        priority: int = 1,
        tags: Mapping[str, str] | None = None,
        parent: UUID | None = None,
        deadline: float | None = None,
    ) -> ActiveRun | RunRecord:
        """Begin a run with this record of inputs. If `key` is taken, return the run that has it.

        Raise RunStoreError, and UnstorablePartError with the part of the record that cannot be kept.
        """
        new = NewRun(
            id=new_id(),
            namespace=workload.namespace,
            workflow=workload.name,
            input=record,
            definition=self._define(workload),
            idempotency_key=key,
            priority=priority,
            parent=parent,
            tags=tags or {},
            creator=creator,
            code=workload.code,
            deadline=deadline,
        )
        run, is_new = await self.store.begin(new, self._clock())
        if not is_new:
            return self._active.get(run.id) or run
        return self._start(workload, self._journal(workload, run), run, record)

    def _journal(self, workload: Workload, run: RunRecord) -> DurableJournal:
        return DurableJournal(self.store, run, clock=self._clock, mask=workload.mask)

    def _define(self, workload: Workload) -> RunDefinition:
        """Return the Definition of a workflow, which stays the same as long as its node."""
        definition = self._definitions.get(workload)
        if definition is None:
            # A parameter may be filled with a secret.
            specs = msgspec.json.encode(workload.mask(msgspec.json.decode(workload.specs)))
            definition = self._definitions[workload] = RunDefinition(content_hash(specs), specs)
        return definition

    async def resume(
        self,
        workload: Workload,
        run: UUID,
        *,
        take: bool = False,
        again: bool = False,
        actor: str = "",
    ) -> ActiveRun | RunRecord | None:
        """Go on with a run that nobody works on; None if somebody does, or it is settled.

        With `take`, take it from a remote owner; with `again`, try the failed tasks again. Decisions of
        people are applied first. A run that needs one is recorded as `blocked` and returned.
        """
        claim = await self.store.claim(run, self._clock(), take=take, again=again)
        if claim is None:
            return None
        try:
            return await self._go_on(workload, claim, again=again, actor=actor)
        except (FencedError, RunStoreError):
            raise
        except Exception as error:
            await self._give_back(workload, claim, error)
            raise

    async def _give_back(self, workload: Workload, claim: RunClaim, error: Exception) -> None:
        """Let go of a run that was claimed and cannot be resumed here: another program may be able to."""
        journal = self._journal(workload, claim.run)
        reason = f"it cannot be resumed: {type(error).__name__}: {error}"
        journal.suspend(reason, wake=self._clock())
        with suppress(FencedError, RunStoreError):
            await self._commit(journal)

    async def _go_on(
        self, workload: Workload, claim: RunClaim, *, again: bool, actor: str
    ) -> ActiveRun | RunRecord:
        """Go on with a run that was claimed."""
        journal = self._journal(workload, claim.run)
        if any(each.verb == "cancel" for each in claim.requests):
            return await self._cancel_claimed(journal, claim)
        if again or claim.requests:
            if again:
                journal.note("retry", task="*", actor=actor)
            apply_requests(journal, claim)
            await self._commit(journal)
            claim = await self.store.load(claim.run.id) or claim
        known = read_claim(claim, workload.is_idempotent, losses=self._losses)
        for task in known.crashed:
            error = known.recorded[task].error
            journal.note(
                str(TaskStatus.FAILED), task=task, detail={"code": error.code} if error else None
            )
        if known.unknown:
            return await self._block(journal, claim, known.unknown)
        journal.resume(known.recorded, known.skipped, known.suspects)
        await self._commit(journal)
        return self._start(workload, journal, claim.run, claim.run.input)

    def _start(
        self, workload: Workload, journal: DurableJournal, run: RunRecord, record: Any
    ) -> ActiveRun:
        journal.watch = self._watches.get(run.id)
        active = ActiveRun(workload, journal, record)
        if run.deadline is not None:
            left = run.deadline - self._clock()
            active.process.deadline = asyncio.get_running_loop().time() + max(left, 0.0)
        self._active[run.id] = active
        # What was asked of it between its claim and now is in the store: it is looked for.
        self._seen = -1
        if not self._heartbeat.beats:
            self._heartbeat.start()
            CAPTURE.begin()
        if self._looking is None:
            self._looking = self._tasks.start(self._look())
        active.start(self._left)
        return active

    def _left(self, active: ActiveRun) -> None:
        self._active.pop(active.id, None)
        if active.status in SETTLED_RUN:
            self._watches.pop(active.id, None)
        if active.reason == "fenced":
            self._emit("run taken", level="warning", run=str(active.id))

    async def _block(
        self, journal: DurableJournal, claim: RunClaim, tasks: Sequence[str]
    ) -> RunRecord:
        """Record that a person has to decide about tasks of unknown outcome."""
        names = ", ".join(tasks)
        reason = f"it is not known whether {names} had an effect before the worker was gone"
        journal.suspend(reason, status=RunStatus.BLOCKED, detail={"tasks": list(tasks)})
        return await self._let_go(journal, claim)

    async def _cancel_claimed(self, journal: DurableJournal, claim: RunClaim) -> RunRecord:
        """Cancel a run that nobody worked on."""
        request = next(each for each in claim.requests if each.verb == "cancel")
        by = f" by {request.actor}" if request.actor else ""
        journal.finish(
            RunStatus.CANCELLED,
            Error(f"the run was cancelled{by}", code="cancelled"),
            actor=request.actor,
        )
        journal.answer_requests(*(each.id for each in claim.requests))
        return await self._let_go(journal, claim)

    async def _commit(self, journal: DurableJournal) -> None:
        waits = journal.commit()
        if waits is not None:
            await waits

    async def _let_go(self, journal: DurableJournal, claim: RunClaim) -> RunRecord:
        await self._commit(journal)
        return await self.store.get(claim.run.id) or claim.run

    # -- waiting -----------------------------------------------------------------------------------

    async def answer(
        self,
        run: ActiveRun | RunRecord,
        *,
        goes_on: Callable[[RunRecord], bool] = lambda _: True,
    ) -> Answer:
        """Return the answer of a run once it is settled, whoever works on it.

        A run that is suspended until a person goes on with it, or blocked, answers an Error with the code
        `suspended` or `blocked`; one that is suspended while `goes_on` is False of it, since this runtime
        stops or its workflow was removed, an Error with the code `drained`. Who waits may leave: the run
        goes on.
        """
        while True:
            if isinstance(run, ActiveRun):
                answer = await run.wait()
                if run.status is not RunStatus.SUSPENDED and run.reason != "fenced":
                    return answer
            active = self._active.get(run.id)
            if active is not None and active is not run:
                run = active
                continue
            store = await self.store.get(run.id)
            if store is None:
                return Error("the run was removed", code="dropped")
            run = store
            if run.status is RunStatus.COMPLETED:
                return run.output
            if run.status in SETTLED_RUN or run.status is RunStatus.BLOCKED:
                return run.error or Error(run.reason or "the run", code=str(run.status))
            if run.status is RunStatus.SUSPENDED and run.wake is None:
                return Error(f"the run is suspended: {run.reason}", code="suspended")
            if run.status is RunStatus.SUSPENDED and not goes_on(run):
                # Nobody here goes on with it: to wait would hold up the end of the runtime.
                return Error(
                    f"the run {run.id} is suspended until its workflow is active again",
                    code=DRAINED,
                )
            await asyncio.sleep(LOOK)

    # -- stopping ----------------------------------------------------------------------------------

    async def suspend(
        self,
        workload: Workload | None = None,
        *,
        reason: str = DRAINED,
        wake: float | None = None,
        seconds: float | None = None,
    ) -> None:
        """Suspend all runs that are worked on here, or those of one workload."""
        seconds = self.drain if seconds is None else seconds
        while runs := [
            each for each in self._active.values() if workload is None or each.workload is workload
        ]:
            await asyncio.gather(*(each.drain(seconds, reason, wake) for each in runs))
            decided = [each.resumed for each in runs if each.resumed is not None]
            if not decided:
                return
            # They were about to go on after a decision: suspend them then.
            await asyncio.gather(*decided, return_exceptions=True)

    async def close(self) -> None:
        """Suspend what is worked on, so that the next runtime goes on with it."""
        await self.suspend(wake=self._clock())
        self._rest()
        await self._tasks.close()

    # -- what others want --------------------------------------------------------------------------

    async def _look(self) -> None:
        """Act on requests for our runs, as soon as somebody else has written to the store.

        Without a run it tidies the store, and ends after a while: most runs come soon after others.
        """
        rested = 0
        while rested < REST:
            await asyncio.sleep(LOOK)
            if not self._active:
                rested += 1
            else:
                rested = 0
            try:
                if rested == REST // 2:
                    await self.store.tidy()
                if not rested:
                    await self._flush()
                    await self._read_requests()
            except RunStoreError as error:
                self._report_once(str(error))
            except Exception as error:
                # Whatever it is, our other runs need somebody who looks.
                self._report_once(f"{type(error).__name__}: {error}")
            else:
                self._reported = ""
        self._rest()

    async def _read_requests(self) -> None:
        """Act on what others want, if somebody has written since the last time that this worked."""
        seen = self.store.changes()
        if seen == self._seen:
            return
        before, self._seen = self._seen, seen
        try:
            for request in await self.store.requests():
                self._act(request)
        except BaseException:
            self._seen = before
            raise

    def _report_once(self, reason: str) -> None:
        if reason != self._reported:
            self._reported = reason
            self._emit("run store failed", level="warning", reason=reason)

    def _rest(self) -> None:
        """Renew no leases and take no output any more: there is no run."""
        self._looking = None
        if self._heartbeat.beats:
            self._heartbeat.stop()
            CAPTURE.end()

    async def _flush(self) -> None:
        """Record once a second what running attempts print."""
        now = self._clock()
        if now - self._flushed < FLUSH:
            return
        self._flushed = now
        for active in tuple(self._active.values()):
            if active.journal.flush_output() and not active.journal.fenced:
                with suppress(FencedError):
                    await self._commit(active.journal)

    def _act(self, request: Request) -> None:
        active = self._active.get(request.run)
        if active is None:
            return
        if request.verb == "cancel":
            active.cancel(request.actor, [request])
        elif not active.journal.draining:
            # A decision changes what is known of tasks: the run goes on from there.
            active.resumed = self._tasks.start(self._decide(active))

    async def _decide(self, active: ActiveRun) -> ActiveRun | RunRecord | None:
        """Apply what a person has decided; return what goes on with the run, if something does."""
        await active.drain(self.drain, "decision", self._clock())
        if active.status is not RunStatus.SUSPENDED:
            return None
        return await self.resume(active.workload, active.id)

    def _failed(self, error: Exception) -> None:
        self._emit("run store failed", level="error", reason=str(error) or type(error).__name__)

    def _not_renewed(self, error: Exception) -> None:
        self._emit("lease not renewed", level="warning", reason=str(error))
