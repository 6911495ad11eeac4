"""websocket: makes requests WebSockets; each message of a connection is a process."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from heddle.extensions.extension import (
    IN,
    NOTHING,
    Action,
    Answer,
    Build,
    Error,
    Expression,
    Fields,
    Flow,
    Handler,
    Host,
    Kind,
    Node,
    NodeError,
    Payload,
    Port,
    Program,
    Schema,
    Visit,
    about,
)
from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.upgrade import Upgrade
from heddle.extensions.net.origins import Origins
from heddle.extensions.net.ws.connection import BAD_DATA, GOING_AWAY, PARTING, Talk
from heddle.extensions.net.ws.dispatcher import Speaker
from heddle.extensions.net.ws.fields import Format, TalkFields
from heddle.extensions.net.ws.handshake import HandshakeError, accepted, need_websockets
from heddle.extensions.net.ws.hub import Hub
from heddle.extensions.net.ws.message import Message, payload_of


class WebSocket(Fields):
    """The fields of a `websocket`."""

    format: Format = "auto"
    rooms: Annotated[
        Expression | None,
        about(
            "The rooms that a connection is in from the beginning: a text or a list, out of its "
            "request.",
            examples=["[self.params.room]"],
        ),
    ] = None
    origins: Annotated[
        list[str],
        about(
            "Whose pages may connect from inside a browser, beside those of the host itself; `*` is "
            "everyone's.",
            examples=[["https://example.com", "https://*.example.com"]],
        ),
    ] = msgspec.field(default_factory=list)
    protocols: Annotated[
        list[Annotated[str, msgspec.Meta(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]],
        about("Subprotocols that are spoken, the one liked best first.", examples=[["chat.v1"]]),
    ] = msgspec.field(default_factory=list)
    compress: Annotated[bool, about("Pack messages if the other side can unpack them.")] = True
    limits: Annotated[TalkFields, about("What one connection may do.")] = TalkFields()


class WebSocketNode(Node):
    """Owns its connections; a successor takes them over as they are."""

    def __init__(self, fields: WebSocket, origins: Origins, rooms: Program | None) -> None:
        self._fields = fields
        self._origins = origins
        self._rooms = rooms
        self._limits = fields.limits.limits
        self._hub = Hub(self)
        self._host: Host | None = None
        self._speaker: Speaker | None = None
        self._paused = False
        self._in = Action(self._upgrade, out=None)
        self._send = Visit(self._order)

    # -- life ----------------------------------------------------------------------------------

    def handler(self, port: str) -> Handler | None:
        """`in` takes requests, `send` what is to be said."""
        if port == "in":
            return self._in
        return self._send if port == "send" else None

    def adopt(self, predecessor: Node) -> None:
        """Take over its connections, and the rooms they are in."""
        if not isinstance(predecessor, WebSocketNode):
            return
        self._hub = predecessor._hub

    def disown(self, predecessor: Node) -> None:
        """Give the connections back to the predecessor."""
        if not isinstance(predecessor, WebSocketNode):
            return
        self._hub.owner = predecessor
        predecessor._limit()
        self._hub = Hub(self)

    async def open(self, host: Host) -> None:
        """Hear the connections from now on."""
        self._host = host
        self._speaker = Speaker(host)
        self._hub.owner = self
        self._limit()

    def _limit(self) -> None:
        """Set the limits of new connections for those that are open, too."""
        for talk in self._hub.talks.values():
            talk.limit(self._limits)

    async def pause(self) -> None:
        """Nobody takes the connections over: let them go, once what has come is answered."""
        if self._hub.owner is self:
            self._paused = True
            for talk in list(self._hub.talks.values()):
                talk.part(GOING_AWAY, "the flow is gone")

    async def close(self) -> None:
        """Wait until they are gone, and all that they began."""
        if self._hub.owner is self:
            await self._hub.close(PARTING)
        if self._speaker is not None:
            await self._speaker.settled()

    def snapshot(self) -> Mapping[str, Any]:
        """Return how many are connected, and how many are in each room."""
        hub = self._hub
        return {
            "connections": len(hub.talks),
            "opened": hub.count,
            "rooms": {room: len(inside) for room, inside in sorted(hub.rooms.items())},
        }

    # -- packets -------------------------------------------------------------------------------

    def _upgrade(self, payload: Payload) -> Answer:
        if self._paused:
            raise NodeError(Error("the node is closing", code="dropped"))
        try:
            protocol = accepted(
                payload,
                origins=self._origins,
                protocols=self._fields.protocols,
                compress=self._fields.compress,
                max_message=self._limits.message,
            )
        except HandshakeError as rejected:
            return rejected.response
        rooms = _names(self._rooms(payload)) if self._rooms is not None else ()
        talk = Talk(protocol, self._limits, self._hub)
        talk.request = payload
        talk.rooms.update(rooms)
        return Upgrade(talk)

    async def _order(self, flow: Flow, payload: Payload) -> Answer:
        if self._speaker is None:
            raise RuntimeError("the node is not open")
        count = self._hub.carry_out(payload, flow.process.get(self._speaker.key))
        if flow.linked("sent"):
            return await flow.send("sent", {"sent": count})
        return NOTHING

    # -- connections ---------------------------------------------------------------------------

    def opened(self, talk: Talk) -> bool:
        """Note that a connection has begun: the flow may greet it."""
        if self._speaker is None:
            raise RuntimeError("the node is not open")
        self._hub.enter(talk)
        self._hub.join(talk, list(talk.rooms))
        return self._speaker.exchange(
            talk, "open", {"connection": talk.id, "request": talk.request}
        )

    def on_message(self, talk: Talk, message: Message) -> bool:
        """Take a message that has come: the flow may answer it."""
        if self._speaker is None:
            raise RuntimeError("the node is not open")
        try:
            data = payload_of(message, self._fields.format)
        except RequestError as rejection:
            talk.fail(BAD_DATA, str(rejection)[:100])
            return False
        payload = {"connection": talk.id, "data": data, "request": talk.request}
        return self._speaker.exchange(talk, "message", payload)

    def lost(self, talk: Talk) -> None:
        """Cancel the answer at hand: its connection broke off."""
        if self._speaker is not None:
            self._speaker.lost(talk)

    def closed(self, talk: Talk, code: int, reason: str) -> None:
        """Note that a connection is over."""
        rooms = sorted(talk.rooms)
        self._hub.leave(talk)
        if self._speaker is not None:
            payload = {
                "connection": talk.id,
                "code": code,
                "reason": reason,
                "rooms": rooms,
                "request": talk.request,
            }
            self._speaker.notify(talk, "close", payload)


def _names(value: Payload) -> list[str]:
    """Return the rooms that an expression gave; raise TypeError if it gave none."""
    many = value if isinstance(value, list) else [value]
    if not all(isinstance(value, str) for value in many):
        raise TypeError(f"rooms gave {value!r} (expected: a text, or a list of texts)")
    return many


def compile_websocket(fields: WebSocket, build: Build) -> Node:
    """Return an origin that is none is a Problem."""
    need_websockets(build)
    try:
        origins = Origins(fields.origins)
    except ValueError as error:
        build.reject("origins", found=str(error), expected="https://example.com, or *")
    rooms = build.program(fields.rooms, "rooms") if fields.rooms is not None else None
    return WebSocketNode(fields, origins, rooms)


WEBSOCKET: Kind[Any] = Kind(
    Schema(
        kind="websocket",
        asks=("message",),
        fields=WebSocket,
        summary="Makes requests WebSockets; each message of a connection is a process.",
        category="net",
        ins=(
            IN,
            Port(
                "send",
                "What is to be said, to whom; also from flows that do not belong to the connection.",
            ),
        ),
        outs=(
            Port("open", "`{connection, request}` when one has opened; the answer is sent to it."),
            Port("message", "`{connection, data, request}` for each message; the answer is sent."),
            Port("close", "`{connection, code, reason, rooms, request}` when one has closed."),
            Port("sent", "`{sent}`: for how many connections a packet at `send` was."),
            Port("error", "The Error of a flow that failed; what it answers is sent."),
        ),
        example="""\
- kind: listener
  name: listener
  port: 0
  ports:
    out: {name: chat, port: in}
- kind: websocket
  name: chat
  format: json
  rooms: "['lobby']"
  ports:
    message: {name: tell, port: in}
- kind: snippet
  name: tell
  language: cel
  code: "{'room': 'lobby', 'data': {'text': self.data.text}}"
  ports:
    out: {name: chat, port: send}
""",
        details="""\
A request that reaches `in` is answered with the WebSocket itself, or with a response that says why it
is none (400, 403, 405, 426; another version than 13 is 426). The connection stays with the listener's socket: its limit of connections
counts it, and its other limits do not. Whatever may refuse it, such as `auth`, stands before it.

Each message is a process of its own, on the flow as it is at that moment; a connection outlives every
reload. Messages of one connection are handled one after the other; when too many wait, the other side
waits too. What `message` is answered is sent back: text and bytes as they are, data as JSON, a byte
stream as one message in pieces, any other [stream](../streams.md) as a message for each item, NOTHING not at all. With an Error that `error` did not handle the
connection is closed (1011), and it is told in the log. What a `session` keeps is there for all messages of
the connection, and gone when it closes. A connection that breaks off cancels the process
of its message; one that closes in order does not.

A packet at `send` says to whom, and what: `to` (an id or a list), `room` (one or several) or `all:
true`, without those in `except`; inside the flow of a message it is that connection if nothing is said.
`data` is sent, `join` and `leave` name rooms, `close` is `true`, a code or `{code, reason}`. Any other
packet is data for the connection at hand. The answer is NOTHING, unless `sent` is linked.

Pages of other sites are rejected unless `origins` lets them in: a browser sends cookies along with
them. Programs that send no `Origin` are not asked. A `websocket` whose spec changes keeps its
connections, with the new limits; one that is removed closes them (1001). Needs the extra `websocket`.
""",
    ),
    compile_websocket,
)
