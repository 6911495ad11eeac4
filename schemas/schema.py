"""A Schema is what one kind accepts: its fields, its ports, a summary, a worked example."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec

from heddle.schemas.common_fields import SPEC_FIELDS
from heddle.schemas.exclusive import ExclusiveUse
from heddle.schemas.field import read_field
from heddle.schemas.path import Path
from heddle.schemas.port import LIFECYCLE, Port, find_port, merge_ports
from heddle.schemas.shape import FieldShape, fields_of, shape_of

F = TypeVar("F", bound=msgspec.Struct)

Ports: TypeAlias = tuple[tuple[Port, ...], tuple[Port, ...]]
"""In ports and out ports."""

TypeOfCode: TypeAlias = Callable[[str, str], Mapping[str, Any]]
"""The JSON Schema of what code gives, from its language and its text; `{}` if it is not known."""

_KIND = re.compile(r"[A-Za-z][\w./-]*", re.ASCII)


class UnreachablePart(NamedTuple):
    """A part of a Spec that no packet can reach: its path, why, and what to do about it."""

    path: Path
    found: str
    hint: str


class Completions(NamedTuple):
    """The completions of an editor beyond the fields: they depend on the Specs that they are made for.

    `conditions` are JSON Schemas (draft-07) that hold too for a mapping that is declared by this
    Struct. `left_out` says what could not be read, and why.
    """

    conditions: Mapping[type[msgspec.Struct], Sequence[Mapping[str, Any]]] = {}
    left_out: Sequence[str] = ()


class Schema(msgspec.Struct, Generic[F], frozen=True, kw_only=True, eq=False):
    """The fields and ports that one kind accepts.

    `summary` is one sentence, `details` Markdown, `example` a worked Spec (or several) in YAML that
    runs as it stands. `category` groups kinds on the docs page. If the ports depend on what was
    written, `ports(fields)` gives them, and `ins` and `outs` say those that are always there.

    TypeError at once if the declaration is wrong, naming the kind and the field.
    """

    kind: str
    fields: type[F]
    summary: str
    ins: tuple[Port, ...] = ()
    outs: tuple[Port, ...] = ()
    example: str = ""
    details: str = ""
    category: str = ""
    ports: Callable[[F], Ports] | None = None
    passes_on: Callable[[Mapping[str, Any]], bool] | None = None
    """Whether, by its fields as written, every packet leaves by `out`: it never ends a cycle."""
    leads: Callable[[F], Iterable[tuple[Path, str]]] | None = None
    """The out ports that its fields name, each with the path of the field."""
    makes: Callable[[F], Mapping[str, Path]] | None = None
    """The path of the field that makes the links of an out port, by port, if fields make links."""
    begins: Callable[[Mapping[str, Any]], bool] | None = None
    """Whether, by its fields as written, it begins processes without being sent a packet."""
    asks: tuple[str, ...] = ()
    """The out ports by which requests leave: somebody waits for what each of them is answered."""
    reads: Callable[[F], tuple[str, ...]] | None = None
    """The names by which it takes a map that is answered for more than data, if it looks at them; by its fields."""
    ways: Callable[[F], tuple[str, ...]] | None = None
    """The out ports that its answers come from, but for Errors and rejections, if all are linked."""
    answers: bool = True
    """False if every packet is answered NOTHING, whatever is linked."""
    gathers: bool = False
    """Whether it sends something on only when a packet of one process came to each linked in port."""
    detached: bool = False
    """Whether it may answer a packet before it sends it on, in a process of its own."""
    exclusive: Callable[[F], Iterable[ExclusiveUse]] | None = None
    """The claims on what only one Spec of a namespace can have, by its fields: an address to listen on, for example."""
    unreached: Callable[[F, Mapping[str, str]], Iterable[UnreachablePart]] | None = None
    """The parts that no packet can reach, by its fields and its linked out ports (canonical name: as written)."""
    labels: Callable[[F], Mapping[str, str]] | None = None
    """The label of an out port, in a few words, by canonical name: a drawing shows it in place of the name."""
    types: Callable[[F, TypeOfCode], Mapping[str, Any]] | None = None
    """The JSON Schemas of ports by name, if they depend on its fields: asked for by checks alone.

    Such a type counts for the port of that name, whatever the declared port says; `{}` is not known.
    A type that takes work to find may be a function that gives it. `TypeOfCode` gives the type of code
    in a language.
    """

    completions: Callable[[Sequence[Mapping[str, Any]]], Completions] | None = None
    """The completions of editors, by the fields of the Specs of this kind that they are made for."""

    def __post_init__(self) -> None:
        if not _KIND.fullmatch(self.kind):
            raise TypeError(f'"{self.kind}" is not a name for a kind: letters, digits and . / - _')
        try:
            _declared(self.fields)
        except TypeError as error:
            raise TypeError(f'kind "{self.kind}": {error}') from error

    @property
    def shape(self) -> FieldShape:
        """The Shape of all its fields together."""
        return shape_of(self.fields)

    def ports_of(self, fields: F | None = None) -> Ports:
        """Return its in and out ports, without the lifecycle ports; all of them only if `fields` are given."""
        if self.ports is not None and fields is not None:
            ins, outs = self.ports(fields)
            return merge_ports(self.ins, ins), merge_ports(self.outs, outs)
        return self.ins, self.outs

    def has_in(self, name: str, fields: F | None = None) -> bool:
        """Return whether there is an in port of this name."""
        return find_port(self.ports_of(fields)[0], name) is not None

    def has_out(self, name: str, fields: F | None = None) -> bool:
        """Return whether there is an out port of this name, the lifecycle ports included."""
        return find_port((*self.ports_of(fields)[1], *LIFECYCLE), name) is not None


def groups_of(fields: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    """Yield the Struct itself and every Struct nested in it, each once."""
    seen: dict[type[msgspec.Struct], None] = {}

    def visit(shape: FieldShape) -> None:
        for item in shape.items:
            visit(item)
        if shape.form == "object" and shape.bare not in seen:
            seen[shape.bare] = None
            for field in fields_of(shape.bare):
                visit(field.shape)

    visit(shape_of(fields))
    yield from seen


def _declared(fields: type[msgspec.Struct]) -> None:
    """TypeError if the declaration could not be decoded, or would let mistakes pass."""
    for group in groups_of(fields):
        if not group.__struct_config__.forbid_unknown_fields:
            raise TypeError(
                f"{group.__name__} would pass unknown fields in silence: subclass Fields"
            )
    for field in fields_of(fields):
        if field.name in SPEC_FIELDS:
            raise TypeError(f'the field "{field.name}" is common to all kinds: choose another name')
    try:
        msgspec.convert({}, fields, dec_hook=read_field)
    except msgspec.ValidationError:
        return
