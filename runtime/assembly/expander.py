"""Expanding makes Symbols of a Spec: its own, and one for each Spec that it holds, to any depth.

They all stand in the one table of the namespace, under names such as `outer/inner`, so a packet
that goes through a `block` makes the same calls as it would without it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID, uuid5

import msgspec

from heddle.runtime.assembly.codec import Build, Kind
from heddle.runtime.assembly.expansion import Expansion
from heddle.runtime.assembly.params import given
from heddle.runtime.assembly.scheme import Scheme
from heddle.runtime.assembly.symbol import Symbol
from heddle.runtime.flow.node import Node, dissolve
from heddle.schemas.check import decode
from heddle.schemas.common_fields import SPEC_FIELDS
from heddle.schemas.errors import SpecError
from heddle.schemas.link import Link, ambiguity
from heddle.schemas.path import Path
from heddle.schemas.port import canonical
from heddle.schemas.problem import Place, Problem
from heddle.schemas.suggestion import did_you_mean
from heddle.specs.binding.bind import BoundSpec, ValueSet, bind
from heddle.specs.model.entry import spec_of
from heddle.specs.model.spec import Spec

Find: TypeAlias = Callable[[str], Spec | None]
"""The Spec of that name that others may use; None if there is none."""

DEPTH = 50
"""How deep Specs may hold each other."""

_NOT_OF_DEFINITION = frozenset({"uses", "with"})


class Effective(NamedTuple):
    """A Spec as written, and as it counts: whole, with what it uses put in, and with its blanks filled."""

    spec: Spec
    whole: Spec
    binding: BoundSpec
    uses: frozenset[str] = frozenset()


class Inside:
    """Places of a Spec that stands inside another."""

    __slots__ = ("_path", "_spec")

    def __init__(self, spec: Spec, path: Path) -> None:
        self._spec = spec
        self._path = path

    def __call__(self, path: Path) -> Place:
        return self._spec.place((*self._path, *path))

    def inside(self, path: Path, line: int, column: int = 0) -> Place:
        """Return where line and column of the text at this path stand in the file."""
        return self._spec.inside((*self._path, *path), line, column)


class UsedSite:
    """Places of a Spec that uses another: what it took from there stands there."""

    __slots__ = ("_definition", "_user")

    def __init__(self, user: Spec, definition: Spec) -> None:
        self._user = user
        self._definition = definition

    def __call__(self, path: Path) -> Place:
        return self._of(path).place(path)

    def inside(self, path: Path, line: int, column: int = 0) -> Place:
        """Return where line and column of the text at this path stand in the file."""
        return self._of(path).inside(path, line, column)

    def moved(self, user: Spec) -> "UsedSite":
        """Return the same for a user that stands somewhere else."""
        return UsedSite(user, self._definition)

    def _of(self, path: Path) -> Spec:
        if not path or path[0] in _NOT_OF_DEFINITION:
            return self._user
        taken = path[0] == "env" or path[0] in self._definition.fields
        return self._definition if taken else self._user


class RootSite:
    """Places of a Spec that holds others: whoever stands inside asks it where that is by now."""

    __slots__ = ("_spec",)

    def __init__(self, spec: Spec) -> None:
        self._spec = spec

    def __call__(self, path: Path) -> Place:
        return self._spec.place(path)

    def inside(self, path: Path, line: int, column: int = 0) -> Place:
        """Return where line and column of the text at this path stand in the file."""
        return self._spec.inside(path, line, column)

    def move(self, spec: Spec) -> None:
        """Note that the same Spec stands somewhere else."""
        places = self._spec.places
        if isinstance(places, UsedSite):
            spec = msgspec.structs.replace(spec, places=places.moved(spec))
        self._spec = spec


def moved(symbol: Symbol, spec: Spec) -> None:
    """Note that the Spec of a symbol is the same as before, and may stand somewhere else."""
    symbol.spec = spec
    root = symbol.binding.spec.places
    if isinstance(root, RootSite):
        root.move(spec)


class Expander:
    """Expands Specs of one namespace. `find` gives the Specs that others may use, by name."""

    def __init__(
        self,
        scheme: Scheme,
        values: ValueSet,
        environment: Mapping[str, Any],
        find: Find,
    ) -> None:
        self._scheme = scheme
        self._values = values
        self._environment = environment
        self._find = find

    def bind(self, spec: Spec) -> Effective:
        """Return a Spec of the store as it counts; its Problems are those of the binding.

        SpecError if what it uses is not there, or is used wrongly.
        """
        if self._defines(spec):
            # Its blanks are filled if it is used, by what it is given there.
            return Effective(spec, spec, BoundSpec(spec=spec))
        binding = bind(spec, self._values, self._environment)
        if binding.problems:
            return Effective(spec, spec, binding)
        return self._effective(spec, binding, ())

    def symbols(self, effective: Effective) -> list[Symbol]:
        """Return the Symbol of a Spec, and one for each that it holds; SpecError with every Problem."""
        problems: list[Problem] = []
        if self._scheme.expands(effective.spec.kind):
            bound = effective.binding.spec
            rooted = msgspec.structs.replace(bound, places=RootSite(bound))
            binding = msgspec.structs.replace(effective.binding, spec=rooted)
            effective = effective._replace(binding=binding)
        symbols = self._expand(effective, problems, ())
        if problems:
            for symbol in symbols:
                dissolve(symbol.node)
            raise SpecError(problems)
        outer = symbols[0]
        outer.held = frozenset(symbol.id for symbol in symbols[1:])
        outer.uses = frozenset().union(*(symbol.uses for symbol in symbols))
        for symbol in symbols:
            symbol.source = outer.id
        return symbols

    def check(self, spec: Spec) -> list[Problem]:
        """Return every Problem of a Spec and of those that it holds, its blanks included; nothing is opened."""
        try:
            effective = self.bind(spec)
            if effective.binding.problems:
                return [*effective.binding.problems, *self._scheme.check_unbound(spec)]
            self.symbols(effective)
        except SpecError as error:
            return list(error.problems)
        return []

    # -- what a Spec uses ----------------------------------------------------------------------

    def _defines(self, spec: Spec) -> bool:
        return self._scheme.defines(spec)

    def _effective(self, spec: Spec, binding: BoundSpec, trail: tuple[str, ...]) -> Effective:
        """Return the Spec with what it uses put in, and with the links that stand among its fields."""
        uses: frozenset[str] = frozenset()
        whole = spec
        name = binding.spec.fields.get("uses")
        if isinstance(name, str) and name and self._scheme.expands(spec.kind):
            whole, binding = self._using(spec, binding, name, trail)
            uses = frozenset({name})
        kind = self._scheme.find(spec.kind)
        if kind is None or kind.links is None:
            return Effective(spec, whole, binding, uses)
        bound = binding.spec
        links = kind.links(decode(bound, kind.schema))
        ports = {**bound.ports}
        for port, added in links.items():
            ports[port] = (*ports.get(port, ()), *added)
        bound = msgspec.structs.replace(bound, ports=ports)
        return Effective(spec, whole, msgspec.structs.replace(binding, spec=bound), uses)

    def _using(
        self, spec: Spec, binding: BoundSpec, name: str, trail: tuple[str, ...]
    ) -> tuple[Spec, BoundSpec]:
        """Return the Spec with what stands in the definition, the names of its parameters given."""
        bound = binding.spec
        definition = self._find(name)
        if definition is None or definition.kind != spec.kind:
            # What is not there may come later; what is there and is something else is wrong now.
            code, actual = "missing-use", f'there is no {spec.kind} "{name}" to use'
            if definition is not None:
                code, actual = "wrong-use", f'"{name}" is a {definition.kind}, not a {spec.kind}'
            raise _wrong(bound, ("uses",), code, actual)
        kind = self._scheme.find(spec.kind)
        if kind is not None:
            # What is wrong with its own fields goes before what it is given.
            decode(bound, kind.schema)
        if name in trail or (not trail and name == spec.name):
            raise self._ring(bound, name, trail)
        names = given(definition, bound)
        taken = {key: value for key, value in definition.fields.items() if key != "params"}
        own = {
            key: value for key, value in bound.fields.items() if key not in ("uses", "with", *taken)
        }
        whole = msgspec.structs.replace(
            spec, fields={**taken, **own}, env=definition.env, places=UsedSite(spec, definition)
        )
        filled = bind(whole, self._values, self._environment, names=names)
        if filled.problems:
            raise SpecError(filled.problems)
        return whole, BoundSpec(
            spec=msgspec.structs.replace(filled.spec, env=bound.env),
            uses=binding.uses | filled.uses,
            asks=binding.asks | filled.asks,
            secrets=tuple(sorted({*binding.secrets, *filled.secrets}, key=len, reverse=True)),
        )

    def _ring(self, bound: Spec, name: str, trail: tuple[str, ...]) -> SpecError:
        """Return the Problem of definitions that use each other: the same for whoever uses any of them."""
        ring = [each for each in trail[trail.index(name) if name in trail else 0 :] if each]
        # What stands in a definition goes by the name of that.
        ring = [each for each in dict.fromkeys(ring) if "/" not in each] or [name]
        start = ring.index(min(ring))
        ring = [*ring[start:], *ring[:start]]
        first = self._find(ring[0])
        if len(ring) == 1 or first is None:
            return _wrong(bound, ("uses",), "ring", f'"{name}" uses itself')
        actual = f'"{ring[0]}" uses itself: {" → ".join([*ring, ring[0]])}'
        return _wrong(first, (), "ring", actual, "Remove one of these `uses`.")

    # -- what a Spec holds ---------------------------------------------------------------------

    def _expand(
        self, effective: Effective, problems: list[Problem], trail: tuple[str, ...]
    ) -> list[Symbol]:
        """Return the Symbols of a Spec, its own first; what is wrong is noted."""
        spec, whole, binding, uses = effective
        if self._defines(spec):
            problems += self._unfilled(spec)
        try:
            node = self._scheme.compile(binding.spec)
        except SpecError as error:
            wrong = error.problems
            if self._defines(spec):
                # A blank that its user fills may stand where a number is wanted.
                wrong = tuple(self._scheme.check_unbound(spec))
            if wrong or not self._defines(spec):
                problems += wrong
                return []
            return [Symbol(spec, binding, Node())]
        symbol = Symbol(spec, binding, node)
        symbol.uses = uses
        kind = self._scheme.find(spec.kind)
        expansion = self._expansion(kind, binding.spec, node, problems)
        if kind is None or expansion is None:
            return [symbol]
        if len(trail) >= DEPTH:
            actual = f"Specs hold each other more than {DEPTH} deep"
            problems.append(_wrong(binding.spec, (), "depth", actual).problems[0])
            return [symbol]
        ids = [uuid5(spec.id, name) for name in expansion.names]
        problems += expansion.problems
        symbol.hold(expansion, ids)
        flows = _flows(expansion, ids)
        symbols = [symbol]
        for number, bound in self._held(binding.spec, expansion, ids, problems):
            made = expansion.made.get(number)
            raw = _raw(bound, made or _walk(whole.fields, expansion.places[number]))
            inner = BoundSpec(spec=bound, secrets=binding.secrets)
            below = (*trail, spec.name or "", *uses)
            try:
                counts = self._effective(raw, inner, below)
            except SpecError as error:
                problems += error.problems
                continue
            inside = self._expand(counts, problems, below)
            if inside and number in flows:
                inside[0].flows = flows[number]
            symbols += inside
        return symbols

    def _expansion(
        self, kind: Kind[Any] | None, spec: Spec, node: Node, problems: list[Problem]
    ) -> Expansion | None:
        if kind is None or kind.expand is None:
            return None
        build = Build(spec, self._scheme.languages, self._scheme.language, node)
        try:
            return kind.expand(decode(spec, kind.schema), build)
        except SpecError as error:
            problems += error.problems
            return None

    def _held(
        self, outer: Spec, expansion: Expansion, ids: list[UUID], problems: list[Problem]
    ) -> list[tuple[int, Spec]]:
        """Return each held Spec by number, with an id and a name of its own and its links made."""
        held_specs = []
        for number, place in enumerate(expansion.places):
            data = expansion.made.get(number) or _walk(outer.fields, place)
            label = f"{outer.label}/{expansion.names[number]}"
            spec, wrong = spec_of(
                {key: value for key, value in data.items() if key not in ("id", "name")},
                namespace=outer.namespace,
                places=Inside(outer, place),
                label=label,
            )
            problems += wrong
            if spec is not None:
                spec = msgspec.structs.replace(spec, id=ids[number], name=label)
                ports = self._links(outer, expansion, number, spec, ids, problems)
                held_specs.append((number, msgspec.structs.replace(spec, ports=ports)))
        return held_specs

    def _links(
        self,
        outer: Spec,
        expansion: Expansion,
        number: int,
        spec: Spec,
        ids: list[UUID],
        problems: list[Problem],
    ) -> Mapping[str, tuple[Link, ...]]:
        """Return the links of a held Spec: to its siblings, and where the out ports of the outer one lead."""
        links: dict[str, tuple[Link, ...]] = {}
        for port, written in spec.ports.items():
            for index, link in enumerate(written):
                target = self._sibling(outer, expansion, link)
                if target is None:
                    names = ", ".join(expansion.names)
                    hint = (
                        did_you_mean(link.target, expansion.names)
                        or "Links stay inside; see outbounds."
                    )
                    actual = (
                        f'there is no "{link.target}" inside "{outer.label}" (there is: {names})'
                    )
                    path = ("ports", port, index)
                    problems.append(_wrong(spec, path, "missing-link", actual, hint).problems[0])
                    continue
                whole = f"{link.name}.{link.port}"
                if (port, index) in spec.short_links and whole in expansion.names:
                    actual, hint = ambiguity(link)
                    path = ("ports", port, index)
                    problems.append(_wrong(spec, path, "ambiguous-link", actual, hint).problems[0])
                links[port] = (*links.get(port, ()), Link(id=ids[target], port=link.port))
        for (owner, port), targets in expansion.joins.items():
            if owner == number:
                made = tuple(Link(id=ids[target], port=name) for target, name in targets)
                links[port] = (*links.get(port, ()), *made)
        outs = {canonical(port): links for port, links in outer.ports.items()}
        for (owner, port), owns in expansion.outlets.items():
            if owner == number and not (expansion.soft and not self._has_out(spec, port)):
                led = tuple(link for name in owns for link in outs.get(canonical(name), ()))
                if led:
                    links[port] = (*links.get(port, ()), *led)
        return links

    def _sibling(self, outer: Spec, expansion: Expansion, link: Link) -> int | None:
        """Return which of the held Specs a link inside means."""
        if link.id is None:
            names = list(expansion.names)
            return names.index(link.name) if link.name in names else None
        for number, place in enumerate(expansion.places):
            if str(_walk(outer.fields, place).get("id", "")).lower() == str(link.id):
                return number
        return None

    def _has_out(self, spec: Spec, port: str) -> bool:
        schema = self._scheme.schema(spec.kind)
        return schema is None or schema.ports is not None or schema.has_out(port)

    def _unfilled(self, spec: Spec) -> list[Problem]:
        """Return what is wrong with the held Specs of a definition whatever its parameters may be."""
        problems: list[Problem] = []
        for place, name, data in _written(spec):
            label = f"{spec.label}/{name}"
            inner, wrong = spec_of(data, places=Inside(spec, place), label=label)
            problems += wrong
            if inner is not None and "{{" not in inner.kind:
                inner = msgspec.structs.replace(inner, name=label)
                problems += self._scheme.check_unbound(inner)
        return problems


def _written(spec: Spec) -> Iterator[tuple[Path, str, dict[str, Any]]]:
    """Yield each Spec that stands in a definition: its place, its name, and its data."""
    specs, tasks = spec.fields.get("specs"), spec.fields.get("tasks")
    for number, data in enumerate(specs if isinstance(specs, list) else ()):
        if isinstance(data, dict):
            yield ("specs", number), data.get("name") or f"${number}", data
    for number, task in enumerate(tasks if isinstance(tasks, list) else ()):
        if isinstance(task, dict) and isinstance(task.get("do"), dict):
            yield ("tasks", number, "do"), task.get("name") or f"${number}", task["do"]


def _flows(expansion: Expansion, ids: Sequence[UUID]) -> dict[int, dict[str, tuple[Link, ...]]]:
    """Return the links that the holder follows, by the number of the held Spec and its out port."""
    flows: dict[int, dict[str, tuple[Link, ...]]] = {}
    for (owner, port), ends in expansion.flows.items():
        links = tuple(Link(id=ids[number], port=name) for number, name in ends)
        flows.setdefault(owner, {})[port] = links
    return flows


def _walk(fields: Any, path: Path) -> Any:
    """Return what stands at a path; an empty mapping if it is not there."""
    for step in path:
        # A lone one may stand where a list is wanted.
        if step == 0 and isinstance(fields, dict):
            continue
        try:
            fields = fields[step]
        except (LookupError, TypeError):
            return {}
    return fields if isinstance(fields, dict) else {}


def _raw(bound: Spec, data: Mapping[str, Any]) -> Spec:
    """Return the same held Spec as it was written, its blanks not filled: what people may see of it."""
    fields = {key: value for key, value in data.items() if key not in SPEC_FIELDS}
    return msgspec.structs.replace(bound, fields=fields)


def _wrong(spec: Spec, path: Path, code: str, actual: str, hint: str = "") -> SpecError:
    problem = Problem(
        code=code, found=actual, hint=hint, place=spec.place(path), path=spec.at(path)
    )
    return SpecError([problem])
