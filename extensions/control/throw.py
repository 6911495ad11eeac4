"""throw: answers with an Error made of the payload."""

from typing import Any

import msgspec

from heddle.extensions.extension import (
    IN,
    Action,
    Answer,
    Build,
    Error,
    Fields,
    Handler,
    Kind,
    Node,
    Payload,
    Schema,
)
from heddle.runtime.flow.materialize import encode_with


class Throw(Fields):
    """A `throw` has no fields of its own."""


class ThrowNode(Node):
    """Answers every packet with an Error."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._action = Action(self._act, out=None)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    def _act(self, payload: Payload) -> Answer:
        if type(payload) is Error:
            return payload
        try:
            message = message_of(payload)
        except RecursionError:
            message = "data that is nested too deeply"
        return Error(message, code="thrown", data=payload, symbol=self._label, port="in")


def message_of(payload: Payload) -> str:
    """Return the message of what is thrown: its text; a list reads from the last to the first, as wrapped."""
    if isinstance(payload, list):
        return (
            ": ".join(message_of(item) for item in reversed(payload) if item is not None)
            or "thrown"
        )
    if payload is None:
        return "thrown"
    if isinstance(payload, str):
        return payload
    if isinstance(payload, Error):
        return payload.message
    if isinstance(payload, bytes):
        return payload.decode(errors="replace")
    if hasattr(payload, "__aiter__"):
        return "a stream"
    try:
        return encode_with(msgspec.json.encode, payload).decode()
    except TypeError:
        return str(payload)


def compile_throw(fields: Throw, build: Build) -> Node:
    """There is nothing to set."""
    del fields
    return ThrowNode(build.spec.label)


THROW: Kind[Any] = Kind(
    Schema(
        kind="throw",
        fields=Throw,
        summary="Answers with an Error made of the payload.",
        category="control",
        ins=(IN,),
        outs=(),
        example="""\
- kind: throw
  name: refuse
""",
        details="""\
The message is the payload's text; other data is written as JSON and kept as the Error's `data`. A
list becomes one message, read from the last to the first: `[a, b, c]` is `c: b: a`, as wrapped errors
read. Null throws an Error that says only `thrown`. An Error is thrown on as it is.
""",
    ),
    compile_throw,
)
