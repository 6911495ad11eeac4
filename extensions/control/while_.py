"""while: sends a packet round as long as a condition holds."""

import asyncio
from typing import Annotated, Any

from heddle.extensions.control.ports import only_outs
from heddle.extensions.extension import (
    IN,
    NOTHING,
    Answer,
    Build,
    Duration,
    Error,
    Expression,
    Fields,
    Flow,
    Handler,
    Kind,
    Node,
    NodeError,
    Payload,
    Port,
    Program,
    Schema,
    Visit,
    about,
)
from heddle.runtime.flow.elsewhere import ElsewhereError, resume


class While(Fields):
    """The fields of a `while`."""

    when: Annotated[Expression, about("The condition; the packet goes round while it is true.")]
    limit: Annotated[int, about("How many rounds there may be; one more is an Error.", ge=1)] = 1000
    interval: Annotated[
        Duration, about("The pause between two rounds, for what is asked again and again.")
    ] = Duration(0)
    first: Annotated[
        bool, about("Whether the first round is gone before the condition is asked.")
    ] = False


class WhileNode(Node):
    """Visits `out[0]` with its own answers."""

    def __init__(self, fields: While, when: Program) -> None:
        self._when = when
        self._limit = fields.limit
        self._interval = float(fields.interval)
        self._first = fields.first
        self._visit = Visit(self._act, waits=self._interval > 0)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._visit if port == "in" else None

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        rounds = 0
        while True:
            if rounds or not self._first:
                try:
                    holds = self._when(payload)
                except ElsewhereError as later:
                    holds = await resume(later, self._when, payload)
                if not holds:
                    break
            if rounds >= self._limit:
                actual = f"the condition still holds after {self._limit} rounds"
                raise NodeError(Error(actual, code="limit", data=payload))
            if rounds and self._interval:
                await asyncio.sleep(self._interval)
            answer = await flow.send("out", payload)
            rounds += 1
            if type(answer) is Error:
                return await flow.send("error", answer)
            if answer is NOTHING:
                return NOTHING
            payload = answer
        return await flow.send("out[1]", payload)


def compile_while(fields: While, build: Build) -> Node:
    """Return a link past `out[1]` is a Problem."""
    only_outs(build, "each round", "the end")
    return WhileNode(fields, build.condition(fields.when, "when"))


WHILE: Kind[Any] = Kind(
    Schema(
        kind="while",
        fields=While,
        summary="Sends a packet round as long as a condition holds; each answer is the next packet.",
        category="control",
        ins=(IN,),
        outs=(
            Port(
                "out",
                "`out[0]`: each round; `out[1]`: the packet for which it ended.",
                indexed=True,
            ),
            Port("error", "The Error that a round was answered, or of too many rounds."),
        ),
        example="""\
- kind: while
  name: grow
  when: self < 100
  limit: 50
  ports:
    out[0]:
      - {name: double, port: in}
    out[1]:
      - {name: done, port: in}
- kind: snippet
  name: double
  language: cel
  code: self * 2
- kind: snippet
  name: done
  language: cel
  code: "{'grown to': self}"
""",
        details="""\
A round that is answered NOTHING ends it: there is no packet to go on with, and the answer is NOTHING. With
`out[0]` not linked the packet never changes, so `limit` ends it. With `out[1]` not linked the last packet
is the answer. To ask for something until it is there, set `first` and an `interval`; a process that is
cancelled stops waiting at once.
""",
    ),
    compile_while,
)
