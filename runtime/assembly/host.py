"""A SymbolHost is what a Node that begins things is given: a way to start processes, and to tell events."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from heddle.runtime.assembly.duty import NOBODY, Duties, Duty, Singleton
from heddle.runtime.assembly.team import ALONE, Team
from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.errors import Answer, Error, Payload
from heddle.runtime.flow.machine import Pending
from heddle.runtime.flow.process import LiveProcess, finish, settle
from heddle.runtime.flow.wiring import NOWHERE, Wiring

if TYPE_CHECKING:
    from heddle.runtime.assembly.symbol import Symbol
    from heddle.runtime.assembly.table import SymbolTable
    from heddle.runtime.events.events import Events
    from heddle.runtime.flow.step import Step


class SymbolHost:
    """One symbol's view of its runtime."""

    __slots__ = (
        "_duties",
        "_events",
        "_own",
        "_table",
        "drain",
        "id",
        "label",
        "namespace",
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
        """`drain` is how many seconds what was begun may go on once the node is replaced; `team` are
        the runtimes that serve the namespace together with this one."""
        self.drain = drain
        self.team = team
        self._table = table
        self._duties = duties
        self._events = events
        self._own: Wiring | None = first
        self.id: UUID = symbol.id
        self.label = symbol.label
        self.namespace = symbol.spec.namespace

    @property
    def shared(self) -> dict[Any, Any]:
        """What nodes of one runtime have in common, such as pools; keys begin with a family's name."""
        return self._table.shared

    @property
    def wiring(self) -> Wiring:
        """The generation that a new process begins on: the current one, or the last that had this symbol."""
        own, current = self._own, self._table.wiring
        if own is None or own is current or self.id in current.symbols:
            return current
        return own

    def duty(self, singleton: Singleton) -> Duty:
        """What this symbol does as one of several runtimes; a successor of its node has the same."""
        return self._duties.of(self.id, singleton, self.tell)

    def first(self, wiring: Wiring) -> "Step | None":
        """Return the first step behind `out` in this wiring, which keeps it; None if nothing is linked."""
        step = wiring.starts[self] = wiring.out(self.id, "out")
        return step

    def act(self) -> None:
        """Begin on the current generation from now on: the node acts in it, and no wiring is kept."""
        self._own = None

    def leave(self, last: Wiring) -> None:
        """Begin on this wiring, the last one that had the node, which has left the current one."""
        self._own = last

    def release(self) -> None:
        """Let go of the last wiring: the node is closed, and what it still begins leads nowhere."""
        self._own = NOWHERE

    def start(self, parent: Process | None = None) -> Process:
        """A new process on the current generation; whoever starts it ends it."""
        return LiveProcess(self.wiring, parent, self.label)

    def send(self, process: Process, port: str, payload: Payload) -> Answer | Pending:
        """Send out of a port of this symbol in a process: its answer, or a Pending to await."""
        return process.run(process.wiring.out(self.id, port), payload)

    async def run(self, payload: Payload, *, failed: str, **data: Any) -> Answer:
        """One whole process that begins here: its packet leaves by `out`; the answer, once it has ended.

        An Error goes to `error`, where that is linked; what is still an Error then is told as the
        event `failed`, with these values.
        """
        process = self.start()
        answer = await settle(self.send(process, "out", payload))
        if type(answer) is Error and process.reason is None and self.linked(process, "error"):
            answer = await settle(self.send(process, "error", answer))
        answer = await finish(process, answer)
        if type(answer) is Error:
            self.tell(failed, level="error", error=answer, **data)
        return answer

    def mask(self, value: Any) -> Any:
        """The same plain data with every known secret masked, for whatever people may see."""
        return self._events.mask(value)

    def shown(self, value: Any) -> Any:
        """Return a payload as people may see it: known secrets masked, and what secret keys hold."""
        return self._events.shown(value)

    def linked(self, process: Process, port: str) -> bool:
        """Whether anything is linked to an out port of this symbol, in the process's generation."""
        return bool(process.wiring.targets(self.id, port))

    def tell(
        self, event: str, *, level: str = "info", error: Error | None = None, **data: Any
    ) -> None:
        """Tell an event of this symbol: a fixed phrase with named values."""
        if error is not None:
            self._events.failed(event, error, symbol=self.label, level=level, **data)
        else:
            self._events.tell(event, symbol=self.label, level=level, **data)
