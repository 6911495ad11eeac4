"""reduce: brings the items of a list, a map or a stream down to one value."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Annotated, Any, TypeAlias

from heddle.extensions.control.items import PARTS_HELP, arriving, items, streams
from heddle.extensions.control.ports import linked_outs, only_outs
from heddle.extensions.extension import (
    IN,
    NOTHING,
    Answer,
    Build,
    Error,
    Expression,
    Fields,
    Flow,
    Handler,
    Kind,
    Node,
    Payload,
    Port,
    Program,
    Schema,
    Visit,
    about,
)
from heddle.extensions.pieces import Parts
from heddle.runtime.flow.elsewhere import ElsewhereError, await_program, resume

Round: TypeAlias = Callable[[dict[str, Any]], Awaitable[Answer]]


class Reduce(Fields):
    """The fields of a `reduce`."""

    initial: Annotated[
        Any,
        about(
            "What the total is before the first item. Left out, or null, the first item itself is "
            "the first total."
        ),
    ] = None
    each: Annotated[
        Expression | None,
        about(
            "The next total, of `total`, `value`, `index` and `key`. Without it, that map is sent "
            "to `out[0]`, and the answer is the next total.",
            examples=["total + value"],
        ),
    ] = None
    items: Annotated[
        Expression | None,
        about("What the items are, if not the packet itself.", examples=["self.body"]),
    ] = None
    stream: Annotated[Parts, about(PARTS_HELP)] = "lines"


class Total:
    """The total so far."""

    __slots__ = ("begun", "error", "value")

    def __init__(self, initial: Any) -> None:
        self.value = initial
        self.begun = initial is not None
        self.error: Error | None = None


class ReduceNode(Node):
    """Goes through the items in order, with a program or by visiting `out[0]`."""

    def __init__(
        self, fields: Reduce, program: Program | None, source: Program | None = None
    ) -> None:
        self._source = source
        self._initial = fields.initial
        self._stream: Parts = fields.stream
        self._program = program
        self._visit = Visit(self._act)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._visit if port == "in" else None

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        total = Total(self._initial)
        if self._source is not None:
            payload = await await_program(self._source, payload)
        if streams(payload):
            # Who reads a stream waits for it, and that needs a task: from here on there is one.
            await asyncio.sleep(0)
            index = 0
            async with aclosing(arriving(payload, self._stream)) as later:
                async for key, value in later:
                    if not await self._reduce_item(flow, total, index, key, value):
                        break
                    index += 1
        else:
            for index, (key, value) in enumerate(items(payload)):
                if not await self._reduce_item(flow, total, index, key, value):
                    break
        if total.error is not None:
            return await flow.send("error", total.error)
        return await flow.send("out[1]", total.value)

    async def _reduce_item(
        self, flow: Flow, total: Total, index: int, key: Any, value: Any
    ) -> bool:
        """Return one item; False if it ends there."""
        if not total.begun:
            total.value, total.begun = value, True
            return True
        sent = {"total": total.value, "value": value, "index": index, "key": key}
        if self._program is not None:
            try:
                total.value = self._program(sent)
            except ElsewhereError as later:
                total.value = await resume(later, self._program, sent)
            return True
        answer = await flow.send("out", sent)
        if type(answer) is Error:
            total.error = answer
            return False
        # NOTHING says nothing new: the total stays as it is.
        if answer is not NOTHING:
            total.value = answer
        return True


def compile_reduce(fields: Reduce, build: Build) -> Node:
    """Either a program makes the totals or `out[0]` does."""
    only_outs(build, "each item", "the total")
    linked = 0 in linked_outs(build)
    if fields.each is not None and linked:
        build.reject(
            "each",
            found="both `each` and a link of out[0]",
            expected="one of them: it makes the totals",
        )
    if fields.each is None and not linked:
        build.reject(
            "each",
            code="missing",
            found="neither `each` nor a link of out[0]",
            expected="one of them: it makes the totals",
        )
    program = build.program(fields.each, "each") if fields.each is not None else None
    source = build.program(fields.items, "items") if fields.items is not None else None
    return ReduceNode(fields, program, source)


REDUCE: Kind[Any] = Kind(
    Schema(
        kind="reduce",
        fields=Reduce,
        summary="Brings the items of a list, a map or a stream down to one value.",
        category="control",
        ins=(IN,),
        outs=(
            Port(
                "out",
                "`out[0]`: each item with the total so far; `out[1]`: the total at the end.",
                indexed=True,
            ),
            Port("error", "The Error that an item was answered, or of `each`."),
        ),
        example="""\
- kind: reduce
  name: sum
  initial: 0
  each: total + value.price
  ports:
    out[1]:
      - {name: show, port: in}
- kind: snippet
  name: show
  language: cel
  code: "{'sum': self}"
""",
        details="""\
Items are taken in order, one after the other: the elements of a list, the values of a map, the lines of a
stream while it arrives. An empty list comes to `initial`. What holds no items counts as one. An item that
`out[0]` answers with NOTHING leaves the total as it is; the first Error ends it. With `out[1]` not linked,
the total is the answer.
""",
    ),
    compile_reduce,
)
