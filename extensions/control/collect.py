"""collect: gathers packets into windows, and sends each window on as a list."""

import asyncio
from collections.abc import Hashable, Mapping
from typing import Annotated, Any, Literal

import msgspec

from heddle.extensions.control.keys import KeyOf, key_program
from heddle.extensions.extension import (
    IN,
    NOTHING,
    Action,
    Answer,
    Build,
    Error,
    Expression,
    FieldError,
    Fields,
    Handler,
    Host,
    Interval,
    Kind,
    Node,
    NodeError,
    Payload,
    Port,
    Schema,
    Source,
    about,
)


class Collect(Fields):
    """The fields of a `collect`."""

    count: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        about("A window is full with so many packets."),
    ] = None
    within: Annotated[
        Interval | None, about("A window is over so long after its first packet came.")
    ] = None
    key: Annotated[
        Expression | None,
        about(
            "A window for each value of this, instead of one for all.", examples=["self.customer"]
        ),
    ] = None
    limit: Annotated[
        int, about("How many packets are held at most, in all windows together.", ge=1)
    ] = 100_000
    over: Annotated[
        Literal["send", "fail"],
        about(
            "What happens past `limit`. `send`: the oldest window is sent on as it is. `fail`: the "
            "packet is an Error `busy`."
        ),
    ] = "send"
    pending: Annotated[
        int,
        about(
            "How many windows may be under way; while there are more, packets are an Error `busy`.",
            ge=1,
        ),
    ] = 100

    def __post_init__(self) -> None:
        if self.count is None and self.within is None:
            raise FieldError(
                "neither count nor within", expected="what ends a window", path=("count",)
            )


class Window:
    """The packets of one key so far."""

    __slots__ = ("items", "timer")

    def __init__(self) -> None:
        self.items: list[Payload] = []
        self.timer: asyncio.TimerHandle | None = None


class Windows:
    """Every window that is open, the oldest first, and the node that sends them on."""

    __slots__ = ("held", "open", "owner", "pending", "sent")

    def __init__(self, owner: "CollectNode") -> None:
        self.owner = owner
        self.open: dict[Hashable, Window] = {}
        self.held = 0
        self.sent = 0
        self.pending = 0

    def send(self, key: Hashable) -> None:
        """Send a window on, full or not."""
        window = self.open.pop(key, None)
        if window is None:
            return
        if window.timer is not None:
            window.timer.cancel()
        self.held -= len(window.items)
        self.sent += 1
        source = self.owner.source
        if source is None:
            raise RuntimeError("the node is not open")
        self.pending += 1
        source.start(window.items).add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Answer]") -> None:
        del task
        self.pending -= 1


class CollectNode(Node):
    """Gathers packets; a successor goes on with the open windows, and the last one sends them."""

    def __init__(self, fields: Collect, key: KeyOf) -> None:
        self._fields = fields
        self._key = key
        self._windows = Windows(self)
        self._action = Action(self._act, out=None)
        self.source: Source | None = None

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    def adopt(self, predecessor: Node) -> None:
        """Go on with its windows."""
        if isinstance(predecessor, CollectNode):
            self._windows = predecessor._windows

    def disown(self, predecessor: Node) -> None:
        """Leave the packets to the predecessor, which goes on with them."""
        if isinstance(predecessor, CollectNode):
            self._windows.owner = predecessor
            self._windows = Windows(self)

    async def open(self, host: Host) -> None:
        """From now on windows are sent from here."""
        self.source = Source(host, "collect failed")
        self._windows.owner = self

    async def pause(self) -> None:
        """Nobody goes on with the windows that are open: they are sent as they are."""
        if self._windows.owner is self:
            for key in tuple(self._windows.open):
                self._windows.send(key)

    def snapshot(self) -> Mapping[str, Any]:
        """Open windows, the packets in them, and how many windows were sent."""
        windows = self._windows
        return {
            "windows": len(windows.open),
            "held": windows.held,
            "pending": windows.pending,
            "sent": windows.sent,
        }

    def _act(self, payload: Payload) -> Answer:
        windows, fields = self._windows, self._fields
        key = self._key(payload)
        if windows.pending >= fields.pending:
            raise busy(f"{fields.pending} windows are under way already")
        if windows.held >= fields.limit:
            if fields.over == "fail":
                raise busy(f"{fields.limit} packets are held already")
            windows.send(next(iter(windows.open)))
        window = windows.open.get(key)
        if window is None:
            window = windows.open[key] = Window()
            if fields.within is not None:
                loop = asyncio.get_running_loop()
                window.timer = loop.call_later(float(fields.within), windows.send, key)
        window.items.append(payload)
        windows.held += 1
        if fields.count is not None and len(window.items) >= fields.count:
            windows.send(key)
        return NOTHING


def busy(actual: str) -> NodeError:
    """Return what a packet is answered with that there is no room for."""
    return NodeError(Error(actual, code="busy"))


def compile_collect(fields: Collect, build: Build) -> Node:
    """Compile the key once."""
    return CollectNode(fields, key_program(build, fields.key, whole=False))


COLLECT: Kind[Any] = Kind(
    Schema(
        kind="collect",
        detached=True,
        fields=Collect,
        summary="Gathers packets into windows by count, time or key, and sends each on as a list.",
        category="control",
        ins=(IN,),
        outs=(
            Port(
                "out",
                "Each window, a list of packets in the order they came.",
                schema={"type": "array"},
            ),
            Port(
                "error",
                "The Error that a window was answered, or of a packet there is no room for.",
            ),
        ),
        example="""\
- kind: collect
  name: batch
  count: 100
  within: 1s
  key: self.table
  ports:
    out:
      - {name: write, port: in}
- kind: snippet
  name: write
  language: cel
  code: "{'rows': size(self)}"
""",
        details="""\
A packet is answered NOTHING as soon as it is in its window; packets of all processes go into the same
windows. A window is sent when it has `count` packets, or `within` after its first, whichever is sooner, in
a process of its own on the generation that is current then. An Error that it is answered goes to `error`;
with nothing linked there, it is told in the log.

Windows are kept in memory. A `collect` whose spec changes hands its open windows on, and one that is
removed or stops with the runtime sends them first, full or not.
""",
    ),
    compile_collect,
)
