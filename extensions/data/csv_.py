"""csv: reads tables out of CSV text, and writes them."""

import csv
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec

from heddle.extensions.data.cells import Type, written
from heddle.extensions.data.errors import rejected
from heddle.extensions.data.lines import gathered, lines_of, sent
from heddle.extensions.data.records import Records, Rules
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
    Text,
    TypeOfCode,
    Visit,
    about,
)


class Csv(Fields):
    """The fields of a `csv`."""

    op: Annotated[Literal["parse", "format"], about("Make rows of text, or text of rows.")] = (
        "parse"
    )
    delimiter: Annotated[
        str,
        about(
            "What stands between two cells: one character, or `auto` to go by the first line.",
            examples=[";", "\t", "auto"],
        ),
    ] = ","
    quote: Annotated[
        str,
        about("What stands around cells that hold special characters.", min_length=1, max_length=1),
    ] = '"'
    header: Annotated[bool, about("Whether the first line names the columns.")] = True
    columns: Annotated[
        list[Text],
        about(
            "The names of the columns, in order: instead of those of the header, or where there is "
            "none. In text that is made, these columns and no others.",
        ),
    ] = msgspec.field(default_factory=list)
    types: Annotated[
        dict[str, Type],
        about(
            "What cells of a column are, by its name; text, where nothing is said.",
            examples=[{"price": "number", "count": "int"}],
        ),
    ] = msgspec.field(default_factory=dict)
    nulls: Annotated[list[Text], about("Cells that mean null.", examples=[["", "NULL"]])] = (
        msgspec.field(default_factory=list)
    )
    ragged: Annotated[
        Literal["error", "fill"],
        about("What becomes of a row with too few cells: an Error, or null for the rest."),
    ] = "error"
    newline: Annotated[
        Literal["lf", "crlf"], about("What ends the lines of text that is made.")
    ] = "lf"
    encoding: Annotated[str, about("How bytes are text.")] = "utf-8"
    batch: Annotated[
        int,
        about(
            "Send the rows to `out` in lists of at most so many, one after the other; 0 sends all "
            "of them at once.",
            ge=0,
        ),
    ] = 0
    max_rows: Annotated[int, about("The most rows that are sent at once; 0 is no limit.", ge=0)] = (
        100_000
    )

    def __post_init__(self) -> None:
        if self.delimiter != "auto" and (len(self.delimiter) != 1 or self.delimiter in "\r\n"):
            expected = "one character, or auto"
            raise FieldError(f'"{self.delimiter}"', expected=expected, path=("delimiter",))
        if self.delimiter == self.quote:
            raise FieldError("the same as quote", expected="another character", path=("delimiter",))
        if self.op == "format" and self.delimiter == "auto":
            raise FieldError("auto", expected="the character to write", path=("delimiter",))
        if self.op == "format" and self.batch:
            raise FieldError("batch with op: format", expected="op: parse", path=("batch",))


class CsvParseNode(Node):
    """Makes rows of text."""

    def __init__(self, fields: Csv) -> None:
        self._fields = fields
        self._rules = Rules(
            delimiter=fields.delimiter,
            quote=fields.quote,
            header=fields.header,
            columns=tuple(str(name) for name in fields.columns),
            types=fields.types,
            nulls=frozenset(str(text) for text in fields.nulls),
            ragged=fields.ragged,
        )
        self._handler: Handler = (
            Visit(self._send, waits=True) if fields.batch else Action(self._act, waits=True)
        )

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._handler if port == "in" else None

    async def _act(self, payload: Payload) -> Payload:
        lines = lines_of(payload, self._fields.encoding)
        return await gathered(Records(self._rules).rows(lines), self._fields.max_rows)

    async def _send(self, flow: Flow, payload: Payload) -> Answer:
        lines = lines_of(payload, self._fields.encoding)
        rows = Records(self._rules).rows(lines)
        return await sent(rows, self._fields.batch, lambda some: flow.send("out", some))


_END: Final = "\r\n"


class _CsvLines:
    """The lines that a writer writes, each with the end that was asked for."""

    def __init__(self, end: str) -> None:
        self.lines: list[str] = []
        self._end = end

    def write(self, line: str) -> None:
        """Take a line, with another end than it came with."""
        self.lines.append(line[: -len(_END)] + self._end)


class CsvFormatNode(Node):
    """Makes text of rows."""

    def __init__(self, fields: Csv) -> None:
        self._fields = fields
        self._columns = [str(name) for name in fields.columns]
        self._action = Action(self._act)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    def _act(self, payload: Payload) -> Payload:
        rows = payload if isinstance(payload, list | tuple) else [payload]
        fields = self._fields
        text = _CsvLines("\n" if fields.newline == "lf" else "\r\n")
        # The writer quotes cells with what ends its lines: CR and LF, whichever ends ours.
        writer = csv.writer(
            text, delimiter=fields.delimiter, quotechar=fields.quote, lineterminator=_END
        )
        maps = [row for row in rows if isinstance(row, dict)]
        columns = self._columns or list(dict.fromkeys(name for row in maps for name in row))
        if fields.header and columns:
            writer.writerow(columns)
        for number, row in enumerate(rows, 1):
            writer.writerow(written(cell) for cell in self._cells(row, columns, number))
        return "".join(text.lines)

    def _cells(self, row: Any, columns: list[str], number: int) -> Sequence[Any]:
        if isinstance(row, dict):
            return [row.get(name) for name in columns]
        if not isinstance(row, list | tuple):
            actual = "null" if row is None else f"a {type(row).__name__}"
            raise rejected(f"row {number}: found {actual} (expected: a map or a list)")
        if columns and len(row) != len(columns):
            raise rejected(f"row {number}: found {len(row)} cells (expected: {len(columns)})")
        return row


def compile_csv(fields: Csv, build: Build) -> Node:
    """Return an encoding that is none is a Problem."""
    try:
        "".encode(fields.encoding)
    except (LookupError, ValueError):
        actual = f'unknown encoding "{fields.encoding}"'
        build.reject("encoding", found=actual, expected="one such as utf-8, latin-1 or cp1252")
    return CsvFormatNode(fields) if fields.op == "format" else CsvParseNode(fields)


def _types(fields: Csv, type_of_code: TypeOfCode) -> Mapping[str, Any]:
    """Return what leaves it, and the rows that text is made of."""
    del type_of_code
    if fields.op == "format":
        return {"in": {"type": ["array", "object"]}, "out": {"type": "string"}}
    return {"out": {"type": "array", "items": {"type": ["array", "object"]}}}


CSV: Kind[Any] = Kind(
    Schema(
        types=_types,
        kind="csv",
        fields=Csv,
        summary="Reads tables out of CSV text, and writes them.",
        category="data",
        ins=(IN,),
        outs=(Port("out", "Rows, or text."), ERROR),
        example="""\
- kind: csv
  name: orders
  delimiter: ;
  types: {price: number}
  nulls: ['']
  ports:
    out:
      - {name: dear, port: in}
- kind: snippet
  name: dear
  language: cel
  code: self.filter(order, order.price > 10.0)
""",
        details="""\
`parse` takes text, bytes or a byte stream, and makes a list of maps by the names of the header; of lists,
where there is neither a header nor `columns`. Empty lines are left out. Cells are text, except where
`types` says otherwise: `int`, `number`, `bool` (true, yes, on, 1; false, no, off, 0) or `json`. A cell that
stands in `nulls` is null whatever its type.

A number is one that JSON can hold: `nan`, `inf` and `1e400` are not. A row may have 16,777,216
characters, and 10,000 lines.

What is wrong is an Error that names the line: a row with too many or too few cells, a quote that is never
closed, two columns of one name, a cell that is not of its type. With `ragged: fill` cells that are missing
at the end of a row are null.

With `batch` a table may be longer than memory: lists of rows go to `out` one after the other, the next one
when the last is answered. The answer is `{rows: number, batches: number}`, or the first Error that a list
was answered; no more are sent after it. A `sql` with `many: true` behind it puts a file into a database in
one transaction.

`format` takes a list of maps or of lists, or a single one, and makes text. The columns are those of
`columns`, or else all names that occur, in their order. Null becomes an empty cell, lists and maps become
JSON. Cells that hold special characters, line ends (CR and LF) among them, are quoted.
""",
    ),
    compile_csv,
)
