"""Packets that go on by themselves: each in a process of its own, after its sender was answered."""

import asyncio
from collections.abc import Awaitable

from heddle.extensions.extension import Answer, Error, Host, Payload, Process
from heddle.runtime.flow.process import finish, settle


class Beside:
    """What a node has under way beside its senders.

    An Error goes to the node's `error` port; with nothing linked there it is told as `phrase`.
    """

    __slots__ = ("_phrase", "_running")

    def __init__(self, phrase: str) -> None:
        self._phrase = phrase
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def send(self, host: Host, payload: Payload) -> None:
        """Send a packet out of `out`, in a process on the current generation."""
        process = host.start()
        task = asyncio.ensure_future(self._run(host, process, payload))
        # The loop keeps no strong reference to its tasks.
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, host: Host, process: Process, payload: Payload) -> None:
        answer: Answer = Error("it was stopped", code="dropped")
        try:
            answer = await settle(host.send(process, "out", payload))
            if type(answer) is Error and process.reason is None and host.linked(process, "error"):
                answer = await settle(host.send(process, "error", answer))
        finally:
            ending: Awaitable[Answer] = finish(process, answer)
            answer = await ending
        if type(answer) is Error:
            host.tell(self._phrase, level="error", error=answer)
