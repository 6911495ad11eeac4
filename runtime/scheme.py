"""The Scheme knows which Schema and Codec serve which kind."""

from collections.abc import Iterable
from typing import Any

from heddle.runtime.codec import Build, Kind, Kinds
from heddle.runtime.language import Languages
from heddle.runtime.node import Node
from heddle.schemas.check import check, decode, unknown_kind
from heddle.schemas.schema import Schema
from heddle.specs.errors import SpecError
from heddle.specs.problem import Problem
from heddle.specs.spec import Spec


class Scheme:
    """Kinds by name, and the languages that their code is written in.

    `language` is the one of conditions that name none.
    """

    def __init__(
        self,
        kinds: Iterable[Kind[Any]] = (),
        languages: Languages | None = None,
        language: str = "cel",
    ) -> None:
        self.languages = languages if languages is not None else Languages()
        self.language = language
        self._kinds: dict[str, Kind[Any]] = {}
        self._owner: dict[str, str] = {}
        for kind in kinds:
            self.add(kind)

    def add(self, kind: Kind[Any], owner: str = "") -> None:
        """Serve a kind; ValueError names both owners when it is served already."""
        if kind.name in self._kinds:
            first = self._owner[kind.name] or "another extension"
            raise ValueError(
                f'kind "{kind.name}" of {owner or "an extension"} is there already, from {first}'
            )
        self._kinds[kind.name] = kind
        self._owner[kind.name] = owner

    @property
    def kinds(self) -> Kinds:
        """Every kind by name."""
        return self._kinds

    def owner(self, kind: str) -> str:
        """The extension that a kind came from."""
        return self._owner.get(kind, "")

    def schema(self, kind: str) -> Schema[Any] | None:
        """The Schema of a kind; None where nobody serves it."""
        found = self._kinds.get(kind)
        return found.schema if found is not None else None

    def compile(self, spec: Spec) -> Node:
        """Decode a bound Spec and build its Node; SpecError carries every Problem."""
        kind = self._kinds.get(spec.kind)
        if kind is None:
            raise SpecError([unknown_kind(spec, self._kinds)])
        return kind.codec(decode(spec, kind.schema), Build(spec, self.languages, self.language))

    def check(self, spec: Spec) -> list[Problem]:
        """Every Problem of a bound Spec by itself; its code is compiled, nothing is opened."""
        try:
            self.compile(spec)
        except SpecError as error:
            return list(error.problems)
        return []

    def check_unbound(self, spec: Spec) -> list[Problem]:
        """Every Problem of a Spec whose blanks are not known yet."""
        schema = self.schema(spec.kind)
        if schema is None:
            return [unknown_kind(spec, self._kinds)]
        return check(spec, schema, unfilled=True)
