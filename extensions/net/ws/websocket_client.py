"""websocket-client: stays connected to somebody's WebSocket; each message is a process."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec

from heddle.extensions.extension import (
    NOTHING,
    Action,
    Actor,
    Answer,
    Build,
    Duration,
    Duty,
    Error,
    Fields,
    Handler,
    Host,
    Kind,
    Node,
    NodeError,
    Payload,
    Port,
    Schema,
    Singleton,
    Tasks,
    about,
)
from heddle.extensions.net.certificate import pem
from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http_client.fields import ClientTls
from heddle.extensions.net.http_client.pool import PoolSettings, tls_context
from heddle.extensions.net.http_client.request import header_name, header_text
from heddle.extensions.net.ws.client_link import ClientLink, LinkSettings
from heddle.extensions.net.ws.connection import BAD_DATA, Talk
from heddle.extensions.net.ws.dispatcher import Speaker
from heddle.extensions.net.ws.fields import Format, TalkFields
from heddle.extensions.net.ws.handshake import need_websockets
from heddle.extensions.net.ws.message import Message, message_of, payload_of
from heddle.runtime.assembly.retry_rule import ENDLESS, RetryRule


class Reconnect(Fields):
    """The pauses between attempts to connect."""

    delay: Annotated[Duration, about("The first pause.")] = Duration("500ms")
    factor: Annotated[
        float, about("How many times longer each further pause is.", ge=1, le=1000)
    ] = 2.0
    max_delay: Annotated[
        Duration, about("No pause is longer than this, or than `delay` if that is longer.")
    ] = Duration(30)
    jitter: Annotated[
        float, about("The share of each pause that may be left out at random.", ge=0, le=1)
    ] = 0.5


class WebSocketClient(Fields):
    """The fields of a `websocket-client`."""

    url: Annotated[
        str,
        about("Whom to connect to.", pattern=r"^wss?://\S+$", examples=["wss://example.com/feed"]),
    ]
    format: Format = "auto"
    header: Annotated[
        dict[str, str | int | float | bool], about("Headers of the request that connects.")
    ] = msgspec.field(default_factory=dict)
    protocols: Annotated[list[str], about("Subprotocols that are offered.")] = msgspec.field(
        default_factory=list
    )
    compress: Annotated[bool, about("Pack messages if the other side can unpack them.")] = True
    connect: Annotated[Duration, about("How long an attempt to connect may take.")] = Duration(10)
    reconnect: Annotated[Reconnect, about("When it is tried again.")] = Reconnect()
    queue: Annotated[
        int,
        about("How many messages wait for a connection; one more is an Error `busy`.", ge=0),
    ] = 100
    tls: Annotated[ClientTls, about("How wss is spoken.")] = ClientTls()
    limits: Annotated[TalkFields, about("What the connection may do.")] = TalkFields()
    singleton: Annotated[
        Singleton,
        about(
            "What connects: one runtime of all that follow the store (`cluster`), one "
            "of each machine, or every worker."
        ),
    ] = "cluster"


class WebSocketClientNode(Node, Actor):
    """Owns a link; a successor that connects in the same way takes it over as it is."""

    def __init__(self, fields: WebSocketClient, where: LinkSettings, same: Any) -> None:
        self._fields = fields
        self._where = where
        self._same = same
        self._link: ClientLink | None = None
        self._host: Host | None = None
        self._speaker: Speaker | None = None
        self._duty: Duty | None = None
        self._parting = Tasks(self._failed)
        self._in = Action(self._send, out=None)

    # -- life ----------------------------------------------------------------------------------

    def handler(self, port: str) -> Handler | None:
        """Return its only in port: what is to be said."""
        return self._in if port == "in" else None

    def adopt(self, predecessor: Node) -> None:
        """Take over a link that goes to the same place in the same way."""
        if isinstance(predecessor, WebSocketClientNode) and predecessor._same == self._same:
            self._link = predecessor._link

    def disown(self, predecessor: Node) -> None:
        """Give the connection back to the predecessor."""
        link = self._link
        if not isinstance(predecessor, WebSocketClientNode) or link is None:
            return
        if link is predecessor._link:
            link.owner = predecessor
            predecessor._limit(link)
            self._link = None

    async def open(self, host: Host) -> None:
        """Begin to connect, once it is ours to, unless a connection was taken over."""
        self._host = host
        self._speaker = Speaker(host)
        duty: Duty = host.duty(self._fields.singleton)
        self._duty = duty
        await duty.follow(self)

    def take(self, mark: float | None) -> None:
        """Connect, and stay connected."""
        del mark
        if self._link is None:
            self._link = ClientLink(self._where, self)
        self._link.owner = self
        self._limit(self._link)
        self._link.start()

    def lose(self) -> None:
        """Say goodbye: somebody else connects."""
        link, self._link = self._link, None
        if link is not None and link.owner is self:
            self._parting.start(link.stop())

    def _failed(self, error: Exception) -> None:
        self.notify("websocket away", level="error", reason=str(error) or type(error).__name__)

    def _limit(self, link: ClientLink) -> None:
        again = self._fields.reconnect
        attempts = RetryRule(
            most=ENDLESS,
            delay=float(again.delay),
            factor=again.factor,
            longest=float(again.max_delay),
            jitter=again.jitter,
        )
        link.limit(self._fields.limits.limits, attempts, self._fields.queue)

    async def close(self) -> None:
        """Say goodbye, unless a successor goes on."""
        if self._link is not None and self._link.owner is self:
            await self._link.stop()
        await self._parting.wait()
        if self._duty is not None:
            await self._duty.leave(self)
        if self._speaker is not None:
            await self._speaker.settled()

    def snapshot(self) -> Mapping[str, Any]:
        """Return whether it is connected, or why not."""
        link, duty = self._link, self._duty
        lease = {} if duty is None or duty.alone else {"lease": duty.snapshot()}
        if link is None:
            return lease
        talk = link.talk
        alive = talk is not None and talk.ready and talk.alive()
        shown: dict[str, Any] = {
            "connected": alive,
            "connections": link.connected,
            "queued": link.queued,
        }
        if link.failed:
            shown["reason"] = link.failed
        return {**shown, **lease}

    def degraded(self) -> str:
        """Return why it is not connected, once that has failed; "" if it is."""
        link = self._link
        if self._duty is not None and self._duty.failure:
            return self._duty.failure
        if link is None or not link.failed:
            return ""
        return f"it is not connected: {link.failed}"

    # -- messages ------------------------------------------------------------------------------

    def _send(self, payload: Payload) -> Answer:
        if self._link is None:
            raise NodeError(
                Error(f"this runtime is not connected: {self._elsewhere}", code="elsewhere")
            )
        self._link.send(message_of(payload))
        return NOTHING

    @property
    def _elsewhere(self) -> str:
        """The runtime that has the connection."""
        holder = self._duty.lease.holder if self._duty is not None else None
        if holder is None or not holder.runtime:
            return "nobody has the lease at the moment"
        return f"{holder.host}:{holder.pid} has the lease"

    def notify(self, event: str, **data: Any) -> None:
        """Something has happened to the link."""
        if self._host is not None:
            parts = urlsplit(self._where.url)
            shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
            self._host.emit(event, url=shown, **data)

    def opened(self, talk: Talk) -> bool:
        """Begin once it is connected: the flow may send the first message."""
        if self._speaker is None:
            raise RuntimeError("the node is not open")
        payload = {"connection": talk.id, "protocol": talk.protocol.subprotocol}
        return self._speaker.exchange(talk, "open", payload)

    def on_message(self, talk: Talk, message: Message) -> bool:
        """Take a message that has come: the flow may answer it."""
        if self._speaker is None:
            raise RuntimeError("the node is not open")
        try:
            data = payload_of(message, self._fields.format)
        except RequestError as rejection:
            talk.fail(BAD_DATA, str(rejection)[:100])
            return False
        return self._speaker.exchange(talk, "message", {"connection": talk.id, "data": data})

    def lost(self, talk: Talk) -> None:
        """Cancel the answer at hand: the connection broke off."""
        if self._speaker is not None:
            self._speaker.lost(talk)

    def closed(self, talk: Talk, code: int, reason: str) -> None:
        """Note that the connection is over."""
        if self._speaker is not None:
            payload = {"connection": talk.id, "code": code, "reason": reason}
            self._speaker.notify(talk, "close", payload)


def compile_websocket_client(fields: WebSocketClient, build: Build) -> Node:
    """Return a URL that is none, a header that is none and a certificate that cannot be used are Problems."""
    need_websockets(build)
    from websockets.exceptions import InvalidURI
    from websockets.uri import parse_uri

    try:
        parse_uri(fields.url)
    except (InvalidURI, ValueError) as error:
        build.reject("url", found=str(error), expected="wss://host/path")
    try:
        header = tuple(
            (header_name(name), header_text(name, value)) for name, value in fields.header.items()
        )
    except NodeError as error:
        build.reject("header", found=error.error.message)
    tls = fields.tls
    try:
        context = tls_context(
            PoolSettings(verify=tls.verify, ca=pem(tls.ca), cert=pem(tls.cert), key=pem(tls.key))
        )
    except ValueError as error:
        build.reject("tls", found=str(error), expected="PEM text, or the path of a PEM file")
    where = LinkSettings(
        url=fields.url,
        header=header,
        protocols=tuple(fields.protocols),
        compress=fields.compress,
        connect=float(fields.connect) or None,
        tls=context,
    )
    return WebSocketClientNode(fields, where, (msgspec.structs.replace(where, tls=None), tls))


WEBSOCKET_CLIENT: Kind[Any] = Kind(
    Schema(
        kind="websocket-client",
        begins=lambda _: True,
        fields=WebSocketClient,
        summary="Stays connected to somebody's WebSocket; each message is a process.",
        category="net",
        ins=(Port("in", "What is to be said: text, bytes, or data as JSON."),),
        outs=(
            Port("open", "`{connection, protocol}` once it is connected; the answer is sent."),
            Port("message", "`{connection, data}` for each message; the answer is sent."),
            Port("close", "`{connection, code, reason}` when a connection is over."),
            Port("error", "The Error of a flow that failed; what it answers is sent."),
        ),
        example="""\
- kind: websocket-client
  name: feed
  url: wss://example.com/feed
  format: json
  ports:
    open: {name: subscribe, port: in}
    message: {name: note, port: in}
- kind: snippet
  name: subscribe
  language: json
  code: '{"subscribe": ["news"]}'
- kind: nop
  name: note
""",
        details="""\
It connects when it becomes active, and again whenever the connection is over, with growing pauses. Each
message is a process of its own, on the flow as it is at that moment; they are handled one after the
other. What `open` and `message` are answered is sent: text and bytes as they are, data as JSON, NOTHING
not at all. With an Error that `error` did not handle the connection is closed (1011) and made anew.

A packet at `in` is sent, and answered NOTHING. While there is no connection, or `open` has not been
answered, packets wait in order, `queue` of them at most. What was sent when a connection broke off may
be lost: the protocol does not tell.

Of several runtimes that follow one store, one is connected: the one that has the lease. If it dies,
another connects as soon as the lease has ended. A packet at `in` of any other is an Error (`elsewhere`)
that says which one has it.

That it is connected or away, and why, is notify in the log. A `websocket-client` whose spec changes keeps
its connection if `url header protocols compress connect` and `tls` stay the same. Needs the extra
`websocket`.
""",
    ),
    compile_websocket_client,
)
