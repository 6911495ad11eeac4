"""jsonl: reads data out of JSON lines, and writes it."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Literal

import msgspec

from heddle.extensions.data.errors import rejected
from heddle.extensions.data.lines import gathered, lines_of, sent
from heddle.extensions.extension import (
    ERROR,
    IN,
    Action,
    Answer,
    Build,
    FieldError,
    Fields,
    Flow,
    Handler,
    Kind,
    Node,
    Payload,
    Port,
    Schema,
    TypeOfCode,
    Visit,
    about,
)
from heddle.runtime.flow.materialize import encode_with
from heddle.schemas.sentences import lower_first
from heddle.specs.model.json_text import decode as decode_json


class Jsonl(Fields):
    """The fields of a `jsonl`."""

    op: Annotated[Literal["parse", "format"], about("Make a list of text, or text of a list.")] = (
        "parse"
    )
    batch: Annotated[
        int,
        about(
            "Send what is read to `out` in lists of at most so many, one after the other; 0 sends "
            "all of it at once.",
            ge=0,
        ),
    ] = 0
    max_rows: Annotated[
        int, about("The most lines that are sent at once; 0 is no limit.", ge=0)
    ] = 100_000

    def __post_init__(self) -> None:
        if self.op == "format" and self.batch:
            raise FieldError("batch with op: format", expected="op: parse", path=("batch",))


class JsonlParseNode(Node):
    """Makes a list of lines."""

    def __init__(self, fields: Jsonl) -> None:
        self._fields = fields
        self._handler: Handler = (
            Visit(self._send, waits=True) if fields.batch else Action(self._act, waits=True)
        )

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._handler if port == "in" else None

    async def _act(self, payload: Payload) -> Payload:
        return await gathered(parsed(lines_of(payload, "utf-8")), self._fields.max_rows)

    async def _send(self, flow: Flow, payload: Payload) -> Answer:
        rows = parsed(lines_of(payload, "utf-8"))
        return await sent(rows, self._fields.batch, lambda some: flow.send("out", some))


async def parsed(lines: AsyncIterator[list[str]]) -> AsyncIterator[list[Any]]:
    """Yield what lines say, some at a time; empty ones say nothing. NodeError names the line that is wrong."""
    number = 0
    async for some in lines:
        values: list[Any] = []
        for line in some:
            number += 1
            if line.isspace():
                continue
            try:
                values.append(decode_json(line))
            except msgspec.DecodeError as error:
                raise rejected(f"line {number}: {lower_first(str(error))}", "json") from None
        if values:
            yield values


class JsonlFormatNode(Node):
    """Makes lines of a list."""

    def __init__(self) -> None:
        self._action = Action(self._act)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    def _act(self, payload: Payload) -> Payload:
        rows = payload if isinstance(payload, list | tuple) else [payload]
        encode = msgspec.json.Encoder().encode
        try:
            return b"".join(encode_with(encode, row) + b"\n" for row in rows).decode()
        except (TypeError, ValueError, OverflowError) as error:
            raise rejected(f"the data cannot be JSON: {error}") from error


def compile_jsonl(fields: Jsonl, build: Build) -> Node:
    """There is nothing that could be wrong."""
    del build
    return JsonlFormatNode() if fields.op == "format" else JsonlParseNode(fields)


def _types(fields: Jsonl, type_of_code: TypeOfCode) -> Mapping[str, Any]:
    """Return what leaves it: text, or a list."""
    del type_of_code
    return {"out": {"type": "string" if fields.op == "format" else "array"}}


JSONL: Kind[Any] = Kind(
    Schema(
        types=_types,
        kind="jsonl",
        fields=Jsonl,
        summary="Reads data out of JSON lines, and writes it.",
        category="data",
        ins=(IN,),
        outs=(Port("out", "A list, or text."), ERROR),
        example="""\
- kind: jsonl
  name: events
  ports:
    out:
      - {name: count, port: in}
- kind: snippet
  name: count
  language: cel
  code: size(self)
""",
        details="""\
`parse` takes text, bytes or a byte stream with a JSON value on each line, and makes a list of them. Empty
lines are left out. What is wrong is an Error that names the line.

With `batch` the text may be longer than memory: lists of values go to `out` one after the other, the next
one when the last is answered. The answer is `{rows: number, batches: number}`, or the first Error that a
list was answered; no more are sent after it.

`format` takes a list, and makes text with a line for each element; of anything else it makes one line.
""",
    ),
    compile_jsonl,
)
