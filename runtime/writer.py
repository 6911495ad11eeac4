"""A Writer sends through an out port inside one process, with several packets in flight."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from heddle.runtime.errors import Answer, Error, Payload
from heddle.runtime.machine import Pending

if TYPE_CHECKING:
    from heddle.runtime.process import Process
    from heddle.runtime.step import Step


class Closed(Exception):  # noqa: N818 - reads as what it tells: you closed it
    """You closed it, or its process has ended: nothing more can be sent or read."""


class Writer:
    """Sends packets; answers come back in the order of the questions."""

    __slots__ = ("_closed", "_flight", "_process", "_step")

    def __init__(self, process: "Process", step: "Step | None") -> None:
        self._process = process
        self._step = step
        self._flight: deque[asyncio.Future[Answer]] = deque()
        self._closed: Error | None = None

    @property
    def linked(self) -> bool:
        """Whether anything is linked to the port."""
        return self._step is not None

    def write(self, payload: Payload) -> None:
        """Send without waiting for the answer, which `receive` gives in its turn. Closed when closed."""
        if self._closed is not None:
            raise Closed(self._closed.message)
        answer = self._process.run(self._step, payload)
        future: asyncio.Future[Answer]
        if type(answer) is Pending:
            future = self._process.spawn(answer)
        else:
            future = asyncio.get_running_loop().create_future()
            future.set_result(answer)
        self._flight.append(future)

    async def receive(self) -> Answer:
        """The answer to the oldest packet not yet received for; Closed where none is in flight."""
        if not self._flight:
            raise Closed("no packet is in flight: every answer was received")
        future = self._flight.popleft()
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if self._closed is not None and future.cancelled():
                return self._closed
            self._flight.appendleft(future)
            raise

    async def send(self, payload: Payload) -> Answer:
        """Write, then receive: with several senders each gets the answer to its own packet."""
        self.write(payload)
        future = self._flight.pop()
        try:
            return await future
        except asyncio.CancelledError:
            if self._closed is not None and future.cancelled():
                return self._closed
            raise

    def close(self, reason: Error | None = None) -> None:
        """Close it: what is in flight is answered with the reason."""
        if self._closed is None:
            self._closed = reason or Error("the writer was closed", code="dropped")
            for future in self._flight:
                future.cancel()
