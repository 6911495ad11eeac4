"""A Value is a named setting or secret that a Spec may ask for through `env`."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from heddle.schemas.link import DEFAULT_NAMESPACE
from heddle.schemas.path import Path
from heddle.schemas.problem import NOWHERE, Place
from heddle.specs.model.mask import MASK
from heddle.specs.model.strict_eq import identical

FORMATS = ("text", "json", "yaml", "bytes")
"""The formats in which a ValueSource is read; text is without the line break at its end."""


class ValueSource(msgspec.Struct, frozen=True, omit_defaults=True):
    """The source of a Value that stands outside: a variable of the environment, or a file.

    One of `env` and `file` is given. A relative path is seen from the working directory of whoever
    reads it.
    """

    env: str = ""
    file: str = ""
    format: str = "text"

    @property
    def name(self) -> str:
        """The label for people: `the variable DB_PASSWORD`, `the file /run/secrets/db`."""
        return f"the variable {self.env}" if self.env else f"the file {self.file}"


class Value(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A named piece of plain data, unique by name in its namespace.

    It says its data in one of three ways: `data` itself; `sealed`, a text that only a key opens
    (see heddle.specs.secrets.seal); or a `source` outside. Only of the first is `data` what it holds: a
    Vault gives the data of each. `secret` Values are masked wherever people look; a sealed one is
    secret. Two Values are equal when what they say is equal, wherever it stands and whatever its
    revision.
    """

    id: UUID
    namespace: str = DEFAULT_NAMESPACE
    name: str | None = None
    annotations: Mapping[str, str] = {}
    data: Any = None
    sealed: str = ""
    source: ValueSource | None = None
    secret: bool = False
    revision: int = 0
    places: Callable[[Path], Place] | None = None

    @property
    def plain(self) -> bool:
        """Whether it says its data itself, for everybody to read."""
        return not self.sealed and self.source is None

    @property
    def label(self) -> str:
        """The label for people: its name, or the start of its id."""
        return self.name or f"value:{str(self.id)[:8]}"

    def place(self, path: Path = ()) -> Place:
        """Return where this path of the Value was written; the nearest known place above it otherwise."""
        return self.places(path) if self.places is not None else NOWHERE

    def same(self, other: "Value") -> bool:
        """Return whether both say the same, down to the types of numbers: place and revision do not count."""
        return (
            self.id == other.id
            and self.namespace == other.namespace
            and self.name == other.name
            and self.sealed == other.sealed
            and self.source == other.source
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

    def __repr__(self) -> str:
        return f"Value({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return what a debugger or a failing test shows: that is no place for a secret."""
        entry: tuple[str, Any] = ("data", MASK if self.secret else self.data)
        if self.sealed or self.source is not None:
            entry = ("sealed", self.sealed) if self.sealed else ("source", self.source)
        return [
            ("namespace", self.namespace),
            ("name", self.name),
            entry,
            ("secret", self.secret),
            ("id", str(self.id)),
            ("revision", self.revision),
        ]
