"""debounce: of packets that come close together, only one goes on."""

import asyncio
from collections.abc import Hashable, Mapping
from typing import Annotated, Any, Literal

from heddle.extensions.control.collect import busy
from heddle.extensions.control.keys import KeyOf, key_program
from heddle.extensions.extension import (
    IN,
    NOTHING,
    Build,
    Choice,
    Expression,
    Fields,
    Handler,
    Host,
    Interval,
    Kind,
    Node,
    Payload,
    Port,
    Schema,
    Source,
    about,
)


class Debounce(Fields):
    """The fields of a `debounce`."""

    wait: Annotated[Interval, about("How long it must be quiet.")]
    longest: Annotated[
        Interval | None,
        about("The last packet goes on after this time, even if it was never quiet."),
    ] = None
    edge: Annotated[
        Literal["last", "first"],
        about(
            "`last`: the last packet goes on, once it is quiet. `first`: the first goes on at once, "
            "and the others are dropped until it is quiet."
        ),
    ] = "last"
    key: Annotated[
        Expression | None,
        about("Packets apart by what this gives for them.", examples=["self.sensor"]),
    ] = None
    keys: Annotated[
        int,
        about(
            "How many keys there may be at a time; a packet of one more is an Error `busy`.", ge=1
        ),
    ] = 10_000


class Burst:
    """Packets of one key that came close together: the last one, and when it began."""

    __slots__ = ("began", "last", "timer")

    def __init__(self, began: float) -> None:
        self.began = began
        self.last: Payload = None
        self.timer: asyncio.TimerHandle | None = None


class Bursts:
    """Every burst that is not over, and the node that ends them."""

    __slots__ = ("dropped", "open", "owner", "passed")

    def __init__(self, owner: "DebounceNode") -> None:
        self.owner = owner
        self.open: dict[Hashable, Burst] = {}
        self.passed = 0
        self.dropped = 0

    def end(self, key: Hashable) -> None:
        """Send the last packet on once it is quiet, if it has not been sent."""
        burst = self.open.pop(key, None)
        if burst is None:
            return
        if burst.timer is not None:
            burst.timer.cancel()
        if self.owner.edge == "last":
            self.passed += 1
            source = self.owner.source
            if source is None:
                raise RuntimeError("the node is not open")
            source.start(burst.last)


class DebounceNode(Node):
    """Holds packets back; a successor goes on with those that are held."""

    def __init__(self, fields: Debounce, key: KeyOf) -> None:
        self._wait = float(fields.wait)
        self._longest = float(fields.longest) if fields.longest is not None else None
        self._keys = fields.keys
        self._key = key
        self._bursts = Bursts(self)
        self._choice = Choice(self._act)
        self.edge = fields.edge
        self.source: Source | None = None

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._choice if port == "in" else None

    def adopt(self, predecessor: Node) -> None:
        """Go on with what it holds; what was begun at one edge is not ended at the other."""
        if isinstance(predecessor, DebounceNode) and predecessor.edge == self.edge:
            self._bursts = predecessor._bursts

    def disown(self, predecessor: Node) -> None:
        """Leave the packet to the predecessor, which goes on with it."""
        if isinstance(predecessor, DebounceNode) and self._bursts is predecessor._bursts:
            self._bursts.owner = predecessor
            self._bursts = Bursts(self)

    async def open(self, host: Host) -> None:
        """From now on packets go on from here."""
        self.source = Source(host, "debounce failed")
        self._bursts.owner = self

    async def pause(self) -> None:
        """Nobody goes on with what is held: it is sent now."""
        if self._bursts.owner is self:
            for key in tuple(self._bursts.open):
                self._bursts.end(key)

    def snapshot(self) -> Mapping[str, Any]:
        """Return how many went on, how many were dropped, and how many bursts are not over."""
        bursts = self._bursts
        return {"passed": bursts.passed, "dropped": bursts.dropped, "open": len(bursts.open)}

    def _act(self, payload: Payload) -> tuple[str | None, Payload]:
        bursts = self._bursts
        key = self._key(payload)
        loop = asyncio.get_running_loop()
        burst = bursts.open.get(key)
        first = burst is None
        if burst is None:
            if len(bursts.open) >= self._keys:
                raise busy(f"there are {self._keys} keys already")
            burst = bursts.open[key] = Burst(loop.time())
        else:
            bursts.dropped += 1
        if self.edge == "last":
            burst.last = payload
        if burst.timer is not None:
            burst.timer.cancel()
        due = loop.time() + self._wait
        if self._longest is not None:
            due = min(due, burst.began + self._longest)
        burst.timer = loop.call_at(due, bursts.end, key)
        if self.edge == "first" and first:
            bursts.passed += 1
            return "out", payload
        return None, NOTHING


def compile_debounce(fields: Debounce, build: Build) -> Node:
    """Compile the key once."""
    return DebounceNode(fields, key_program(build, fields.key, whole=False))


DEBOUNCE: Kind[Any] = Kind(
    Schema(
        kind="debounce",
        detached=True,
        fields=Debounce,
        summary="Of packets that come close together, only one goes on.",
        category="control",
        ins=(IN,),
        outs=(
            Port("out", "The packet that goes on."),
            Port("error", "The Error that it was answered, or of a packet there is no room for."),
        ),
        example="""\
- kind: debounce
  name: settled
  wait: 200ms
  longest: 2s
  ports:
    out:
      - {name: rebuild, port: in}
- kind: snippet
  name: rebuild
  language: cel
  code: "{'rebuilt for': self}"
""",
        details="""\
With `edge: last` every packet is answered NOTHING, and the last of them goes on in a process of its own
once it was quiet for `wait`; an Error that it is answered goes to `error` or, with nothing linked there, to
the log. With `edge: first` the first packet goes on in its own process, and its answer is what `out`
answers. Packets of all processes count together.

What is held is kept in memory. A `debounce` whose spec changes hands it on, and one that is removed or
stops with the runtime sends it first.
""",
    ),
    compile_debounce,
)
