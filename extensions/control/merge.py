"""merge: waits for a packet at each of its in ports, and sends them on as one list."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from heddle.extensions.extension import (
    ERROR,
    Answer,
    Build,
    Error,
    Fields,
    Flow,
    Kind,
    Node,
    NodeError,
    Port,
    Process,
    Schema,
    about,
)
from heddle.runtime.flow.shapes import ManyToOne, Row


class Merge(Fields):
    """The fields of a `merge`."""

    incomplete: Annotated[
        Literal["fail", "tell"],
        about(
            "What packets do that still wait for others when their process ends. `fail`: they are "
            "the Error of the process, unless it has failed anyway. `tell`: only the log says so."
        ),
    ] = "fail"
    limit: Annotated[
        int, about("How many packets may wait at one in port, in one process.", ge=1)
    ] = 1000


class MergeNode(ManyToOne):
    """Keeps the packets of each process until one has come from everywhere."""

    def __init__(self, fields: Merge, label: str) -> None:
        super().__init__(list, limit=fields.limit)
        self._fails = fields.incomplete == "fail"
        self._label = label

    async def answer(self, flow: Flow, row: Row) -> Answer:
        """Send a complete row on; if there are Errors in it, these instead."""
        errors = [item for item in row if type(item) is Error]
        if errors:
            return await flow.send("error", Error.join(errors))
        return await flow.send("out", row)

    def left(self, process: Process, waiting: Mapping[str, int], lacking: Sequence[str]) -> None:
        """Fail, or report, when the process ends while packets wait."""
        del process, lacking
        ports = ", ".join(f"{count} at {port}" for port, count in sorted(waiting.items()))
        failure = Error(
            f"packets still wait to be merged: {ports}", code="incomplete", symbol=self._label
        )
        if self._fails:
            raise NodeError(failure)
        if self._host is not None:
            self._host.emit("merge incomplete", level="warning", error=failure)


def compile_merge(fields: Merge, build: Build) -> Node:
    """There is nothing to compile."""
    return MergeNode(fields, build.spec.label)


MERGE: Kind[Any] = Kind(
    Schema(
        kind="merge",
        gathers=True,
        fields=Merge,
        summary="Waits for a packet at each of its in ports, and sends them on as one list.",
        category="control",
        ins=(Port("in", "`in[i]`: becomes element `i` of the list.", indexed=True),),
        outs=(Port("out", "The list.", schema={"type": "array"}), ERROR),
        example="""\
- kind: split
  name: apart
  ports:
    out[0]:
      - {name: price, port: in}
    out[1]:
      - {name: both, port: 'in[1]'}
- kind: snippet
  name: price
  language: cel
  code: self * 2
  ports:
    out:
      - {name: both, port: 'in[0]'}
- kind: merge
  name: both
  ports:
    out:
      - {name: show, port: in}
- kind: snippet
  name: show
  language: cel
  code: "{'price': self[0], 'count': self[1]}"
""",
        details="""\
The list holds one packet for each in port that something is linked to, in the order of the ports,
whatever order they come in. The packet that completes it is answered what `out` answers; those before it
are answered NOTHING, which joins leave out, so that whoever sent to several ports gets the one answer.

Packets of different processes are never merged; a second packet at a port waits for the next group. If
one of the packets is an Error, all Errors of the group go to `error` as one. Packets that still wait when
their process ends are its Error, or an event in the log, as `incomplete` says.
""",
    ),
    compile_merge,
)
