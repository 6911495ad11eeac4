"""pipe: sends a packet through its out ports one after the other, each given the answer before."""

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
    Kind,
    Node,
    Payload,
    Port,
    Schema,
    Visit,
)
from heddle.schemas.port import canonical, parse_port


class Pipe(Fields):
    """A pipe has no fields of its own."""


class PipeNode(Node):
    """Visits its linked out ports in the order of their numbers."""

    def __init__(self, ports: tuple[str, ...]) -> None:
        self._ports = ports
        self._visit = Visit(self._act, plain=True)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._visit if port == "in" else None

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        for port in self._ports:
            answer = await flow.send(port, payload)
            if type(answer) is Error:
                return await flow.send("error", answer)
            if answer is NOTHING:
                return NOTHING
            payload = answer
        return payload


def compile_pipe(fields: Pipe, build: Build) -> Node:
    """Return the ports that are linked are known from the Spec."""
    del fields
    numbers = []
    for name in build.spec.ports:
        parsed = parse_port(canonical(name))
        if parsed is not None and parsed[0] == "out":
            numbers.append(parsed[1] or 0)
    return PipeNode(tuple("out" if number == 0 else f"out[{number}]" for number in sorted(numbers)))


PIPE: Kind[Any] = Kind(
    Schema(
        kind="pipe",
        fields=Pipe,
        summary="Sends a packet through its out ports in turn; each is given the answer of the one before.",
        category="control",
        ins=(IN,),
        outs=(
            Port("out", "The stages, in the order of their numbers.", indexed=True),
            Port("error", "The Error that a stage answered; its answer is the pipe's."),
        ),
        example="""\
- kind: pipe
  name: price
  ports:
    out[0]:
      - {name: net, port: in}
    out[1]:
      - {name: gross, port: in}
- kind: snippet
  name: net
  language: cel
  code: self.price * self.count
- kind: snippet
  name: gross
  language: cel
  code: double(self) * 1.19
""",
        details="""\
The answer of the last stage is the answer of the pipe. A stage that answers NOTHING ends the way:
there is no value to go on with, and the pipe answers NOTHING too. An Error that a stage answers goes
to `error`; not linked, it is the answer.
""",
    ),
    compile_pipe,
)
