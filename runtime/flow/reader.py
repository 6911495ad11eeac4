"""A Reader receives packets at an in port inside one process, and answers them."""

import asyncio
from collections import deque
from collections.abc import Callable

from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.errors import Answer, Error, NodeError, Payload
from heddle.runtime.flow.packet import Packet


class Reader:
    """The packets of a conversation: iterate over it, and answer each when you like.

    The iteration ends when the process does. `process` is the process that the packets belong to.
    """

    __slots__ = ("_closed", "_queue", "_waiting", "label", "port", "process", "unanswered")

    def __init__(self, process: Process, label: str, port: str) -> None:
        self.process = process
        self.label = label
        self.port = port
        self.unanswered: set[asyncio.Future[Answer]] = set()
        self._queue: deque[Packet] = deque()
        self._waiting: set[asyncio.Future[None]] = set()
        self._closed: Error | NodeError | None = None

    @property
    def idle(self) -> bool:
        """Whether somebody waits for the next packet."""
        return bool(self._waiting)

    def __aiter__(self) -> "Reader":
        return self

    async def __anext__(self) -> Packet:
        while not self._queue:
            if self._closed is not None:
                raise StopAsyncIteration
            arrival: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(arrival)
            try:
                await arrival
            finally:
                self._waiting.discard(arrival)
        return self._queue.popleft()

    async def request(self, payload: Payload) -> Answer:
        """Put a packet in and wait for its answer; the closing reason when nobody answers it.

        NodeError if the conversation has failed.
        """
        if isinstance(self._closed, NodeError):
            raise NodeError(self._closed.error)
        if self._closed is not None:
            return self._closed
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def take(value: Answer) -> None:
            if not answer.done():
                answer.set_result(value)

        self.unanswered.add(answer)
        self._queue.append(Packet(payload, take))
        self._wake()
        try:
            return await answer
        finally:
            self.unanswered.discard(answer)

    def close(self, reason: Error) -> None:
        """End the conversation: every unanswered packet is answered with the reason."""
        if self._closed is None:
            self._closed = reason
            self._end(lambda answer: answer.set_result(reason))

    def fail(self, error: Error) -> None:
        """End it with a failure of the conversation itself: whoever asks, or has asked, meets it."""
        if self._closed is None:
            self._closed = NodeError(error)
            self._end(lambda answer: answer.set_exception(NodeError(error)))

    def _end(self, settle: "Callable[[asyncio.Future[Answer]], None]") -> None:
        self._queue.clear()
        for answer in tuple(self.unanswered):
            if not answer.done():
                settle(answer)
        self._wake()

    def _wake(self) -> None:
        for arrival in self._waiting:
            if not arrival.done():
                arrival.set_result(None)
