"""A Relay sends the events of one stream to its one client, as fast as the client takes them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import Any, Final

from heddle.extensions.extension import NOTHING, ByteStream, Error, Flow, NodeError, Stream
from heddle.extensions.net.sse.event import lines_of, written
from heddle.extensions.net.sse.feed import BEAT
from heddle.runtime.flow.budget import HeldBudget
from heddle.runtime.flow.finish import settle
from heddle.runtime.flow.step import FAILURES

AHEAD: Final = 64 * 1024
"""Bytes that may wait for a client: then nothing more is read from the stream."""


class Relay:
    """The events of a stream on their way. What is ready at the same time is sent in one piece.

    The stream is read by a task of the process, which ends with the client, and with the process.
    """

    def __init__(
        self,
        flow: Flow,
        stream: AsyncIterable[Any],
        first: bytes,
        beat: Callable[[], float | None],
        ended: Callable[[], None],
    ) -> None:
        self._flow = flow
        self._stream = stream
        self._ready = bytearray(first)
        self._beat = beat
        self._ended = ended
        self._held = HeldBudget()
        self._over = False
        self._failure: BaseException | None = None
        self._reader: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    def body(self) -> ByteStream:
        """Return the same as the body of a response."""
        return ByteStream(self._chunks(), close=self._leave)

    async def _leave(self) -> None:
        ended, self._ended = self._ended, _nothing
        ended()
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        task = self._flow.process.tasks.start(self._read(), awaited=True)
        task.add_done_callback(self._finished)
        try:
            while True:
                if self._ready:
                    data = bytes(self._ready)
                    self._ready.clear()
                    _wake(self._room)
                    yield data
                elif not self._over:
                    await self._more()
                elif self._failure is not None:
                    raise self._failure
                else:
                    return
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])

    async def _more(self) -> None:
        """Wait for the next event; a comment if none comes for long."""
        self._reader = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._beat()):
                await self._reader
        except TimeoutError:
            self._ready += BEAT
        finally:
            self._reader = None

    async def _read(self) -> None:
        """Take event after event, as long as there is room for them."""
        stream = self._stream
        try:
            if isinstance(stream, ByteStream):
                async for line in lines_of(stream):
                    await self._push(line)
            else:
                async for item in stream:
                    # Here, and not in a call: most items are there already.
                    self._ready += written(item)
                    _wake(self._reader)
                    if len(self._ready) >= AHEAD:
                        await self._drained()
        except FAILURES as failure:
            if not self._flow.linked("error"):
                raise
            await self._part(failure)

    async def _part(self, failure: BaseException) -> None:
        """Let the port `error` say the last events."""
        last = await settle(self._flow.begin("error", Error.of(failure)))
        if type(last) is Error:
            raise NodeError(last) from failure
        if last is not NOTHING:
            for event in last if isinstance(last, list) else [last]:
                await self._push(written(event))

    async def _push(self, data: bytes) -> None:
        self._ready += data
        _wake(self._reader)
        if len(self._ready) >= AHEAD:
            await self._drained()

    async def _drained(self) -> None:
        """Wait until the client has taken what there is; it is charged to the budget meanwhile."""
        self._room = asyncio.get_running_loop().create_future()
        self._held.hold(len(self._ready), must=True)
        try:
            await self._room
        finally:
            self._held.free()
            self._room = None

    def _finished(self, task: "asyncio.Task[None]") -> None:
        """Note that nothing more will come, and why."""
        self._over = True
        if task.cancelled():
            reason = self._flow.process.reason
            self._failure = NodeError(reason or Error("the stream was cancelled", code="cancelled"))
        else:
            self._failure = task.exception()
        _wake(self._reader)


def is_stream(payload: Any) -> bool:
    """Return whether a packet brings its events over time."""
    return isinstance(payload, Stream) or hasattr(payload, "__aiter__")


def _wake(waiter: "asyncio.Future[None] | None") -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


def _nothing() -> None:
    """Do nothing: what had to be called was called."""
