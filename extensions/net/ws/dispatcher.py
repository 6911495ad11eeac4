"""A Speaker lets a flow answer: for each message a process, on the generation of that moment."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from heddle.extensions.extension import NOTHING, Answer, ByteStream, Error, Failure, Host, Payload
from heddle.extensions.net.ws.connection import INTERNAL, Talk
from heddle.extensions.net.ws.message import said
from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.machine import Pending
from heddle.runtime.flow.process import LiveProcess, settle
from heddle.runtime.flow.step import FAILURES
from heddle.runtime.flow.wiring import NOWHERE


class Speaker:
    """Begins processes for one node, and says what they are answered."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.key = f"websocket.{host.id}"
        self.running: set[asyncio.Task[None]] = set()

    def ask(self, talk: Talk, port: str, payload: Payload) -> bool:
        """Send a payload out of a port, and say what is answered; True where that takes its time.

        Then `talk.done()` is called once it is said. With nothing linked, nothing happens.
        """
        host = self.host
        wiring = host.wiring
        step = wiring.out(host.id, port)
        if step is None:
            return False
        process = LiveProcess(wiring, self._home(talk), host.label)
        answer = process.run(step, payload)
        kind = type(answer)
        if kind in _LATER or process.owns:
            talk.process = process
            self._spawn(self._finish(talk, process, answer))
            return True
        process.end()
        if answer is not NOTHING:
            self._say(talk, answer)
        return False

    def tell(self, talk: Talk, port: str, payload: Payload) -> None:
        """Send a payload out of a port of which no answer is said."""
        host = self.host
        wiring = host.wiring
        step = wiring.out(host.id, port)
        if step is not None:
            process = LiveProcess(wiring, self._home(talk), host.label)
            self._spawn(self._carry(process, process.run(step, payload)))

    def _home(self, talk: Talk) -> LiveProcess:
        """What the processes of one connection have in common: its id, and what a flow keeps for it."""
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
        while self.running:
            await asyncio.wait(self.running)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def _finish(self, talk: Talk, process: Process, answer: Answer | Pending) -> None:
        """Wait for the answer, end the process by it, and say it."""
        try:
            answer = await self._settled(process, answer)
            if isinstance(answer, ByteStream):
                # The process lives until its stream is sent: what feeds it may belong to it.
                await talk.stream(answer)
                answer = NOTHING
            ended = process.end(answer if type(answer) is Error else None)
            failed = await ended if isinstance(ended, Awaitable) else ended
            if failed is not None and type(answer) is not Error:
                answer = failed
            if answer is not NOTHING:
                self._say(talk, answer)
        except FAILURES as error:
            found = Error.of(error, symbol=self.host.label)
            ended = process.end(found)
            if isinstance(ended, Awaitable):
                await ended
            self._say(talk, found)
        finally:
            talk.process = None
            talk.done()

    async def _carry(self, process: Process, answer: Answer | Pending) -> None:
        """Wait for an answer that nobody waits for otherwise."""
        try:
            answer = await self._settled(process, answer)
        except FAILURES as error:
            answer = Error.of(error, symbol=self.host.label)
        failed = answer if type(answer) is Error else None
        ended = process.end(failed)
        if isinstance(ended, Awaitable):
            await ended
        if failed is not None:
            self.host.tell("websocket flow failed", level="error", error=failed)

    async def _settled(self, process: Process, answer: Answer | Pending) -> Answer:
        """The answer; that of the flow at `error`, where it is an Error and one is linked."""
        found = await settle(answer)
        if type(found) is Error and process.reason is None and self.host.linked(process, "error"):
            return await settle(self.host.send(process, "error", found))
        return found

    def _say(self, talk: Talk, answer: Answer) -> None:
        """Send an answer; an Error that nobody handled ends the connection, and is told."""
        if type(answer) is not Error:
            try:
                talk.say(said(answer))
            except Failure as failure:
                answer = failure.error
            else:
                return
        if answer.code == "cancelled":
            return
        self.host.tell("websocket flow failed", level="error", error=answer, connection=talk.id)
        talk.close(INTERNAL, "the flow failed")


_LATER = frozenset({Pending, Error, ByteStream})
