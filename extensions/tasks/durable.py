"""DurableWorkflow is the durable side of a workflow: which RunStore it has, and its runs in there.

A run has a Process of its own, which is no child of the caller's: a caller waits for the answer, and may
leave. What a run needs to go on in another generation or program is in the RunStore.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from heddle.extensions.extension import Answer, Error, Host, NodeError, Tasks
from heddle.extensions.tasks.run_stores.active_run import ActiveRun
from heddle.extensions.tasks.run_stores.contract import (
    RunRecord,
    RunStoreError,
    UnknownRunStoreError,
)
from heddle.extensions.tasks.run_stores.opener import default_address
from heddle.extensions.tasks.run_stores.payloads import UnstorablePartError
from heddle.extensions.tasks.run_stores.run_service import OpenRetry, RunService, service_of
from heddle.extensions.tasks.scheduler.journal import Workload
from heddle.runtime.managed import home_of

KIND: Final = "run-store"

NAMED: Final = "tasks.run_store"
"""The key in `shared` under which a command names the RunStore (`--runs`): it wins over the settings."""


class DurableWorkflow:
    """The runs of one workflow; its RunStore is opened at the first use."""

    def __init__(self, workload: Workload, host: Host, durable: bool | str | None) -> None:
        self._workload = workload
        self._host = host
        self._named = durable
        self._service: RunService | None = None
        self._generation: object = None
        self._tasks = Tasks()
        self._opening = OpenRetry(self.serve, host.emit)

    # -- its life ----------------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the RunStore and go on with runs; what keeps it from that is a condition, no failure."""
        await self._opening.open()

    async def serve(self) -> RunService:
        """Return the open service. Raise RunStoreError."""
        service, generation = self._service, self._host.wiring.generation
        if service is None or self._generation is not generation:
            current = find_service(self._host, self._named)
            self._generation = generation
            if current is not service:
                if service is not None:
                    # The `run-store` was edited: what runs is suspended in the old one.
                    self._tasks.start(service.leave(self._host))
                self._service = current
                current.serve(self._host, self._workload)
            service = current
        await service.open()
        self._opening.reason = ""
        return service

    def pause(self) -> None:
        """Begin to suspend its runs: the node has left the current generation."""
        if self._service is not None:
            self._service.pause(self._workload)

    async def close(self) -> None:
        """Suspend what is left, and let go of the RunStore."""
        await self._opening.close()
        await self._tasks.wait()
        service, self._service = self._service, None
        if service is not None:
            await service.leave(self._host)

    def degraded(self) -> str:
        """Return what keeps it from recording runs; empty if nothing does."""
        return (
            self._service.degraded() if self._service is not None else ""
        ) or self._opening.reason

    # -- runs --------------------------------------------------------------------------------------

    async def begin(
        self,
        record: Mapping[str, Any],
        *,
        key: str | None = None,
        creator: str = "",
        tags: Mapping[str, str] | None = None,
        priority: int = 1,
    ) -> ActiveRun | RunRecord:
        """Begin a run with checked inputs; return the run that has `key` if there is one.

        Raise NodeError: `run-store` if it cannot be recorded, `unstorable` for an input that cannot be kept.
        """
        try:
            service = await self.serve()
            return await service.begin(
                self._workload, record, key=key, creator=creator, tags=tags, priority=priority
            )
        except RunStoreError as error:
            raise NodeError(Error(str(error), code="run-store")) from error
        except UnstorablePartError as error:
            raise NodeError(Error(f"the input of the run: {error}", code="unstorable")) from error

    async def resume(
        self, run: UUID, *, take: bool = False, again: bool = False, actor: str = ""
    ) -> ActiveRun | RunRecord | None:
        """Go on with a run, as DurableRuns.resume does. Raise RunStoreError."""
        service = await self.serve()
        return await service.runs.resume(self._workload, run, take=take, again=again, actor=actor)

    async def answer(self, run: ActiveRun | RunRecord) -> Answer:
        """Return the answer of a run once it is settled; who waits may leave."""
        service = await self.serve()
        return await service.answer(run)

    async def suspend(self, reason: str, *, seconds: float | None = None) -> None:
        """Suspend its runs until a person goes on with them."""
        if self._service is not None:
            await self._service.runs.suspend(self._workload, reason=reason, seconds=seconds)

    def cancel(self, run: str | None, actor: str = "") -> int:
        """Cancel the run with this id, or all that are worked on here; return how many. It does not wait."""
        service = self._service
        active = [] if service is None else list(service.runs.active.values())
        active = [
            each
            for each in active
            if each.workload is self._workload and run in (None, str(each.id))
        ]
        for each in active:
            each.cancel(actor)
        return len(active)


def find_service(host: Host, durable: bool | str | None) -> RunService:
    """Return the service for the RunStore that `durable` of a workflow names. Raise RunStoreError.

    The first of: the one that a command names; the named `run-store`; the only `run-store` of the
    namespace; the one of the settings; the one in the state folder.
    """
    home = home_of(host)
    stores = {each.label: each for each in home.table.all() if each.spec.kind == KIND}
    named = host.shared.get(NAMED)
    if named:
        return service_of(host, str(named))
    if isinstance(durable, str):
        if durable not in stores:
            known = ", ".join(sorted(stores)) or "none"
            raise UnknownRunStoreError(f'there is no run-store "{durable}" (there is: {known})')
        return service_of(host, **_options(stores[durable].node))
    if len(stores) == 1:
        return service_of(host, **_options(next(iter(stores.values())).node))
    if stores:
        raise RunStoreError(
            f"there are several run-stores ({', '.join(sorted(stores))}): name one with durable"
        )
    return service_of(host, default_address(home.store, home.registry.stores.run_store))


def _options(node: Any) -> dict[str, Any]:
    """Return how the RunStore of a `run-store` node is opened."""
    options = getattr(node, "options", None)
    if options is None:
        raise UnknownRunStoreError("the run-store is not active")
    return dict(options)
