"""block: holds Specs under one name, with in and out ports of its own."""

from typing import Annotated, Any
from uuid import UUID

import msgspec

from heddle.extensions.control.container import ContainerFields, HoldingNode, names_of
from heddle.extensions.extension import Build, FieldError, Fields, Kind, Node, Port, Schema, about
from heddle.runtime.assembly.expansion import End, Expansion
from heddle.schemas.errors import SpecError
from heddle.schemas.port import parse_port
from heddle.schemas.schema import Ports
from heddle.schemas.suggestion import did_you_mean


class Inner(Fields):
    """A port of a Spec inside."""

    name: Annotated[str | None, about("The Spec inside, by name.")] = None
    id: Annotated[UUID | None, about("The Spec inside, by the id written there.")] = None
    port: Annotated[
        str | None, about("Its port; `in` or `out`, unless said.", examples=["in", "out[1]"])
    ] = None

    def __post_init__(self) -> None:
        if self.name is None and self.id is None:
            raise FieldError(
                "a port of nobody", expected="the name of a Spec inside", code="missing"
            )


class Block(ContainerFields):
    """The fields of a `block`."""

    inbounds: Annotated[
        dict[str, list[Inner]],
        about(
            "Its in ports, and the in ports inside that they lead to.",
            examples=[{"in": [{"name": "first", "port": "in"}]}],
        ),
    ] = msgspec.field(default_factory=dict)
    outbounds: Annotated[
        dict[str, list[Inner]],
        about(
            "Its out ports, and the out ports inside that lead to them.",
            examples=[{"out": [{"name": "last", "port": "out"}]}],
        ),
    ] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        for way, ports in (("inbounds", self.inbounds), ("outbounds", self.outbounds)):
            for port in ports:
                if parse_port(port) is None:
                    raise FieldError(
                        f'the port "{port}"',
                        expected="a name such as in or out[1]",
                        path=(way, port),
                    )


def ports_of(fields: Block) -> Ports:
    """Return the ports that are written; those of a block that uses another are known once that is put in."""
    if fields.uses is not None:
        raise SpecError(())
    if not fields.runs:
        return (), ()
    return _named(fields.inbounds, "Leads inside."), _named(fields.outbounds, "Leads outside.")


def _named(ports: dict[str, list[Inner]], help_: str) -> tuple[Port, ...]:
    """Return the ports as declared ones: `out[1]` is one of the indexed `out`."""
    parsed = [port for name in ports if (port := parse_port(name)) is not None]
    indexed = {name for name, number in parsed if number is not None}
    return tuple(
        Port(name, help_, indexed=name in indexed) for name in dict.fromkeys(n for n, _ in parsed)
    )


def compile_block(fields: Block, build: Build) -> Node:
    """Return what it holds is compiled for itself."""
    del build
    return HoldingNode(list(fields.inbounds) if fields.runs else [])


def expand_block(fields: Block, build: Build) -> Expansion | None:
    """Ports of Specs inside; one that is not there is a Problem."""
    if not fields.runs:
        return None
    names = names_of(fields, build)

    def end(inner: Inner, port: str, *path: str | int) -> End:
        number = _number(fields, names, inner)
        if number is None:
            build.reject(
                *path,
                code="missing-link",
                found=f'there is no "{inner.id or inner.name}" inside (there is: {", ".join(names)})',
                hint=did_you_mean(inner.name or "", names),
            )
        return number, inner.port or port

    inlets = {
        port: tuple(
            end(inner, "in", "inbounds", port, index, "name") for index, inner in enumerate(inners)
        )
        for port, inners in fields.inbounds.items()
    }
    outlets: dict[End, tuple[str, ...]] = {}
    for port, inners in fields.outbounds.items():
        for index, inner in enumerate(inners):
            inner_end = end(inner, "out", "outbounds", port, index, "name")
            outlets[inner_end] = (*outlets.get(inner_end, ()), port)
    return Expansion(
        places=tuple(("specs", number) for number in range(len(names))),
        names=names,
        inlets=inlets,
        outlets=outlets,
    )


def _number(fields: Block, names: tuple[str, ...], inner: Inner) -> int | None:
    """Return which of the Specs inside is meant."""
    for number, spec in enumerate(fields.specs):
        if inner.id is None and names[number] == inner.name:
            return number
        if inner.id is not None and str(spec.get("id", "")).lower() == str(inner.id):
            return number
    return None


BLOCK: Kind[Any] = Kind(
    Schema(
        kind="block",
        fields=Block,
        summary="Holds Specs under one name, with ports of its own; written once, it may be used many times.",
        category="control",
        ports=ports_of,
        example="""\
- kind: block
  name: greeting
  params:
    word: {type: string, default: Hello}
  specs:
    - kind: snippet
      name: greet
      language: cel
      code: "'{{ word }}, ' + self"
      ports:
        out: [{name: shout}]
    - kind: snippet
      name: shout
      language: cel
      code: self + '!'
  inbounds:
    in: [{name: greet}]
  outbounds:
    out: [{name: shout}]
- kind: block
  name: german
  uses: greeting
  with: {word: Hallo}
- kind: block
  name: english
  uses: greeting
""",
        details="""\
Its in ports are the names under `inbounds`, its out ports those under `outbounds`. A packet at an in port
goes straight to the Spec inside, and what leaves by an outbound goes straight to where the out port of the
block leads: a block costs nothing when it runs. Inside, Specs link each other by name; links to the outside
go through `outbounds`.

Each Spec inside is a symbol of its own, called `block/inner`; one without a name is `$0`, `$1`, … by its
place. They are active when the block is, and an edit rebuilds only those that it touches.

A block with `params` is a definition: it does not run, and blanks inside may use the names. Another block
that `uses` it stands for the same, with what it says under `with`; what does not fit is a Problem at its
line. When the definition changes, whoever uses it does too, in the same change.

`timeout`, `retry` and `concurrency` count for a packet through the whole block.
""",
    ),
    compile_block,
    expand=expand_block,
)
