"""throttle: lets so many packets through in a while; the others wait, fail or are dropped."""

import asyncio
from collections.abc import Hashable, Mapping
from time import monotonic
from typing import Annotated, Any, Literal

import msgspec

from heddle.extensions.control.keys import KeyOf, Recent, key_program
from heddle.extensions.extension import (
    ERROR,
    IN,
    NOTHING,
    OUT,
    Action,
    Answer,
    Build,
    Choice,
    Error,
    Expression,
    Fields,
    Handler,
    Interval,
    Kind,
    Node,
    NodeError,
    Payload,
    Schema,
    about,
)
from heddle.runtime.flow.elsewhere import await_program


class Throttle(Fields):
    """The fields of a `throttle`."""

    count: Annotated[int, about("How many packets go on in each `per`.", ge=1)]
    per: Annotated[Interval, about("The time in which `count` packets go on.")] = Interval(1)
    burst: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        about("How many may go on at once after a quiet time; `count`, unless said otherwise."),
    ] = None
    over: Annotated[
        Literal["wait", "fail", "drop"],
        about(
            "What becomes of the others. `wait`: they go on later, in the order they came. `fail`: "
            "each is an Error with the code `busy`. `drop`: each is answered NOTHING."
        ),
    ] = "wait"
    queue: Annotated[
        int, about("How many packets may wait; one more is an Error `busy`.", ge=0)
    ] = 1000
    key: Annotated[
        Expression | None,
        about("Count packets apart by what this gives for them.", examples=["host"]),
    ] = None
    keys: Annotated[
        int,
        about("How many keys are counted at most; the one not seen longest is forgotten.", ge=1),
    ] = 10_000


class Pace:
    """When the next packet of each key is due: one number a key, in seconds of a steady clock."""

    __slots__ = ("due", "passed", "rejected", "waiting")

    def __init__(self, keys: int) -> None:
        self.due: Recent[float] = Recent(keys)
        self.waiting = 0
        self.passed = 0
        self.rejected = 0


class ThrottleNode(Node):
    """Paces packets; a successor goes on counting if this one was."""

    def __init__(self, fields: Throttle, key: KeyOf) -> None:
        self._fields = fields
        self._key = key
        self._step = float(fields.per) / fields.count
        self._slack = self._step * ((fields.burst or fields.count) - 1)
        self._pace = Pace(fields.keys)
        waits = fields.over == "wait"
        self._handler = Action(self._wait, waits=True) if waits else Choice(self._choose)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._handler if port == "in" else None

    def adopt(self, predecessor: Node) -> None:
        """Go on with its count."""
        if isinstance(predecessor, ThrottleNode):
            self._pace = predecessor._pace
            self._pace.due.size = self._fields.keys

    def disown(self, predecessor: Node) -> None:
        """There is as much room as before."""
        if isinstance(predecessor, ThrottleNode):
            self._pace.due.size = predecessor._fields.keys

    def snapshot(self) -> Mapping[str, Any]:
        """Return how many went on, were turned away, and wait."""
        pace = self._pace
        return {"passed": pace.passed, "rejected": pace.rejected, "waiting": pace.waiting}

    def _early(self, key: Hashable) -> float:
        """Return how many seconds too early a packet of this key is; its turn is taken if it is not."""
        now = monotonic()
        due = max(self._pace.due.get(key) or now, now)
        early = due - self._slack - now
        if early <= 0:
            self._take(key, due)
        return early

    def _take(self, key: Hashable, due: float) -> None:
        # Forgotten once it makes no difference any more.
        self._pace.due.put(key, due + self._step, due + self._step - monotonic())

    def _choose(self, payload: Payload) -> tuple[str | None, Payload]:
        early = self._early(self._key(payload))
        if early <= 0:
            self._pace.passed += 1
            return "out", payload
        self._pace.rejected += 1
        if self._fields.over == "drop":
            return None, NOTHING
        raise self._busy(early)

    async def _wait(self, payload: Payload) -> Answer:
        pace = self._pace
        key = await await_program(self._key, payload)
        early = self._early(key)
        if early > 0:
            if pace.waiting >= self._fields.queue:
                pace.rejected += 1
                raise self._busy(early)
            self._take(key, max(pace.due.get(key) or 0.0, monotonic()))
            pace.waiting += 1
            try:
                await asyncio.sleep(early)
            except BaseException:
                # Its turn is free again, for whoever comes next.
                due = pace.due.get(key)
                if due is not None:
                    pace.due.put(key, due - self._step, max(due - self._step - monotonic(), 0.0))
                raise
            finally:
                pace.waiting -= 1
        pace.passed += 1
        return payload

    def _busy(self, early: float) -> NodeError:
        count, per = self._fields.count, self._fields.per
        return NodeError(
            Error(
                f"more than {count} packets in {per}",
                code="busy",
                data={"retry_after": round(early, 3)},
            )
        )


def compile_throttle(fields: Throttle, build: Build) -> Node:
    """Compile the key once."""
    return ThrottleNode(fields, key_program(build, fields.key, whole=False))


THROTTLE: Kind[Any] = Kind(
    Schema(
        kind="throttle",
        fields=Throttle,
        summary="Lets so many packets through in a while; the others wait, fail or are dropped.",
        category="control",
        ins=(IN,),
        outs=(OUT, ERROR),
        example="""\
- kind: throttle
  name: gently
  count: 10
  per: 1s
  over: fail
  key: self.user
  ports:
    out:
      - {name: work, port: in}
    error:
      - {name: later, port: in}
- kind: snippet
  name: work
  language: cel
  code: "{'served': self.user}"
- kind: snippet
  name: later
  language: text
  code: Come back later.
""",
        details="""\
After a quiet time `burst` packets go on at once; from then on one every `per / count`. All processes are
counted together. Who waits takes a turn in the order of coming; a process that is cancelled gives its turn
back. An Error `busy` has `data.retry_after`, in seconds. A `throttle` whose spec changes goes on counting.
""",
    ),
    compile_throttle,
)
