"""Serve is one `heddle start`: a runtime, its log, and the signals that end it."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from heddle.cli.documents import Documents
from heddle.cli.exit_codes import CommandError
from heddle.cli.extensions import installed, reachable_specs
from heddle.cli.killer import Killer
from heddle.cli.late_imports import spare_imports
from heddle.cli.masked_streams import masked_streams
from heddle.cli.process_health import ProcessHealth
from heddle.cli.settings import SYSTEM, Settings
from heddle.cli.shutdown import Shutdown
from heddle.cli.stores import check_path
from heddle.cli.views.curl_hint import curl
from heddle.cli.views.log import JsonLog, TextLog, make_log
from heddle.runtime.assembly.team import ALONE
from heddle.runtime.events.events import Event
from heddle.runtime.flow.budget import BUDGET, usual_limit
from heddle.runtime.runtime import Runtime, ShiftError
from heddle.runtime.status.watchdog import Watchdog
from heddle.schemas.collector import COLLECTOR
from heddle.specs.model.store import Store
from heddle.specs.yaml.document import ReadText, join

if TYPE_CHECKING:
    from collections.abc import Callable

    from heddle.cli.supervisor.worker_client import WorkerClient

SWITCH: Final = 0.001
"""Seconds after which a thread that computes lets the event loop go on, if that has something to do.

Five times shorter than usual: a request that comes while a large change is read or kept in a thread
waits so long for each of its steps that lets go of the interpreter.
"""


class Serve:
    """Runs what the settings say until a signal comes, or somebody closes the runtime."""

    def __init__(
        self,
        settings: Settings,
        specs: Sequence[str] = (),
        values: Sequence[str] = (),
        *,
        seat: "Callable[[], WorkerClient] | None" = None,
        health: str = "",
    ) -> None:
        """`seat` makes the place of a worker that is one of several; its log goes there.

        `health` is the address at which probes are answered.
        """
        # Of a worker, its supervisor says how it is.
        self._health = ProcessHealth(settings.namespace, health) if seat is None else None
        self._settings = settings
        self._take_seat = seat
        self._seat: WorkerClient | None = None
        self._specs = Documents(specs)
        self._values = Documents(values)
        self._registry = installed(settings)
        self._log = make_log(settings.log_format, settings.log_level, source=self._source)
        self._listening: list[Event] = []
        self._killer = Killer(
            settings.drain + settings.lag,
            json=isinstance(self._log, JsonLog),
            namespace=settings.namespace,
        )
        self._ending = Shutdown(
            self._drain_requested,
            drain=settings.drain + settings.lag,
            report=self._cut,
            alive=self._killer.note_alive,
        )
        self._starting: asyncio.Task[Any] | None = None
        self._stop = asyncio.Event()
        self._shown: Callable[[str], str] = str

    def run(self) -> None:
        """Serve to the end; HeddleError says why it could not begin."""
        before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH)
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(self._serve())
        finally:
            sys.setswitchinterval(before)

    async def _serve(self) -> None:
        with (
            self._ending.signals(asyncio.get_running_loop()),
            self._killing(),
            masked_streams(lambda text: self._shown(text)),
        ):
            self._starting = asyncio.current_task()
            if self._health is not None:
                await self._health.open()
            if self._take_seat is not None:
                self._sit(self._take_seat())
            try:
                rt = await self._runtime()
                with self._watchdog(rt):
                    async with rt, self._beside(rt):
                        self._starting = None
                        await self._ready(rt)
                        await self._end(rt)
                        await self._linger()
                        rt.events.emit(
                            "runtime stopping",
                            reason=self._ending.reason or "it was closed",
                            processes=len(rt.processes),
                            drain=self._settings.drain,
                        )
                    rt.events.emit("runtime stopped")
            except asyncio.CancelledError:
                if not self._ending.reason:
                    raise
            finally:
                if self._seat is not None:
                    await self._seat.close()
                if self._health is not None:
                    await self._health.close()

    def _watchdog(self, rt: Runtime) -> AbstractContextManager[object]:
        """Return what watches the event loop, unless the settings turn that off."""
        if not self._settings.watchdog:
            return nullcontext()
        report = self._seat.blocked if self._seat is not None else None
        return Watchdog(rt, report=report, dump=True)

    def _killing(self) -> AbstractContextManager[object]:
        """Return what kills this process if nothing else can end it; a supervisor does that itself."""
        if not self._settings.watchdog or self._take_seat is not None:
            return nullcontext()
        return self._killer.watching()

    def _sit(self, seat: "WorkerClient") -> None:
        """Work as one of several: tell the supervisor what there is to tell, and end when it is gone."""
        self._seat = seat
        orders = seat.orders
        self._log = make_log(
            "text" if orders.text else "json",
            self._settings.log_level,
            stream=seat,
            source=self._source,
            color=orders.color,
        )

    async def _end(self, rt: Runtime) -> None:
        """Wait for a signal, or until the runtime is closed from within."""
        ends = [asyncio.ensure_future(self._stop.wait()), asyncio.ensure_future(rt.wait_closed())]
        if self._seat is not None:
            self._seat.noted = rt.changed
            self._seat.ready(
                lambda: {"active": len(rt.table) - rt.table.waiting, "unready": rt.unready}
            )
            ends.append(asyncio.ensure_future(self._seat.ended.wait()))
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()

    async def _linger(self) -> None:
        """Say that it ends, and go on for the lag, so that others learn of it before it does."""
        if self._health is not None:
            self._health.stopping(self._ending.reason or "it was closed")
            if self._ending.reason == "SIGTERM":
                await asyncio.sleep(self._settings.lag)

    # --- beginning ---

    def _set_budget(self) -> None:
        """Bound what is buffered here: several workers of one namespace share the memory."""
        buffers = self._settings.buffers
        size = self._seat.orders.size if self._seat is not None else 1
        BUDGET.limit = usual_limit(size) if buffers is None else buffers or None

    async def _runtime(self) -> Runtime:
        """Return the runtime, not begun yet, with its log."""
        settings = self._settings
        self._set_budget()
        reachable_specs((settings.store, *self._specs.paths))
        reading = self._reading()
        store = await self._store(reading)
        if settings.namespace == SYSTEM:
            from heddle.cli.system import system

            rt = system(settings, store, self._registry, team=self._seat or ALONE)
        else:
            rt = Runtime(
                namespace=settings.namespace,
                store=store,
                environment=settings.environment,
                drain=settings.drain,
                lease=settings.lease,
                kinds=self._registry,
                team=self._seat or ALONE,
                redactor=settings.redactor,
            )
        rt.events.tracebacks = settings.tracebacks
        self._log.mask = rt.events.mask
        self._shown = rt.events.shown
        rt.events.listen(self._log, threads=True)
        rt.events.listen(lambda event: self._on_event(rt, event))
        if reading.problems:
            rt.events.emit(
                "documents rejected",
                level="error",
                reason="the rest of them runs",
                problems=reading.problems,
            )
        return rt

    @asynccontextmanager
    async def _beside(self, rt: Runtime) -> AsyncIterator[None]:
        """Serve the API beside the runtime, if the settings say so; it ends before the runtime does."""
        if not self._settings.system or rt.namespace == SYSTEM:
            yield
            return
        from heddle.cli.system import system

        beside = system(self._settings, rt.store, self._registry, rt)
        try:
            await beside.__aenter__()
        except ShiftError as error:
            # Nobody has written its flows: it is the flag that can be put right.
            if isinstance(error.cause, OSError):
                raise CommandError(
                    f"--system {self._settings.system}: {error.cause.strerror}"
                ) from error
            raise
        try:
            for event in beside.events.recent:
                self._log(event)
            beside.events.listen(self._log)
            yield
        finally:
            await beside.close()

    def _reading(self) -> ReadText:
        """Return what the files of the command line say together."""
        namespace = self._settings.namespace
        return join(
            [
                self._specs.read(namespace=namespace),
                self._values.read(namespace=namespace, only="values"),
            ]
        )

    async def _store(self, reading: ReadText) -> Store | str:
        """Return the store to run; what the command line gave is in it."""
        settings = self._settings
        if not (self._specs.paths or self._values.paths):
            check_path(settings.store)
            return settings.store
        if not settings.given or settings.store.startswith("memory:"):
            from heddle.specs.stores.memory import MemoryStore

            return MemoryStore([*reading.specs, *reading.values])
        from heddle.runtime.changes.apply import apply_into
        from heddle.schemas.errors import ConflictError, SpecError

        check_path(settings.store)
        if reading.problems:
            raise SpecError(reading.problems)
        store = await self._registry.stores.open(settings.store, namespace=settings.namespace)
        try:
            applied = await apply_into(store, (*reading.specs, *reading.values), self._registry)
        finally:
            await store.close()
        if applied.problems:
            raise SpecError(applied.problems)
        if applied.clashes:
            raise ConflictError("; ".join(map(str, applied.clashes)))
        return settings.store

    async def _ready(self, rt: Runtime) -> None:
        """Tell what runs; raise CommandError if nothing does, and nothing can come."""
        # Not its status: if every single spec is written takes long to find out.
        report = rt.report()
        active, some = report.active, bool(report.active or report.waiting or report.rejected)
        if not active and rt.store.url.startswith("memory:"):
            why = "every spec has a problem" if some else "no specs were given"
            raise CommandError(f"nothing runs: {why} (expected: specs). Try heddle check")
        counts: dict[str, Any] = {"waiting": report.waiting, "rejected": report.rejected}
        url = self._health.url if self._health is not None else ""
        health: dict[str, Any] = {"health": url} if url else {}
        rt.events.emit(
            "runtime started",
            reason="" if active else await self._idle(rt, some),
            store=rt.store.url,
            active=active,
            **{state: count for state, count in counts.items() if count},
            **health,
        )
        if self._health is not None:
            self._health.started(rt)
        spare_imports()
        # What a start made stays: a collection that looks at all of it would stop the traffic.
        COLLECTOR.take_over(report.active + report.waiting)

    async def _idle(self, rt: Runtime, some: bool) -> str:
        """Return why nothing is active: also the other namespaces, if the store holds only those."""
        reason = "nothing is active yet; it waits for specs"
        if some:
            return reason
        others = sorted({spec.namespace for spec in await rt.store.specs()} - {rt.namespace})
        if not others:
            return reason
        shown = ", ".join(others[:10]) + (f" and {len(others) - 10} more" if others[10:] else "")
        word = "namespace" if len(others) == 1 else "namespaces"
        return f"{reason} in the namespace {rt.namespace}: the store holds the {word} {shown}"

    # --- telling ---

    def _on_event(self, rt: Runtime, event: Event) -> None:
        """Say what to try once what listens is live."""
        if event.event == "listening":
            self._listening.append(event)
        elif self._seat is not None and self._seat.number:
            return  # what to try is said once
        elif event.event == "generation live" and self._listening:
            listening, self._listening = self._listening, []
            if isinstance(self._log, TextLog):
                specs = [symbol.binding.spec for symbol in rt.table.all()]
                for each in listening:
                    line = curl(str(each.data.get("url", "")), each.symbol, specs)
                    self._log.print_line("try", rt.events.mask(line))

    def _source(self, file: str) -> str | None:
        return self._specs.source(file) or self._values.source(file)

    # --- ending ---

    def _drain_requested(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
        self._stop.set()

    def _cut(self, reason: str) -> None:
        """Write why the process ends before everything has ended."""
        namespace = self._settings.namespace
        self._log(
            Event(
                time=time.time(),
                level="error",
                event="runtime cut",
                namespace=namespace,
                reason=reason,
            )
        )


def _loop_factory() -> "Callable[[], asyncio.AbstractEventLoop] | None":
    """Uvloop's loops where there is uvloop."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
