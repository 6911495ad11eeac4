"""A Shift takes a table from one generation to the next: begin the new, swap, retire the old.

New nodes begin before the swap, so a change that cannot begin (a port in use, an `init` flow that
fails) is undone and refused while the old generation serves on. Old nodes end after the swap, when
the last process that may use them has ended, or at the drain deadline.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from heddle.runtime.errors import Error
from heddle.runtime.events import Events
from heddle.runtime.generation import Generation
from heddle.runtime.hooks import Hooks
from heddle.runtime.host import Host
from heddle.runtime.process import Process, finish
from heddle.runtime.symbol import Symbol
from heddle.runtime.table import Plan, SymbolTable
from heddle.runtime.wiring import Wiring
from heddle.specs.entry import data_of
from heddle.specs.errors import HeddleError
from heddle.specs.problem import Problem


class ShiftError(HeddleError):
    """A symbol could not begin; the change was undone. `cause` is what it raised."""

    def __init__(self, symbol: Symbol, port: str, cause: Exception) -> None:
        self.cause = cause
        self.problem = Problem(
            code="begin",
            found=f"cannot begin{f' (its {port} flow)' if port else ''}: {_said(cause)}",
            place=symbol.spec.place(("ports", port) if port else ()),
            path=symbol.spec.at(("ports", port) if port else ()),
        )
        super().__init__(str(self.problem))


class Shift:
    """Makes Plans live, one at a time. Times are in seconds.

    `lifecycle` limits each flow at a lifecycle port; `drain` is how long processes of an old
    generation may go on.
    """

    def __init__(
        self,
        table: SymbolTable,
        hooks: Hooks,
        events: Events,
        *,
        lifecycle: float = 30.0,
        drain: float = 30.0,
    ) -> None:
        self._table = table
        self._hooks = hooks
        self._events = events
        self._lifecycle = lifecycle
        self._drain = drain
        self._old: list[Generation] = []
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def generations(self) -> list[Generation]:
        """The current generation, and those that drain."""
        return [self._table.wiring.generation, *self._old]

    async def make(self, plan: Plan) -> None:
        """Begin what is new, swap, and retire what is old; ShiftError where something cannot begin."""
        begun: list[Symbol] = []
        try:
            for symbol in plan.opens:
                begun.append(symbol)
                await self._begin(symbol, plan)
        except ShiftError:
            await self._undo(begun, plan)
            raise
        number = plan.wiring.generation.number
        replaced = self._table.commit(plan)
        self._old.append(replaced.generation)
        for symbol in plan.opens:
            symbol.since = number
            self._events.hide(symbol.binding.secrets)
            self._events.tell(
                "symbol active", level="debug", symbol=symbol.label, generation=number
            )
        for symbol in plan.retires:
            await self._pause(symbol)
        task = asyncio.ensure_future(self._retire(replaced, plan.retires))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def stop(self) -> None:
        """Retire everything: nothing new begins, what is in flight may end within the drain time."""
        plan = self._table.plan([], [symbol.id for symbol in self._table.all()])
        await self.make(plan)
        while self._retiring:
            await asyncio.gather(*self._retiring, return_exceptions=True)

    async def _begin(self, symbol: Symbol, plan: Plan) -> None:
        heir = plan.heirs.get(symbol.id)
        port = ""
        try:
            if heir is not None:
                symbol.node.adopt(heir.node)
            port = "init"
            await self._exec(symbol, port, plan.wiring)
            port = ""
            await self._hooks.loaded(symbol)
            await symbol.node.open(Host(self._table, self._events, symbol, plan.wiring))
            symbol.opened = True
            port = "active"
            await self._exec(symbol, port, plan.wiring)
        except Exception as error:
            raise ShiftError(symbol, port, error) from error

    async def _undo(self, begun: list[Symbol], plan: Plan) -> None:
        """Give back what was begun, last first."""
        for symbol in reversed(begun):
            heir = plan.heirs.get(symbol.id)
            if heir is not None:
                await self._safely(symbol, "disown", _call(symbol.node.disown, heir.node))
            await self._safely(symbol, "pause", symbol.node.pause())
            await self._hooks.unloaded(symbol)
            await self._safely(symbol, "close", symbol.node.close())
            symbol.opened = False

    async def _pause(self, symbol: Symbol) -> None:
        """Let it begin nothing new."""
        await self._safely(symbol, "pause", symbol.node.pause())
        self._events.tell("symbol retired", level="debug", symbol=symbol.label)

    async def _retire(self, replaced: Wiring, symbols: list[Symbol]) -> None:
        """End old nodes once nothing is in flight through them."""
        for symbol in symbols:
            await self._safely(symbol, "deactive flow", self._exec(symbol, "deactive", replaced))
            for failure in await self._hooks.unloaded(symbol):
                self._failed(symbol, "unload hook", failure)
        try:
            async with asyncio.timeout(self._drain):
                for generation in tuple(self._old):
                    await generation.idle()
        except TimeoutError:
            self._cut(tuple(self._old))
            for generation in tuple(self._old):
                await generation.idle()
        self._old = [one for one in self._old if one.processes]
        for symbol in symbols:
            await self._safely(symbol, "deinit flow", self._exec(symbol, "deinit", replaced))
            await self._safely(symbol, "close", symbol.node.close())
            self._events.unhide(symbol.binding.secrets)

    def _cut(self, generations: Iterable[Generation]) -> None:
        """The drain deadline has passed: what still runs on an old generation is cancelled."""
        current = self._table.wiring.generation
        for generation in generations:
            if generation is current:
                continue
            for process in tuple(generation.processes):
                self._events.tell(
                    "process cut",
                    level="warning",
                    symbol=process.origin,
                    generation=generation.number,
                    reason=f"it still ran {self._drain:g} s after its generation was replaced",
                )
                process.cancel(Error("the generation was drained", code="dropped"))

    async def _exec(self, symbol: Symbol, port: str, wiring: Wiring) -> None:
        """Send the Spec, as written, through a lifecycle port; what it answers in error is raised."""
        if not symbol.lifecycle(port):
            return
        process = Process(wiring, origin=symbol.label)
        process.deadline = asyncio.get_running_loop().time() + self._lifecycle
        answer: Any = await finish(process, process.send(symbol.id, port, data_of(symbol.spec)))
        if type(answer) is Error:
            raise (
                answer.cause if isinstance(answer.cause, Exception) else HeddleError(answer.message)
            )

    async def _safely(self, symbol: Symbol, what: str, work: Any) -> None:
        """Await something of a node that leaves: its failure is told and holds nothing up."""
        try:
            await work
        except Exception as error:
            self._failed(symbol, what, error)

    def _failed(self, symbol: Symbol, what: str, error: Exception) -> None:
        self._events.failed(
            f"{what} failed",
            Error.of(error, symbol=symbol.label),
            level="warning",
            symbol=symbol.label,
        )


async def _call(function: Any, *args: Any) -> None:
    function(*args)


def _said(error: Exception) -> str:
    """What an exception says, in one line."""
    if isinstance(error, OSError) and error.strerror:
        return (
            error.strerror[0].lower() + error.strerror[1:] if not str(error).strip() else str(error)
        )
    return str(error) or type(error).__name__
