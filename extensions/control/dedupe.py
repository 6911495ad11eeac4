"""dedupe: lets a packet through only the first time that its key is seen."""

from collections.abc import Mapping
from typing import Annotated, Any

from heddle.extensions.control.keys import KeyOf, Recent, key_program
from heddle.extensions.control.ports import linked_outs, only_outs
from heddle.extensions.extension import (
    ERROR,
    IN,
    NOTHING,
    Answer,
    Build,
    Error,
    Expression,
    Fields,
    Flow,
    Handler,
    Interval,
    Kind,
    Node,
    Payload,
    Port,
    Schema,
    Visit,
    about,
)
from heddle.runtime.flow.elsewhere import ElsewhereError, resume


class Dedupe(Fields):
    """The fields of a `dedupe`."""

    key: Annotated[
        Expression | None,
        about(
            "What makes two packets the same; the whole payload, unless said.", examples=["self.id"]
        ),
    ] = None
    ttl: Annotated[
        Interval, about("How long a key is remembered, from the last time it was seen first.")
    ] = Interval(3600)
    size: Annotated[
        int,
        about("How many keys are remembered at most; the one not seen longest is forgotten.", ge=1),
    ] = 100_000


class SeenKeys:
    """The keys seen, and what became of their packets."""

    __slots__ = ("duplicates", "first", "keys")

    def __init__(self, size: int) -> None:
        self.keys: Recent[object] = Recent(size)
        self.first = 0
        self.duplicates = 0


class DedupeNode(Node):
    """Remembers keys; a successor goes on with them."""

    def __init__(self, fields: Dedupe, key: KeyOf, second: bool) -> None:
        self._ttl = float(fields.ttl)
        self._size = fields.size
        self._key = key
        self._second = second
        self._seen = SeenKeys(fields.size)
        self._visit = Visit(self._act, plain=True)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._visit if port == "in" else None

    def adopt(self, predecessor: Node) -> None:
        """Go on with what it has seen."""
        if isinstance(predecessor, DedupeNode):
            self._seen = predecessor._seen
            self._seen.keys.size = self._size

    def disown(self, predecessor: Node) -> None:
        """There is as much room as before."""
        if isinstance(predecessor, DedupeNode):
            self._seen.keys.size = predecessor._size

    def snapshot(self) -> Mapping[str, Any]:
        """Return how many were first, how many were not, and how many keys it knows."""
        seen = self._seen
        return {"first": seen.first, "duplicates": seen.duplicates, "keys": len(seen.keys)}

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        try:
            key = self._key(payload)
        except ElsewhereError as later:
            key = await resume(later, self._key, payload)
        seen = self._seen
        if seen.keys.get(key) is not None:
            seen.duplicates += 1
            return await flow.send("out[1]", payload) if self._second else NOTHING
        mark = object()
        seen.keys.put(key, mark, self._ttl)
        seen.first += 1
        done = False
        try:
            answer = await flow.send("out", payload)
            done = type(answer) is not Error
            return answer
        finally:
            # Who failed may come again.
            if not done and seen.keys.get(key) is mark:
                seen.keys.pop(key)


def compile_dedupe(fields: Dedupe, build: Build) -> Node:
    """Return a link past `out[1]` is a Problem."""
    only_outs(build, "the first", "duplicates")
    return DedupeNode(fields, key_program(build, fields.key, whole=True), 1 in linked_outs(build))


DEDUPE: Kind[Any] = Kind(
    Schema(
        kind="dedupe",
        fields=Dedupe,
        summary="Lets a packet through only the first time that its key is seen.",
        category="control",
        ins=(IN,),
        outs=(
            Port(
                "out",
                "`out[0]`: the first of each key; `out[1]`: the others, answered NOTHING if "
                "nothing is linked.",
                indexed=True,
            ),
            ERROR,
        ),
        example="""\
- kind: dedupe
  name: once
  key: self.id
  ttl: 10m
  ports:
    out[0]:
      - {name: work, port: in}
    out[1]:
      - {name: again, port: in}
- kind: snippet
  name: work
  language: cel
  code: "'done: ' + self.id"
- kind: snippet
  name: again
  language: text
  code: That is done already.
""",
        details="""\
A packet counts as seen from the moment it goes on, so that a duplicate which comes meanwhile is one. If it
is answered with an Error, or its process is cancelled, its key is forgotten: who failed may try again. All
processes are seen together. What was seen is kept in memory; a `dedupe` whose spec changes remembers it.
""",
    ),
    compile_dedupe,
)
