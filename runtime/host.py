"""A Host is what a Node that begins things is given: a way to start processes, and to tell events."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from heddle.runtime.errors import Answer, Error, Payload
from heddle.runtime.machine import Pending
from heddle.runtime.process import Process, finish, settle
from heddle.runtime.team import ALONE, Team

if TYPE_CHECKING:
    from heddle.runtime.events import Events
    from heddle.runtime.symbol import Symbol
    from heddle.runtime.table import SymbolTable
    from heddle.runtime.wiring import Wiring


class Host:
    """One symbol's view of its runtime."""

    __slots__ = ("_events", "_last", "_table", "drain", "id", "label", "namespace", "team")

    def __init__(
        self,
        table: "SymbolTable",
        events: "Events",
        symbol: "Symbol",
        first: "Wiring",
        *,
        drain: float = 30.0,
        team: Team = ALONE,
    ) -> None:
        """`drain` is how many seconds what was begun may go on once the node is replaced; `team` are
        the runtimes that serve the namespace together with this one."""
        self.drain = drain
        self.team = team
        self._table = table
        self._events = events
        self._last = first
        self.id: UUID = symbol.id
        self.label = symbol.label
        self.namespace = symbol.spec.namespace

    @property
    def shared(self) -> dict[Any, Any]:
        """What nodes of one runtime have in common, such as pools; keys begin with a family's name."""
        return self._table.shared

    @property
    def wiring(self) -> "Wiring":
        """The generation that a new process begins on: the current one, or the last that had this symbol."""
        current = self._table.wiring
        if current is not self._last and self.id in current.symbols:
            self._last = current
        return self._last

    def left(self, last: "Wiring") -> None:
        """Its node has left the current generation: what it still begins runs on this, the last of its own."""
        self._last = last

    def start(self, parent: Process | None = None) -> Process:
        """A new process on the current generation; whoever starts it ends it."""
        return Process(self.wiring, parent, self.label)

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
