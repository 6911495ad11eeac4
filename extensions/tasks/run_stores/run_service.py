"""A RunService is the run controller of one runtime in one RunStore, and opens that for its workflows.

It begins runs, goes on with those that are due or whose worker is gone, and suspends its own when their
generation is old: so runs outlive reloads and restarts.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Any, Final
from uuid import UUID

from heddle.extensions.extension import Answer, Error, Host, Tasks
from heddle.extensions.tasks.run_stores.active_run import ActiveRun
from heddle.extensions.tasks.run_stores.contract import (
    RunRecord,
    RunStoreError,
    UnknownRunStoreError,
)
from heddle.extensions.tasks.run_stores.durable_runs import DurableRuns, Emit
from heddle.extensions.tasks.run_stores.opener import make_run_store
from heddle.extensions.tasks.run_stores.recorded import LOSSES
from heddle.extensions.tasks.run_stores.run_delays import RunDelays
from heddle.extensions.tasks.scheduler.journal import FencedError, Workload
from heddle.specs.model.lease import uptime

LOOK: Final = 1.0
"""Seconds between two looks for runs that are to go on."""

SOON: Final = 0.05
"""Seconds after which a `run-store` that is not known yet is looked for again."""

AGAIN: Final = 1.0
"""Seconds after which a RunStore that could not be opened is tried again; each pause is twice as long."""

LONGEST: Final = 30.0
"""Seconds of the longest of these pauses."""

FAILURES: Final = 3
"""Runs in a row for which the RunStore fails, after which it is the RunStore that fails, and not the runs."""

PRUNE: Final = 3600.0
"""Seconds between two looks for runs that are kept no longer."""

_SHARED: Final = "tasks.run_services"

CONTROL: Final = "tasks.run_control"
"""The key in `shared` under which a command that works on one run turns the run controller off: False."""


class RunService:
    """The share of a runtime's workflows in one RunStore. `reason` says why it cannot be used."""

    def __init__(
        self,
        address: str,
        *,
        lease: float = 30.0,
        heartbeat: float | None = None,
        sync: str = "normal",
        losses: int = LOSSES,
        drain: float = 30.0,
        control: bool = True,
    ) -> None:
        """Without `control`, it leaves runs alone that others began, or that nobody works on."""
        self.address = address
        self.store = make_run_store(address, lease=lease, sync=sync)
        self.runs = DurableRuns(
            self.store,
            drain=drain,
            heartbeat=heartbeat,
            losses=losses,
            emit=self._emit_of_first_user,
        )
        self.reason = ""
        self._keep: float | None = None
        self._control_on = control
        self._users: dict[Host, Workload | None] = {}
        self._workloads: dict[str, tuple[Workload, Host]] = {}
        self._tasks = Tasks(self._failed)
        self._opening: asyncio.Task[None] | None = None
        self._control_task: asyncio.Task[None] | None = None
        self._kick = asyncio.Event()
        self._left_alone: set[UUID] = set()
        self._delays = RunDelays()
        self._pruning: asyncio.Task[None] | None = None
        self._reported = ""
        # Not 0: a machine may have been up for less than an hour.
        self._pruned = -PRUNE

    # -- its users ---------------------------------------------------------------------------------

    def enter(self, host: Host) -> None:
        """Count in a node that uses it."""
        self._users[host] = None

    async def open(self) -> None:
        """Open the RunStore, once. Raise RunStoreError; the next call tries again."""
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            self._opening = self._tasks.start(self.store.open(), awaited=True)
        try:
            await asyncio.shield(self._opening)
        except RunStoreError as error:
            self.reason = str(error)
            raise
        self.reason = ""
        if self._control_task is None and self._control_on:
            self._control_task = self._tasks.start(self._control())

    async def adjust(
        self,
        *,
        lease: float,
        heartbeat: float | None,
        sync: str,
        losses: int,
        keep: float | None,
    ) -> None:
        """Go by the settings of a `run-store` from now on, also for the runs that are active.

        `keep` is for how many seconds settled runs are kept; without it, until somebody prunes them.
        """
        await self.store.adjust(lease=lease, sync=sync)
        self.runs.adjust(heartbeat=heartbeat, losses=losses)
        if keep != self._keep:
            if self._pruning is not None:
                # It goes by the old time.
                self._pruning.cancel()
            self._keep, self._pruned = keep, -PRUNE
            self._kick.set()

    def serve(self, host: Host, workload: Workload) -> None:
        """Go on with the runs of this workflow from now on: it has become active."""
        self._users[host] = workload
        self._workloads[workload.name] = workload, host
        self._left_alone.clear()
        self._delays.clear()
        self._kick.set()

    def pause(self, workload: Workload) -> None:
        """Begin to suspend the runs of a workflow that leaves the current generation."""
        known = self._workloads.get(workload.name)
        if known is not None and known[0] is workload:
            del self._workloads[workload.name]
        for active in tuple(self.runs.active.values()):
            if active.workload is workload:
                self._drain(active)

    async def leave(self, host: Host) -> None:
        """Count a node out: its runs are suspended by then. The last one closes the RunStore."""
        workload = self._users.pop(host, None)
        if workload is not None:
            self.pause(workload)
            await self.runs.suspend(workload, wake=time.time())
        if self._users:
            return
        # Who comes from now on opens the RunStore anew: this one is closing.
        services: dict[str, RunService] = host.shared.get(_SHARED, {})
        if services.get(self.address) is self:
            del services[self.address]
        await self.runs.close()
        await self._tasks.close()
        self._control_task = None
        await self.store.close()

    def degraded(self) -> str:
        """Return what keeps it from recording, for the condition of the workflows; empty if nothing does."""
        return self.store.condition or self.reason

    # -- runs --------------------------------------------------------------------------------------

    async def begin(self, workload: Workload, record: Any, **more: Any) -> ActiveRun | RunRecord:
        """Begin a run, as DurableRuns.begin does, once the RunStore is open."""
        await self.open()
        return await self.runs.begin(workload, record, **more)

    async def answer(self, run: ActiveRun | RunRecord) -> Answer:
        """Return the answer of a run once it is settled.

        It is an Error `drained` once the run is suspended and its workflow is not active here any more:
        the runtime stops, or the workflow was removed.
        """
        return await self.runs.answer(run, goes_on=lambda run: run.workflow in self._workloads)

    # -- the controller ----------------------------------------------------------------------------

    async def _control(self) -> None:
        """Look for runs that are to go on, now and then and when somebody says that there may be some."""
        while True:
            # Before the look: what comes while it goes on is not known to it.
            self._kick.clear()
            try:
                self._look_at_generations()
                await self._claim_due()
                self._prune()
                self._reported = ""
            except RunStoreError as error:
                self._report_once("run store failed", str(error))
            except Exception as error:
                # Whatever it is, the other runs need their controller.
                self._report_once("run store failed", f"{type(error).__name__}: {error}")
            try:
                async with asyncio.timeout(LOOK):
                    await self._kick.wait()
            except TimeoutError:
                continue

    def _look_at_generations(self) -> None:
        """Suspend runs whose generation was replaced: they go on with the new one."""
        for active in tuple(self.runs.active.values()):
            known = self._workloads.get(active.workload.name)
            if known is None or active.journal.draining:
                continue
            current = known[1].wiring.generation
            if active.process.wiring.generation is not current:
                self._drain(active)

    def _drain(self, active: ActiveRun) -> None:
        if not active.journal.draining:
            active.journal.draining = True
            self._tasks.start(self._suspend(active))

    async def _suspend(self, active: ActiveRun) -> None:
        await active.drain(self.runs.drain, wake=time.time())
        self._kick.set()

    async def _claim_due(self) -> None:
        names: dict[str, list[str]] = {}
        for name, (_, host) in self._workloads.items():
            names.setdefault(host.namespace, []).append(name)
        for namespace, workflows in names.items():
            left = self._left_alone | self._delays.waiting(uptime())
            due = await self.store.claimable(
                namespace, time.time(), workflows=workflows, without=left
            )
            failures = 0
            for run in due:
                known = self._workloads.get(run.workflow)
                if known is None or run.id in self._left_alone:
                    continue
                error = await self._try(run, *known)
                failures = 0 if error is None else failures + 1
                if error is not None and failures >= FAILURES:
                    raise error

    async def _try(self, run: RunRecord, workload: Workload, host: Host) -> RunStoreError | None:
        """Go on with a run; leave it alone if that fails for a reason of its own.

        If the RunStore fails for it, return why: the run is tried again, less and less often.
        """
        try:
            await self._go_on(run, workload, host)
        except FencedError:
            # Another worker has taken it in between.
            pass
        except RunStoreError as error:
            if self._delays.add(run.id, uptime()):
                host.emit("run delayed", level="warning", run=str(run.id), reason=str(error))
            return error
        except Exception as error:
            self._left_alone.add(run.id)
            host.emit(
                "run left alone",
                level="error",
                run=str(run.id),
                reason=f"it cannot be resumed: {type(error).__name__}: {error}",
            )
        self._delays.forget(run.id)
        return None

    async def _go_on(self, run: RunRecord, workload: Workload, host: Host) -> None:
        missing = [name for name in run.code if not _is_importable(name)]
        if missing:
            self._left_alone.add(run.id)
            host.emit(
                "run left alone",
                level="warning",
                run=str(run.id),
                reason=f"its code cannot be imported here: {', '.join(missing)}",
            )
            return
        resumed = await self.runs.resume(workload, run.id)
        if isinstance(resumed, ActiveRun):
            host.emit("run resumed", run=str(run.id))
        elif resumed is not None:
            host.emit(
                f"run {resumed.status}", level="warning", run=str(run.id), reason=resumed.reason
            )

    def _prune(self) -> None:
        """Begin to remove runs that are kept no longer: that may take long, and nothing waits for it."""
        going_on = self._pruning is not None and not self._pruning.done()
        if self._keep is not None and not going_on and uptime() - self._pruned > PRUNE:
            self._pruned = uptime()
            self._pruning = self._tasks.start(self._prune_before(time.time() - self._keep))

    async def _prune_before(self, before: float) -> None:
        try:
            await self.store.prune(before)
        except RunStoreError as error:
            self._emit_of_first_user("runs not pruned", level="warning", reason=str(error))

    # -- what it tells -----------------------------------------------------------------------------

    def _emit_of_first_user(self, event: str, **data: Any) -> None:
        """Emit an event of the first workflow that uses it."""
        for host in self._users:
            host.emit(event, **data)
            return

    def _report_once(self, event: str, reason: str) -> None:
        if reason != self._reported:
            self._reported = reason
            self._emit_of_first_user(event, level="warning", reason=reason)

    def _failed(self, error: Exception) -> None:
        self._emit_of_first_user("run store failed", level="error", error=Error.of(error))


class OpenRetry:
    """Opens what a node needs of a RunStore, and goes on trying if that fails. `reason` says why it fails."""

    def __init__(self, open_once: Callable[[], Awaitable[object]], emit: Emit) -> None:
        self._open_once = open_once
        self._emit = emit
        self._tasks = Tasks()
        self.reason = ""

    async def open(self) -> None:
        """Try once; if that fails, report it and try again now and then, until `close`.

        A `run-store` that comes in the same change is known a moment later: that is not a failure yet.
        """
        try:
            await self._open_once()
        except UnknownRunStoreError:
            self._tasks.start(self._again(SOON))
        except RunStoreError as error:
            self._fail(error)
            self._tasks.start(self._again(AGAIN))

    async def close(self) -> None:
        """Stop trying, and let go of what it opens."""
        await self._tasks.close()
        self._open_once = _open_nothing

    async def _again(self, pause: float) -> None:
        while True:
            await asyncio.sleep(pause)
            try:
                await self._open_once()
            except RunStoreError as error:
                self._fail(error)
                pause = max(AGAIN, min(pause * 2, LONGEST))
            else:
                if self.reason:
                    self._emit("run store opened")
                self.reason = ""
                return

    def _fail(self, error: RunStoreError) -> None:
        if str(error) != self.reason:
            self._emit("run store failed", level="warning", reason=str(error))
        self.reason = str(error)


async def _open_nothing() -> None:
    """Do nothing: the node is closed."""


def service_of(host: Host, address: str, **options: Any) -> RunService:
    """Return the RunService of this runtime for an address; the first caller says how it is opened.

    Nothing is removed before `adjust` says for how long runs are kept: the change may be rejected yet.
    """
    options.pop("keep", None)
    services: dict[str, RunService] = host.shared.setdefault(_SHARED, {})
    if address not in services:
        control = bool(host.shared.get(CONTROL, True))
        services[address] = RunService(address, drain=host.drain, control=control, **options)
    service = services[address]
    service.enter(host)
    return service


def _is_importable(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False
