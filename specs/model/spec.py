"""A Spec is what someone wrote: one node, declaratively."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from heddle.schemas.link import DEFAULT_NAMESPACE, Link
from heddle.schemas.path import Path, dotted
from heddle.schemas.problem import NOWHERE, Place
from heddle.specs.model.strict_eq import identical


def file_of(places: Callable[[Path], Place] | None) -> str:
    """Return the name of the file that these places are in; empty if there is none.

    Most places know their file without a look at the text, which takes its time.
    """
    if places is None:
        return ""
    file: str | None = getattr(places, "file", None)
    return file if file is not None else places(()).file


class Binding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry under `env:`: a Value asked for by id or name, or literal `data`."""

    id: UUID | None = None
    name: str | None = None
    data: Any = msgspec.UNSET

    @property
    def identified(self) -> bool:
        """Whether it asks for one Value by id or name."""
        return self.id is not None or self.name is not None


class Spec(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One node as written. Two Specs are equal when what they say is equal, wherever it stands.

    `fields` are the kind's own fields, plain data. `places` answers where a path was written
    (it may know only the Spec's own place); it takes no part in equality. `revision` grows with every
    change that the store has seen of this Spec; 0 is one that no store has seen. `short_links` are those
    of the `ports`, by port and index, whose text names a port (`a.in[1]`): such a text may be meant as
    the name of a node. They take no part in equality, and a store keeps the long form.
    """

    id: UUID
    kind: str
    namespace: str = DEFAULT_NAMESPACE
    name: str | None = None
    annotations: Mapping[str, str] = {}
    env: Mapping[str, Binding] = {}
    ports: Mapping[str, tuple[Link, ...]] = {}
    fields: Mapping[str, Any] = {}
    revision: int = 0
    places: Callable[[Path], Place] | None = None
    short_links: frozenset[tuple[str, int]] = frozenset()

    @property
    def label(self) -> str:
        """The label for people: its name, or its kind and the start of its id."""
        return self.name or f"{self.kind}:{str(self.id)[:8]}"

    def place(self, path: Path = ()) -> Place:
        """Return where this path of the Spec was written; the nearest known place above it otherwise."""
        return self.places(path) if self.places is not None else NOWHERE

    def inside(self, path: Path, line: int, column: int = 0) -> Place:
        """Return where line and column (from 1) of the text at this path, some code, stand in the file."""
        inside = getattr(self.places, "inside", None)
        return inside(path, line, column) if inside is not None else self.place(path)

    def at(self, path: Path) -> str:
        """Return the path as a person reads it: `router.routes[0].port`."""
        return dotted(self.label, path)

    def same(self, other: "Spec") -> bool:
        """Return whether both say the same, down to the types of numbers: places and revisions do not count."""
        return (
            self.id == other.id
            and self.kind == other.kind
            and self.namespace == other.namespace
            and self.name == other.name
            and identical(self.fields, other.fields)
            and self.ports == other.ports
            and (self.env is other.env or identical(self.env, other.env))
            and self.annotations == other.annotations
        )

    def __eq__(self, other: object) -> bool:
        return self.same(other) if isinstance(other, Spec) else NotImplemented

    def __ne__(self, other: object) -> bool:
        # The base class compares by identity here, and does not ask __eq__.
        return not self.same(other) if isinstance(other, Spec) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)
