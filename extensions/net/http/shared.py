"""The state that all connections of one server share, and that changes under them at once."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeAlias

from heddle.extensions.net.http.clock import LoopClock
from heddle.extensions.net.http.descriptors import DESCRIPTORS
from heddle.extensions.net.http.door import Address
from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.exchange import Exchange
from heddle.extensions.net.http.head import Head, RequestLine, parse_line
from heddle.extensions.net.http.limits import HttpLimits
from heddle.extensions.net.http.request import HttpRequest
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.tasks import Tasks

Handler: TypeAlias = Callable[[Exchange], None]
"""Called on the loop for each request; it replies before it returns, or later."""

Report: TypeAlias = Callable[[str, Error | BaseException, HttpRequest | None], None]
"""Told a fixed phrase, what went wrong, and at which request; a BadRequest is the client's fault."""

CorsLines: TypeAlias = Callable[[bytes, Head], bytes]
"""Returns the lines of a response with those that pages of other sites need, for the request with that head."""

_log: Final = logging.getLogger("heddle.http")
_KEPT_LINES: Final = 1024
_KEPT_LINE_BYTES: Final = 256


class Tenant(Protocol):
    """A connection as the server and its clock see it."""

    deadline: float

    @property
    def busy(self) -> bool:
        """Whether something is being received, handled or answered."""
        ...

    def retire(self) -> None:
        """Close once there is nothing left to answer."""
        ...

    def local(self) -> Address | None:
        """Return the address that the client has connected to; None if it is not known."""
        ...

    def cut(self) -> None:
        """End at once."""
        ...

    def expire(self) -> None:
        """Act on a deadline that has passed."""
        ...


def log_report(phrase: str, error: Error | BaseException, request: HttpRequest | None) -> None:
    """Report to the log `heddle.http`; what a client did wrong is one line for debugging."""
    cause = error.cause if isinstance(error, Error) else error
    place = f"{request.method_text} {request.raw_path}" if request is not None else "-"
    if isinstance(error, RequestError):
        _log.debug("%s request=%r error=%r", phrase, place, str(error))
        return
    _log.error("%s request=%r error=%r", phrase, place, str(error), exc_info=cause)


class ServerShared:
    """The handler, the limits, the clock and the counters of one server."""

    def __init__(
        self,
        handler: Handler,
        limits: HttpLimits,
        *,
        stream_body: bool,
        scheme: str,
        server_name: str,
        report: Report,
    ) -> None:
        self.handler = handler
        self.limits = limits
        self.stream_body = stream_body
        self.scheme = scheme
        self.report = report
        self.cors: CorsLines | None = None
        self.draining = False
        self.clock = LoopClock(self._on_tick, server_name)
        self.clock.pace(limits)
        self.lines: dict[bytes, RequestLine] = {}
        self.connections: set[Tenant] = set()
        self.tasks = Tasks(self._failed)
        """The tasks that run beside the requests; the server waits for them when it drains."""
        self.requests = 0
        self.rejected = 0
        self.empty: asyncio.Event | None = None

    def change_limits(self, limits: HttpLimits) -> None:
        """Set new limits; a deadline that is running keeps its time."""
        self.limits = limits
        self.clock.pace(limits)
        self.lines.clear()

    def join(self, connection: Tenant) -> bool:
        """Take a connection in; False when there are too many."""
        most = self.limits.connections
        self.connections.add(connection)
        self.clock.start()
        return most is None or len(self.connections) <= most

    def report_shortage(self) -> None:
        """Report that no file descriptors are left for connections, once in a while."""
        error = DESCRIPTORS.due()
        if error is not None:
            self.report("file descriptors short", error, None)

    def leave(self, connection: Tenant) -> None:
        """Let a connection go."""
        self.connections.discard(connection)
        if not self.connections:
            self.clock.stop()
            if self.empty is not None:
                self.empty.set()

    def hand_over(self, connection: Tenant, guest: Tenant) -> None:
        """Let a guest stand for the connection that it takes over."""
        self.connections.discard(connection)
        self.connections.add(guest)

    def line(self, raw: bytes) -> RequestLine:
        """Return a request line, parsed or remembered; BadRequest as `parse_line`."""
        line = parse_line(raw, self.limits)
        if len(raw) <= _KEPT_LINE_BYTES:
            if len(self.lines) >= _KEPT_LINES:
                self.lines.clear()
            self.lines[raw] = line
        return line

    def _failed(self, error: Exception) -> None:
        self.report("a task of the server failed", error, None)

    def call(self, phrase: str, hook: Callable[..., None], *arguments: Any) -> None:
        """Call somebody else's hook; what it raises is reported and goes no further."""
        try:
            hook(*arguments)
        except Exception as error:
            self.report(phrase, error, None)

    def too_large(self, length: int) -> RequestError | None:
        """Return the rejection of a body of that length, if it is too large."""
        most = self.limits.body_bytes
        if most is None or length <= most:
            return None
        return RequestError(f"the body is larger than {most} bytes", 413)

    def _on_tick(self, now: float, lag: float) -> None:
        if lag:
            # The loop stood still: what clients sent meanwhile is still unread, so give them time.
            for connection in self.connections:
                connection.deadline += lag
        late = [connection for connection in self.connections if connection.deadline <= now]
        for connection in late:
            connection.expire()
