"""The Runtime owns all of it for one namespace: store, loader, table, processes, events.

async with Runtime(store="flows") as rt:
    answer = await rt.send("pong", {"hello": "world"})
"""

import asyncio
import gc
import os
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol, Self
from uuid import UUID

from heddle import __version__
from heddle.runtime.assembly.accepter import Accepter
from heddle.runtime.assembly.duty import TTL, Duties
from heddle.runtime.assembly.extension import ExtensionSource, Registry, registry
from heddle.runtime.assembly.loader import Loader
from heddle.runtime.assembly.outcome import LoadResult
from heddle.runtime.assembly.rollout import Shift, ShiftError
from heddle.runtime.assembly.symbol import Symbol
from heddle.runtime.assembly.table import SymbolTable
from heddle.runtime.assembly.team import ALONE, Team
from heddle.runtime.assembly.value_sources import Sources
from heddle.runtime.assembly.watcher import Watcher
from heddle.runtime.events.events import Events
from heddle.runtime.flow.budget import BUDGET
from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.errors import Answer, Error, Payload
from heddle.runtime.flow.source import Source
from heddle.runtime.flow.tasks import Tasks
from heddle.runtime.flow.wiring import Wiring
from heddle.runtime.status.agent import Agent
from heddle.runtime.status.health import RuntimeHealth
from heddle.runtime.status.reporter import INTERVAL, Reporter
from heddle.runtime.status.status import Look, Status
from heddle.schemas.errors import HeddleError
from heddle.schemas.link import DEFAULT_NAMESPACE
from heddle.schemas.pieces import by_turns
from heddle.schemas.port import canonical
from heddle.specs.model.accepted import AcceptanceStore
from heddle.specs.model.names import new_id
from heddle.specs.model.report import Buffers, Report, ReportStore
from heddle.specs.model.revision import RevisionStore
from heddle.specs.model.store import ChangeSet, Store
from heddle.specs.model.symbol_status import SymbolStatus
from heddle.specs.secrets import Redactor
from heddle.specs.secrets.keyring import Keyring
from heddle.specs.secrets.vault import Vault

HOME = "runtime.home"
"""The key in `shared` of the runtime that a node runs in."""

MANAGED = "runtime.managed"
"""The key in `shared` of what its flows may manage; None is its own namespace."""


class ManagedScope(Protocol):
    """The parts of a runtime that its flows may manage; see `runtime/managed.py`."""

    home: Any


class NoSymbolError(HeddleError, LookupError):
    """There is no active symbol of that name, or it has no such port; the message says why."""


class RuntimeOrigin:
    """The source of the packets that a program sends into a runtime."""

    id: None = None
    label = "runtime"

    def __init__(self, table: SymbolTable, events: Events) -> None:
        self._table = table
        self._events = events

    @property
    def wiring(self) -> Wiring:
        """The current generation."""
        return self._table.wiring

    def emit(
        self, event: str, *, level: str = "info", error: Error | None = None, **data: Any
    ) -> None:
        """Emit an event of no symbol."""
        if error is not None:
            self._events.failed(event, error, level=level, **data)
        else:
            self._events.emit(event, level=level, **data)


class Runtime:
    """Runs one namespace of one store.

    `store` is a Store, or the URL or path of one (`memory://`, `flows`, `flows/ping.yaml`).
    `extensions` come beside those that are installed; `environment` is what `env` entries without
    a name are filled from. `keys` open what is sealed: those of the variable HEDDLE_KEY, if none
    are given. `language` is the one of conditions that name none. `drain` and
    `lifecycle` are seconds: how long processes of a replaced generation may go on, and how long a
    flow at a lifecycle port may take. With `watch=False` changes of the store are not followed.
    `managed` is what its flows may manage: their own namespace, unless said otherwise.
    Where it follows a store that keeps Reports, it says there how it is, every `interval` seconds
    and after each change. `team` are the runtimes that serve the same namespace beside this one, in
    other processes. `redactor` says which keys hold secrets in what is shown of payloads. `lease` is for
    how many seconds it may act for all of them, such as with a timer, without asking the store again.

    Entering raises StoreError if the store cannot be reached, ExtensionError if an extension
    cannot be loaded, and ShiftError if something cannot begin (a port in use). Specs with
    Problems are left out and told in `events` and `status()`; everything else runs.
    """

    def __init__(
        self,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        store: Store | str | os.PathLike[str] = "memory://",
        extensions: Iterable[ExtensionSource] | None = None,
        environment: Mapping[str, Any] | None = None,
        language: str = "cel",
        drain: float = 30.0,
        lifecycle: float = 30.0,
        watch: bool = True,
        interval: float = INTERVAL,
        kinds: Registry | None = None,
        keys: Keyring | None = None,
        managed: ManagedScope | None = None,
        team: Team = ALONE,
        redactor: Redactor | None = None,
        lease: float = TTL,
    ) -> None:
        # One function: it puts the parts together, each of which is made once.
        self.id = str(new_id())
        self.started = time.time()
        self.observed = 0
        self.namespace = namespace
        self.team = team
        self.registry = kinds if kinds is not None else registry(extensions, language=language)
        if keys is not None:
            self.registry.keys = keys
        self.vault = Vault(self.registry.keys)
        self.events = Events(namespace, redactor=redactor)
        self.table = SymbolTable(lambda symbol: self._loader.rebuild(symbol))
        self.agent = Agent(self.table)
        self.store = (
            self.registry.stores.make(store, namespace=namespace)
            if isinstance(store, str | os.PathLike)
            else store
        )
        self._duties = Duties(self.store, self.id, namespace, lease, lambda: self._looked(0))
        self._shift = Shift(
            self.table,
            self.registry.hooks,
            self.events,
            lifecycle=lifecycle,
            drain=drain,
            team=team,
            duties=self._duties,
        )
        self._accepter = (
            Accepter(self.store, namespace, self.events)
            if watch and isinstance(self.store, AcceptanceStore)
            else None
        )
        self._loader = Loader(
            namespace=namespace,
            store=self.store,
            table=self.table,
            scheme=self.registry.scheme,
            shift=self._shift,
            events=self.events,
            environment=environment or {},
            vault=self.vault,
            accepter=self._accepter,
        )
        self._watcher = (
            Watcher(self.store, namespace, self.load, self.events, self._look_again)
            if watch
            else None
        )
        self.table.shared.update({HOME: self, MANAGED: managed})
        if managed is not None:
            managed.home = self
        self._health = RuntimeHealth(
            self.table, self._loader, self._shift, self.events, self._failure, team, self._unkept
        )
        self._look = Look(self.table, self._loader, self._health, self.events)
        self._reporter: Reporter | None = None
        if watch and isinstance(self.store, ReportStore):
            self._reporter = Reporter(
                self.store,
                self.id,
                self._report_by_turns,
                self._heal,
                self.events,
                interval=interval,
            )
        self._interval = interval
        self._behind = 0
        self._sources = (
            Sources(self.vault, self.load, lambda: self.store.values(namespace), self.events)
            if watch
            else None
        )
        self._loading = asyncio.Lock()
        self._closed = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        self._source = Source(RuntimeOrigin(self.table, self.events))

    # -- life ----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.store.open()
        try:
            if self._watcher is not None:
                await self._watcher.start()
            async with self._loading:
                with _collecting_later():
                    # Read before the Specs: who reads them sees everything up to it.
                    newest = await self.store.newest()
                    await self._loader.load_all()
                    self._looked(newest)
            self._follow()
            self._emit_keys()
            if self._reporter is not None:
                await self._reporter.start()
            if self._accepter is not None:
                self._accepter.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop in order: follow no more changes, begin nothing new, drain, close every node.

        What is being loaded is finished first. A second call waits for the first.
        """
        if self._closing is None:
            self._closed.set()
            self._closing = Tasks().start(self._close(), awaited=True)
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        try:
            if self._watcher is not None:
                await self._watcher.stop()
            if self._sources is not None:
                await self._sources.stop()
            async with self._loading:
                self._health.stopping = True
                self._looked(0)
                await self._shift.stop()
        finally:
            if self._accepter is not None:
                await self._accepter.stop()
            if self._reporter is not None:
                await self._reporter.stop()
            await self.store.close()

    async def wait_closed(self) -> None:
        """Wait until somebody closes it."""
        await self._closed.wait()

    async def load(self, changes: ChangeSet, *, trial: bool = False) -> LoadResult:
        """Look at these keys in the store now; what became of them. Changes take turns.

        Once the runtime is closed nothing is looked at, and `reason` says so.
        """
        async with self._loading, self.team.turn():
            if self._closed.is_set():
                return LoadResult(reason="the runtime is closed")
            loaded = await self._loader.load(changes, trial=trial)
            if not (trial and loaded.rejected):
                self._looked(changes.revision)
            self._follow()
            return loaded

    async def _look_again(self) -> None:
        """Look at everything: changes may have been missed."""
        async with self._loading, self.team.turn():
            if not self._closed.is_set():
                newest = await self.store.newest()
                await self._loader.look_again()
                self._looked(newest)
                self._follow()

    def _looked(self, revision: int) -> None:
        """Everything up to this revision has been looked at, unless something was missed."""
        if self._watcher is None or not self._watcher.behind:
            self.observed = max(self.observed, revision)
        if self._reporter is not None:
            self._reporter.changed()

    async def _heal(self) -> None:
        """Look whether the store has come further than was told."""
        newest = await self.store.newest()
        if newest <= self.observed or self._closed.is_set():
            return
        behind = self._behind
        self._behind = newest
        if not behind or behind <= self.observed:
            # It may be on its way: only what is still missing the next time was missed.
            return
        if isinstance(self.store, RevisionStore):
            mine = await self.store.history(self.namespace, limit=1)
            if not mine or mine[0].number <= self.observed:
                self._looked(newest)
                return
        await self._look_again()

    def _failure(self) -> str:
        return self._watcher.failure if self._watcher is not None else ""

    def _unkept(self) -> str:
        return self._reporter.failure if self._reporter is not None else ""

    def _follow(self) -> None:
        """Follow the files that Values came from."""
        if self._sources is not None:
            self._sources.follow()

    def _emit_keys(self) -> None:
        """Tell what is wrong with the places of the keys; whoever needs a key says so for itself."""
        keys = self.vault.keys
        for warning in keys.warnings:
            self.events.emit("keys exposed", level="warning", reason=warning)
        for failure in keys.failures if keys.read else ():
            self.events.emit("keys missing", level="warning", reason=failure)

    # -- packets -------------------------------------------------------------------------------

    def start(self, parent: Process | None = None) -> Process:
        """Return a new process on the current generation; whoever starts it ends it (see `finish`)."""
        return self._source.begin(parent)

    async def send(
        self,
        symbol: str | UUID,
        payload: Payload = None,
        *,
        port: str = "in",
        timeout: float | None = None,
    ) -> Answer:
        """Send one packet to an in port, in a process of its own, and return the answer.

        An Error is returned, not raised. `timeout` is in seconds. NoSymbol if there is no such
        symbol or port, or the symbol is not active.
        """
        active = self._active(symbol)
        name = canonical(port)
        if active.node.handler(name) is None:
            raise NoSymbolError(f'"{active.label}" has no in port "{port}"')
        process = self._source.begin()
        if timeout is not None:
            process.deadline = asyncio.get_running_loop().time() + timeout
        answer = process.run(process.wiring.entry(active.id, name), payload)
        return await self._source.complete(process, answer)

    def _active(self, key: str | UUID) -> Symbol:
        table = self.table.get(key)
        if table is None:
            raise NoSymbolError(f'there is no symbol "{key}" in the namespace {self.namespace}')
        if not self.table.active(table):
            why = "; ".join(self.table.reasons(table))
            raise NoSymbolError(f'"{table.label}" is not active: {why}')
        return table

    # -- looking -------------------------------------------------------------------------------

    @property
    def processes(self) -> list[Process]:
        """The processes that run, of the current generation and of those that drain."""
        seen = {
            process for generation in self._shift.generations for process in generation.processes
        }
        return sorted(seen, key=lambda process: process.started)

    def status(self) -> Status:
        """Return the state of every symbol, and every Problem that keeps something from being live."""
        ids = dict.fromkeys([*(symbol.id for symbol in self.table.all()), *self._loader.not_live])
        symbols = [self._look.symbol(uuid) for uuid in ids]
        return Status(
            namespace=self.namespace,
            store=self.store.url,
            runtime=self.id,
            generation=self.table.wiring.generation.number,
            observed=self.observed,
            processes=len(self.processes),
            buffers=Buffers(**BUDGET.figures()),
            conditions=self._health.overall(self._health.degraded()),
            symbols=tuple(sorted(symbols, key=lambda status: (status.name or "~", str(status.id)))),
            problems=self._look.problems(),
        )

    def changed(self) -> None:
        """Something is otherwise that it reports: report soon."""
        if self._reporter is not None:
            self._reporter.changed()

    @property
    def unready(self) -> str:
        """Why it is not ready: what came in before it began does not; empty if all is as it was."""
        return self._health.unready()

    def report(self) -> Report:
        """Return what it says of itself in its store: this costs what is not well, not what it holds."""
        return self._report(self._health.degraded())

    async def _report_by_turns(self) -> Report:
        """Return the same, and let the event loop go on meanwhile."""
        return self._report(await by_turns(self._health.degraded_in_pieces()))

    def _report(self, degraded: tuple[SymbolStatus, ...]) -> Report:
        return Report(
            runtime=self.id,
            namespace=self.namespace,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            started=self.started,
            seen=time.time(),
            interval=self._interval,
            generation=self.table.wiring.generation.number,
            observed=self.observed,
            active=len(self.table) - self.table.waiting,
            waiting=self.table.waiting,
            rejected=len(self._loader.not_live),
            processes=sum(len(generation.processes) for generation in self._shift.generations),
            buffers=Buffers(**BUDGET.figures()),
            conditions=self._health.overall(degraded),
            symbols=degraded,
            leases=self._duties.held,
            rejected_values=self._loader.rejected_values.named(self._loader.rejected.keys()),
        )


@contextmanager
def _collecting_later() -> Iterator[None]:
    """Pause garbage collection while much is made that stays: it would look at all of it, in vain."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() == 0:
            # What was made goes to the oldest generation unlooked at.
            gc.freeze()
            gc.unfreeze()
        if collecting:
            gc.enable()


__all__ = ["Error", "NoSymbolError", "Runtime", "ShiftError", "Status"]
