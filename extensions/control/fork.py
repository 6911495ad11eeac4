"""fork: answers at once and lets the packet go on in a child process."""

from typing import Annotated, Any, TypeAlias

import msgspec

from heddle.extensions.extension import (
    IN,
    NOTHING,
    Answer,
    Build,
    Expression,
    Fields,
    Flow,
    Handler,
    Host,
    Kind,
    Node,
    Payload,
    Port,
    Process,
    Program,
    Schema,
    Source,
    Visit,
    about,
)
from heddle.extensions.response import HttpResponse
from heddle.runtime.flow.elsewhere import await_program

_Status: TypeAlias = Annotated[int, msgspec.Meta(ge=200, le=599)]


class Fork(Fields):
    """The fields of a `fork`."""

    answer: Annotated[
        Expression | None,
        about("What is answered at once, made of the packet; NOTHING without it."),
    ] = None
    status: Annotated[
        _Status | None,
        about(
            "Answer a response with this status, whose body is what `answer` makes.",
            examples=[202],
        ),
    ] = None


class ForkNode(Node):
    """Starts a child process for each packet."""

    def __init__(self, answer: Program | None = None, status: int | None = None) -> None:
        self._answer = answer
        self._status = status
        self._visit = Visit(self._act)
        self._source: Source | None = None

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._visit if port == "in" else None

    async def open(self, host: Host) -> None:
        """Errors of children that nobody handles are told through the host."""
        self._source = Source(host, "fork failed")

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        answer: Answer = NOTHING
        if self._answer is not None:
            # First: whoever is answered an Error has started nothing.
            answer = await await_program(self._answer, payload)
        if flow.linked("out"):
            if self._source is None:
                raise RuntimeError("the node is not open")
            self._source.tasks.start(self._run(self._source, flow, flow.fork(), payload))
        if self._status is None:
            return answer
        return HttpResponse(status=self._status, body=None if answer is NOTHING else answer)

    async def _run(self, source: Source, flow: Flow, child: Process, payload: Payload) -> None:
        """Send the packet in the child; the sender was answered before."""
        await source.complete(child, flow.run(child, "out", payload))


def compile_fork(fields: Fork, build: Build) -> Node:
    """Compile what is answered."""
    answer = build.program(fields.answer, "answer") if fields.answer is not None else None
    return ForkNode(answer, fields.status)


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
  status: 202
  answer: "{'accepted': true}"
  ports:
    out:
      - {name: slow, port: in}
- kind: sleep
  name: slow
  interval: 10ms
""",
        details="""\
The answer comes before the child has begun: NOTHING, or what `answer` makes of the packet; with `status`, a response. If
`answer` fails, no child begins. The child reads its parent's data and writes its
own. It outlives the answer: the parent process ends when its children have ended, and when the parent
is cancelled they are too. An Error that the child is answered goes to `error`; not linked, it is told
in the log.
""",
    ),
    compile_fork,
)
