"""A Shift takes a table from one generation to the next: begin the new, swap, retire the old.

New nodes begin before the swap, so a change that cannot begin (a port in use, an `init` flow that
fails) is undone and rejected while the old generation serves on. Old nodes end after the swap, when
the last process that may use them has ended, or at the drain deadline.
"""

import asyncio
import time
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any
from uuid import UUID

from heddle.runtime.assembly.duty import NOBODY, Duties
from heddle.runtime.assembly.hooks import Hooks
from heddle.runtime.assembly.host import SymbolHost
from heddle.runtime.assembly.symbol import Symbol
from heddle.runtime.assembly.table import SymbolTable, TablePlan
from heddle.runtime.assembly.team import ALONE, Team
from heddle.runtime.events.events import Events, masked
from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.finish import finish
from heddle.runtime.flow.generation import Generation
from heddle.runtime.flow.node import Node, dissolve
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.step import FAILURES
from heddle.runtime.flow.tasks import Tasks
from heddle.runtime.flow.wiring import Wiring
from heddle.schemas.errors import HeddleError
from heddle.schemas.pieces import LoopYield, by_turns, empty_by_turns
from heddle.schemas.problem import Problem
from heddle.specs.files.spare import SPARE
from heddle.specs.model.entry import data_of

GRACE = 5.0
"""Seconds that a process which was cut has to come to its end."""


class ShiftError(HeddleError):
    """A symbol could not begin; the change was undone. `cause` is what it raised."""

    def __init__(self, symbol: Symbol, port: str, cause: BaseException) -> None:
        self.cause = cause
        self.symbol = symbol
        problem = Problem(
            code="begin",
            found=f"cannot begin{f' (its {port} flow)' if port else ''}: {_message(cause)}",
            place=symbol.spec.place(("ports", port) if port else ()),
            path=symbol.spec.at(("ports", port) if port else ()),
        )
        self.problem = masked((problem,), symbol.binding.secrets)[0]
        super().__init__(str(self.problem))


class StartProgress:
    """The progress of a symbol on its way to act: what has to be undone if the change is."""

    __slots__ = ("active", "adopted", "inherited", "init", "loaded", "opened", "symbol")

    def __init__(self, symbol: Symbol) -> None:
        self.symbol = symbol
        self.adopted = self.inherited = self.init = False
        self.loaded = self.opened = self.active = False


class Shift:
    """Makes Plans live, one at a time. Times are in seconds.

    `lifecycle` limits each flow at a lifecycle port, and each `open`, `pause` and `close` of a
    node; `drain` is how long processes of an old generation may go on while nodes wait to be closed.
    """

    def __init__(
        self,
        table: SymbolTable,
        hooks: Hooks,
        events: Events,
        *,
        lifecycle: float = 30.0,
        drain: float = 30.0,
        team: Team = ALONE,
        duties: Duties = NOBODY,
    ) -> None:
        self._team = team
        self._duties = duties
        self._table = table
        table.failed = self._task_failed
        self._hooks = hooks
        self._events = events
        self._lifecycle = lifecycle
        self._drain = drain
        self._old: list[Generation] = []
        self._retiring = Tasks(self._retiring_failed)
        self._hosts: dict[Symbol, SymbolHost] = {}
        self.draining: dict[UUID, tuple[Symbol, float]] = {}
        """The symbols that have left and are not closed yet, and since when (seconds since 1970)."""
        self.telling: dict[UUID, Symbol] = {}
        """The symbols that act and whose Nodes can say that something is wrong with them."""

    @property
    def generations(self) -> list[Generation]:
        """The current generation, and those that drain."""
        return [self._table.wiring.generation, *self._old]

    async def make(self, plan: TablePlan) -> None:
        """Begin what is new, swap, and retire what is old; raise ShiftError if something cannot begin."""
        begun: list[StartProgress] = []
        turns = LoopYield()
        try:
            for symbol in plan.opens:
                await turns.rest()
                begun.append(StartProgress(symbol))
                await self._begin(begun[-1], plan)
        except BaseException:
            await self._undo(begun, plan)
            raise
        number = plan.wiring.generation.number
        replaced = self._table.commit(plan)
        self._old.append(replaced.generation)
        for left, _ in plan.swaps:
            if left is not None and not left.opened:
                # It never began, so nobody closes it.
                dissolve(left.node)
        # All of them before anything is waited for: who retires acts in no newer generation.
        for symbol in plan.opens:
            self._hosts[symbol].act()
        hosts = [
            host for retire in plan.retires if (host := self._hosts.pop(retire, None)) is not None
        ]
        for host in hosts:
            host.leave(replaced)
        for symbol in plan.opens:
            await turns.rest()
            symbol.since = number
            symbol.began = time.time()
            if type(symbol.node).act is not Node.act:
                await self._safely(symbol, "act", symbol.node.act())
            if type(symbol.node).degraded is not Node.degraded:
                self.telling[symbol.id] = symbol
            self._events.emit(
                "symbol active", level="debug", symbol=symbol.label, generation=number
            )
        for symbol in plan.retires:
            await turns.rest()
            self.draining[symbol.id] = symbol, time.time()
            if self.telling.get(symbol.id) is symbol:
                del self.telling[symbol.id]
            await self._safely(symbol, "pause", symbol.node.pause())
            self._events.emit(
                "symbol retired", level="debug", symbol=symbol.label, reason=self._why(symbol)
            )
        self._retiring.start(self._retire(replaced, plan.retires, tuple(self._old), hosts))

    async def stop(self) -> None:
        """Retire everything: nothing new begins, what is in flight may end within the drain time."""
        gone = [symbol.id for symbol in self._table.all()]
        plan = await by_turns(self._table.plan_in_pieces([], gone))
        await self.make(plan)
        await self._retiring.wait()

    # -- beginning -----------------------------------------------------------------------------

    async def _begin(self, begun: StartProgress, plan: TablePlan) -> None:
        symbol, node = begun.symbol, begun.symbol.node
        # Whatever becomes of it, this Node is not to begin a second time.
        symbol.opened = True
        self._events.hide(symbol.binding.secrets)
        heir = plan.heirs.get(symbol.id)
        port = ""
        host = self._hosts[symbol] = SymbolHost(
            self._table,
            self._events,
            symbol,
            plan.wiring,
            drain=self._drain,
            team=self._team,
            duties=self._duties,
        )
        if node.voice is not None:
            node.voice.host = host
        try:
            if heir is not None:
                begun.adopted = True
                node.adopt(heir.node)
                if node.guard is not None and heir.node.guard is not None:
                    node.guard.adopt(heir.node.guard)
            if type(node).inherit is not Node.inherit:
                begun.inherited = True
                node.inherit(
                    [retire.node for retire in plan.retires if type(retire.node) is type(node)]
                )
            port = "init"
            await self._exec(symbol, port, plan.wiring)
            begun.init = True
            port = ""
            begun.loaded = True
            await self._hooks.loaded(symbol)
            begun.opened = True
            await self._limited(node.open(host))
            port = "active"
            await self._exec(symbol, port, plan.wiring)
            begun.active = True
        except BaseException as error:
            if not _own(error):
                raise
            SPARE.note(error)
            raise ShiftError(symbol, port, error) from error

    async def _undo(self, every: list[StartProgress], plan: TablePlan) -> None:
        """Give back what was begun, last first."""
        for begun in reversed(every):
            symbol, node = begun.symbol, begun.symbol.node
            host = self._hosts.pop(symbol, None)
            if begun.active:
                await self._safely(symbol, "deactive flow", self._ended(symbol, "deactive", plan))
            heir = plan.heirs.get(symbol.id)
            if begun.adopted and heir is not None:
                # Before it pauses: what it adopted is not its own to stop.
                await self._safely(symbol, "disown", _call(node.disown, heir.node))
            if begun.inherited:
                await self._safely(symbol, "renounce", _call(node.renounce))
            if begun.opened:
                await self._safely(symbol, "pause", node.pause())
            if begun.loaded:
                await self._unloaded(symbol)
            if begun.init:
                await self._safely(symbol, "deinit flow", self._ended(symbol, "deinit", plan))
            if begun.opened:
                await self._safely(symbol, "close", node.close())
            if host is not None:
                await self._safely(symbol, "close", host.close())
            self._events.unhide(symbol.binding.secrets)
            dissolve(node)
            if host is not None:
                host.release()

    def _ended(self, symbol: Symbol, port: str, plan: TablePlan) -> Awaitable[None]:
        return self._exec(symbol, port, plan.wiring)

    # -- retiring ------------------------------------------------------------------------------

    def _why(self, symbol: Symbol) -> str:
        """Return why a symbol has left."""
        now = self._table.get(symbol.id)
        if now is None:
            return "removed"
        return "replaced" if self._table.active(now) else "; ".join(self._table.reasons(now))

    async def _retire(
        self,
        replaced: Wiring,
        symbols: list[Symbol],
        generations: Sequence[Generation],
        hosts: Sequence[SymbolHost],
    ) -> None:
        """End old nodes once nothing is in flight through them."""
        turns = LoopYield()
        for symbol in symbols:
            await turns.rest()
            await self._safely(symbol, "deactive flow", self._exec(symbol, "deactive", replaced))
            await self._unloaded(symbol)
        if not symbols:
            # Nothing waits to be closed, so nothing has to be cut.
            await _idle(generations)
        elif not await _idle_within(generations, self._drain):
            await self._cut(generations)
        self._old = [generation for generation in self._old if generation.processes]
        owners = {host.id: host for host in hosts}
        for symbol in symbols:
            await turns.rest()
            await self._safely(symbol, "deinit flow", self._exec(symbol, "deinit", replaced))
            await self._safely(symbol, "close", symbol.node.close())
            if symbol.id in owners:
                await self._safely(symbol, "close", owners[symbol.id].close())
            if self.draining.get(symbol.id, (None,))[0] is symbol:
                del self.draining[symbol.id]
            self._events.unhide(symbol.binding.secrets)
            dissolve(symbol.node)
        for host in hosts:
            await turns.rest()
            host.release()
        # The wiring first, which holds the symbols too: to free many of them at once takes long.
        del replaced
        await empty_by_turns(symbols)

    def _task_failed(self, error: Error) -> None:
        self._events.failed("task failed", error, symbol=error.symbol)

    def _retiring_failed(self, error: Exception) -> None:
        self._events.failed("retiring failed", Error.of(error))

    async def _cut(self, generations: Sequence[Generation]) -> None:
        """Cancel what still runs on an old generation: the drain deadline has passed."""
        reason = Error("its generation was replaced, and the time to drain is over", code="dropped")
        for process in _processes(generations):
            self._events.emit(
                "process cut",
                level="warning",
                symbol=process.origin,
                generation=process.wiring.generation.number,
                reason=f"it still ran {self._drain:g} s after its generation was replaced",
            )
            process.cancel(reason)
        # Whoever began it ends it as soon as it is answered: give them their moment.
        if await _idle_within(generations, GRACE / 5):
            return
        for process in _processes(generations):
            process.end(reason)
        if await _idle_within(generations, GRACE):
            return
        for process in _processes(generations):
            self._events.emit(
                "process stuck",
                level="error",
                symbol=process.origin,
                generation=process.wiring.generation.number,
                reason="it was cut and did not end; its nodes are closed below it",
            )

    # -- helps ---------------------------------------------------------------------------------

    async def _exec(self, symbol: Symbol, port: str, wiring: Wiring) -> None:
        """Send the Spec, as written, through a lifecycle port; what it answers in error is raised."""
        if not symbol.lifecycle(port):
            return
        process = LiveProcess(wiring, origin=symbol.label)
        process.deadline = asyncio.get_running_loop().time() + self._lifecycle
        answer: Any = await finish(process, process.send(symbol.id, port, data_of(symbol.spec)))
        if type(answer) is Error:
            raise (
                answer.cause if isinstance(answer.cause, Exception) else HeddleError(answer.message)
            )

    async def _limited(self, work: Awaitable[None]) -> None:
        """Await something of a node; raise TimeoutError if it takes too long."""
        limit = asyncio.timeout(self._lifecycle)
        try:
            async with limit:
                await work
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimeoutError(f"it took longer than {self._lifecycle:g} s") from error

    async def _unloaded(self, symbol: Symbol) -> None:
        for failure in await self._hooks.unloaded(symbol):
            self._failed(symbol, "unload hook", failure)

    async def _safely(self, symbol: Symbol, text: str, work: Awaitable[None]) -> None:
        """Await something of a node that leaves: its failure is told and holds nothing up."""
        try:
            await self._limited(work)
        except BaseException as error:
            if not _own(error):
                raise
            self._failed(symbol, text, error)

    def _failed(self, symbol: Symbol, text: str, error: BaseException) -> None:
        self._events.failed(
            f"{text} failed",
            Error.of(error, symbol=symbol.label),
            level="warning",
            symbol=symbol.label,
        )


def _processes(generations: Iterable[Generation]) -> list[Process]:
    return [process for generation in generations for process in generation.processes]


async def _idle(generations: Iterable[Generation]) -> None:
    """Wait until no process runs on any of these."""
    for generation in generations:
        await generation.idle()


async def _idle_within(generations: Iterable[Generation], seconds: float) -> bool:
    """Wait for that no longer than so many seconds; whether it has come."""
    try:
        async with asyncio.timeout(seconds):
            await _idle(generations)
    except TimeoutError:
        return False
    return True


def _own(error: BaseException) -> bool:
    """Return whether it is a failure of what was called, not the end of whoever called it."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and not task.cancelling()
    return isinstance(error, FAILURES)


async def _call(function: Any, *args: Any) -> None:
    function(*args)


def _message(error: BaseException) -> str:
    """Return what an exception says, in one line."""
    if isinstance(error, asyncio.CancelledError):
        return "what it waited for was cancelled"
    if isinstance(error, OSError) and error.strerror:
        # Its number says nothing that its words do not.
        return str(error).removeprefix(f"[Errno {error.errno}] ")
    return str(error) or type(error).__name__
