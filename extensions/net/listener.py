"""listener: begins a process for each HTTP request, and answers it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from heddle.extensions.extension import (
    NOTHING,
    Answer,
    Build,
    ByteStream,
    Duration,
    Error,
    Fields,
    Host,
    Kind,
    Node,
    Payload,
    Port,
    Process,
    Schema,
    Size,
    about,
)
from heddle.extensions.net.berth import Berth
from heddle.extensions.net.certificate import files_of, follow, pem
from heddle.extensions.net.cors import Cors, CorsPolicy, policy_of
from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.exchange import Exchange
from heddle.extensions.net.http.limits import HttpLimits
from heddle.extensions.net.http.live import Live
from heddle.extensions.net.http.request import HttpRequest
from heddle.extensions.net.http.response import AnswerMode, status_of
from heddle.extensions.net.http.server import Server
from heddle.extensions.net.http.tls import TLS
from heddle.extensions.net.listen_address import address_use
from heddle.extensions.net.virtual import answer_virtual
from heddle.runtime.flow.errors import InputError
from heddle.runtime.flow.machine import PendingAnswer
from heddle.runtime.flow.source import Source
from heddle.runtime.flow.tasks import current_task

_DEFAULT = HttpLimits()


class TlsFields(Fields):
    """A certificate and its key."""

    cert: Annotated[str, about("The certificate chain: PEM text, PEM in base64, or a file's path.")]
    key: Annotated[str, about("Its private key, in the same forms; empty if `cert` has both.")] = ""


class LimitFields(Fields):
    """The limits of one listener, in bytes and seconds. Zero is no limit."""

    header: Annotated[Size, about("The request line and the headers together.")] = Size(32 * 1024)
    headers: Annotated[int, about("How many headers.", ge=1)] = _DEFAULT.headers
    target: Annotated[Size, about("The request target: path and query.")] = Size(8 * 1024)
    body: Annotated[Size, about("A body, as it arrives and after it was unpacked.")] = Size(
        8 * 1024 * 1024
    )
    connections: Annotated[int, about("Open connections; more are answered 503.", ge=0)] = 10_000
    header_timeout: Annotated[
        Duration, about("From the first byte of a head to its last; then 408.")
    ] = Duration(10)
    json: Annotated[int, about("How many values the JSON of a body may have; then 413.", ge=0)] = (
        250_000
    )
    body_timeout: Annotated[
        Duration,
        about(
            "How long a body may fall behind `body_rate`, or a streamed one be silent; then 408."
        ),
    ] = Duration(30)
    body_rate: Annotated[
        Size,
        about("Bytes a second that a body which is read whole must bring, over `body_timeout`."),
    ] = Size(1024)
    idle_timeout: Annotated[Duration, about("Silence between two requests of a connection.")] = (
        Duration(75)
    )
    answer_timeout: Annotated[
        Duration, about("For the flow's answer; then 504, and the process is cancelled.")
    ] = Duration(0)
    send_timeout: Annotated[Duration, about("For a client to take what was sent to it.")] = (
        Duration(30)
    )
    compress: Annotated[Size, about("The smallest body that is compressed.")] = Size(1024)


class ListenerFields(Fields):
    """The fields of a listener."""

    protocol: Annotated[Literal["http"], about("The protocol.")] = "http"
    host: Annotated[str, about("The address to listen on; empty is every address.")] = "127.0.0.1"
    port: Annotated[int, about("The port to listen on; 0 takes a free one.", ge=0, le=65535)]
    tls: Annotated[TlsFields | None, about("Speak HTTPS, with this certificate.")] = None
    limits: Annotated[LimitFields, about("What is allowed.")] = LimitFields()
    answer: Annotated[
        Literal["auto", "data", "response"],
        about(
            "Which maps that a flow answers are responses. `response`: all of them. `data`: none but those "
            "that kinds make, such as `respond`. `auto`: those with no other keys than `status`, `header` "
            "and `body`, whose values fit a response."
        ),
    ] = "auto"
    cors: Annotated[
        Cors | None,
        about("Which pages of other sites may use it; every response says so, errors included."),
    ] = None
    stream: Annotated[
        bool, about("Begin the process when the head is there; `body` is a byte stream.")
    ] = False


class ListenerNode(Node):
    """Owns one server; who comes to its address takes it over as it runs."""

    def __init__(
        self, fields: ListenerFields, tls: TLS | None, label: str, cors: CorsPolicy | None = None
    ) -> None:
        self._fields = fields
        self._tls = tls
        self._label = label
        self._cors = cors
        self._limits = limits_of(fields.limits, fields.answer)
        self._berth = Berth(fields.host, fields.port, secure=fields.tls is not None)
        self._host: Host | None = None
        self._source: Source | None = None
        self._following: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._stale = ""

    # -- life ----------------------------------------------------------------------------------

    def adopt(self, predecessor: Node) -> None:
        """Take over the server of a predecessor that listens at the same address in the same way."""
        if isinstance(predecessor, ListenerNode):
            self._berth.adopt(predecessor._berth)

    def inherit(self, leaving: Sequence[Node]) -> None:
        """Take over what listens at this address, whatever the listener was called that leaves."""
        self._berth.inherit([node._berth for node in leaving if isinstance(node, ListenerNode)])

    def renounce(self) -> None:
        """Leave everything to those that have it."""
        self._berth.renounce()

    async def open(self, host: Host) -> None:
        """Listen; OSError says which address cannot be had."""
        self._host = host
        self._source = Source(host, "a flow failed")
        await self._berth.open(host, self._make, self._begun, self._moved)

    def _make(self) -> Server:
        return Server(
            self._handle,
            limits=self._limits,
            tls=self._tls,
            stream_body=self._fields.stream,
            name=self._label,
            on_error=self._report,
            cors=self._cors.lines if self._cors is not None else None,
        )

    def _begun(self, server: Server) -> None:
        """Take the server, which serves this node from its next request on."""
        host = self._host
        if host is None:
            return
        server.swap(
            handler=self._handle,
            limits=self._limits,
            tls=self._tls,
            stream_body=self._fields.stream,
            on_error=self._report,
            cors=self._cors.lines if self._cors is not None else None,
        )
        server.name = self._label
        self._follow(host)

    def _moved(self, server: Server) -> None:
        """Note the new address at which the server listens."""
        if self._host is not None:
            scheme = "https" if self._tls is not None else "http"
            where, port = server.address
            shown = f"[{where}]" if ":" in where else where
            self._host.emit("listening", url=f"{scheme}://{shown}:{port}")

    def _follow(self, host: Host) -> None:
        """Let the server offer what the files of its certificate hold."""
        if self._berth.server is not None and self._tls is not None and files_of(self._tls):
            self._following = host.tasks.start(
                follow(self._berth.server, self._tls, host, self._rejected)
            )

    def _rejected(self, why: str) -> None:
        """Note why the files of its certificate cannot be used; empty if they can."""
        self._stale = why

    async def pause(self) -> None:
        """Accept nothing new; what is in flight is answered."""
        if self._following is not None:
            self._following.cancel()
        for failure in await self._berth.leave():
            self._report("an address was not handed over", failure, None)
        server, self._berth.server = self._berth.server, None
        if server is not None and self._host is not None:
            # A moment more than processes have: one that is cut still gets its answer out.
            drain = server.drain(self._host.drain + 1.0)
            self._draining = self._host.tasks.start(drain, awaited=True)

    async def close(self) -> None:
        """Wait until the last answer is sent."""
        if self._draining is not None:
            await self._draining
        if self._source is not None:
            await self._source.tasks.wait()

    def snapshot(self) -> Mapping[str, Any]:
        """Return the server as it is now."""
        server = self._berth.server
        return msgspec.to_builtins(server.snapshot()) if server is not None else {}

    def degraded(self) -> str:
        """Return why the listener offers an older certificate than its files hold; "" if it does not."""
        return (
            f"its certificate is rejected, the one before stays: {self._stale}"
            if self._stale
            else ""
        )

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port it listens on; None while it does not."""
        return self._berth.server.address if self._berth.server is not None else None

    # -- requests ------------------------------------------------------------------------------

    def _handle(self, exchange: Exchange) -> None:
        """Handle one request: if nothing waits, all of it happens in this call."""
        source = self._source
        if source is None:
            exchange.reply(Error("the node is closed", code="dropped"))
            return
        if self._cors is not None:
            preflight = self._cors.preflight(exchange.request)
            if preflight is not None:
                exchange.reply(preflight)
                return
        process, answer = source.send(exchange.request)
        kind = type(answer)
        if kind is not PendingAnswer and kind is not Error and not process.owns:
            process.end()
            exchange.reply(answer)
            return
        exchange.on_hangup = lambda: process.cancel(Error("the client went away", code="cancelled"))
        source.tasks.start(self._answer(source, exchange, process, answer))

    async def _answer(
        self, source: Source, exchange: Exchange, process: Process, answer: Answer | PendingAnswer
    ) -> None:
        """Wait for the answer, end the process by it, and send it."""
        try:
            answer = await source.handle(process, answer)
            body = answer.get("body") if isinstance(answer, dict) else answer
            streamed = isinstance(body, ByteStream) or hasattr(body, "__aiter__")
            if streamed and not isinstance(body, Live):
                # The process lives until its stream is sent: what feeds it may belong to it.
                # It is sent by a task of the process: cancelled with it, even if it waits for a piece.
                exchange.on_sending = lambda task: _send_for(process, task)
                exchange.on_sent = lambda complete: self._sent(source, process, complete)
                exchange.reply(answer)
                return
            ended = process.end(outcome(answer, self._limits.answer))
            failed = await ended if isinstance(ended, Awaitable) else ended
            if failed is not None and outcome(answer, self._limits.answer) is None:
                answer = failed
            exchange.reply(answer)
        except BaseException as error:
            ended = process.end(Error.of(error))
            if isinstance(ended, Awaitable):
                await ended
            if not exchange.answered:
                exchange.reply(Error.of(error, symbol=self._label))
            if not isinstance(error, Exception):
                raise

    async def answer_virtual(
        self, request: Mapping[str, Any], send: Callable[[Payload], Awaitable[Answer]]
    ) -> dict[str, Any]:
        """Answer a virtual request, whose packet `send` brings into the flow; return the response as a map.

        This is how tests ask: no socket takes part. NodeError if the request cannot be written.
        """
        cors = self._cors

        async def dispatch(real: HttpRequest) -> Answer:
            preflight = cors.preflight(real) if cors is not None else None
            return preflight if preflight is not None else await send(real)

        return await answer_virtual(
            request,
            self._limits,
            dispatch,
            stream=self._fields.stream,
            cors=cors.lines if cors is not None else None,
        )

    def _sent(self, source: Source, process: Process, complete: bool) -> None:
        """Note that a streamed answer was sent to its end, or could not be."""
        task = current_task()
        if task is not None:
            process.leave(task)
        ended = process.end(None if complete else Error("the client went away", code="cancelled"))
        if isinstance(ended, Awaitable):
            source.tasks.start(_await(ended))

    def _report(
        self, phrase: str, error: Error | BaseException, request: HttpRequest | None
    ) -> None:
        """Tell what the client is not told; what it did wrong itself is for debugging only."""
        if self._host is None:
            return
        data: dict[str, Any] = (
            {} if request is None else {"request": f"{request.method_text} {request.raw_path}"}
        )
        if isinstance(error, RequestError | InputError):
            # Without detail: whoever can send a request could fill the log with it.
            data["status"] = error.status
            self._host.emit(phrase, level="debug", reason=str(error), **data)
            return
        shown = error if isinstance(error, Error) else Error.of(error, symbol=self._label)
        self._host.emit(phrase, level="error", error=shown, **data)


def _send_for(process: Process, task: "asyncio.Task[None]") -> None:
    """Count the task that sends its answer among those of a process."""
    process.enter(task)
    if process.reason is not None:
        task.cancel()


async def _await(ended: Awaitable[Any]) -> None:
    await ended


def outcome(answer: Answer, mode: AnswerMode = "auto") -> Error | None:
    """Return how a process with this answer ended: an Error and a status of 400 or more are failures."""
    if type(answer) is Error:
        return answer
    status = status_of(answer, mode)
    if status >= 400:
        return Error(f"answered with status {status}", code="status", data=status)
    return None


def limits_of(fields: LimitFields, answer: AnswerMode = "auto") -> HttpLimits:
    """Return the limits as the server takes them: None if there is none."""
    return HttpLimits(
        header_bytes=int(fields.header) or 2**31,
        target_bytes=int(fields.target) or 2**31,
        headers=fields.headers,
        body_bytes=int(fields.body) or None,
        connections=fields.connections or None,
        header_timeout=float(fields.header_timeout) or None,
        json_values=fields.json or None,
        body_timeout=float(fields.body_timeout) or None,
        body_rate=int(fields.body_rate),
        idle_timeout=float(fields.idle_timeout) or None,
        answer_timeout=float(fields.answer_timeout) or None,
        send_timeout=float(fields.send_timeout) or None,
        compress_bytes=int(fields.compress) or None,
        answer=answer,
    )


def compile_listener(fields: ListenerFields, build: Build) -> Node:
    """Return a certificate that cannot be used is a Problem, before anything listens."""
    tls: TLS | None = None
    if fields.tls is not None:
        tls = TLS(cert=pem(fields.tls.cert), key=pem(fields.tls.key))
        try:
            Server(lambda exchange: exchange.reply(NOTHING), tls=tls)
        except ValueError as error:
            build.reject("tls", found=str(error).removeprefix("tls: "), code="tls")
    cors = policy_of(fields.cors, build, "cors") if fields.cors is not None else None
    return ListenerNode(fields, tls, build.spec.label, cors)


LISTENER: Kind[Any] = Kind(
    Schema(
        kind="listener",
        begins=lambda _: True,
        exclusive=lambda fields: address_use(fields.host, fields.port),
        asks=("out",),
        reads=lambda fields: ("status", "header", "body") if fields.answer == "auto" else (),
        fields=ListenerFields,
        summary="Begins a process for each HTTP request, and answers it.",
        category="net",
        ins=(),
        outs=(
            Port("out", "Requests.", schema={"title": "request", "type": "object"}),
            Port(
                "error", "The Error that a request was answered; what it answers is the response."
            ),
        ),
        example="""\
- kind: listener
  name: listener
  protocol: http
  port: 0
  ports:
    out:
      - {name: hello, port: in}
- kind: snippet
  name: hello
  language: cel
  code: "{'status': 200, 'body': {'you asked for': path}}"
""",
        details="""\
A request is a map of `method`, `scheme`, `host`, `path`, `query`, `protocol`, `header`, `body` and
`remote`. `query` and `header` map names to lists. `body` is what its Content-Type makes of it: JSON is
data, a form a map of lists, text a text, anything else bytes.

`answer` says which maps are responses, `auto` if nothing is said: a map with `status`, `header` or `body`, with no
other keys, and with values that fit a response (a status from 200 to 599, names and texts in `header`). So
`{"status": "open"}` is data. Write `answer: data` when a flow may answer data with such words, and make responses with
[respond](respond.md). A request that is echoed is a response without the headers of its client. NOTHING is 204. An Error that nobody handled is 500, without a word from inside. A
[stream](../streams.md) is sent as it comes, one of data as JSON lines. Any other
answer is a body with status 200. With `out` not linked, every request is answered 204.

A limit of zero is no limit. A listener whose spec changes hands its server over, connections and all,
where host and port stay the same, and TLS stays on or off.
""",
    ),
    compile_listener,
)
