"""print: shows packets on standard output, and passes them on."""

import sys
from typing import Annotated, Any, Literal

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
    about,
)
from heddle.extensions.system.preview import DEEP, as_json, as_text, harmless
from heddle.runtime.flow.materialize import plain


class Print(Fields):
    """The fields of a `print`."""

    text: Annotated[
        Expression | None,
        about("What to print, out of the packet; the packet itself without it."),
    ] = None
    format: Annotated[
        Literal["text", "json"],
        about("`text` prints text as it is, and anything else as JSON; `json` everything as JSON."),
    ] = "text"
    to: Annotated[Literal["stdout", "stderr"], about("Where to.")] = "stdout"


class PrintNode(Node):
    """Writes a line for each packet."""

    def __init__(self, fields: Print, text: Program | None) -> None:
        self._fields = fields
        self._text = text
        self._host: Host | None = None
        self._action = Action(self._act)

    async def open(self, host: Host) -> None:
        """Remember which texts are secrets."""
        self._host = host

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    def _act(self, payload: Payload) -> Payload:
        value = self._text(payload) if self._text is not None else payload
        if self._host is not None:
            value = self._host.shown(_plain(value))
        # Masked again: in what is written as JSON a text may be JSON itself.
        mask = self._host.mask if self._host is not None else lambda shown: shown
        shown = mask(as_json(value) if self._fields.format == "json" else as_text(value))
        # Looked up each time: whoever runs the command line may have put another in its place.
        stream = sys.stdout if self._fields.to == "stdout" else sys.stderr
        stream.write(f"{harmless(shown)}\n")
        stream.flush()
        return payload


def _plain(value: Payload) -> Payload:
    try:
        return plain(value)
    except RecursionError:
        return DEEP


def compile_print(fields: Print, build: Build) -> Node:
    """Compile the expression now."""
    text = build.program(fields.text, "text") if fields.text is not None else None
    return PrintNode(fields, text)


PRINT: Kind[Any] = Kind(
    Schema(
        kind="print",
        fields=Print,
        summary="Shows packets on standard output, and passes them on.",
        category="system",
        passes_on=lambda _: True,
        ins=(IN,),
        outs=(OUT, ERROR),
        example="""\
- kind: print
  name: show
  text: "'order ' + string(self.id)"
  ports:
    out:
      - {name: done, port: in}
- kind: snippet
  name: done
  language: text
  code: done
""",
        details="""\
Each packet is a line. Bytes that are text are printed as text; other bytes and byte streams are described,
and a stream stays unread. Secrets are masked, and characters that a terminal would act upon are written as
`\\x1b`. What is to be found again later belongs into a `log`.
""",
    ),
    compile_print,
)
