"""A Value is a named setting or secret that a Spec may ask for through `env`."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from heddle.specs.problem import Place
from heddle.specs.spec import DEFAULT_NAMESPACE


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """A named piece of plain data, unique by name in its namespace.

    `secret` Values are masked wherever people look.
    """

    id: UUID
    namespace: str = DEFAULT_NAMESPACE
    name: str | None = None
    annotations: Mapping[str, str] = {}
    data: Any = None
    secret: bool = False
    revision: int = 0
    place: Place | None = None

    def same(self, other: "Value") -> bool:
        """Whether both say the same: place and revision do not count."""
        return (
            self.id == other.id
            and self.namespace == other.namespace
            and self.name == other.name
            and self.data == other.data
            and self.secret == other.secret
            and self.annotations == other.annotations
        )
