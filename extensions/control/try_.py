"""try: sends a packet on, and its Error answer to `error`."""

from typing import Any

from heddle.extensions.extension import (
    IN,
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
    Schema,
    Visit,
)


class Try(Fields):
    """A `try` has no fields of its own."""


class TryNode(Node):
    """Looks whether the answer is an Error."""

    def __init__(self) -> None:
        self._visit = Visit(self._act, plain=True)
        self._host: Host | None = None

    async def open(self, host: Host) -> None:
        """Keep the host, which emits what fails behind `out`."""
        self._host = host

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._visit if port == "in" else None

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        answer = await flow.send("out", payload)
        if type(answer) is Error:
            if self._host is not None:
                self._host.emit("failure caught", level="debug", error=answer)
            return await flow.send("error", answer)
        return answer


def compile_try(fields: Try, build: Build) -> Node:
    """There is nothing to set."""
    del fields, build
    return TryNode()


TRY: Kind[Any] = Kind(
    Schema(
        kind="try",
        ways=lambda _: ("out",),
        fields=Try,
        summary="Sends a packet on; where the answer is an Error, `error` decides what to answer.",
        category="control",
        ins=(IN,),
        outs=(
            Port("out", "What may fail."),
            Port("error", "The Error that was answered; what it answers is the answer."),
        ),
        example="""\
- kind: try
  name: safely
  ports:
    out:
      - {name: risky, port: in}
    error:
      - {name: excuse, port: in}
- kind: snippet
  name: risky
  language: cel
  code: 100 / self
- kind: snippet
  name: excuse
  language: cel
  code: "'It failed: ' + string(self)"
""",
        details="""\
With `error` not linked, the Error is the answer. With nothing linked, the packet is. Each Error leaves
the event `failure caught` at the level debug.
""",
    ),
    compile_try,
)
