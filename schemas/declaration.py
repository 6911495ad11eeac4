"""A Declaration is what a check reads: something written, with its label and its places."""

from collections.abc import Mapping
from typing import Any, Protocol

from heddle.schemas.path import Path
from heddle.schemas.problem import Place


class Declaration(Protocol):
    """One thing that someone wrote: a Spec, or anything else that is declared with Fields."""

    @property
    def kind(self) -> str:
        """The kind whose Schema it follows."""
        ...

    @property
    def label(self) -> str:
        """Its name for people."""
        ...

    @property
    def fields(self) -> Mapping[str, Any]:
        """Its own fields, plain data."""
        ...

    @property
    def env(self) -> Mapping[str, Any]:
        """The names that its blanks may use; empty if there are none."""
        ...

    def place(self, path: Path = ()) -> Place:
        """Return where this path was written; the nearest known place above it otherwise."""
        ...
