"""A Flow is a visiting node's way onward: it sends through the node's own out ports."""

from collections.abc import Generator, Sequence
from types import coroutine
from typing import TYPE_CHECKING, Any

from heddle.runtime.flow.errors import Answer, Payload

if TYPE_CHECKING:
    from heddle.runtime.flow.machine import Pending
    from heddle.runtime.flow.process import Process
    from heddle.runtime.flow.step import VisitStep


class Flow:
    """What a Visit is given beside the payload."""

    __slots__ = ("_step", "process")

    def __init__(self, process: "Process", step: "VisitStep") -> None:
        self.process = process
        self._step = step

    @coroutine
    def send(self, port: str, payload: Payload) -> Generator[Any, Any, Answer]:
        """Send through an out port and await the answer; with no link, the payload is the answer.

        To be awaited where the visit itself runs, never in another task: see `begin` for that.
        """
        answer = yield (port, payload)
        return answer

    def begin(self, port: str, payload: Payload) -> "Answer | Pending":
        """Send beside the visit: the answer, or a Pending to await (in any task, at the same time)."""
        return self.process.run(self._step.leads(port), payload)

    def linked(self, port: str) -> bool:
        """Whether anything is linked to this out port."""
        return bool(self.process.wiring.targets(self._step.owner, port))

    def waits(self, port: str) -> bool:
        """Whether a packet that is sent there may have to wait for something."""
        known = self._step.waiting.get(port)
        if known is None:
            wiring = self.process.wiring
            known = any(wiring.may_wait(*to) for to in wiring.targets(self._step.owner, port))
            self._step.waiting[port] = known
        return known

    def fork(self) -> "Process":
        """A child process on the same generation."""
        return self.process.fork()

    def run(self, process: "Process", port: str, payload: Payload) -> "Answer | Pending":
        """Like `begin`, but in another process: a child made by `fork`."""
        return process.run(self._step.leads(port), payload)

    @property
    def port(self) -> str:
        """The in port that the packet came in by: `in`, `in[1]`."""
        return self._step.port

    @property
    def inputs(self) -> Sequence[str]:
        """The in ports of this node that something is linked to, in order."""
        return self._step.inputs()
