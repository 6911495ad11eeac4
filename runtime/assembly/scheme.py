"""The Scheme knows which Schema and Codec serve which kind."""

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from heddle.runtime.assembly.codec import Build, Kind, Kinds
from heddle.runtime.assembly.guard import NodeGuard
from heddle.runtime.assembly.language import Languages
from heddle.runtime.assembly.retry_rule import RetryRule
from heddle.runtime.flow.node import Node
from heddle.runtime.flow.step import FAILURES
from heddle.schemas.check import check, decode, decode_guard, unknown_kind
from heddle.schemas.errors import SpecError
from heddle.schemas.port import canonical
from heddle.schemas.problem import Problem
from heddle.schemas.schema import Schema
from heddle.specs.model.spec import Spec


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
        self._kinds: dict[str, Kind[Any] | str] = {}
        self._owner: dict[str, str] = {}
        for kind in kinds:
            self.add(kind)

    def add(self, kind: Kind[Any], owner: str = "") -> None:
        """Serve a kind; ValueError names both owners when it is served already."""
        self._claim(kind.name, kind, owner)

    def add_later(self, kind: str, place: str, owner: str = "") -> None:
        """Serve a kind that is imported from `module:NAME` when a Spec first asks for it."""
        self._claim(kind, place, owner)

    def _claim(self, name: str, kind: Kind[Any] | str, owner: str) -> None:
        if name in self._kinds:
            first = self._owner[name] or "another extension"
            raise ValueError(
                f'kind "{name}" of {owner or "an extension"} is there already, from {first}'
            )
        self._kinds[name] = kind
        self._owner[name] = owner

    @property
    def kinds(self) -> Kinds:
        """Every kind by name; this imports those that nobody has asked for yet."""
        return {name: kind for name in self._kinds if (kind := self.find(name)) is not None}

    @property
    def names(self) -> frozenset[str]:
        """The name of every kind; nothing is imported."""
        return frozenset(self._kinds)

    def find(self, kind: str) -> Kind[Any] | None:
        """Return a kind by name; None if nobody serves it."""
        known = self._kinds.get(kind)
        if not isinstance(known, str):
            return known
        module, _, name = known.partition(":")
        made: Kind[Any] = getattr(import_module(module), name)
        self._kinds[kind] = made
        return made

    def expands(self, kind: str) -> bool:
        """Return whether a Spec of this kind may hold others, and be a definition that others use.

        False for a kind that nobody serves or that cannot be imported: its Specs are rejected for that.
        """
        known = self._importable(kind)
        return known is not None and known.expand is not None

    def defines(self, spec: Spec) -> bool:
        """Return whether a Spec is there to be used by others only: it has parameters that they give."""
        return spec.fields.get("params") is not None and self.expands(spec.kind)

    def leads(self, kind: str) -> bool:
        """Return whether a Spec of this kind may have links that do not stand under its `ports`."""
        known = self._importable(kind)
        return known is not None and (known.links is not None or known.expand is not None)

    def exclusive(self, kind: str) -> bool:
        """Return whether Specs of this kind claim what only one Spec of a namespace can have."""
        known = self._importable(kind)
        return known is not None and known.schema.exclusive is not None

    def _importable(self, kind: str) -> Kind[Any] | None:
        try:
            return self.find(kind)
        except FAILURES:
            return None

    def owner(self, kind: str) -> str:
        """Return the extension that a kind came from."""
        return self._owner.get(kind, "")

    def schema(self, kind: str) -> Schema[Any] | None:
        """Return the Schema of a kind; None if nobody serves it, or it cannot be imported."""
        known = self._importable(kind)
        return known.schema if known is not None else None

    def compile(self, spec: Spec) -> Node:
        """Decode a bound Spec and build its Node; SpecError carries every Problem."""
        kind = self.find(spec.kind)
        if kind is None:
            raise SpecError([unknown_kind(spec, self.names)])
        build = Build(spec, self.languages, self.language)
        fields = decode(spec, kind.schema)
        guard = self._guard(spec, kind, build)
        node = kind.codec(fields, build)
        node.voice = build.voice
        node.guard = guard
        node.leaves = build.leaves
        return node

    def _guard(self, spec: Spec, kind: Kind[Any], build: Build) -> NodeGuard | None:
        """Return what a Spec that decodes says round its node; raise SpecError if a condition does not compile."""
        fields = decode_guard(spec, kind.schema)
        if fields is None:
            return None
        again, turns = fields.again, fields.turns
        attempts: RetryRule | None = None
        if again is not None:
            when = again.when
            attempts = RetryRule(
                most=again.attempts,
                delay=float(again.delay),
                factor=again.factor,
                longest=float(again.max_delay),
                jitter=again.jitter,
                when=build.condition(when, "retry", "when") if when is not None else None,
            )
        if fields.keep_packet and not any(
            links for port, links in spec.ports.items() if canonical(port) == "error"
        ):
            build.reject(
                "keep_packet",
                code="conflict",
                found="keep_packet, and nothing is linked to error",
                expected="a link of the port error, which is sent {error, packet}",
            )
        return NodeGuard(
            keep_packet=fields.keep_packet,
            timeout=float(fields.timeout) if fields.timeout is not None else None,
            attempts=attempts,
            limit=turns.limit if turns is not None else None,
            queue=turns.queue if turns is not None else 0,
        )

    def check(self, spec: Spec) -> list[Problem]:
        """Return every Problem of a bound Spec by itself; its code is compiled, nothing is opened."""
        try:
            self.compile(spec)
        except SpecError as error:
            return list(error.problems)
        return []

    def check_unbound(self, spec: Spec) -> list[Problem]:
        """Return every Problem of a Spec whose blanks are not known yet."""
        kind = self.find(spec.kind)
        if kind is None:
            return [unknown_kind(spec, self.names)]
        return check(spec, kind.schema, unfilled=True)
