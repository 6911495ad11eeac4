"""nop: accepts a packet and answers nothing."""

from typing import Any

from heddle.extensions.extension import (
    IN,
    NOTHING,
    Action,
    Answer,
    Build,
    Fields,
    Handler,
    Kind,
    Node,
    Payload,
    Schema,
)


class Nop(Fields):
    """A `nop` has no fields of its own."""


class NopNode(Node):
    """Answers every packet with NOTHING."""

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return Action(nothing, out=None) if port == "in" else None


def nothing(payload: Payload) -> Answer:
    """Accept the packet, with no value."""
    del payload
    return NOTHING


def compile_nop(fields: Nop, build: Build) -> Node:
    """There is nothing to set."""
    del fields, build
    return NopNode()


NOP: Kind[Any] = Kind(
    Schema(
        kind="nop",
        answers=False,
        fields=Nop,
        summary="Accepts a packet and answers nothing.",
        category="control",
        ins=(IN,),
        outs=(),
        example="""\
- kind: nop
  name: drop
""",
        details="""\
The answer is NOTHING: if several answers are joined it is left out, and a listener answers
`204 No Content`.
""",
    ),
    compile_nop,
)
