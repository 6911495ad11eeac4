"""A SymbolHost is what a Node that begins things is given: a way to start processes, and to tell events."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from heddle.runtime.assembly.duty import NOBODY, Duties, Duty, Singleton
from heddle.runtime.assembly.team import ALONE, Team
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.tasks import Tasks
from heddle.runtime.flow.wiring import NOWHERE, Wiring

if TYPE_CHECKING:
    from heddle.runtime.assembly.symbol import Symbol
    from heddle.runtime.assembly.table import SymbolTable
    from heddle.runtime.events.events import Events


class SymbolHost:
    """One symbol's view of its runtime."""

    __slots__ = (
        "__weakref__",
        "_duties",
        "_events",
        "_own",
        "_table",
        "_tasks",
        "drain",
        "id",
        "label",
        "namespace",
        "spec",
        "team",
    )

    def __init__(
        self,
        table: "SymbolTable",
        events: "Events",
        symbol: "Symbol",
        first: Wiring,
        *,
        drain: float = 30.0,
        team: Team = ALONE,
        duties: Duties = NOBODY,
    ) -> None:
        """Make the host of a symbol.

        `drain` is how many seconds what was begun may go on once the node is replaced; `team` are
        the runtimes that serve the namespace together with this one.
        """
        self.drain = drain
        self.team = team
        self._table = table
        self._duties = duties
        self._events = events
        self._own: Wiring | None = first
        self._tasks: Tasks | None = None
        self.id: UUID = symbol.id
        self.label = symbol.label
        self.namespace = symbol.spec.namespace
        self.spec = symbol.spec

    @property
    def shared(self) -> dict[Any, Any]:
        """The objects that nodes of one runtime share, such as pools; keys begin with a family's name."""
        return self._table.shared

    @property
    def tasks(self) -> Tasks:
        """The tasks that this node owns: those that go on after `close` are cancelled."""
        if self._tasks is None:
            self._tasks = Tasks(self._report)
        return self._tasks

    def _report(self, error: Exception) -> None:
        self.emit("task failed", level="error", error=Error.of(error, symbol=self.label))

    @property
    def wiring(self) -> Wiring:
        """The generation that a new process begins on: the current one, or the last that had this symbol."""
        own, current = self._own, self._table.wiring
        if own is None or own is current or self.id in current.symbols:
            return current
        return own

    def duty(self, singleton: Singleton) -> Duty:
        """Return what this symbol does as one of several runtimes; a successor of its node has the same."""
        return self._duties.of(self.id, singleton, self.emit)

    def act(self) -> None:
        """Begin on the current generation from now on: the node acts in it, and no wiring is kept."""
        self._own = None

    def leave(self, last: Wiring) -> None:
        """Begin on this wiring, the last one that had the node, which has left the current one."""
        self._own = last

    def release(self) -> None:
        """Let go of the last wiring: the node is closed, and what it still begins leads nowhere."""
        self._own = NOWHERE

    async def close(self) -> None:
        """Cancel the tasks of the node that still go on, and wait for their end."""
        if self._tasks is not None:
            await self._tasks.close()

    def mask(self, value: Any) -> Any:
        """Return the same plain data with every known secret masked, for whatever people may see."""
        return self._events.mask(value)

    def shown(self, value: Any) -> Any:
        """Return a payload as people may see it: known secrets masked, and what secret keys hold."""
        return self._events.shown(value)

    def wants(self, event: str) -> bool:
        """Return whether anybody wants events of this name, which are emitted only on request."""
        return self._events.wants(event)

    def emit(
        self, event: str, *, level: str = "info", error: Error | None = None, **data: Any
    ) -> None:
        """Tell an event of this symbol: a fixed phrase with named values."""
        if error is not None:
            self._events.failed(event, error, symbol=self.label, level=level, **data)
        else:
            self._events.emit(event, symbol=self.label, level=level, **data)
