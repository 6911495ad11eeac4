"""The fields that every Spec and every Value has, declared like those of a kind.

Documents are read by `heddle.specs`; this is the same contract as a declaration, for the docs and
for editors.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from heddle.schemas.code import Text
from heddle.schemas.common_fields import SEAL_PREFIX
from heddle.schemas.field import FieldError, Fields, about
from heddle.schemas.link import DEFAULT_NAMESPACE, Link


class Target(Fields):
    """The target of a link: a node, by name or id, and one of its in ports.

    Kinds that have links among their own fields (`target`, `inbounds`) use it too.
    """

    name: Annotated[str | None, about("The node to link to, by name, in the same namespace.")] = (
        None
    )
    id: Annotated[UUID | None, about("The node to link to, by id; wins over `name`.")] = None
    port: Annotated[str, about("The in port of that node.", examples=["in", "in[1]"])] = "in"

    def __post_init__(self) -> None:
        if self.name is None and self.id is None:
            raise FieldError(
                "a link to nobody", expected="the name or the id of a node", code="missing"
            )

    @property
    def link(self) -> Link:
        """The same as a Link."""
        return Link(name=self.name, id=self.id, port=self.port)


class EnvEntry(Fields):
    """The meaning of a name of `env`: a stored Value, by name or id, or literal data."""

    name: Annotated[str | None, about("The Value to bind, by name, in the same namespace.")] = None
    id: Annotated[UUID | None, about("The Value to bind, by id.")] = None
    data: Annotated[
        Any,
        about(
            "Literal data; blanks in it are filled from the Value, or from the environment of the "
            "runtime if no Value is named.",
            examples=["{{ .PORT }}", 8000],
        ),
    ] = None


class Common(Fields):
    """The fields of every Spec, whatever its kind."""

    kind: Annotated[str, about("What sort of node this is; see `heddle kinds`.")]
    name: Annotated[
        str | None, about("What other nodes call it in their links; unique in its namespace.")
    ] = None
    id: Annotated[
        UUID | None,
        about("A UUID that stays the same through every change; made up if left out."),
    ] = None
    namespace: Annotated[
        str, about("Nodes link to nodes of their own namespace only; one runtime runs one.")
    ] = DEFAULT_NAMESPACE
    annotations: Annotated[
        dict[str, Text], about("Notes for people and tools; they change nothing.")
    ] = msgspec.field(default_factory=dict)
    env: Annotated[
        dict[str, EnvEntry],
        about(
            "Names that blanks (`{{ .NAME }}`) in the fields of this node may use, and what they "
            "stand for.",
            examples=[{"PORT": {"data": "{{ .PORT }}"}}, {"DB": {"name": "database"}}],
        ),
    ] = msgspec.field(default_factory=dict)
    ports: Annotated[
        dict[str, list[str | Target]],
        about(
            "Links: each out port of this node, and the in ports that it leads to. A target is the "
            "name of a node (`router`, or `join.in[1]` for another in port than `in`), or a mapping. "
            "A single target needs no list.",
            examples=[{"out": "router"}, {"out": ["store", "join.in[1]"]}],
        ),
    ] = msgspec.field(default_factory=dict)


class Outside(Fields):
    """The source of a Value that stands outside: one of `env` and `file`."""

    env: Annotated[
        str | None, about("A variable of the environment of whoever reads the Value.")
    ] = None
    file: Annotated[
        str | None,
        about("A file; a runtime follows it. A relative path is seen from its working directory."),
    ] = None
    format: Annotated[
        Literal["text", "json", "yaml", "bytes"],
        about("How what stands there is read; of `text` the line break at its end is left out."),
    ] = "text"

    def __post_init__(self) -> None:
        if (self.env is None) == (self.file is None):
            actual = "neither env nor file" if self.env is None else "both env and file"
            raise FieldError(actual, expected="one of env and file", code="missing")


class ValueFields(Fields):
    """A Value: a named setting or secret that Specs bind through `env`."""

    name: Annotated[str | None, about("What Specs call it in `env`; unique in its namespace.")] = (
        None
    )
    id: Annotated[UUID | None, about("A UUID; made up if left out.")] = None
    namespace: Annotated[str, about("Only Specs of this namespace can bind it.")] = (
        DEFAULT_NAMESPACE
    )
    annotations: Annotated[
        dict[str, Text], about("Notes for people and tools; they change nothing.")
    ] = msgspec.field(default_factory=dict)
    data: Annotated[
        Any,
        about("The setting itself: any plain data. One of `data`, `sealed` and `from` is there."),
    ] = None
    sealed: Annotated[
        Annotated[
            str, msgspec.Meta(pattern=rf"^{SEAL_PREFIX}:[0-9a-f]{{12}}:[A-Za-z0-9_-]{{38,}}$")
        ]
        | None,
        about(
            "The setting as a text that only a key opens; `heddle` writes it, see docs/secrets.md."
        ),
    ] = None
    from_: Annotated[
        Outside | None,
        about(
            "Where the setting stands outside; read when a Spec is bound to it.",
            examples=[{"env": "DB_PASSWORD"}, {"file": "/run/secrets/db.json", "format": "json"}],
        ),
    ] = msgspec.field(name="from", default=None)
    secret: Annotated[
        bool, about("Whether it is masked wherever people look; what is sealed always is.")
    ] = False
