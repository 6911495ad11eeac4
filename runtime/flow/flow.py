"""A Flow is a visiting node's way onward: it sends through the node's own out ports."""

from collections.abc import Generator, Sequence
from types import coroutine
from typing import Any, Protocol

from heddle.runtime.flow.contracts import Key, Process
from heddle.runtime.flow.errors import Answer, Payload


class Onward(Protocol):
    """The step of a visiting node: where its out ports lead."""

    owner: Key
    port: str
    waiting: dict[str, bool]

    def leads(self, port: str) -> Any:
        """Return the step that an out port leads to; None if nothing is linked."""

    def inputs(self) -> Sequence[str]:
        """Return the in ports of this node that something is linked to."""
        ...


class Flow:
    """The argument of a Visit beside the payload."""

    __slots__ = ("_step", "process")

    def __init__(self, process: Process, step: Onward) -> None:
        self.process = process
        self._step = step

    @coroutine
    def send(self, port: str, payload: Payload) -> Generator[Any, Any, Answer]:
        """Send through an out port and await the answer; with no link, the payload is the answer.

        To be awaited if the visit itself runs, never in another task: see `begin` for that.
        """
        answer = yield (port, payload)
        return answer

    def begin(self, port: str, payload: Payload) -> Answer:
        """Send beside the visit: the answer, or a Pending to await (in any task, at the same time)."""
        return self.process.run(self._step.leads(port), payload)

    def writer(self, port: str) -> Any:
        """Return a Writer of an out port, for several packets in flight. Close it when done."""
        return self.process.writer(self._step.owner, port)

    def linked(self, port: str) -> bool:
        """Return whether anything is linked to this out port."""
        return bool(self.process.wiring.targets(self._step.owner, port))

    def waits(self, port: str) -> bool:
        """Return whether a packet that is sent there may have to wait for something."""
        known = self._step.waiting.get(port)
        if known is None:
            wiring = self.process.wiring
            known = any(wiring.may_wait(*to) for to in wiring.targets(self._step.owner, port))
            self._step.waiting[port] = known
        return known

    def fork(self) -> Process:
        """Return a child process on the same generation."""
        return self.process.fork()

    def run(self, process: Process, port: str, payload: Payload) -> Answer:
        """Like `begin`, but in another process: a child made by `fork`."""
        return process.run(self._step.leads(port), payload)

    @property
    def step(self) -> Onward:
        """The step of the node that is visited."""
        return self._step

    @property
    def port(self) -> str:
        """The in port that the packet came in by: `in`, `in[1]`."""
        return self._step.port

    @property
    def inputs(self) -> Sequence[str]:
        """The in ports of this node that something is linked to, in order."""
        return self._step.inputs()
