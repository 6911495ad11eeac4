"""The messages to and from the parsing process, as compact data."""

import struct
from collections.abc import Callable, Iterator
from typing import Any, Final
from uuid import UUID

import msgspec

from heddle.schemas.link import Link
from heddle.schemas.path import Path
from heddle.schemas.problem import Problem
from heddle.specs.model.limits import ReadLimits
from heddle.specs.model.spec import Binding, Spec
from heddle.specs.model.value import Value, ValueSource
from heddle.specs.yaml.document import Only, ReadText
from heddle.specs.yaml.fast import FastSource, SpecPlaces
from heddle.specs.yaml.parsed import NodePlace

HEAD: Final = struct.Struct(">I")
"""In front of each frame: how long it is."""

PART: Final = 500
"""Specs or Values that come back at once."""

_LARGE_INT: Final = 1
"""The extension type of whole numbers of more than 64 bits."""


class ParseRequest(msgspec.Struct, array_like=True):
    """A text to read: what `read_text` takes, the limits, and another key for the ids nobody wrote."""

    text: bytes
    file: str
    namespace: str
    only: Only
    key: str | None
    revision: int
    most: int
    again: str | None
    limits: ReadLimits


class SpecReply(msgspec.Struct, array_like=True):
    """A Spec as it comes back; `root` is where it stands in the text."""

    id: bytes
    kind: str
    namespace: str
    name: str | None
    annotations: dict[str, str]
    env: dict[str, list[Any]]
    ports: dict[str, list[tuple[str | None, bytes | None, str]]]
    fields: dict[str, Any]
    revision: int
    root: list[str | int]
    short_links: list[tuple[str, int]]


class ValueReply(msgspec.Struct, array_like=True):
    """A Value as it comes back; `root` is where it stands in the text."""

    id: bytes
    namespace: str
    name: str | None
    annotations: dict[str, str]
    data: Any
    sealed: str
    source: ValueSource | None
    secret: bool
    revision: int
    root: list[str | int]


class PlaceReply(msgspec.Struct, array_like=True, omit_defaults=True):
    """The place of one node, and of what stands inside, each packed by itself."""

    line: int
    column: int
    style: str = ""
    children: list[tuple[str | int, int, int, msgspec.Raw]] = []


class ParseReply(msgspec.Struct, array_like=True):
    """The content of a text, or a part of that: `more` is to come.

    `where` are the places of everything in
    it, packed; `written` the ids that stay the same under another key. `last` says that the process
    ends now.
    """

    specs: list[SpecReply]
    invalid: list[SpecReply]
    values: list[ValueReply]
    problems: list[Problem]
    whole: bool
    where: bytes
    written: list[bytes]
    last: bool = False
    more: bool = False


# --- there ----------------------------------------------------------------------------------------


def packed(reply: ParseReply) -> bytes:
    """Return the bytes of a reply, whatever its numbers are."""
    try:
        return msgspec.msgpack.encode(reply)
    except OverflowError:
        return msgspec.msgpack.encode(_tagged(msgspec.to_builtins(reply, builtin_types=(bytes,))))


def _tagged(data: Any) -> Any:
    if type(data) is int and not -(2**63) <= data < 2**64:
        return msgspec.msgpack.Ext(_LARGE_INT, str(data).encode())
    if isinstance(data, dict):
        return {key: _tagged(value) for key, value in data.items()}
    return [_tagged(value) for value in data] if isinstance(data, list | tuple) else data


def parts_of(reply: ParseReply) -> Iterator[ParseReply]:
    """Give a reply in parts, which are unpacked one by one: each takes a moment only."""
    for name in ("specs", "invalid", "values"):
        value = getattr(reply, name)
        for start in range(0, len(value), PART):
            part = ParseReply([], [], [], [], True, b"\x90", [], more=True)
            setattr(part, name, value[start : start + PART])
            yield part
    yield msgspec.structs.replace(reply, specs=[], invalid=[], values=[])


def joined(parts: list[ParseReply]) -> ParseReply:
    """Return the reply that came in these parts."""
    last = parts[-1]
    for name in ("specs", "invalid", "values"):
        setattr(last, name, [each for part in parts for each in getattr(part, name)])
    return last


def reply_of(reading: ReadText, where: bytes, written: list[UUID]) -> ParseReply:
    """Return what a Reading says, as it goes back."""
    return ParseReply(
        specs=[_spec_reply(spec) for spec in reading.specs],
        invalid=[_spec_reply(spec) for spec in reading.invalid],
        values=[_value_reply(value) for value in reading.values],
        problems=list(reading.problems),
        whole=reading.whole,
        where=where,
        written=[each.bytes for each in written],
    )


def _spec_reply(spec: Spec) -> SpecReply:
    return SpecReply(
        id=spec.id.bytes,
        kind=spec.kind,
        namespace=spec.namespace,
        name=spec.name,
        annotations=dict(spec.annotations),
        env={key: _binding_reply(each) for key, each in spec.env.items()},
        ports={
            port: [
                (link.name, link.id.bytes if link.id is not None else None, link.port)
                for link in links
            ]
            for port, links in spec.ports.items()
        },
        fields=dict(spec.fields),
        revision=spec.revision,
        root=_root(spec.places),
        short_links=list(spec.short_links),
    )


def _binding_reply(binding: Binding) -> list[Any]:
    values: list[Any] = [binding.id.bytes if binding.id is not None else None, binding.name]
    return values if binding.data is msgspec.UNSET else [*values, binding.data]


def _value_reply(value: Value) -> ValueReply:
    return ValueReply(
        id=value.id.bytes,
        namespace=value.namespace,
        name=value.name,
        annotations=dict(value.annotations),
        data=value.data,
        sealed=value.sealed,
        source=value.source,
        secret=value.secret,
        revision=value.revision,
        root=_root(value.places),
    )


def _root(places: Callable[[Path], Any] | None) -> list[str | int]:
    return list(places.root) if isinstance(places, SpecPlaces) else []


def packed_where(where: list[NodePlace]) -> bytes:
    """Return the places of a text as bytes, in which what stands inside is packed by itself."""
    return msgspec.msgpack.encode([_place_reply(each) for each in where])


def _place_reply(where: NodePlace) -> "PlaceReply":
    inside = [
        (key, line, column, msgspec.Raw(msgspec.msgpack.encode(_place_reply(inner))))
        for key, (line, column, inner) in where.children.items()
    ]
    return PlaceReply(where.line, where.column, where.style, inside)


# --- here -----------------------------------------------------------------------------------------


def _ext(code: int, data: memoryview) -> Any:
    if code != _LARGE_INT:
        raise ValueError(f"unknown extension {code}")
    return int(bytes(data))


replies: Final = msgspec.msgpack.Decoder(ParseReply, ext_hook=_ext)
requests: Final = msgspec.msgpack.Decoder(ParseRequest)
_where: Final = msgspec.msgpack.Decoder(PlaceReply)
_wheres: Final = msgspec.msgpack.Decoder(list[PlaceReply])


class PackedPlace(NodePlace):
    """The place of one node of a text; what stands inside is unpacked when it is asked for."""

    __slots__ = ("_children", "_inside")

    def __init__(self, reply: PlaceReply) -> None:
        self.line = reply.line
        self.column = reply.column
        self.style = reply.style
        self._inside = reply.children
        self._children: dict[str | int, tuple[int, int, NodePlace]] | None = None

    @property
    def children(self) -> dict[str | int, tuple[int, int, NodePlace]]:  # type: ignore[override]
        """The places of its children."""
        if self._children is None:
            self._children = {
                key: (line, column, PackedPlace(_where.decode(inner)))
                for key, line, column, inner in self._inside
            }
            self._inside = []
        return self._children


class Away(FastSource):
    """A text that was read elsewhere: its places came back packed, and are unpacked when asked for."""

    __slots__ = ("_packed",)

    def __init__(self, text: str, file: str, where: bytes) -> None:
        super().__init__(text, file)
        self._packed = where

    @property
    def where(self) -> list[NodePlace]:
        """The places of every document, unpacked at the first question."""
        if self._where is None:
            places: list[NodePlace] = [PackedPlace(each) for each in _wheres.decode(self._packed)]
            self._where = places
            self._packed = b""
        return self._where


def spec_of(reply: SpecReply, source: FastSource) -> Spec:
    """Return the Spec that came back."""
    return Spec(
        id=UUID(bytes=reply.id),
        kind=reply.kind,
        namespace=reply.namespace,
        name=reply.name,
        annotations=reply.annotations,
        env={key: _binding_of(each) for key, each in reply.env.items()},
        ports={
            port: tuple(
                Link(name, UUID(bytes=id_) if id_ is not None else None, to)
                for name, id_, to in links
            )
            for port, links in reply.ports.items()
        },
        fields=reply.fields,
        revision=reply.revision,
        places=SpecPlaces(source, tuple(reply.root)),
        short_links=frozenset(reply.short_links),
    )


def _binding_of(values: list[Any]) -> Binding:
    id_ = UUID(bytes=values[0]) if values[0] is not None else None
    return Binding(id_, values[1], values[2] if len(values) > 2 else msgspec.UNSET)


def value_of(reply: ValueReply, source: FastSource) -> Value:
    """Return the Value that came back."""
    return Value(
        id=UUID(bytes=reply.id),
        namespace=reply.namespace,
        name=reply.name,
        annotations=reply.annotations,
        data=reply.data,
        sealed=reply.sealed,
        source=reply.source,
        secret=reply.secret,
        revision=reply.revision,
        places=SpecPlaces(source, tuple(reply.root)),
    )
