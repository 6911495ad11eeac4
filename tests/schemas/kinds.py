"""Kinds as an author would declare them: what the tests of this room check and show."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from heddle.schemas.code import Code, Expression, LanguageName, Text
from heddle.schemas.common import Target
from heddle.schemas.field import FieldError, Fields, about
from heddle.schemas.link import Link
from heddle.schemas.path import Path
from heddle.schemas.port import ERROR, IN, OUT, Port
from heddle.schemas.problem import Place
from heddle.schemas.schema import Ports, Schema
from heddle.schemas.units import Duration, Interval, Size
from heddle.specs.model.names import new_id
from heddle.specs.model.spec import Spec

OUTS = Port("out", "Where the chosen packet goes.", indexed=True)


class Tls(Fields):
    cert: Annotated[str, about("Certificate, PEM.")]
    key: Annotated[str | None, about("Private key, PEM.")] = None


class Listener(Fields):
    protocol: Annotated[Literal["http", "ws"], about("What it speaks.")]
    port: Annotated[int, about("Port to listen on.", ge=0, le=65535, examples=[8000])]
    host: Annotated[str, about("Address to listen on.", min_length=1)] = "127.0.0.1"
    tls: Annotated[Tls | None, about("Serve HTTPS.")] = None
    timeout: Annotated[Duration, about("Longest time for one request.")] = Duration("30s")
    body: Annotated[Size, about("Largest body.")] = Size("1MiB")
    headers: Annotated[Mapping[str, Text], about("Sent with every answer.")] = msgspec.field(
        default_factory=dict
    )
    compress: Annotated[bool, about("Whether answers are compressed.")] = True
    methods: Annotated[tuple[Literal["GET", "POST"], ...], about("Only these methods.")] = ()

    def __post_init__(self) -> None:
        if self.protocol == "ws" and self.tls is not None and self.tls.key is None:
            raise FieldError(
                "missing",
                expected="the key of the certificate",
                code="missing",
                path=("tls", "key"),
            )


class Route(Fields):
    method: Annotated[Literal["GET", "POST", "DELETE"], about("HTTP method.")]
    path: Annotated[str, about("Pattern of the path.", pattern="^/")]
    port: Annotated[str, about("Where to.", pattern=r"^out(\[[0-9]+\])?$")] = "out[0]"


class Router(Fields):
    routes: Annotated[list[Route], about("Routes, the first that fits wins.", min_length=1)]


class Case(Fields):
    when: Annotated[Expression, about("Taken if this is true.")]
    port: Annotated[str, about("Where to.")]


class Switch(Fields):
    matches: Annotated[tuple[Case, ...], about("Cases, the first true one wins.", max_length=8)]
    timeout: Annotated[Interval | None, about("Longest time for one condition.")] = None


class Snippet(Fields):
    language: Annotated[LanguageName, about("Language of the code.")]
    code: Annotated[Code, about("What to run.", examples=["self.count + 1"])]


class Window(Fields, tag_field="by", tag="count"):
    size: Annotated[int, about("Packets in a window.", ge=1)]


class Clock(Fields, tag_field="by", tag="time"):
    every: Annotated[Interval, about("Length of a window.")]


class Tree(Fields):
    name: Annotated[str, about("What it is called.")]
    leaves: Annotated["list[Tree]", about("What hangs below it.")] = msgspec.field(
        default_factory=list
    )


class Batch(Fields):
    window: Annotated[Window | Clock, about("How packets are gathered.")]
    weights: Annotated[dict[str, float], about("Weights by name.")] = msgspec.field(
        default_factory=dict
    )
    key: Annotated[int | str | list[str] | None, about("What they are gathered by.")] = None
    ratio: Annotated[float, about("Share that is kept.", gt=0, lt=1, unit="of one")] = 0.5
    tree: Annotated[Tree | None, about("A tree.")] = None
    extra: Annotated[Any, about("Anything.")] = None


class Block(Fields):
    inbounds: Annotated[dict[str, list[Target]], about("In ports, and where they lead.")] = (
        msgspec.field(default_factory=dict)
    )
    specs: Annotated[list[dict[str, Any]], about("The Specs inside.")] = msgspec.field(
        default_factory=list
    )


def _block_ports(fields: Block) -> Ports:
    return tuple(Port(name, "Into the block.") for name in fields.inbounds), ()


LISTENER = Schema(
    kind="listener",
    fields=Listener,
    summary="Serves requests.",
    outs=(Port("out", "Each request."), ERROR),
    category="net",
    example="kind: listener\nname: listener\nprotocol: http\nport: 8000\n",
)
ROUTER = Schema(
    kind="router",
    fields=Router,
    summary="Chooses by method and path.",
    ins=(IN,),
    outs=(OUTS, ERROR),
    category="net",
    details="A path may hold `:name` and `*`.",
    example="""
        kind: router
        name: router
        routes:
          - {method: GET, path: /ping, port: 'out[0]'}
    """,
)
SWITCH = Schema(
    kind="switch", fields=Switch, summary="Chooses by conditions.", ins=(IN,), outs=(OUTS, ERROR)
)
SNIPPET = Schema(kind="snippet", fields=Snippet, summary="Runs code.", ins=(IN,), outs=(OUT, ERROR))
BATCH = Schema(kind="batch", fields=Batch, summary="Gathers packets.", ins=(IN,), outs=(OUT,))
BLOCK = Schema(
    kind="block", fields=Block, summary="Specs as one node.", outs=(ERROR,), ports=_block_ports
)

ALL: tuple[Schema[Any], ...] = (LISTENER, ROUTER, SWITCH, SNIPPET, BATCH, BLOCK)
BY_KIND = {schema.kind: schema for schema in ALL}


def spec(kind: str, name: str | None = None, /, **fields: Any) -> Spec:
    """Return a Spec of this kind, called like it unless it has another name."""
    return Spec(id=new_id(), kind=kind, name=name or kind, fields=fields)


def linked(kind: str, name: str, ports: dict[str, list[Link]], **fields: Any) -> Spec:
    """Return a Spec with links, whose every part has a place: line by port, column by link."""
    order = list(ports)

    def places(path: Path) -> Place:
        line = 10 + (order.index(str(path[1])) if len(path) > 1 else 0)
        column = int(path[2]) + 1 if len(path) > 2 else 1
        return Place("flow.yaml", line, column)

    return Spec(
        id=new_id(),
        kind=kind,
        name=name,
        fields=fields,
        ports={port: tuple(links) for port, links in ports.items()},
        places=places,
    )
