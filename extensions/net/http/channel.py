"""The transport under a connection: what is written, how fast is read, how long is waited."""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Final, cast

from heddle.extensions.net.http.door import Address, local_address
from heddle.extensions.net.http.limits import LINGER_SECONDS, PIPELINE_BYTES
from heddle.extensions.net.http.receiving import Upload
from heddle.extensions.net.http.request import Peer
from heddle.extensions.net.http.shared import ServerShared
from heddle.runtime.flow.budget import FREE, HeldBudget

# HEAD: between requests or inside a head. BODY: collecting a body. BUSY: a request waits for its
# answer. SENDING: a streamed response is on its way. TAKEN: a guest takes over once all is written.
# CLOSING: close then. REFUSING: say so, then LINGER: throw input away for a moment. CLOSED: nothing
# more will happen.
HEAD, BODY, BUSY, SENDING, TAKEN, CLOSING, REFUSING, LINGER, CLOSED = range(9)

_RESET: Final = struct.pack("ii", 1, 0)
"""The option of a socket by which its end is a reset."""

FLUSH_BYTES: Final = 64 * 1024
"""A response larger than this is not kept back for those pipelined beside it."""


class Channel(asyncio.Protocol):
    """The half of a connection that knows its state, but not what is said."""

    __slots__ = (
        "_buffer",
        "_congested",
        "_drained",
        "_held",
        "_kept",
        "_mark",
        "_out",
        "_paused",
        "_peer",
        "_resting",
        "_retired",
        "_shared",
        "_state",
        "_transport",
        "_unsent",
        "_upload",
        "deadline",
    )

    _transport: asyncio.Transport
    _peer: Peer

    def __init__(self, shared: ServerShared) -> None:
        self._shared = shared
        self._state = HEAD
        self._buffer = b""
        self._out: list[bytes] = []
        self._held = False
        self._congested = False
        self._paused = False
        self._retired = False
        self._resting = False
        self._kept: HeldBudget | None = None
        self._unsent: HeldBudget | None = None
        self._mark = 0
        self._upload: Upload | None = None
        self._drained: asyncio.Future[None] | None = None
        self.deadline = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        shared = self._shared
        self._peer = Peer(shared.scheme, transport.get_extra_info("peername"), shared.limits)
        self.deadline = shared.clock.after(shared.limits.header_timeout)

    def local(self) -> Address | None:
        """Return the address that the client has connected to; None if it is not known."""
        return local_address(self._transport)

    def pause_writing(self) -> None:
        self._congested = self._held = True
        if self._unsent is None:
            self._unsent = HeldBudget()
        self._unsent.hold(self._transport.get_write_buffer_size(), must=True)
        self.deadline = self._shared.clock.after(self._shared.limits.send_timeout)

    def resume_writing(self) -> None:
        self._congested = self._held = False
        if self._unsent is not None:
            self._unsent.free()
        self._set_deadline()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def write(self, data: bytes) -> None:
        """Hand bytes of a streamed response to the network."""
        self._transport.write(data)

    async def writable(self) -> None:
        """Wait until the client has taken enough; give way to others in any case."""
        if not self._congested:
            await asyncio.sleep(0)
            return
        self._drained = asyncio.get_running_loop().create_future()
        try:
            await self._drained
        finally:
            self._drained = None

    def _flush(self) -> None:
        out = self._out
        if out:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    def _close(self) -> None:
        """Close once everything written has been sent."""
        self._state = CLOSED
        self.deadline = self._shared.clock.after(self._shared.limits.send_timeout)
        self._transport.close()

    def _linger(self) -> None:
        """Throw input away for a moment, so that what was written is not lost by a reset."""
        self._state = LINGER
        self._buffer = b""
        self._mark = 0
        self.deadline = self._shared.clock.after(LINGER_SECONDS)
        self._set_pace()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _cut(self) -> None:
        self._state = CLOSED
        self._out.clear()
        self._transport.abort()

    def _break_off(self, *, framed: bool) -> None:
        """End at once in the middle of a body.

        The end of the connection is the end of a body without chunks or a length: only a reset tells
        the client that something is missing.
        """
        connection = None if framed else self._transport.get_extra_info("socket")
        if connection is not None:
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._cut()

    def _set_pace(self) -> None:
        """Read, or let the client wait: when too much of it is unhandled."""
        upload = self._upload
        pause = self._state < CLOSING and (
            (len(self._buffer) > PIPELINE_BYTES and (self._state != HEAD or self._held))
            or (upload is not None and upload.full)
            or self._resting
        )
        if pause != self._paused:
            self._paused = pause
            if pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()
            if upload is not None:
                self._set_deadline()

    def _keep_count(self, size: int, *, must: bool = False) -> bool:
        """Charge the budget with what is kept of this client's; return False if there is no room."""
        if self._kept is None:
            if size <= FREE:
                return True
            self._kept = HeldBudget()
        return self._kept.hold(size if size > FREE else 0, must=must)

    def _release(self) -> None:
        """Give everything back to the budget."""
        for held in (self._kept, self._unsent, self._peer.kept):
            if held is not None:
                held.free()

    def _uploading(self) -> bool:
        """Return whether the client is expected to send more of a body that is being read."""
        return self._upload is not None and not self._upload.ended and not self._paused

    def _set_deadline(self, *, never: bool = False) -> None:
        """Begin the wait that the state is in."""
        clock, limits, state = self._shared.clock, self._shared.limits, self._state
        if never:
            seconds = None
        elif self._congested:
            seconds = limits.send_timeout
        elif state == BODY or self._uploading():
            seconds = limits.body_timeout
        elif state == SENDING:
            seconds = None
        elif state == BUSY:
            seconds = limits.answer_timeout
        elif state == HEAD:
            seconds = limits.idle_timeout
        else:
            seconds = limits.send_timeout
        self.deadline = clock.after(seconds)
