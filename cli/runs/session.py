"""A RunSession is one `heddle run` or `heddle runs resume`: a runtime for one run, from its begin to its end."""

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar
from uuid import UUID

import msgspec

from heddle.cli.exit_codes import (
    BLOCKED,
    FAILED,
    INTERRUPTED,
    OK,
    SUSPENDED,
    TERMINATED,
    CommandError,
)
from heddle.cli.runs.places import note_address
from heddle.cli.runs.target import RunTarget
from heddle.cli.settings import Settings
from heddle.cli.shutdown import Shutdown
from heddle.extensions.extension import NodeError
from heddle.extensions.tasks.durable import NAMED
from heddle.extensions.tasks.run_inputs import convert_texts, read_inputs
from heddle.extensions.tasks.run_stores.active_run import ActiveRun
from heddle.extensions.tasks.run_stores.contract import RunRecord
from heddle.extensions.tasks.run_stores.run_service import CONTROL, RunService
from heddle.extensions.tasks.run_stores.runs import Runs
from heddle.extensions.tasks.status import SETTLED_RUN, RunStatus, Transition
from heddle.extensions.tasks.workflow import WorkflowNode
from heddle.runtime.runtime import Runtime
from heddle.schemas.errors import SpecError
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource
from heddle.specs.stores.memory import MemoryStore

if TYPE_CHECKING:
    from heddle.runtime.assembly.extension import Registry

T = TypeVar("T")

TARGET: Final = "heddle.target"
"""The tag of a run that holds the TARGET with which a command can go on with it."""

LOOK: Final = 0.2
"""Seconds between two looks at whether a run has another owner still."""


class RunWatcher(Protocol):
    """The view of a run while it goes on. Nothing of it may wait."""

    def begin(self, run: UUID, address: str, tasks: tuple[str, ...], done: frozenset[str]) -> None:
        """Show that a run begins, or goes on: `done` are the tasks that are settled already."""
        ...

    def take(self, transition: Transition) -> None:
        """Show one transition."""
        ...

    def wait(self, owner: str, seconds: float) -> None:
        """Show that another worker has the run, and for how long at least."""
        ...

    def end(self) -> None:
        """Show nothing more."""
        ...


class RunEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a run for a command. `address` is that of its RunStore; `signal` the name of one that came.

    `unrecorded` says why the suspension could not be recorded; it is empty if it was.
    """

    run: RunRecord
    address: str
    signal: str = ""
    unrecorded: str = ""

    @property
    def code(self) -> int:
        """The exit code."""
        status = self.run.status
        if status is RunStatus.COMPLETED:
            return OK
        if status in SETTLED_RUN:
            return FAILED
        if status is RunStatus.BLOCKED:
            return BLOCKED
        codes = {"SIGINT": INTERRUPTED, "SIGTERM": TERMINATED}
        return codes.get(self.signal, SUSPENDED)


class RunSession:
    """Runs one workflow of a target in a RunStore. `address` is None if a Spec names the RunStore."""

    def __init__(
        self,
        target: RunTarget,
        settings: Settings,
        registry: "Registry",
        *,
        address: str | None,
        watcher: RunWatcher,
    ) -> None:
        self._target = target
        self._settings = settings
        self._registry = registry
        self._address = address
        self._watcher = watcher
        self._node: WorkflowNode | None = None
        self._suspending: asyncio.Task[None] | None = None
        self._shutdown = Shutdown(self._stop, drain=settings.drain, report=_print_line)
        self._stopped = asyncio.Event()

    async def begin(
        self, values: Mapping[str, Any], texts: Mapping[str, str] | None = None, *, creator: str
    ) -> RunEnd:
        """Begin a run with these inputs, and work on it until it ends or is suspended.

        `texts` are inputs as the command line gives them; they come over `values`.

        Raise SpecError if the workflow does not compile, NodeError for inputs that do not fit, and
        RunStoreError if the run cannot be recorded.
        """
        async with self._shown(), self._runtime() as runtime:
            node = self._workflow(runtime)
            declared = node.fields.inputs
            given = {**values, **convert_texts(declared, texts or {})}
            inputs = read_inputs(declared, given, strict=True)
            tags = {TARGET: self._target_text()}
            with self._shutdown.signals(asyncio.get_running_loop()):
                inputs, key = await node.read_record(inputs)
                begun = await node.durable.begin(inputs, key=key, creator=creator, tags=tags)
                return await self._follow(node, begun)

    async def resume(
        self, run: UUID, *, take: bool = False, again: bool = False, actor: str = ""
    ) -> RunEnd:
        """Go on with a run; wait for another worker that has it, unless `take`.

        With `again`, try its failed tasks again. Raise as `begin` does.
        """
        async with self._shown(), self._runtime() as runtime:
            node = self._workflow(runtime)
            with self._shutdown.signals(asyncio.get_running_loop()):
                while True:
                    resumed = await node.durable.resume(run, take=take, again=again, actor=actor)
                    if resumed is not None:
                        return await self._follow(node, resumed)
                    service = await node.durable.serve()
                    runs = Runs(service.store)
                    record, holder = await runs.get(run), await runs.holder(run)
                    if record.status in SETTLED_RUN or self._shutdown.reason:
                        return self._end(record, service.address)
                    if holder is not None:
                        self._watcher.wait(holder.owner, holder.left)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(LOOK):
                            await self._stopped.wait()

    @asynccontextmanager
    async def _shown(self) -> AsyncIterator[None]:
        """Show nothing more of the run after the block, however that ends."""
        try:
            yield
        finally:
            self._watcher.end()

    # -- the runtime -------------------------------------------------------------------------------

    def _runtime(self) -> Runtime:
        """Return a runtime in which nothing begins by itself: no listener, no timer, no other run."""
        settings, target = self._settings, self._target
        schema_of = self._registry.scheme.schema
        runtime = Runtime(
            namespace=target.namespace,
            store=MemoryStore([each for each in target.resources if not _begins(each, schema_of)]),
            environment=settings.environment,
            drain=settings.drain,
            kinds=self._registry,
            watch=False,
            redactor=settings.redactor,
        )
        runtime.table.shared[CONTROL] = False
        if self._address is not None:
            runtime.table.shared[NAMED] = self._address
        return runtime

    def _workflow(self, runtime: Runtime) -> WorkflowNode:
        """Return the active workflow. Raise SpecError with what keeps it from running."""
        symbol = runtime.table.get(self._target.name)
        active = symbol is not None and runtime.table.active(symbol)
        problems = tuple(runtime.events.masked(runtime.status().problems))
        if symbol is None or not active or not isinstance(symbol.node, WorkflowNode):
            if problems:
                raise SpecError(problems)
            reasons = "; ".join(runtime.table.reasons(symbol)) if symbol is not None else ""
            raise CommandError(f"{self._target.line} is not active: {reasons or 'it has problems'}")
        if symbol.node.graph is None:
            raise CommandError(f"{self._target.line} holds no tasks that can run")
        self._node = symbol.node
        return symbol.node

    def _target_text(self) -> str:
        """Return the TARGET as a command in any directory can use it."""
        target = self._target
        if target.path:
            return f"{target.path}:{target.name}"
        return target.text

    # -- the run -----------------------------------------------------------------------------------

    async def _follow(self, node: WorkflowNode, run: ActiveRun | RunRecord) -> RunEnd:
        """Show a run until it ends or is suspended; return how that was."""
        service = await node.durable.serve()
        note_address(service.address)
        if isinstance(run, ActiveRun):
            # Before its task begins: nothing has waited since it was started.
            service.runs.watch(run.id, self._watcher.take)
            journal = run.journal
            done = frozenset(
                path
                for path, known in journal.recorded.items()
                if known.status not in ("pending", "running")
                and "#" not in path
                and "/" not in path
            )
            names = node.graph.names if node.graph is not None else ()
            self._watcher.begin(run.id, service.address, tuple(names), done)
            reporting = asyncio.ensure_future(_report_condition(service))
            try:
                run = await self._wait(run)
            finally:
                reporting.cancel()
                self._watcher.end()
            if run.unrecorded:
                record = await Runs(service.store).get(run.id)
                return RunEnd(
                    run=record,
                    address=service.address,
                    signal=self._shutdown.reason,
                    unrecorded=run.unrecorded,
                )
        elif run.status in (RunStatus.RUNNING, RunStatus.QUEUED):
            # The idempotency key belongs to a run that is under way elsewhere.
            answered = asyncio.ensure_future(node.durable.answer(run))
            stopped = asyncio.ensure_future(self._stopped.wait())
            await asyncio.wait([answered, stopped], return_when=asyncio.FIRST_COMPLETED)
            answered.cancel()
            stopped.cancel()
        return self._end(await Runs(service.store).get(run.id), service.address)

    async def _wait(self, run: ActiveRun) -> ActiveRun:
        """Wait until a run ends here; return it, or what went on with it after decisions of people."""
        while True:
            await run.wait()
            if self._suspending is not None:
                await self._suspending
            resumed = await run.resumed if run.resumed is not None else None
            if not isinstance(resumed, ActiveRun):
                return run
            run = resumed

    def _end(self, run: RunRecord, address: str) -> RunEnd:
        return RunEnd(run=run, address=address, signal=self._shutdown.reason)

    def _stop(self) -> None:
        """Suspend the run: a signal came."""
        self._stopped.set()
        if self._node is not None and self._suspending is None:
            self._suspending = asyncio.ensure_future(self._suspend(self._node))

    async def _suspend(self, node: WorkflowNode) -> None:
        await node.durable.suspend("drained", seconds=self._settings.drain)


def run_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run it in an event loop of its own. A NodeError becomes a CommandError with the lines of its Error."""
    try:
        return asyncio.run(work)
    except NodeError as failure:
        raise CommandError(str(failure.error)) from failure


def _begins(resource: Resource, schema_of: Any) -> bool:
    """Return whether a Spec begins processes by itself, or is only a test of others."""
    if not isinstance(resource, Spec):
        return False
    if resource.kind == "test":
        return True
    schema = schema_of(resource.kind)
    return schema is not None and schema.begins is not None and schema.begins(resource.fields)


async def _report_condition(service: RunService) -> None:
    """Print what keeps a RunStore from recording when that begins, and when it is over."""
    shown = ""
    while True:
        condition = service.store.condition
        if condition != shown:
            _print_line(condition or "the run store can be written again")
            shown = condition
        await asyncio.sleep(LOOK)


def _print_line(text: str) -> None:
    sys.stderr.write(f"{text}\n")


__all__ = [
    "RunEnd",
    "RunSession",
    "RunWatcher",
    "run_loop",
]
