"""A Speaker lets a flow answer: for each message a process, on the generation of that moment."""

import asyncio
from collections.abc import Awaitable

from heddle.extensions.extension import (
    NOTHING,
    Answer,
    ByteStream,
    Error,
    Host,
    NodeError,
    Payload,
    Source,
    Stream,
)
from heddle.extensions.net.ws.connection import INTERNAL, Talk
from heddle.extensions.net.ws.message import message_of
from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.machine import PendingAnswer
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.flow.step import FAILURES
from heddle.runtime.flow.wiring import NOWHERE


class Speaker:
    """Begins processes for one node, and says what they are answered."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.key = f"websocket.{host.id}"
        self._sources = {
            port: Source(host, "websocket flow failed", port=port)
            for port in ("open", "message", "close")
        }

    def exchange(self, talk: Talk, port: str, payload: Payload) -> bool:
        """Send a payload out of a port, and send back the answer; return True if that takes time.

        Then `talk.done()` is called once it is sent. If nothing is linked, nothing happens.
        """
        source = self._sources[port]
        if not source.linked():
            return False
        process, answer = source.send(payload, self._home(talk))
        kind = type(answer)
        if kind in _LATER or process.owns:
            talk.process = process
            source.tasks.start(self._finish(source, talk, process, answer))
            return True
        process.end()
        if answer is not NOTHING:
            self._send_answer(talk, answer)
        return False

    def notify(self, talk: Talk, port: str, payload: Payload) -> None:
        """Send a payload out of a port whose answer is not sent back."""
        source = self._sources[port]
        if source.linked():
            source.start(payload, self._home(talk))

    def _home(self, talk: Talk) -> LiveProcess:
        """Return what the processes of one connection have in common: its id, and what a flow keeps for it."""
        home = talk.home
        if home is None:
            # It outlives generations, and keeps none of them alive.
            home = talk.home = LiveProcess.lasting(NOWHERE, self.host.label)
            home.set(self.key, talk.id)
        return home

    def lost(self, talk: Talk) -> None:
        """Nobody waits for the answer at hand."""
        if talk.process is not None:
            talk.process.cancel(Error("the other side is gone", code="cancelled"))

    async def settled(self) -> None:
        """Wait until every process that was begun has ended."""
        for source in self._sources.values():
            await source.tasks.wait()

    async def _finish(
        self, source: Source, talk: Talk, process: Process, answer: Answer | PendingAnswer
    ) -> None:
        """Wait for the answer, end the process by it, and say it."""
        try:
            answer = await source.handle(process, answer)
            if isinstance(answer, Stream):
                answer = await self._stream(talk, process, answer)
            ended = process.end(answer if type(answer) is Error else None)
            failed = await ended if isinstance(ended, Awaitable) else ended
            if failed is not None and type(answer) is not Error:
                answer = failed
            if answer is not NOTHING:
                self._send_answer(talk, answer)
        except FAILURES as error:
            problem = Error.of(error, symbol=self.host.label)
            ended = process.end(problem)
            if isinstance(ended, Awaitable):
                await ended
            self._send_answer(talk, problem)
        finally:
            talk.process = None
            talk.done()

    async def _stream(self, talk: Talk, process: Process, answer: Stream) -> Answer:
        """Send a byte stream as one message, any other stream as a message for each item.

        The process lives until all of it is sent, as what feeds it may belong to it. It is read by a
        task of the process, which ends with the connection.
        """
        sending = talk.stream(answer) if isinstance(answer, ByteStream) else talk.send_each(answer)
        task = process.tasks.start(sending, awaited=True)
        await asyncio.wait([task])
        if task.cancelled():
            await answer.aclose()
            return process.reason or Error("the stream was cancelled", code="cancelled")
        task.result()
        return NOTHING

    def _send_answer(self, talk: Talk, answer: Answer) -> None:
        """Send an answer; an Error that nobody handled ends the connection, and is told."""
        if type(answer) is not Error:
            try:
                talk.send(message_of(answer))
            except NodeError as failure:
                answer = failure.error
            else:
                return
        if answer.code == "cancelled":
            return
        self.host.emit("websocket flow failed", level="error", error=answer, connection=talk.id)
        talk.close(INTERNAL, "the flow failed")


_LATER = frozenset({PendingAnswer, Error, Stream, ByteStream})
