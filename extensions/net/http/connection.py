"""One HTTP/1.1 connection: requests are read, handled and answered in their order.

A request is handled once the one before it has its response, so answers cannot overtake one
another, and what a client pipelines meanwhile waits unread. A request that its handler answers at
once costs no task, no timer and one write, or one write together with those pipelined beside it.
"""

# One file: reading, answering and sending share one state, and a call more on each request is
# measured.

import asyncio
from time import perf_counter
from typing import Any, Final

from heddle.extensions.net.http.channel import (
    BODY,
    BUSY,
    CLOSED,
    CLOSING,
    FLUSH_BYTES,
    HEAD,
    LINGER,
    REFUSING,
    SENDING,
    TAKEN,
    Channel,
)
from heddle.extensions.net.http.compression import packer
from heddle.extensions.net.http.descriptors import DESCRIPTORS
from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.exchange import Exchange
from heddle.extensions.net.http.framing import BodyReader, ChunkedBody, DiscardedBody, FixedBody
from heddle.extensions.net.http.head import Head, RequestLine, parse_head, with_host
from heddle.extensions.net.http.limits import BURST, LINGER_BYTES
from heddle.extensions.net.http.live import dropped
from heddle.extensions.net.http.packing import pack_response
from heddle.extensions.net.http.receiving import Upload, body_stream
from heddle.extensions.net.http.request import make_request
from heddle.extensions.net.http.response import (
    CLOSE,
    DATE,
    RETRY,
    StreamedBody,
    fault_of,
    plain_response,
    respond,
    respond_fault,
)
from heddle.extensions.net.http.sending import close_source, send_body
from heddle.extensions.net.http.shared import ServerShared
from heddle.extensions.net.http.turns import SLICE, turns
from heddle.extensions.net.http.upgrade import Guest, Upgrade
from heddle.runtime.flow.budget import BUDGET, FREE
from heddle.runtime.flow.errors import Answer, Error
from heddle.runtime.flow.stream import ByteStream

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_KEEP: Final = b"Connection: keep-alive\r\n"
_BARE: Final = (204, 304)
_DATED: Final = (DATE, CLOSE + DATE)
_LENGTHS: Final = tuple(b"Content-Length: %d\r\n\r\n" % size for size in range(1024))


class HttpConnection(Channel):
    """A client's connection to a server; everything about it that others share is in Shared."""

    __slots__ = (
        "_arrived",
        "_block",
        "_body",
        "_exchange",
        "_guest",
        "_head",
        "_inside",
        "_invited",
        "_keep",
        "_line",
        "_served",
        "_started",
        "_task",
    )

    _line: RequestLine
    _head: Head
    _guest: Guest

    def __init__(self, shared: ServerShared) -> None:
        super().__init__(shared)
        self._arrived = b""
        self._block: bytes | None = None
        self._body: BodyReader | None = None
        self._exchange: Exchange | None = None
        self._inside = False
        self._invited = True
        self._keep = True
        self._served = False
        self._started = False
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether a request is being received, handled or answered."""
        return self._state in (BODY, BUSY, SENDING) or (self._state == HEAD and bool(self._buffer))

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        shared = self._shared
        welcome = shared.join(self)
        super().connection_made(transport)
        if not welcome:
            self._reject(RequestError("the server has too many connections", 503))
        elif DESCRIPTORS.short(transport):
            shared.report_shortage()
            self._reject(RequestError("the server has no file descriptors left", 503))
        elif shared.draining:
            self.retire()

    def data_received(self, data: bytes) -> None:
        if self._state == HEAD and not self._held:
            buffer = self._buffer
            self._advance(buffer + data if buffer else data)
        elif self._body is not None:
            if self._resting:
                self._arrived += data
            else:
                self._take_body(data)
        elif self._state == LINGER:
            self._mark += len(data)
            if self._mark > LINGER_BYTES:
                self._cut()
        elif self._state < CLOSING:
            self._buffer += data
            self._count_kept()
            self._set_pace()

    def eof_received(self) -> bool | None:
        # Nobody tells a client that has left from one that has only stopped sending, so one that
        # stops sending before it has its answer counts as gone.
        if self._resting:
            # What it has sent is not all looked at yet.
            return True
        if self._state == BODY or (self._state == HEAD and self._buffer and not self._held):
            self._reject(RequestError("the request is cut off"))
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._state = CLOSED
        self._shared.leave(self)
        self._buffer = self._arrived = b""
        self._body = None
        self._release()
        if self._upload is not None:
            self._upload.fail(ConnectionResetError("the client left in the middle of the body"))
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            self._shared.call("a hang-up hook failed", exchange.hang_up)
        if self._task is not None:
            self._task.cancel()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self._inside:
            self._settle()

    # What the server tells.

    def retire(self) -> None:
        """Close once there is nothing left to answer: at once when idle."""
        self._retired = True
        if self._state != HEAD or self._buffer:
            return
        if self._served:
            self._close()
        else:
            # A client that has just been let in is about to ask; it is given a moment.
            self.deadline = min(self.deadline, self._shared.clock.now + 1.0)

    def cut(self) -> None:
        """End at once, whatever is going on."""
        self._cut()

    def expire(self) -> None:
        """Close after the deadline has passed, and say so if the client can still hear it."""
        self._set_deadline(never=True)
        state = self._state
        if state == HEAD and self._buffer and not self._held:
            self._reject(RequestError("the head of the request took too long", 408))
        elif state == BODY:
            self._reject(RequestError("the body of the request took too long", 408))
        elif state == HEAD and not self._held:
            self._close()
        elif state in (BUSY, SENDING) and not self._congested:
            self._expire_busy()
        else:
            self._cut()

    def _expire_busy(self) -> None:
        upload = self._upload
        if upload is not None and self._uploading():
            upload.fail(RequestError("the body of the request took too long", 408))
            self._body = DiscardedBody()
            self._set_deadline()
            return
        exchange = self._exchange
        if exchange is not None:
            self._keep = False
            exchange.reply(Error("the flow gave no answer in time", code="timeout"))
            self._shared.call("a hang-up hook failed", exchange.hang_up)

    # Reading requests.

    def _advance(self, data: bytes, before: BodyReader | None = None) -> None:
        """Handle the requests in `data` until one has to wait; `before` completes the one before."""
        shared = self._shared
        self._inside = True
        self._buffer = b""
        at = 0
        turns = BURST
        end_at = 0.0
        try:
            if before is not None:
                self._dispatch_large(_whole(before))
            while self._state == HEAD and not self._held:
                end = data.find(b"\r\n\r\n", at)
                if end < 0:
                    data = self._check_start(data[at:])
                    at = 0
                    break
                if end - at > shared.limits.header_bytes:
                    raise self._too_long(data[at:end])
                line_end = data.find(b"\r\n", at)
                if line_end == at:
                    # Some old clients send an empty line after a body.
                    at += 2
                else:
                    self._read_head(data[at:line_end], data[line_end + 2 : end])
                    at = end + 4
                    if self._head.framed or (shared.stream_body and self._head.declared):
                        data = self._begin_body(data[at:])
                        at = 0
                    else:
                        self._dispatch(None)
                if at == len(data):
                    break
                turns -= 1
                if self._state == HEAD and not turns & 7:
                    # A clock is read now and then only: some flows take longer than others.
                    if not turns or (end_at and perf_counter() > end_at):
                        self._rest()
                    end_at = end_at or perf_counter() + SLICE
        except RequestError as rejection:
            bare = data.startswith(b"HEAD ", at)
            data = b""
            self._reject(rejection, bare=bare)
        self._inside = False
        if self._state < CLOSING and at < len(data):
            self._buffer = data[at:] if at else data
            self._count_kept()
            self._set_pace()
        self._settle()

    def _read_head(self, raw: bytes, block: bytes) -> None:
        """Take the request line and the headers in; both are mostly known already."""
        shared = self._shared
        line = shared.lines.get(raw) or shared.line(raw)
        if block != self._block or line.version != self._head.version:
            self._head = parse_head(block, line.version, shared.limits)
            self._block = block
        if line.host and line.host != self._head.host:
            self._head = with_host(self._head, line.host)
            self._block = None
        self._line = line
        self._started = False

    def _check_start(self, start: bytes) -> bytes:
        """Return a head that has only begun; BadRequest when it can never become a good one."""
        if start in (b"", b"\r\n"):
            return b""
        if len(start) > self._shared.limits.header_bytes:
            raise self._too_long(start)
        first = start.removeprefix(b"\r\n")
        if first != b"\r" and not 0x21 <= first[0] < 0x7F:
            raise RequestError("the request does not begin with a method")
        if start.count(b"\n") != start.count(b"\r\n"):
            raise RequestError("a line does not end in CRLF")
        if not self._started:
            self._started = True
            self.deadline = self._shared.clock.after(self._shared.limits.header_timeout)
        return start

    def _too_long(self, start: bytes) -> RequestError:
        limits = self._shared.limits
        if b"\r\n" in start[: limits.target_bytes + 48]:
            return RequestError(f"the head is larger than {limits.header_bytes} bytes", 431)
        return RequestError(f"the request target is longer than {limits.target_bytes} bytes", 414)

    def _begin_body(self, data: bytes) -> bytes:
        """Take what has arrived of a body; the rest of the data once it is complete."""
        shared, head = self._shared, self._head
        rejection = shared.too_large(head.length)
        if rejection is not None:
            raise rejection
        length = head.length
        if 0 < length <= len(data) and not shared.stream_body:
            if length <= FREE:
                self._dispatch(data[:length])
            elif self._keep_count(length):
                self._dispatch_large(data[:length])
            else:
                raise _short_of_memory()
            return data[length:]
        self._invited = bool(data) or not head.continues
        body: BodyReader = ChunkedBody(shared.limits) if head.chunked else FixedBody(length)
        rest = body.feed(data) if data or not (length or head.chunked) else None
        if body.behind:
            self._put_off()
        if shared.stream_body:
            return self._begin_upload(body, rest)
        if not self._keep_count(body.received):
            raise _short_of_memory()
        if rest is not None:
            self._dispatch(_whole(body))
            return rest
        self._invite()
        self._body = body
        self._state = BODY
        self._mark = 0
        self._set_deadline()
        return b""

    def _begin_upload(self, body: BodyReader, rest: bytes | None) -> bytes:
        upload = self._upload = Upload(self._on_read)
        upload.push(body.parts)
        if rest is None:
            self._body = body
        else:
            upload.finish()
        self._mark = 0
        self._dispatch(body_stream(upload, self._head, self._shared.limits.body_bytes))
        return rest or b""

    def _take_body(self, data: bytes) -> None:
        body = self._body
        if body is None:
            raise RuntimeError("no body is being received")
        upload = self._upload
        try:
            rest = body.feed(data)
            if upload is None and not self._keep_count(body.received):
                raise _short_of_memory()
        except RequestError as rejection:
            if upload is None:
                self._reject(rejection)
            else:
                # The flow has the request already: its reader is told, and its answer is sent.
                upload.fail(rejection)
                self._body = DiscardedBody()
            return
        if body.behind:
            self._put_off()
        self._invited = True
        if upload is not None:
            upload.push(body.parts)
        if rest is None:
            self._note_progress(body.received)
            return
        self._body = None
        if upload is None:
            self._state = HEAD
            self._advance(rest, body)
            return
        upload.finish()
        self._buffer = rest
        self._set_deadline()
        self._set_pace()

    def _note_progress(self, received: int) -> None:
        limits = self._shared.limits
        if self._upload is None and limits.body_timeout is not None and limits.body_rate:
            mark = received // max(int(limits.body_rate * limits.body_timeout), 1)
        else:
            # A stream may be slow, but not silent.
            mark = received
        if mark != self._mark:
            self._mark = mark
            self._set_deadline()
        self._count_kept()
        self._set_pace()

    def _count_kept(self) -> None:
        """Charge the budget with what is here already, whether or not there is room."""
        body, upload = self._body, self._upload
        size = len(self._buffer)
        if upload is not None:
            size += upload.size
        elif body is not None:
            size += body.received
        elif self._exchange is not None and self._kept is not None:
            # The body of the request at hand is a part of it.
            size = max(size, self._kept.size)
        self._keep_count(size, must=True)

    def _put_off(self) -> None:
        """Take apart the rest of what has come of a body once others have had their turn."""
        self._resting = True
        self._set_pace()
        turns().later(self._go_on)

    def _go_on(self) -> None:
        self._resting = False
        body = self._body
        if self._state >= CLOSING or body is None:
            return
        arrived, self._arrived = self._arrived, b""
        self._take_body(arrived)
        if not self._resting:
            self._set_pace()

    def _on_read(self) -> None:
        """Go on reading: the reader of an upload wants more, or made room."""
        upload = self._upload
        if upload is not None and upload.needs_more and self._exchange is not None:
            self._invite()
        self._set_pace()

    def _invite(self) -> None:
        """Tell a client that asked first to send its body."""
        if not self._invited:
            self._invited = True
            self._out.append(_CONTINUE)
            if not self._inside:
                self._settle()

    def _dispatch_large(self, body: bytes | None) -> None:
        """Hand on a request whose body may take long to decode: then others have their turn."""
        end = perf_counter() + SLICE
        self._dispatch(body)
        if self._state == HEAD and not self._held and perf_counter() > end:
            self._rest()

    def _dispatch(self, body: bytes | ByteStream | None) -> None:
        """Hand a request to the handler."""
        shared = self._shared
        head = self._head
        # No bytes are not body, whether a length of 0 or a last chunk says so.
        request = make_request(self._line, head, body or None, self._peer, shared.limits.body_bytes)
        exchange = self._exchange = Exchange(request, self)
        self._state = BUSY
        self._keep = head.keep
        self._served = True
        shared.requests += 1
        try:
            shared.handler(exchange)
        except Exception as error:
            if exchange.answered:
                shared.report("a handler failed after its reply", error, request)
            else:
                exchange.reply(Error.of(error))
        if self._exchange is exchange:
            self._set_deadline()

    # Answering.

    def answer(self, exchange: Exchange, answer: Answer) -> None:
        """Send the response to the request at hand; see Exchange.reply."""
        # One function: the response that is sent at once is written here in one go, without a call
        # for each part.
        self._exchange = None
        if self._state == CLOSED:
            dropped(answer)
            self._sent(exchange, False)
            return
        shared = self._shared
        head = self._head
        if isinstance(answer, Error):
            if answer.code == "cancelled":
                self._close_silently(exchange)
                return
            fault = fault_of(answer)
            if fault is None:
                shared.report("a flow failed", answer, exchange.request)
            else:
                shared.report("a bad request", fault, exchange.request)
        try:
            response = respond(answer, head, shared.limits.answer)
        except Exception as error:
            fault = fault_of(error)
            if fault is None:
                shared.report("an answer cannot be sent", error, exchange.request)
                response = plain_response(500)
            else:
                # The answer holds the request, and is the first that reads it.
                shared.report("a bad request", fault, exchange.request)
                response = respond_fault(fault)
        status, lines, body, worth = response
        coding = ""
        least = shared.limits.compress_bytes
        if worth and least is not None and (type(body) is not bytes or len(body) >= least):
            status, lines, body, coding = pack_response(response, head, least)
        if shared.cors is not None:
            lines = shared.cors(lines, head)
        if self._body is not None or shared.draining or self._retired:
            self._keep = False
        version = head.version
        dated = lines.startswith(_DATED)
        prefix = shared.clock.undated(status) if dated else shared.clock.prefix(status)
        if lines.startswith(CLOSE):
            self._keep = False
        elif not self._keep:
            lines = CLOSE + lines
        elif version == 10:
            lines = _KEEP + lines
        if not isinstance(body, bytes):
            if isinstance(body, Upgrade):
                self._begin_taking(exchange, body)
            else:
                self._begin_sending(exchange, status, prefix + lines, body, coding)
            return
        size = len(body)
        if size > FLUSH_BYTES and not BUDGET.has_room(size):
            shared.report("an answer found no memory", _no_memory(size), exchange.request)
            status, lines, _, _ = plain_response(503)
            prefix = shared.clock.prefix(status)
            lines += RETRY
            if shared.cors is not None:
                lines = shared.cors(lines, head)
            body = b"the server is short of memory for answers; try again later"
            if not self._keep:
                lines = CLOSE + lines
            elif version == 10:
                lines = _KEEP + lines
            size = len(body)
        length = _LENGTHS[size] if size < 1024 else b"Content-Length: %d\r\n\r\n" % size
        if status in _BARE or (not size and self._line.head_only):
            length = b"\r\n"
        if self._line.head_only:
            body = b""
        self._out.append(b"".join((prefix, lines, length, body)))
        self._finish()
        if exchange.on_sent is not None:
            self._sent(exchange, True)
        if not self._inside:
            self._settle()
        elif size > FLUSH_BYTES:
            self._flush()

    def _begin_taking(self, exchange: Exchange, upgrade: Upgrade) -> None:
        """Hand the connection to a guest as soon as all before it is written."""
        self._guest = upgrade.guest
        self._state = TAKEN
        self._sent(exchange, True)
        if not self._inside:
            self._settle()

    def _leave_to_guest(self) -> None:
        rest, self._buffer = self._buffer, b""
        self._release()
        shared, transport, guest = self._shared, self._transport, self._guest
        self._state = CLOSED
        if self._body is not None or self._upload is not None:
            # What still arrives of a body would be taken for the guest's own language.
            guest.drop()
            transport.abort()
            return
        if self._paused:
            transport.resume_reading()
        shared.hand_over(self, guest)
        transport.set_protocol(guest)
        guest.take(transport, shared, rest)
        if shared.draining or self._retired:
            guest.retire()

    def _close_silently(self, exchange: Exchange) -> None:
        """Close without a response: nobody waits for it."""
        self._keep = False
        self._finish()
        self._sent(exchange, False)
        if not self._inside:
            self._settle()

    def _begin_sending(
        self, exchange: Exchange, status: int, lines: bytes, body: StreamedBody, coding: str
    ) -> None:
        """Write the head, its status line first, and then the body piece by piece."""
        size = body.size
        bare = status in _BARE or self._line.head_only
        chunked = size is None and self._head.version == 11
        if size is not None and status not in _BARE:
            lines += b"Content-Length: %d\r\n" % size
        elif chunked and not bare:
            lines += b"Transfer-Encoding: chunked\r\n"
        elif not bare and self._keep:
            self._keep = False
            lines = lines.replace(b"\r\n" + _KEEP, b"\r\n", 1) + CLOSE
        self._out.append(lines + b"\r\n")
        if bare:
            self._shared.tasks.start(close_source(body.chunks))
            self._finish()
            self._sent(exchange, True)
        else:
            work = packer(coding) if coding else None
            self._state = SENDING
            self._set_deadline()
            self._shared.tasks.start(
                self._send(exchange, body, chunked=chunked, size=size, work=work)
            )
        if not self._inside:
            self._settle()

    async def _send(
        self, exchange: Exchange, body: StreamedBody, *, chunked: bool, size: int | None, work: Any
    ) -> None:
        complete = False
        # Only what has begun may be cancelled: a task that never ran would not close its source.
        task = self._task = asyncio.current_task()
        try:
            if exchange.on_sending is not None and task is not None:
                exchange.on_sending(task)
            if self._state == SENDING:
                await send_body(self, body, chunked=chunked, size=size, packer=work)
                complete = True
        except asyncio.CancelledError:
            # Half a body is no body: the client has to see that it is cut off.
            if self._state != CLOSED:
                self._break_off(framed=chunked or size is not None)
            raise
        except Exception as error:
            if self._state != CLOSED:
                self._shared.report("a streamed answer failed", error, exchange.request)
                self._break_off(framed=chunked or size is not None)
        finally:
            self._task = None
            try:
                await close_source(body.chunks)
            except Exception as error:
                self._shared.report("a stream failed to close", error, exchange.request)
            self._sent(exchange, complete)
        if self._state == SENDING:
            if self._shared.draining or self._retired:
                self._keep = False
            self._finish()
            self._settle()

    def _sent(self, exchange: Exchange, complete: bool) -> None:
        if exchange.on_sent is not None:
            self._shared.call("a hook after the response failed", exchange.on_sent, complete)

    def _finish(self) -> None:
        """Finish a complete response; `_settle` begins what comes next."""
        if self._upload is not None:
            self._upload.fail(ConnectionResetError("the request has its response already"))
            self._upload = None
        if self._peer.kept is not None:
            self._peer.kept.free()
        if self._kept is not None and self._kept.size:
            # The body of the request is not needed any more; what was pipelined behind it stays.
            self._keep_count(len(self._buffer), must=True)
        if self._keep:
            self._state = HEAD
            self.deadline = self._shared.clock.after(self._shared.limits.idle_timeout)
        elif self._body is None:
            self._state = CLOSING
        else:
            self._body = None
            self._state = REFUSING

    def _reject(self, rejection: RequestError, *, bare: bool = False) -> None:
        """Answer what is not a request, and read no further; `bare` leaves the body out, for HEAD."""
        shared = self._shared
        shared.rejected += 1
        status, lines, body, _ = plain_response(rejection.status, str(rejection))
        if not isinstance(body, bytes):
            raise TypeError("a rejection is not a stream")
        if status == 503:
            lines += RETRY
        length = b"Content-Length: %d\r\n\r\n" % len(body)
        prefix = shared.clock.prefix(status)
        self._out.append(b"".join((prefix, CLOSE, lines, length, b"" if bare else body)))
        self._keep = False
        self._body = None
        self._arrived = b""
        self._release()
        self._state = REFUSING
        if not self._inside:
            self._settle()

    def _settle(self) -> None:
        """Write what is to be written, then do what the state asks for."""
        self._flush()
        state = self._state
        if state == HEAD:
            if self._paused:
                self._set_pace()
            if self._buffer and not self._started and not self._held:
                self._advance(self._buffer)
        elif state == CLOSING:
            self._close()
        elif state == TAKEN:
            self._leave_to_guest()
        elif state == REFUSING:
            self._linger()

    def _rest(self) -> None:
        """Let others have their turn before the next pipelined request."""
        self._held = True
        turns().later(self._rested)

    def _rested(self) -> None:
        if not self._congested:
            self._held = False
            if self._state == HEAD:
                self._settle()


def _whole(body: BodyReader) -> bytes | None:
    """Return all bytes of a body; None if it is empty, however it was framed."""
    return b"".join(body.parts) or None


def _short_of_memory() -> RequestError:
    return RequestError("the server is short of memory for bodies; try again later", 503)


def _no_memory(size: int) -> Error:
    return Error(
        f"the answer has {size:,} bytes, and the budget for buffers is used up", code="busy"
    )
