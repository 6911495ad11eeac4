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

    def handler(self, port: str) -> Handler | None:
        """Its only in port."""
        return self._visit if port == "in" else None

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        answer = await flow.send("out", payload)
        if type(answer) is Error:
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
With `error` not linked, the Error is the answer. With nothing linked, the packet is.
""",
    ),
    compile_try,
)
