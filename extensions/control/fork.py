"""fork: answers at once and lets the packet go on in a child process."""

from typing import Any

from heddle.extensions.extension import (
    IN,
    NOTHING,
    Answer,
    Build,
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
    Source,
    Visit,
)


class Fork(Fields):
    """A `fork` has no fields of its own."""


class ForkNode(Node):
    """Starts a child process for each packet."""

    def __init__(self) -> None:
        self._visit = Visit(self._act)
        self._source: Source | None = None

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._visit if port == "in" else None

    async def open(self, host: Host) -> None:
        """Errors of children that nobody handles are told through the host."""
        self._source = Source(host, "fork failed")

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        if not flow.linked("out"):
            return NOTHING
        if self._source is None:
            raise RuntimeError("the node is not open")
        self._source.tasks.start(self._run(self._source, flow, flow.fork(), payload))
        return NOTHING

    async def _run(self, source: Source, flow: Flow, child: Process, payload: Payload) -> None:
        """Send the packet in the child; the sender was answered before."""
        await source.complete(child, flow.run(child, "out", payload))


def compile_fork(fields: Fork, build: Build) -> Node:
    """There is nothing to set."""
    del fields, build
    return ForkNode()


FORK: Kind[Any] = Kind(
    Schema(
        kind="fork",
        detached=True,
        fields=Fork,
        summary="Answers at once and lets the packet go on in a child process.",
        category="control",
        ins=(IN,),
        outs=(
            Port("out", "Where the packet goes on, in the child."),
            Port("error", "The Error that the child was answered."),
        ),
        example="""\
- kind: fork
  name: background
  ports:
    out:
      - {name: slow, port: in}
- kind: sleep
  name: slow
  interval: 10ms
""",
        details="""\
The answer is NOTHING, before the child has begun. The child reads its parent's data and writes its
own. It outlives the answer: the parent process ends when its children have ended, and when the parent
is cancelled they are too. An Error that the child is answered goes to `error`; not linked, it is told
in the log.
""",
    ),
    compile_fork,
)
