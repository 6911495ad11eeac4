"""The contracts of the traffic: what nodes may ask of their Host, their Process and its links.

The classes that keep them stand above: `LiveProcess`, `Wiring`, `SymbolHost`. So a node can name what
it is given, and nothing goes round.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterator
from enum import Enum
from typing import Any, Protocol, TypeAlias, TypeVar
from uuid import UUID

from heddle.runtime.flow.budget import HeldBudget
from heddle.runtime.flow.errors import Answer, Error, Payload
from heddle.runtime.flow.stream import Stream
from heddle.runtime.flow.tasks import Tasks

T = TypeVar("T")

Key: TypeAlias = Hashable
"""The key of a symbol: its id."""

Target: TypeAlias = tuple[Key, str]
"""A symbol and the name of its in port."""

ExitHook: TypeAlias = Callable[[Error | None], Awaitable[None] | None]
"""Called when a process ends: with None if all went well, otherwise with the Error. It may wait."""

Printer: TypeAlias = Callable[[str, str], None]
"""Takes what the code of a node prints: a level (`debug`, `info`, …) and one line of text."""


class ProcessStatus(Enum):
    """The phase of a process."""

    RUNNING = "running"
    ENDING = "ending"
    ENDED = "ended"


class NumberedGeneration(Protocol):
    """A generation, by its number."""

    number: int


class Links(Protocol):
    """The questions of a process to its wiring: who is linked to whom, in its generation."""

    @property
    def generation(self) -> NumberedGeneration:
        """The generation that this is the wiring of."""
        ...

    @property
    def is_mocked(self) -> bool:
        """Whether mocks stand for some nodes: what runs here is a test."""
        ...

    def label(self, owner: Key) -> str:
        """Return the name of a symbol for people."""
        ...

    def out(self, owner: Key, port: str) -> Any:
        """Return the step that an out port leads to; None if nothing is linked."""

    def entry(self, owner: Key, port: str) -> Any:
        """Return the step of an in port; one that does not exist answers with an Error."""

    def targets(self, owner: Key, port: str) -> tuple[Target, ...]:
        """Return the links of an out port, in order."""
        ...

    def may_wait(self, owner: Key, port: str) -> bool:
        """Return whether a packet that comes in here may have to wait for something."""
        ...

    def waits_after(self, owner: Key) -> bool:
        """Return whether a packet that leaves a symbol may have to wait for something."""
        ...


class Companion(Protocol):
    """The data that is written inside the transaction of a Process: it lasts if the transaction does, else not.

    It is for records of what the Process does, such as the end of an attempt at a task.
    """

    def serves(self, database: str) -> bool:
        """Return whether it belongs in this database; the name is that for people: `sqlite:shop.db`."""
        ...

    def write(
        self, execute: "Callable[[str, list[Any]], Awaitable[Any]]"
    ) -> "Coroutine[Any, Any, None]":
        """Write just before COMMIT; `execute` takes SQL with `?` and gives the rows as a list of maps.

        What it raises rolls the transaction back. The first statement is its fence.
        """
        ...

    def ended(self, committed: bool) -> None:
        """Know whether what it wrote lasts."""


class Process(Protocol):
    """One execution of a flow, for a request, a tick or a message. Not an operating-system process.

    It has an id, times, a parent and children, key/value data, a deadline, and exit hooks that run
    last-in-first-out. When it ends, everything that was opened for it is closed. `reason` is why
    nothing more is done for it: it was cancelled, or it has ended.
    """

    origin: str
    started: float
    status: ProcessStatus
    ended: float | None
    error: Error | None
    reason: Error | None
    companions: "tuple[Companion, ...]"
    """The data that is written inside its transactions; those of its children have their own."""

    @property
    def id(self) -> UUID:
        """Its id: a UUID version 7, made at the first look."""
        ...

    @property
    def parent(self) -> "Process | None":
        """The process that it is a child of."""

    @property
    def children(self) -> "tuple[Process, ...]":
        """The children that have not ended."""
        ...

    @property
    def wiring(self) -> Links:
        """The links of its generation."""
        ...

    @property
    def deadline(self) -> float | None:
        """The time by which it must be done, in seconds of `loop.time()`; None is never."""

    @deadline.setter
    def deadline(self, when: float | None) -> None: ...

    def fork(self, origin: str = "") -> "Process":
        """Return a child on the same generation: it reads this one's data and writes its own."""
        ...

    def get(self, key: str, default: Any = None) -> Any:
        """Return what is kept under this key here or in the nearest ancestor."""

    def set(self, key: str, value: Any) -> None:
        """Keep a value under this key, here."""

    def remove(self, key: str) -> Any:
        """Remove what is kept here under this key, and return it."""

    def keys(self) -> Iterator[str]:
        """Yield every key for which `get` has a value, each once."""
        ...

    def run(self, step: Any, payload: Payload) -> Answer:
        """Send a payload into a step: its answer, or a Pending to await if something waits."""

    def send(self, owner: Key, port: str, payload: Payload) -> Answer:
        """Send out of this port of this symbol; with no link the payload is the answer."""

    def writer(self, owner: Key, port: str) -> Any:
        """Return a Writer of an out port, for a node with several packets in flight."""

    @property
    def tasks(self) -> Tasks:
        """The tasks that this process owns: they are cancelled when it is, and when it ends."""
        ...

    def local(self, key: Any, make: Callable[[], Awaitable[T]]) -> Coroutine[Any, Any, T]:
        """Return the one resource of this process under this key, made by the first caller."""
        ...

    def on_exit(self, hook: ExitHook) -> None:
        """Run this when the process ends; hooks run last-in-first-out. Raise ValueError if it has ended."""

    def hold(self, held: HeldBudget) -> None:
        """Keep a share of the budget until the process ends, or `release`. Raise ValueError if it has ended."""

    @property
    def held_count(self) -> int:
        """How many shares of the budget it keeps."""
        ...

    def release(self, count: int) -> None:
        """Give back every share of the budget but the first `count`."""

    def own(self, stream: Stream) -> None:
        """Close a stream when the process ends, unless it is closed before. Raise ValueError if it has ended."""

    def cancel(self, reason: Error | None = None) -> None:
        """Stop whatever waits on behalf of this process; it is answered with the reason."""

    def end(self, error: Error | None = None) -> Awaitable[Error | None] | Error | None:
        """End it: run the exit hooks, close what was opened. Return how it ended."""

    # What the machine needs.

    def request(self, step: Any, payload: Payload) -> Coroutine[Any, Any, Answer]:
        """Hand a packet to the conversation behind this step, and wait for its answer."""
        ...

    def enter(self, task: "asyncio.Task[Any]") -> bool:
        """Count in a task that waits on behalf of this process; False if it was in already."""
        ...

    def leave(self, task: "asyncio.Task[Any]") -> None:
        """Count it out again."""

    def busy(self, owner: Key) -> bool:
        """Return whether a packet of this process is inside a node that takes turns."""
        ...

    def take_turn(self, owner: Key) -> Coroutine[Any, Any, None]:
        """Wait until no earlier packet of this process is inside this node."""
        ...

    def pass_turn(self, owner: Key) -> None:
        """Let the next packet in."""


class Host(Protocol):
    """One symbol's view of its runtime: what a Node is given when it opens."""

    id: UUID
    label: str
    namespace: str
    drain: float
    """Seconds that what was begun may go on once the node is replaced."""

    spec: Any
    """The Spec of the symbol, as it is written."""

    team: Any
    """The runtimes that serve the namespace together with this one."""

    @property
    def shared(self) -> dict[Any, Any]:
        """The objects that nodes of one runtime share; keys begin with the name of a family."""
        ...

    @property
    def tasks(self) -> Tasks:
        """The tasks that this node owns: those that go on after `close` are cancelled."""
        ...

    @property
    def wiring(self) -> Any:
        """The generation that a new process begins on."""

    def mask(self, value: Any) -> Any:
        """Return the same plain data with every known secret masked."""

    def shown(self, value: Any) -> Any:
        """Return the same plain data as people may see it: secrets masked, secret keys redacted."""

    def duty(self, singleton: Any) -> Any:
        """Return what this symbol does as one of several runtimes; its successor has the same."""

    def wants(self, event: str) -> bool:
        """Return whether anybody wants events of this name, which are emitted only on request."""
        ...

    def emit(
        self, event: str, *, level: str = "info", error: Error | None = None, **data: Any
    ) -> None:
        """Emit an event of this symbol: a fixed phrase with named values."""
