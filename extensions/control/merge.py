"""merge: waits for a packet at each of its in ports, and sends them on as one list."""

from collections import deque
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from heddle.extensions.extension import (
    ERROR,
    NOTHING,
    Answer,
    Build,
    Error,
    Failure,
    Fields,
    Flow,
    Handler,
    Host,
    Kind,
    Node,
    Payload,
    Port,
    Process,
    Schema,
    Visit,
    about,
)
from heddle.schemas.port import parse_port


class Merge(Fields):
    """What a `merge` says."""

    incomplete: Annotated[
        Literal["fail", "tell"],
        about(
            "What packets do that still wait for others when their process ends. `fail`: they are "
            "the Error of the process, unless it has failed anyway. `tell`: only the log says so."
        ),
    ] = "fail"
    limit: Annotated[
        int, about("How many packets may wait at one in port, in one process.", ge=1)
    ] = 1000


class Waiting:
    """The packets of one process that wait for others, by in port."""

    __slots__ = ("ports",)

    def __init__(self) -> None:
        self.ports: dict[str, deque[Payload]] = {}

    def put(self, port: str, payload: Payload, limit: int) -> None:
        """A packet has come."""
        queue = self.ports.get(port)
        if queue is None:
            queue = self.ports[port] = deque()
        if len(queue) >= limit:
            found = f"{limit} packets wait at {port} already, for those of other in ports"
            raise Failure(Error(found, code="limit"))
        queue.append(payload)

    def take(self, inputs: Sequence[str]) -> list[Payload] | None:
        """One packet of each in port, in their order; None where one is missing."""
        for port in inputs:
            if not self.ports.get(port):
                return None
        return [self.ports[port].popleft() for port in inputs]

    @property
    def left(self) -> dict[str, int]:
        """How many wait, by in port."""
        return {port: len(queue) for port, queue in self.ports.items() if queue}


class MergeNode(Node):
    """Keeps the packets of each process until one has come from everywhere."""

    def __init__(self, fields: Merge, label: str) -> None:
        self._fields = fields
        self._label = label
        self._visit = Visit(self._act)
        self._waiting: dict[Process, Waiting] = {}
        self._host: Host | None = None

    def handler(self, port: str) -> Handler | None:
        """Any number of in ports."""
        parsed = parse_port(port)
        return self._visit if parsed is not None and parsed[0] == "in" else None

    async def open(self, host: Host) -> None:
        """What is left incomplete is told through the host."""
        self._host = host

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        process = flow.process
        waiting = self._waiting.get(process)
        if waiting is None:
            process.on_exit(lambda error: self._left(process, error))
            waiting = self._waiting[process] = Waiting()
        waiting.put(flow.port, payload, self._fields.limit)
        group = waiting.take(flow.inputs or (flow.port,))
        if group is None:
            return NOTHING
        errors = [one for one in group if type(one) is Error]
        if errors:
            return await flow.send("error", Error.join(errors))
        return await flow.send("out", group)

    def _left(self, process: Process, error: Error | None) -> None:
        """The process ends: what still waits is not passed over in silence."""
        left = self._waiting.pop(process).left
        if not left or error is not None:
            return
        found = ", ".join(f"{count} at {port}" for port, count in sorted(left.items()))
        failure = Error(
            f"packets still wait to be merged: {found}", code="incomplete", symbol=self._label
        )
        if self._fields.incomplete == "fail":
            raise Failure(failure)
        if self._host is not None:
            self._host.tell("merge incomplete", level="warning", error=failure)


def compile_merge(fields: Merge, build: Build) -> Node:
    """There is nothing to compile."""
    return MergeNode(fields, build.spec.label)


MERGE: Kind[Any] = Kind(
    Schema(
        kind="merge",
        gathers=True,
        fields=Merge,
        summary="Waits for a packet at each of its in ports, and sends them on as one list.",
        category="control",
        ins=(Port("in", "`in[i]`: becomes element `i` of the list.", indexed=True),),
        outs=(Port("out", "The list.", schema={"type": "array"}), ERROR),
        example="""\
- kind: split
  name: apart
  ports:
    out[0]:
      - {name: price, port: in}
    out[1]:
      - {name: both, port: 'in[1]'}
- kind: snippet
  name: price
  language: cel
  code: self * 2
  ports:
    out:
      - {name: both, port: 'in[0]'}
- kind: merge
  name: both
  ports:
    out:
      - {name: show, port: in}
- kind: snippet
  name: show
  language: cel
  code: "{'price': self[0], 'count': self[1]}"
""",
        details="""\
The list holds one packet for each in port that something is linked to, in the order of the ports,
whatever order they come in. The packet that completes it is answered what `out` answers; those before it
are answered NOTHING, which joins leave out, so that whoever sent to several ports gets the one answer.

Packets of different processes are never merged; a second packet at a port waits for the next group. If
one of the packets is an Error, all Errors of the group go to `error` as one. Packets that still wait when
their process ends are its Error, or an event in the log, as `incomplete` says.
""",
    ),
    compile_merge,
)
