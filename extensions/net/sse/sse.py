"""sse: answers requests with streams of server-sent events, and sends events to them."""

from collections.abc import Mapping
from typing import Annotated, Any

from heddle.extensions.extension import (
    IN,
    NOTHING,
    Answer,
    Build,
    ByteStream,
    Duration,
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
from heddle.extensions.net.answers import header_of, method_of
from heddle.extensions.net.sse.event import KEYS, is_event, written
from heddle.extensions.net.sse.feed import Feeders
from heddle.extensions.net.sse.relay import Relay, is_stream
from heddle.extensions.response import HttpResponse
from heddle.runtime.flow.elsewhere import await_program

METHODS = ("GET", "HEAD", "POST")
"""The methods of requests that are answered with a stream."""


class Sse(Fields):
    """The fields of an `sse`."""

    topics: Annotated[
        Expression | None,
        about(
            "What a client wants to hear of: a text or a list, out of its request; all there is "
            "without it.",
            examples=["self.query.topic"],
        ),
    ] = None
    events: Annotated[
        Expression | None,
        about(
            "The events of the stream, out of the packet: a stream, a list or one event. The stream "
            "is for this packet alone, and ends with them.",
            examples=["self.body"],
        ),
    ] = None
    once: Annotated[bool, about("End the stream after the events that `open` is answered.")] = False
    keep: Annotated[
        int,
        about(
            "How many events are kept for clients that come back and say which they have seen "
            "last; these events get ids.",
            ge=0,
        ),
    ] = 0
    retry: Annotated[
        Duration | None, about("How long a client shall wait before it comes back.")
    ] = None
    heartbeat: Annotated[
        Duration, about("A comment is sent after so long without an event; 0 sends none.")
    ] = Duration(15)
    queue: Annotated[
        int,
        about("How many events may wait for one client; one more ends its stream.", ge=1),
    ] = 1000


class SseNode(Node):
    """Owns its streams; a successor takes them over as they are."""

    def __init__(self, fields: Sse, topics: Program | None, events: Program | None) -> None:
        self._fields = fields
        self._topics = topics
        self._events = events
        self._feeders = Feeders()
        self._feeders.owner = self
        self._handlers = {
            "in": Visit(self._begin),
            "send": Visit(self._push),
            "end": Visit(self._end),
        }

    # -- life ----------------------------------------------------------------------------------

    def handler(self, port: str) -> Handler | None:
        """`in` takes requests and streams, `send` events, `end` topics."""
        return self._handlers.get(port)

    def adopt(self, predecessor: Node) -> None:
        """Take over its streams, and the events that are kept."""
        if not isinstance(predecessor, SseNode):
            return
        self._feeders = predecessor._feeders

    def disown(self, predecessor: Node) -> None:
        """Give the streams back to the predecessor."""
        if not isinstance(predecessor, SseNode):
            return
        self._feeders.owner = predecessor
        predecessor._set()
        self._feeders = Feeders()

    async def open(self, host: Host) -> None:
        """Apply the settings to streams that are open, too."""
        del host
        self._feeders.owner = self
        self._set()

    def _set(self) -> None:
        feeders = self._feeders
        feeders.beat = float(self._fields.heartbeat) or None
        feeders.most = self._fields.queue
        feeders.keep(self._fields.keep)

    async def pause(self) -> None:
        """Nobody takes the streams over: end them."""
        if self._feeders.owner is self:
            self._feeders.end()

    def snapshot(self) -> Mapping[str, Any]:
        """Return how many streams are open, and what was sent."""
        feeders = self._feeders
        return {
            "streams": len(feeders.feeds),
            "relayed": feeders.relayed,
            "sent": feeders.sent,
            "kept": feeders.kept,
            "slow": feeders.slow,
        }

    # -- packets -------------------------------------------------------------------------------

    async def _begin(self, flow: Flow, payload: Payload) -> Answer:
        fields = self._fields
        first = b"" if fields.retry is None else written({"retry": float(fields.retry) * 1000})
        if self._events is not None:
            return self._whole(flow, await await_program(self._events, payload), first)
        if is_stream(payload) or isinstance(payload, list):
            return self._whole(flow, payload, first)
        method, last = _request_of(payload)
        if method not in METHODS:
            return HttpResponse(
                {
                    "status": 405,
                    "header": {"Allow": ", ".join(METHODS)},
                    "body": "Method Not Allowed",
                }
            )
        topics = None
        if self._topics is not None:
            topics = _names(await await_program(self._topics, payload), "topics")
        answer: Answer = NOTHING
        if flow.linked("open"):
            answer = await flow.send("open", {"request": payload, "last_event_id": last or None})
            if type(answer) is Error:
                return answer
        if fields.once or is_stream(answer):
            return self._whole(flow, answer, first)
        first += _joined(answer)
        return _response(self._feeders.open(topics, first, last).body())

    def _whole(self, flow: Flow, events: Answer, first: bytes) -> Answer:
        """Return the response whose events are these, and no others."""
        if not is_stream(events):
            return _response(first + _joined(events))
        feeders = self._feeders
        feeders.relayed += 1

        def ended() -> None:
            feeders.relayed -= 1

        relay = Relay(flow, events, first, lambda: feeders.beat, ended)
        body = relay.body()
        flow.process.own(body)
        return _response(body)

    async def _end(self, flow: Flow, payload: Payload) -> Answer:
        del flow
        topic = payload.get("topic") if isinstance(payload, dict) else payload
        self._feeders.end(None if topic is None else _names(topic, "topic"))
        return NOTHING

    async def _push(self, flow: Flow, payload: Payload) -> Answer:
        topics: frozenset[str] = frozenset()
        event = payload
        if isinstance(payload, dict) and "topic" in payload and payload.keys() <= KEYS | {"topic"}:
            topics = _names(payload["topic"], "topic")
            event = {key: value for key, value in payload.items() if key != "topic"}
        feeders = self._feeders
        given = event.get("id") if is_event(event) else None
        identity = feeders.number() if given is None else str(given)
        count = feeders.send(written(event, identity), topics, identity)
        if flow.linked("sent"):
            return await flow.send("sent", {"sent": count})
        return NOTHING


def _request_of(payload: Payload) -> tuple[str, str]:
    """Return the method of a request, and the last event that its client has seen."""
    last = header_of(payload, "Last-Event-Id") or header_of(payload, "Last-Event-ID")
    return method_of(payload), last


def _joined(answer: Answer) -> bytes:
    """Return the events of an answer as they are sent: a list is several."""
    if answer is NOTHING:
        return b""
    return b"".join(written(event) for event in (answer if isinstance(answer, list) else [answer]))


def _names(value: Payload, text: str) -> frozenset[str]:
    many = value if isinstance(value, list) else [value]
    if not all(isinstance(value, str) for value in many):
        raise NodeError(
            Error(f"{text}: {value!r} is not text, nor a list of texts", code="request")
        )
    return frozenset(many)


def _response(body: bytes | ByteStream) -> Answer:
    return HttpResponse(
        {
            "status": 200,
            "header": {
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-cache",
                # Some proxies keep a response back until there is enough of it.
                "X-Accel-Buffering": "no",
            },
            "body": body,
        }
    )


def compile_sse(fields: Sse, build: Build) -> Node:
    """Compile the expression once."""
    topics = build.program(fields.topics, "topics") if fields.topics is not None else None
    events = build.program(fields.events, "events") if fields.events is not None else None
    return SseNode(fields, topics, events)


SSE: Kind[Any] = Kind(
    Schema(
        kind="sse",
        fields=Sse,
        summary="Answers requests with streams of server-sent events, and sends events to them.",
        category="net",
        ins=(
            IN,
            Port("send", "An event for all who want to hear of it."),
            Port(
                "end",
                "A topic, or several: ends the streams of those who asked for one of them; null ends all.",
            ),
        ),
        outs=(
            Port(
                "open",
                "`{request, last_event_id}` when a client has come; the answer is its first events.",
            ),
            Port("sent", "`{sent}`: to how many clients an event went."),
            Port(
                "error",
                "Errors of this node; not linked, they are the answer. If a stream of events fails after its "
                "begin, what this answers are the last events; not linked, the stream breaks off.",
            ),
        ),
        example="""\
- kind: listener
  name: listener
  port: 0
  ports:
    out: {name: news, port: in}
- kind: sse
  name: news
  keep: 100
  retry: 2s
- kind: timer
  name: clock
  interval: 1s
  ports:
    out: {name: tick, port: in}
- kind: snippet
  name: tick
  language: cel
  code: "{'event': 'tick', 'data': {'hello': 'world'}}"
  ports:
    out: {name: news, port: send}
""",
        details="""\
A GET or POST that reaches `in` is answered with a stream that stays open. `open`, if linked, gives its first
events: one, a list of them, or a stream; with a stream, or with `once`, the response ends with them.

A packet that is itself a stream or a list, or of which `events` makes one, is answered with these events and no
others: one request, one response. Each item of a stream is an event, of a byte stream each line. Events are
sent as fast as the client takes them: 64 KiB may wait, then the stream is not read on. If the client leaves,
the stream is closed; if the stream fails, `error` may say the last events, or else the connection is cut. See
[streams](../streams.md).

An event is a map of `event`, `id`, `data`, `retry` (milliseconds) and `comment`; anything else is its
data. Text is sent as it is, line by line, and data as JSON. At `send`, `topic` (one or several) says
what it is about: who has asked for other `topics` does not get it. The answer is NOTHING, unless `sent`
is linked.

With `keep`, events get ids. A client that comes back with `Last-Event-ID` is sent what it has missed;
where that event is not kept any more, all that is kept. A client that is too slow for `queue` events
loses its stream, and comes back by itself.

A stream that stays open belongs to no process: it outlives reloads of everything else. `end` ends it, once what
was sent to it before is on its way. An `sse` whose spec changes keeps its streams and its events; one that is
removed ends them. A response whose events come from a stream belongs to the process of its packet, like
every other.
""",
    ),
    compile_sse,
)
