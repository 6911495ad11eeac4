"""A Talk is one WebSocket connection: bytes in, messages out, one at a time, and never too many.

Messages wait for the one before to be answered; when too many wait, nothing more is read, so that
the other side waits too. Whoever does not take what is sent to it in time is cut off: one slow
reader must not fill the memory of everyone.
"""

# One file: what comes in, what goes out and when a connection ends depend on the same state at
# every frame.

import asyncio
import logging
from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final
from typing import Protocol as Contract
from uuid import uuid4

import msgspec

from heddle.extensions.extension import ByteStream, Process, Stream
from heddle.extensions.net.http.turns import SLICE, turns
from heddle.extensions.net.http.upgrade import Guest
from heddle.extensions.net.ws.message import Message, message_of
from heddle.extensions.net.ws.text import TextDecoder
from heddle.runtime.flow.budget import FREE, HeldBudget
from heddle.runtime.flow.process import LiveProcess

if TYPE_CHECKING:
    from websockets.protocol import Protocol

log: Final = logging.getLogger("heddle.websocket")
"""The messages of the protocol about itself: only what is worth a warning."""
log.setLevel(logging.WARNING)

GOING_AWAY: Final = 1001
BAD_DATA: Final = 1007
TRY_LATER: Final = 1013
POLICY: Final = 1008
INTERNAL: Final = 1011
LOST: Final = 1006
PARTING: Final = 5.0
"""Seconds that the other side has to answer our close."""

FIRST: Final = 1024
SMALLEST: Final = 64
LARGEST: Final = 64 * 1024
"""How many bytes are taken apart at a time: at first, at least and at most."""


class TalkLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes, times in seconds; None is no limit.

    `message` bounds a message, `waiting` the bytes of messages that wait for their turn, `backlog`
    what waits to be taken by the other side, `rate` messages a second. After `ping` of silence the
    other side is asked whether it is there, and has `pong` to say so. After `idle` without a
    message either way the connection is closed.
    """

    message: int | None = 1024 * 1024
    waiting: int = 256 * 1024
    backlog: int | None = 4 * 1024 * 1024
    rate: int | None = None
    ping: float | None = 20.0
    pong: float = 20.0
    idle: float | None = None


class Ear(Contract):
    """The listener of a connection.

    `opened` and `on_message` return True if the answer is still to come: `talk.done()` is called once
    it is there. `closed` is told when the last message was handled, `lost` at once if the other
    side went without a word.
    """

    def opened(self, talk: "Talk") -> bool:
        """Note that the connection has begun."""
        ...

    def on_message(self, talk: "Talk", message: Message) -> bool:
        """Take a message that has come; the message before it was answered."""
        ...

    def closed(self, talk: "Talk", code: int, reason: str) -> None:
        """Note that the connection is over."""
        ...

    def lost(self, talk: "Talk") -> None:
        """Nobody waits for the answer at hand."""
        ...


class Talk(Guest):
    """One connection, and whoever listens to it."""

    def __init__(self, protocol: "Protocol", limits: TalkLimits, ear: Ear) -> None:
        self.id = str(uuid4())
        self.ear = ear
        self.protocol = protocol
        self.limits = limits
        self.request: Any = None
        self.rooms: set[str] = set()
        self.sent = self.received = 0
        self.gone = False
        self.process: Process | None = None
        self.home: LiveProcess | None = None
        self._leaving: tuple[int, str] | None = None
        self._waiting: deque[Message] = deque()
        self._size = 0
        self._parts = bytearray()
        self._inbox = bytearray()
        self._slice = FIRST
        self._working = False
        self._ending = False
        self._kept = HeldBudget()
        self._text = False
        self._failed = False
        self._decoder: TextDecoder | None = None
        self._busy = False
        self._handling = False
        self._paused = False
        self._congested = False
        self._drained: asyncio.Future[None] | None = None
        self._streaming: deque[Message] | None = None
        self._ended = False
        self._timer: asyncio.TimerHandle | None = None
        self._last_in = self._last_message = 0.0
        self._pinged = False
        self._tokens = 0.0
        self._filled = 0.0

    @property
    def busy(self) -> bool:  # type: ignore[override]
        """Whether a message is being handled."""
        return self._busy

    def alive(self) -> bool:
        """Return whether messages can be sent."""
        return not self.gone and self.protocol.state == 1

    # -- life ----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Take the connection: send the first message, and read what comes."""
        loop = asyncio.get_running_loop()
        self._last_in = self._last_message = self._filled = loop.time()
        self._tokens = float(self.limits.rate or 0)
        self._flush()
        self._watch()
        self._busy = self.ear.opened(self)
        if not self._busy:
            self._proceed()

    def retire(self) -> None:
        """Close, once what has come is answered: the server goes away."""
        self.part(GOING_AWAY, "the server goes away")

    def part(self, code: int, reason: str) -> None:
        """Say goodbye once what has come is answered; what still comes is not heard."""
        self._leaving = self._leaving or (code, reason)
        if not self._busy and not self._waiting:
            self.close(*self._leaving)

    def close(self, code: int, reason: str = "") -> None:
        """Say goodbye; the other side has a moment to say it too. Does nothing if it was said."""
        if not self.alive():
            return
        self.protocol.send_close(code, reason)
        self._flush()
        self._rewatch(PARTING)
        self._set_pace()

    def fail(self, code: int, reason: str) -> None:
        """Break off, because of what the other side did."""
        self._failed = True
        if self.alive():
            self.protocol.fail(code, reason)
            self._flush()
            self._rewatch(PARTING)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let every earlier message be handled, unless the other side went without a word."""
        self.gone = True
        self._congested = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._inbox:
            # What has come is looked at first: it may hold an orderly goodbye.
            self._work_on()
        else:
            self._lose()

    def _lose(self) -> None:
        """Note that the connection is gone, and that all that has come of it was looked at."""
        self._kept.free()
        self.protocol.receive_eof()
        if self._drained is not None and not self._drained.done():
            self._drained.set_exception(ConnectionResetError("the other side is gone"))
        if self.protocol.close_rcvd is None and self.protocol.close_sent is None:
            self._waiting.clear()
            self.ear.lost(self)
        self._leave()
        if not self._busy:
            self._proceed()

    def _leave(self) -> None:
        """Be counted out."""
        super().connection_lost(None)

    def limit(self, limits: TalkLimits) -> None:
        """Set the limits, for a connection that is open as well."""
        self.limits = limits
        # The name has changed between versions.
        for name in ("max_message_size", "max_size"):
            if hasattr(self.protocol, name):
                setattr(self.protocol, name, limits.message)
        self._tokens = min(self._tokens, float(limits.rate or 0))
        if self.alive() and self._leaving is None:
            self._watch()

    # -- hearing -------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Bytes have come: a little of them is taken apart now, the rest in turns with others."""
        self._last_in = asyncio.get_running_loop().time()
        if self._inbox or len(data) > self._slice:
            self._inbox += data
            if not self._working:
                self._work()
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        protocol = self.protocol
        protocol.receive_data(data)
        for event in protocol.events_received():
            self._event(event)
        self._flush()

    def _work(self) -> None:
        """Take a slice of what has come apart; the next one takes about SLICE seconds."""
        self._working = False
        inbox, size = self._inbox, self._slice
        if not inbox:
            return
        part = bytes(inbox[:size])
        del inbox[:size]
        began = perf_counter()
        self._take(part)
        elapsed = perf_counter() - began
        if elapsed > SLICE:
            self._slice = max(size // 2, SMALLEST)
        elif elapsed < SLICE / 4 and len(part) == size:
            self._slice = min(size * 2, LARGEST)
        if not self._count() and not self.gone:
            self.fail(TRY_LATER, "short of memory")
        if inbox:
            self._set_pace()
            self._work_on()
        elif self.gone:
            self._lose()
        elif self._ending:
            self._hear_end()
        else:
            self._set_pace()

    def _work_on(self) -> None:
        """Go on with what has come, unless messages wait for their turn."""
        waits = not self.gone and not self._closing and self._full
        if self._inbox and not self._working and not waits:
            self._working = True
            turns().later(self._work)

    def _count(self) -> bool:
        """Charge the budget with what is kept; return False if there is no room."""
        size = len(self._inbox) + len(self._parts) + self._size + unread(self.protocol)
        if self._congested:
            size += self.transport.get_write_buffer_size()
        return self._kept.hold(size if size > FREE else 0)

    def eof_received(self) -> bool:
        """End the connection: nothing more will come."""
        if self._inbox:
            self._ending = True
            return True
        self._hear_end()
        return False

    def _hear_end(self) -> None:
        self.protocol.receive_eof()
        self._flush()
        if self._ending:
            self.transport.close()

    def _event(self, frame: Any) -> None:
        opcode = int(frame.opcode)
        if opcode == 10:
            self._pinged = False
            return
        if opcode > 2 or self._failed:
            return
        if opcode:
            self._text = opcode == 1
            self._decoder = None
        data = bytes(frame.data)
        if not frame.fin:
            self._parts += data
            if self._text and self.protocol.extensions:
                self._check_fragment(data)
            return
        if self._parts:
            data = bytes(self._parts + data)
            self._parts.clear()
        if self._leaving is not None:
            return
        if not self._within_rate():
            self.fail(POLICY, "too many messages")
            return
        self.received += 1
        self._last_message = self._last_in
        message: Message = data
        if self._text:
            try:
                message = data.decode()
            except UnicodeDecodeError:
                self.fail(BAD_DATA, "the text is not UTF-8")
                return
        if self._busy or self._waiting:
            self._waiting.append(message)
            self._size += len(message) + 64
            if self._size > FREE and not self._count():
                self.fail(TRY_LATER, "short of memory")
            elif self._full:
                self._set_pace()
        else:
            self._handle(message)

    def _check_fragment(self, data: bytes) -> None:
        """Break off if a text that was packed can never become UTF-8; of others the reader sees to it."""
        if self._decoder is None:
            self._decoder = TextDecoder()
        try:
            self._decoder.decode(data)
        except UnicodeDecodeError:
            self.fail(BAD_DATA, "the text is not UTF-8")

    def _within_rate(self) -> bool:
        rate = self.limits.rate
        if rate is None:
            return True
        self._tokens = min(self._tokens + (self._last_in - self._filled) * rate, rate)
        self._filled = self._last_in
        self._tokens -= 1
        return self._tokens >= 0

    def _handle(self, message: Message) -> None:
        # A message that is answered at once must not be overtaken by what its handling brings in.
        self._busy = True
        if not self.ear.on_message(self, message):
            self._busy = False

    def done(self) -> None:
        """Take the next message: the one at hand has its answer."""
        self._busy = False
        self._proceed()

    def _proceed(self) -> None:
        """Handle what waits, as far as it goes at once."""
        if self._handling:
            return
        self._handling = True
        end = 0.0
        try:
            while self._waiting and not self._busy and not self._congested:
                message = self._waiting.popleft()
                self._size -= len(message) + 64
                self._handle(message)
                now = perf_counter()
                if end and now > end and self._waiting:
                    turns().later(self._proceed_later)
                    break
                end = end or now + SLICE
        finally:
            self._handling = False
        if self._kept.size and not self.gone:
            self._count()
        self._set_pace()
        if self._busy or self._waiting:
            return
        if self.gone:
            self._end()
        elif self._leaving is not None:
            self.close(*self._leaving)

    def _proceed_later(self) -> None:
        if not self._busy:
            self._proceed()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            code, reason = self.protocol.close_code, self.protocol.close_reason
            self.ear.closed(self, LOST if code is None else int(code), reason or "")

    def _set_pace(self) -> None:
        """Read, or let the other side wait."""
        self._work_on()
        pause = (self._full or bool(self._inbox)) and not (self._closing and not self._inbox)
        if pause != self._paused and not self.gone and not self.transport.is_closing():
            self._paused = pause
            if pause:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()
                self._last_in = asyncio.get_running_loop().time()

    @property
    def _full(self) -> bool:
        """Whether too much waits to be handled, or to be taken by the other side."""
        return self._size > self.limits.waiting or self._congested

    @property
    def _closing(self) -> bool:
        return self.protocol.state != 1

    # -- saying --------------------------------------------------------------------------------

    def send(self, message: Message) -> bool:
        """Send a message; False if the connection is closed, or was cut because it is too slow."""
        if not self.alive():
            return False
        if self._streaming is not None:
            self._streaming.append(message)
            return True
        self.sent += 1
        if isinstance(message, str):
            self.protocol.send_text(message.encode())
        else:
            self.protocol.send_binary(message)
        self._last_message = asyncio.get_running_loop().time()
        self._flush()
        if self._congested:
            most = self.limits.backlog
            slow = most is not None and self.transport.get_write_buffer_size() > most
            if slow or not self._count():
                self.transport.abort()
                return False
        return True

    async def stream(self, stream: ByteStream) -> None:
        """Send a byte stream as one message in pieces; what is said meanwhile comes after it."""
        if not self.alive():
            await stream.aclose()
            return
        # One stream at a time: messages are handled one at a time.
        self._streaming = deque()
        self.sent += 1
        try:
            self.protocol.send_binary(b"", fin=False)
            async for chunk in stream:
                if not self.alive():
                    return
                self.protocol.send_continuation(chunk, fin=False)
                self._flush()
                await self._writable()
            if self.alive():
                self.protocol.send_continuation(b"", fin=True)
                self._flush()
        except ConnectionResetError:
            return
        finally:
            await stream.aclose()
            later, self._streaming = self._streaming, None
            if self.protocol.expect_continuation_frame:
                # Half a message cannot be taken back.
                self.fail(INTERNAL, "the message broke off")
            for message in later:
                self.send(message)

    async def send_each(self, stream: Stream) -> None:
        """Send each item of a stream as a message, as fast as the other side takes them."""
        try:
            async for item in stream:
                if not self.send(message_of(item)):
                    return
                await self._writable()
        finally:
            await stream.aclose()

    async def _writable(self) -> None:
        if not self._congested:
            await asyncio.sleep(0)
            return
        self._drained = asyncio.get_running_loop().create_future()
        try:
            await self._drained
        finally:
            self._drained = None

    def pause_writing(self) -> None:
        """Pause reading: the other side does not take what we send."""
        self._congested = True
        self._kept.hold(self._kept.size + self.transport.get_write_buffer_size(), must=True)
        self._set_pace()

    def resume_writing(self) -> None:
        """Resume reading: the other side takes data again."""
        self._congested = False
        self._count()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if not self._busy:
            self._proceed()
        self._set_pace()

    def _flush(self) -> None:
        if self.gone:
            self.protocol.data_to_send()
            return
        for data in self.protocol.data_to_send():
            if data:
                self.transport.write(data)
            else:
                self.transport.close()
                self._rewatch(PARTING)

    # -- time ----------------------------------------------------------------------------------

    def _watch(self) -> None:
        limits = self.limits
        waits = [number for number in (limits.ping, limits.idle) if number]
        if waits:
            self._rewatch(min(waits))

    def _rewatch(self, seconds: float) -> None:
        """Look again after so many seconds."""
        if self.gone:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(max(seconds, 0.001), self._look)

    def _look(self) -> None:
        """Check that the other side is still there, and that the connection is still in use."""
        self._timer = None
        if self._closing or self.transport.is_closing():
            self.transport.abort()
            return
        limits = self.limits
        now = asyncio.get_running_loop().time()
        if limits.idle is not None and now - self._last_message >= limits.idle and not self._busy:
            self.close(GOING_AWAY, "idle for too long")
            return
        waits: list[float] = []
        if limits.idle is not None:
            waits.append(max(self._last_message + limits.idle - now, 0.01))
        if limits.ping is not None:
            waits.append(self._ping(now, limits.ping))
        if waits and self.alive():
            self._rewatch(min(waits))

    def _ping(self, now: float, ping: float) -> float:
        """Ping if it was silent; seconds until the next look."""
        silent = now - self._last_in
        if self._paused:
            # We do not listen: that is not its fault.
            return ping
        if self._pinged and silent >= self.limits.pong:
            self.fail(INTERNAL, "no answer to a ping")
            return PARTING
        if silent >= ping and not self._pinged:
            self._pinged = True
            self.protocol.send_ping(b"")
            self._flush()
            # Counted from the question, not from the last word.
            self._last_in = now
            return self.limits.pong
        if silent < ping:
            self._pinged = False
        return max((self.limits.pong if self._pinged else ping) - silent, 0.01)


def unread(protocol: "Protocol") -> int:
    """Return how many bytes of a frame that is not complete the protocol keeps."""
    return len(getattr(getattr(protocol, "reader", None), "buffer", b""))
