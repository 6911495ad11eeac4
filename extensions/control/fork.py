"""fork: answers at once and lets the packet go on in a child process."""

import asyncio
from typing import Any

from heddle.extensions.extension import (
    IN,
    NOTHING,
    Answer,
    Build,
    Error,
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
)
from heddle.runtime.flow.process import finish, settle


class Fork(Fields):
    """A `fork` has no fields of its own."""


class ForkNode(Node):
    """Starts a child process for each packet."""

    def __init__(self) -> None:
        self._visit = Visit(self._act)
        self._host: Host | None = None
        self._running: set[asyncio.Task[None]] = set()

    def handler(self, port: str) -> Handler | None:
        """Its only in port."""
        return self._visit if port == "in" else None

    async def open(self, host: Host) -> None:
        """Errors of children that nobody handles are told through the host."""
        self._host = host

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        if not flow.linked("out"):
            return NOTHING
        child = flow.fork()
        task = asyncio.ensure_future(self._run(flow, child, payload))
        # The loop keeps no strong reference to its tasks.
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return NOTHING

    async def _run(self, flow: Flow, child: Process, payload: Payload) -> None:
        """Carry the packet on in the child, and end it whatever happens."""
        answer: Answer = Error("the fork was stopped", code="dropped")
        try:
            answer = await settle(flow.run(child, "out", payload))
            if type(answer) is Error and child.reason is None and flow.linked("error"):
                answer = await settle(flow.run(child, "error", answer))
        finally:
            answer = await finish(child, answer)
        if type(answer) is Error and self._host is not None:
            self._host.tell("fork failed", level="error", error=answer)


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
