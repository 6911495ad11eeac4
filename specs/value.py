"""A Value is a named setting or secret that a Spec may ask for through `env`."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from heddle.specs.identical import identical
from heddle.specs.problem import NOWHERE, Place
from heddle.specs.spec import DEFAULT_NAMESPACE, Path


class Value(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A named piece of plain data, unique by name in its namespace.

    `secret` Values are masked wherever people look. Two Values are equal when what they say is
    equal, wherever it stands and whatever its revision.
    """

    id: UUID
    namespace: str = DEFAULT_NAMESPACE
    name: str | None = None
    annotations: Mapping[str, str] = {}
    data: Any = None
    secret: bool = False
    revision: int = 0
    places: Callable[[Path], Place] | None = None

    @property
    def label(self) -> str:
        """What people call it: its name, or the start of its id."""
        return self.name or f"value:{str(self.id)[:8]}"

    def place(self, path: Path = ()) -> Place:
        """Where this path of the Value was written; the nearest known place above it otherwise."""
        return self.places(path) if self.places is not None else NOWHERE

    def same(self, other: "Value") -> bool:
        """Whether both say the same, down to the types of numbers: place and revision do not count."""
        return (
            self.id == other.id
            and self.namespace == other.namespace
            and self.name == other.name
            and identical(self.data, other.data)
            and self.secret == other.secret
            and self.annotations == other.annotations
        )

    def __eq__(self, other: object) -> bool:
        return self.same(other) if isinstance(other, Value) else NotImplemented

    def __ne__(self, other: object) -> bool:
        # The base class compares by identity here, and does not ask __eq__.
        return not self.same(other) if isinstance(other, Value) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)
