"""A Source begins root processes for one symbol: one for each request, tick, message or file."""

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from heddle.runtime.flow.contracts import Key, Process, ProcessStatus
from heddle.runtime.flow.errors import NOTHING, Answer, Error, Payload
from heddle.runtime.flow.finish import abandon, finish, settle
from heddle.runtime.flow.machine import PendingAnswer
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.tasks import Tasks

if TYPE_CHECKING:
    import asyncio

    from heddle.runtime.flow.step import Step
    from heddle.runtime.flow.wiring import Wiring


class Origin(Protocol):
    """The owner of the processes of a Source: the Host of a node, or a runtime."""

    @property
    def id(self) -> Key:
        """The key of the symbol that the packets leave from."""

    @property
    def label(self) -> str:
        """The name for people; it is the `origin` of the processes."""
        ...

    @property
    def wiring(self) -> Any:
        """The generation that a new process begins on."""

    def emit(
        self, event: str, *, level: str = "info", error: Error | None = None, **data: Any
    ) -> None:
        """Emit an event."""


class Source:
    """Begins processes, sends their packets out of one port, and ends them by their answers.

    An Error goes to the out port `error`, if that is linked; then its answer counts. An Error that
    is left is emitted as the event `failed`, if that is not empty. If nothing is linked to the port,
    the answer is NOTHING.

    Most sources call `run` in a task of their own, or `start`. Those that have to be fast call
    `send`, and `complete` or `handle` only if the answer has to be waited for.
    """

    __slots__ = ("_port", "failed", "host", "tasks")

    def __init__(self, host: Origin, failed: str = "", *, port: str = "out") -> None:
        self.host = host
        self.failed = failed
        self._port = port
        self.tasks = Tasks(partial(_emit, host, failed))
        """The task that `start` began, and what belongs to it."""

    def linked(self, port: str = "") -> bool:
        """Return whether anything is linked to the port, or to another one, in a new process."""
        wiring: Wiring = self.host.wiring
        return bool(wiring.targets(self.host.id, port or self._port))

    def begin(self, parent: Process | None = None) -> LiveProcess:
        """Return a new process on the current generation. The caller ends it: see `complete`."""
        host = self.host
        return LiveProcess(host.wiring, parent, host.label)

    def send(
        self, payload: Payload, parent: Process | None = None
    ) -> tuple[LiveProcess, Answer | PendingAnswer]:
        """Begin a process and send its packet; return both the process and the answer.

        The answer may be a Pending. The caller ends the process: see `complete`.
        """
        host = self.host
        wiring: Wiring = host.wiring
        # The first step is looked up once for each generation: this is the road of every request.
        try:
            step = wiring.starts[self]
        except KeyError:
            step = self._first(wiring)
        process = LiveProcess(wiring, parent, host.label)
        if step is None:
            return process, NOTHING
        return process, process.run(step, payload)

    async def handle(self, process: Process, answer: Answer | PendingAnswer) -> Answer:
        """Wait for the answer and return it; for an Error, the answer of the flow at `error`."""
        answer = await settle(answer)
        if type(answer) is Error and process.reason is None:
            owner, wiring = self.host.id, process.wiring
            if wiring.targets(owner, "error"):
                return await settle(process.run(wiring.out(owner, "error"), answer))
        return answer

    async def complete(
        self, process: Process, answer: Answer | PendingAnswer, **data: Any
    ) -> Answer:
        """Wait for the answer, handle an Error, end the process, and report the Error that is left.

        Return the answer, or the Error of an exit hook. `data` are values of the event. If the task
        that waits here is cancelled, so is the process.
        """
        try:
            answer = await self.handle(process, answer)
        except BaseException as error:
            await abandon(process, error)
            raise
        answer = await finish(process, answer)
        if type(answer) is Error and self.failed:
            self.host.emit(self.failed, level="error", error=answer, **data)
        return answer

    async def run(self, payload: Payload, parent: Process | None = None, **data: Any) -> Answer:
        """Run one whole process: begin it, send its packet, and complete it. Return the answer."""
        process, answer = self.send(payload, parent)
        return await self.complete(process, answer, **data)

    def start(
        self, payload: Payload, parent: Process | None = None, **data: Any
    ) -> "asyncio.Task[Answer]":
        """Run one whole process in a task among `tasks`.

        The process has begun, on the current generation, when this returns. Its packet is sent a
        moment later: so a flow that comes back to its source does not nest.
        """
        process = self.begin(parent)
        task = self.tasks.start(self._carry(process, payload, data))
        # A task that is cancelled before its first step never comes to the end of its process.
        task.add_done_callback(partial(_end, process))
        return task

    async def _carry(self, process: LiveProcess, payload: Payload, data: dict[str, Any]) -> Answer:
        step = self._first(process.wiring)
        answer = NOTHING if step is None else process.run(step, payload)
        return await self.complete(process, answer, **data)

    def _first(self, wiring: "Wiring") -> "Step | None":
        """Look up the first step of the packets in this wiring; None if nothing is linked."""
        linked = wiring.targets(self.host.id, self._port)
        step = wiring.starts[self] = wiring.out(self.host.id, self._port) if linked else None
        return step


def _end(process: LiveProcess, task: "asyncio.Task[Answer]") -> None:
    del task
    if process.status is ProcessStatus.RUNNING:
        process.end(Error("it was stopped", code="dropped"))


def _emit(host: Origin, failed: str, error: Exception) -> None:
    host.emit(failed or "task failed", level="error", error=Error.of(error, symbol=host.label))
