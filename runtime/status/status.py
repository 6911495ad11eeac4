"""Status is what a runtime is doing, as people see it: every symbol, and why it is as it is."""

from typing import Any
from uuid import UUID

import msgspec

from heddle.runtime.assembly.loader import Loader
from heddle.runtime.assembly.symbol import Symbol
from heddle.runtime.assembly.table import SymbolTable
from heddle.runtime.events.events import Events
from heddle.runtime.status.health import RuntimeHealth
from heddle.schemas.problem import Problem
from heddle.specs.model.report import Buffers
from heddle.specs.model.symbol_status import Condition, SymbolStatus


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a runtime, as people see it.

    `observed` is the newest revision of the store that it has looked at, be it live or rejected.
    """

    namespace: str
    store: str
    runtime: str = ""
    generation: int
    observed: int = 0
    processes: int
    buffers: Buffers = Buffers()
    conditions: tuple[Condition, ...] = ()
    symbols: tuple[SymbolStatus, ...]
    problems: tuple[Problem, ...]


class Look:
    """Looks at the symbols of one runtime. What is shown of them has secrets masked."""

    def __init__(
        self, table: SymbolTable, loader: Loader, health: RuntimeHealth, events: Events
    ) -> None:
        self._table = table
        self._loader = loader
        self._health = health
        self._events = events

    def symbol(self, uuid: UUID) -> SymbolStatus:
        """Return one that is in the table, or that was rejected."""
        symbol, rejection = self._table.get(uuid), self._loader.not_live.get(uuid)
        spec = (
            symbol.spec if symbol is not None else rejection.spec if rejection is not None else None
        )
        if spec is None:
            raise RuntimeError("neither the table nor the loader knows this symbol")
        known = self._health.status(uuid)
        wrong = [str(problem) for problem in rejection.problems] if rejection is not None else []
        reasons = wrong
        if symbol is not None:
            reasons = [] if self._table.active(symbol) else self.waits(symbol)
            reasons += [f"rejected: {problem}" for problem in wrong]
        return msgspec.structs.replace(
            known,
            reasons=tuple(reasons),
            place=str(spec.place()) if spec.places is not None else "",
            generation=symbol.since if symbol is not None else 0,
            node=self._node(symbol) if symbol is not None else {},
        )

    def waits(self, symbol: Symbol) -> list[str]:
        """Return what a symbol waits for that is not active."""
        return self._table.reasons(symbol)

    def problems(self) -> tuple[Problem, ...]:
        """Return every Problem that keeps something from being live."""
        wrong = list(self._loader.unreadable)
        for rejection in self._loader.rejected.values():
            wrong += rejection.problems
        return self._events.masked(tuple(dict.fromkeys(wrong)))

    def _node(self, symbol: Symbol) -> dict[str, Any]:
        node = dict(symbol.node.snapshot())
        if symbol.node.guard is not None:
            node = {**symbol.node.guard.snapshot(), **node}
        shown: dict[str, Any] = self._events.shown(node)
        return shown
