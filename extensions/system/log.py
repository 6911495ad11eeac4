"""log: tells an event for each packet, and passes it on."""

from typing import Annotated, Any, Literal

import msgspec

from heddle.extensions.extension import (
    ERROR,
    IN,
    OUT,
    Action,
    Build,
    Expression,
    Fields,
    Handler,
    Host,
    Kind,
    Node,
    Payload,
    Program,
    Schema,
    Text,
    about,
)
from heddle.extensions.system.preview import as_text, brief, cut
from heddle.runtime.flow.elsewhere import once

TAKEN = ("event", "level", "symbol", "reason", "error", "generation", "problems", "detail")
"""The names that an event has of its own: no value can be called so."""


class Log(Fields):
    """The fields of a `log`."""

    event: Annotated[
        Text, about("The phrase of the event, always the same.", examples=["order placed"])
    ] = Text("packet")
    level: Annotated[
        Literal["debug", "info", "warning", "error"], about("How much it matters.")
    ] = "info"
    message: Annotated[
        Expression | None, about("The reason that the event tells, out of the packet.")
    ] = None
    values: Annotated[
        dict[str, Expression],
        about(
            "Named values that the event has, out of the packet; without any, the packet is its "
            "`payload`.",
            examples=[{"order": "self.id", "user": "self.user.name"}],
        ),
    ] = msgspec.field(default_factory=dict)


class LogNode(Node):
    """Tells what it is sent."""

    def __init__(self, fields: Log, message: Program | None, values: dict[str, Program]) -> None:
        self._event = str(fields.event)
        self._level = fields.level
        self._message = message
        self._values = values
        # No value has that name: every event has a part of it.
        self._programs = {**values, "reason": message} if message is not None else values
        self._host: Host | None = None
        self._action = Action(self._act)

    async def open(self, host: Host) -> None:
        """Events are told through here from now on."""
        self._host = host

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    def _act(self, payload: Payload) -> Payload:
        data: dict[str, Any]
        if self.leaves:
            data = {
                name: cut(as_text(value)) if name == "reason" else brief(value)
                for name, value in once(self._programs, payload).items()
            }
        else:
            data = {name: brief(program(payload)) for name, program in self._values.items()}
            if self._message is not None:
                data["reason"] = cut(as_text(self._message(payload)))
        if not data:
            data["payload"] = brief(payload)
        if self._host is not None:
            # A blank may have put a secret into the phrase.
            self._host.emit(self._host.shown(self._event), level=self._level, **data)
        return payload


def compile_log(fields: Log, build: Build) -> Node:
    """Return a value cannot have the name of a part that every event has."""
    for name in fields.values:
        if name in TAKEN:
            build.reject(
                "values",
                name,
                found=f'"{name}" is a part that every event has',
                expected="another name",
                hint="Use message for the reason." if name == "reason" else "",
            )
    message = build.program(fields.message, "message") if fields.message is not None else None
    values = {
        name: build.program(expression, "values", name)
        for name, expression in fields.values.items()
    }
    return LogNode(fields, message, values)


LOG: Kind[Any] = Kind(
    Schema(
        kind="log",
        fields=Log,
        summary="Tells an event for each packet, and passes it on.",
        category="system",
        passes_on=lambda _: True,
        ins=(IN,),
        outs=(OUT, ERROR),
        example="""\
- kind: log
  name: placed
  event: order placed
  values: {order: self.id, items: size(self.items)}
  ports:
    out:
      - {name: done, port: in}
- kind: snippet
  name: done
  language: text
  code: thank you
""",
        details="""\
Events stand in the log of `heddle start`, beside those of Heddle itself, as text or as JSON, with the name
of this node as their `symbol`. Secrets are masked. Values that are not plain data are described, and those of
more than 4000 characters are cut; a byte stream stays unread. An expression that fails is an Error of this
node, and nothing is told.
""",
    ),
    compile_log,
)
