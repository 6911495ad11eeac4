"""split: sends each element of a list its own way."""

from typing import Annotated, Any

from heddle.extensions.control.if_switch import out_port
from heddle.extensions.control.ports import linked_outs, out_name
from heddle.extensions.extension import (
    ERROR,
    IN,
    Build,
    Error,
    Fields,
    Kind,
    Node,
    NodeError,
    Payload,
    Port,
    Schema,
    about,
)
from heddle.runtime.flow.shapes import OneToMany
from heddle.schemas.port import parse_port


class Split(Fields):
    """The fields of a `split`."""

    rest: Annotated[
        str | None,
        about(
            "The out port that the elements go to, as one list, for which there is no port of "
            "their own. Without it such an element is an Error.",
            examples=["out[2]"],
        ),
    ] = None


class SplitNode(OneToMany):
    """Sends element `i` to `out[i]`; what has no way to go is an Error, before anything is sent."""

    def __init__(self, linked: frozenset[int], rest: int | None) -> None:
        self._linked = linked
        self._rest = rest
        # The ports from the first on that lead somewhere: as many elements need no further look.
        count = next(number for number in range(len(linked) + 1) if number not in linked)
        self._names = tuple(out_name(number) for number in range(count))
        super().__init__(list)

    def ways(self, payload: Payload) -> dict[str, Payload]:
        """Return the element that goes out by each port."""
        elements = payload if isinstance(payload, list | tuple) else [payload]
        rest = self._rest
        if rest is None and len(elements) <= len(self._names):
            return dict(zip(self._names, elements, strict=False))
        own = len(elements) if rest is None else min(rest, len(elements))
        homeless = [number for number in range(own) if number not in self._linked]
        if homeless:
            raise NodeError(
                Error(
                    f"element {homeless[0]} of {len(elements)} has no way to go: "
                    f"out[{homeless[0]}] is not linked",
                    code="split",
                )
            )
        ways: dict[str, Payload] = {out_name(number): elements[number] for number in range(own)}
        if rest is not None and len(elements) > own:
            ways[out_name(rest)] = list(elements[own:])
        return ways


def compile_split(fields: Split, build: Build) -> Node:
    """Return the rest may go to any out port that is linked."""
    linked = frozenset(linked_outs(build))
    rest = None
    if fields.rest is not None:
        rest = (parse_port(out_port(fields.rest, build, "rest")) or ("", None))[1] or 0
        if rest not in linked:
            build.reject(
                "rest",
                code="missing-link",
                found=f'nothing is linked to "{fields.rest}"',
                hint="Link it under ports, or leave `rest` out.",
            )
    return SplitNode(linked, rest)


SPLIT: Kind[Any] = Kind(
    Schema(
        kind="split",
        fields=Split,
        summary="Sends each element of a list its own way, and joins the answers in order.",
        category="control",
        ins=(IN,),
        outs=(Port("out", "`out[i]`: element `i` of the list.", indexed=True), ERROR),
        example="""\
- kind: split
  name: apart
  rest: out[1]
  ports:
    out[0]:
      - {name: head, port: in}
    out[1]:
      - {name: tail, port: in}
- kind: snippet
  name: head
  language: cel
  code: "{'first': self}"
- kind: snippet
  name: tail
  language: cel
  code: "{'others': size(self)}"
""",
        details="""\
An element without a way to go is an Error, before anything is sent: nothing is dropped. A port past the
end of the list is sent nothing. An empty list sends nothing, and its answer is NOTHING. What is not a list
counts as a list of one. If several ways wait for something, they wait at the same time.
""",
    ),
    compile_split,
)
