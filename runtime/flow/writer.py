"""A Writer sends through an out port inside one process, with several packets in flight."""

import asyncio
from collections import deque

from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.errors import Answer, Error, Payload
from heddle.runtime.flow.machine import PendingAnswer
from heddle.runtime.flow.step import Step


class ClosedError(Exception):
    """You closed it, or its process has ended: nothing more can be sent or read."""


class Writer:
    """Sends packets; answers come back in the order of the questions."""

    __slots__ = ("_closed", "_flight", "_kept", "_open", "_process", "_step", "linked")

    def __init__(
        self, process: Process, step: Step | None, linked: bool, kept: "set[Writer]"
    ) -> None:
        """`kept` are the open writers of the process: it leaves them when it is closed."""
        self._kept = kept
        self.linked = linked
        """Whether anything is linked to the port."""
        self._process = process
        self._step = step
        self._flight: deque[asyncio.Future[Answer]] = deque()
        self._open: dict[asyncio.Future[Answer], asyncio.Task[Answer]] = {}
        self._closed: Error | None = None

    def write(self, payload: Payload) -> None:
        """Send without waiting for the answer, which `receive` gives in its turn. Closed when closed."""
        self._flight.append(self._write(payload))

    async def receive(self) -> Answer:
        """Return the answer to the oldest packet not yet received for; Closed if none is in flight.

        Where it is cancelled, the answer stays for the next who receives.
        """
        if not self._flight:
            raise ClosedError("no packet is in flight: every answer was received")
        future = self._flight.popleft()
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            self._flight.appendleft(future)
            raise

    async def send(self, payload: Payload) -> Answer:
        """Write, then receive: with several senders each gets the answer to its own packet.

        Where it is cancelled, so is the packet.
        """
        future = self._write(payload)
        task = self._open.get(future)
        try:
            return await future
        except asyncio.CancelledError:
            if task is not None:
                task.cancel()
            raise

    def close(self, reason: Error | None = None) -> None:
        """Close it: what is in flight is answered with the reason."""
        self._kept.discard(self)
        if self._closed is None:
            self._closed = reason or Error("the writer was closed", code="dropped")
            for future, task in tuple(self._open.items()):
                _settle(future, self._closed)
                task.cancel()

    def _write(self, payload: Payload) -> "asyncio.Future[Answer]":
        if self._closed is not None:
            raise ClosedError(self._closed.message)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        answer = self._process.run(self._step, payload)
        if type(answer) is PendingAnswer:
            task: asyncio.Task[Answer] = self._process.tasks.start(answer, awaited=True)
            self._open[future] = task
            task.add_done_callback(lambda done: self._answered(future, done))
        else:
            future.set_result(answer)
        return future

    def _answered(self, future: "asyncio.Future[Answer]", done: "asyncio.Task[Answer]") -> None:
        del self._open[future]
        if done.cancelled():
            reason = self._closed or self._process.reason
            _settle(future, reason or Error("the packet was cancelled", code="cancelled"))
        elif (error := done.exception()) is not None:
            _settle(future, Error.of(error))
        else:
            _settle(future, done.result())


def _settle(future: "asyncio.Future[Answer]", answer: Answer) -> None:
    if not future.done():
        future.set_result(answer)
