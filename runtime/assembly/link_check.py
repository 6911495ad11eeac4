"""Links are checked across Specs: the target has to be there, and both ports have to exist."""

from collections.abc import Callable, Iterable, Sequence, Set
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from heddle.schemas.check import decode, in_order
from heddle.schemas.errors import SpecError
from heddle.schemas.link import Link, ambiguity
from heddle.schemas.path import Path, dotted
from heddle.schemas.pieces import Pieces, at_once
from heddle.schemas.port import LIFECYCLE, Port, find_port, parse_port
from heddle.schemas.problem import Problem
from heddle.schemas.schema import Ports, Schema
from heddle.schemas.suggestion import did_you_mean, nearest
from heddle.specs.model.spec import Spec

REJECTED: Final = frozenset({"unknown-port", "duplicate-name"})
"""The codes of Problems for which a Spec does not run."""

SUGGESTED: Final = 100
"""How many links that lead nowhere come with the name that was probably meant."""

SchemaOf: TypeAlias = Callable[[str], Schema[Any] | None]
"""The Schema of a kind; None if nobody serves it."""


class LinkProblem(NamedTuple):
    """A Problem, and the Spec that it is of: names may be borne twice, and begin alike."""

    owner: Spec
    problem: Problem


def check_links(
    specs: Iterable[Spec], schema_of: SchemaOf, *, partial: Set[UUID] = frozenset()
) -> list[Problem]:
    """Return every Problem between these Specs, by place.

    `ambiguous-link`: a short target such as `a.in` may be a port of "a", or a node "a.in".
    `duplicate-name` and `duplicate-id`: two Specs claim one. `unknown-port`: an out port that the
    kind does not have, or a link to an in port that its target does not have. `missing-link`: the
    target is not among these Specs; that is not a mistake if it may come later, or is stored
    already. Ports of an unknown kind, or of fields that do not decode, are not judged.
    Of the `partial` ones is known already that a name is taken or that a link cannot be read.
    """
    entries = at_once(check_links_in_pieces(specs, schema_of, partial=partial))
    return in_order([each.problem for each in entries])


def check_links_in_pieces(
    specs: Iterable[Spec],
    schema_of: SchemaOf,
    *,
    partial: Set[UUID] = frozenset(),
    names: Sequence[tuple[str, str]] = (),
) -> Pieces[list[LinkProblem]]:
    """Do as `check_links`, a Spec at a time, and return whose each Problem is.

    `names` are more that a link may have meant, by namespace.
    """
    check = _Links(schema_of, partial, names)
    yield from check.walk(list(specs))
    return sorted(check.problems, key=_place)


class _Links:
    """One way through the links of some Specs, picking up Problems."""

    def __init__(
        self, schema_of: SchemaOf, partial: Set[UUID], names: Sequence[tuple[str, str]]
    ) -> None:
        self.problems: list[LinkProblem] = []
        self._schema_of = schema_of
        self._partial = partial
        self._ids: dict[UUID, Spec] = {}
        self._names: dict[tuple[str, str], Spec] = {}
        self._ports: dict[UUID, Ports | None] = {}
        self._suggested = 0
        self._others = names

    def walk(self, specs: list[Spec]) -> Pieces[None]:
        """Judge what these Specs say of each other."""
        for spec in specs:
            self._claim(spec)
            yield
        for spec in specs:
            yield
            for port, links in spec.ports.items():
                self._out(spec, port)
                for index, link in enumerate(links):
                    self._link(spec, ("ports", port, index), link, alone=len(links) == 1)

    def _claim(self, spec: Spec) -> None:
        """Take the id and the name, if they are free."""
        first = self._ids.setdefault(spec.id, spec)
        if first is not spec and spec.id not in self._partial:
            self._add(
                "duplicate-id",
                f"the id {spec.id} is taken by {_label_and_place(first)}",
                spec,
                ("id",),
                "Give it an id of its own, or leave it out.",
            )
        if spec.name is None:
            return
        first = self._names.setdefault((spec.namespace, spec.name), spec)
        if first is not spec and first.id != spec.id and spec.id not in self._partial:
            self._add(
                "duplicate-name",
                f'the name "{spec.name}" is taken by {_bearer(first)}',
                spec,
                ("name",),
                "Names are unique in a namespace.",
            )

    def _out(self, spec: Spec, name: str) -> None:
        """Check that this is an out port of the Spec's own kind."""
        ports = self._of(spec)
        if ports is None or find_port((*ports[1], *LIFECYCLE), name) is not None:
            return
        known = (*ports[1], *LIFECYCLE)
        text = _has(ports[1]) if ports[1] else "only the lifecycle ports"
        actual = f'kind "{spec.kind}" has no out port "{name}" (it has: {text})'
        self._add("unknown-port", actual, spec, ("ports", name), _near(name, known))

    def _link(self, spec: Spec, path: Path, link: Link, *, alone: bool) -> None:
        """Check that the target is there and has this in port."""
        if spec.id in self._partial and link.id is None and link.name is None:
            return
        target = self._target(spec, link)
        if target is None:
            self._missing(spec, path, link, alone=alone)
            return
        whole = f"{link.name}.{link.port}"
        if (spec.namespace, whole) in self._names and self._is_short(spec, path, whole):
            actual, hint = ambiguity(link)
            shown = path[:2] if alone else path
            self._add("ambiguous-link", actual, spec, path, hint, shown=shown)
        ports = self._of(target)
        if ports is None or find_port(ports[0], link.port) is not None:
            return
        has = f"(it has: {_has(ports[0])})" if ports[0] else "(it has no in ports)"
        actual = f'"{target.label}" has no port "{link.port}" {has}'
        hint = _near(link.port, ports[0])
        self._add(
            "unknown-port", actual, spec, (*path, "port"), hint, shown=path[:2] if alone else path
        )

    def _target(self, spec: Spec, link: Link) -> Spec | None:
        """Return the Spec that the link leads to; an id wins over a name, and namespaces never mix."""
        if link.id is not None:
            target = self._ids.get(link.id)
            return target if target is not None and target.namespace == spec.namespace else None
        return None if link.name is None else self._names.get((spec.namespace, link.name))

    def _missing(self, spec: Spec, path: Path, link: Link, *, alone: bool) -> None:
        """Tell of a link whose target is not there."""
        key = "name" if link.id is None else "id"
        actual, hint = f'there is no "{link.target}"', ""
        if link.id is None and link.name is not None:
            self._suggested += 1
            every = (*self._names, *self._others)
            if self._suggested > SUGGESTED and len(every) > SUGGESTED:
                # To look for the nearest of thousands of names, thousands of times, takes minutes.
                self._add(
                    "missing-link", actual, spec, (*path, key), shown=path[:2] if alone else path
                )
                return
            names = [name for space, name in every if space == spec.namespace]
            hint = self._long_form(spec, link) or did_you_mean(link.name, names)
            elsewhere = sorted(space for space, name in every if name == link.name)
            if not hint and elsewhere:
                hint = f'It stands in namespace "{elsewhere[0]}"; links stay inside "{spec.namespace}".'
        elif link.id is None:
            actual, hint = "a link to nobody", "Give the name or the id of the target."
        self._add(
            "missing-link", actual, spec, (*path, key), hint, shown=path[:2] if alone else path
        )

    def _long_form(self, spec: Spec, link: Link) -> str:
        """Return the long form that a short target can only have meant; empty if there is none."""
        whole = f"{link.name}.{link.port}"
        if (spec.namespace, whole) in self._names:
            return f'Write {{name: "{whole}", port: in}}.'
        name, dot, port = (link.name or "").rpartition(".")
        target = self._names.get((spec.namespace, name)) if dot else None
        ports = self._of(target) if target is not None else None
        if ports is None or find_port(ports[0], port) is None:
            return ""
        return f'Write {{name: {name}, port: "{port}"}}.'

    def _of(self, spec: Spec) -> Ports | None:
        """Return the ports of a Spec, as far as they can be known."""
        if spec.id not in self._ports:
            self._ports[spec.id] = self._read(spec)
        return self._ports[spec.id]

    def _read(self, spec: Spec) -> Ports | None:
        schema = self._schema_of(spec.kind)
        if schema is None or schema.ports is None:
            return None if schema is None else (schema.ins, schema.outs)
        try:
            return schema.ports_of(decode(spec, schema))
        except SpecError:
            return None

    def _is_short(self, spec: Spec, path: Path, text: str) -> bool:
        """Return whether the link at this path of `ports` is written as this text."""
        made = self._made(spec, path)
        if made is None:
            return path[1:] in spec.short_links
        value: Any = spec.fields
        for step in made:
            value = value[step]
        return bool(value == text)

    def _made(self, spec: Spec, path: Path) -> Path | None:
        """Return the field that makes the links of the port at this path; None if they are written there."""
        schema = self._schema_of(spec.kind)
        if schema is None or schema.makes is None or len(path) < 2:
            return None
        try:
            return schema.makes(decode(spec, schema)).get(str(path[1]))
        except SpecError:
            return None

    def _add(
        self,
        code: str,
        actual: str,
        spec: Spec,
        path: Path,
        hint: str = "",
        *,
        shown: Path | None = None,
    ) -> None:
        made = self._made(spec, path)
        if made is not None:
            path = shown = made
        problem = Problem(
            code=code,
            found=actual,
            hint=hint,
            place=spec.place(path),
            path=dotted(spec.label, path if shown is None else shown),
        )
        self.problems.append(LinkProblem(spec, problem))


def _place(each: LinkProblem) -> tuple[str, int, int]:
    place = each.problem.place
    return place.file, place.line, place.column


def _has(ports: tuple[Port, ...]) -> str:
    """`out[0], out[1], …, error`."""
    return ", ".join(
        f"{port.name}[0], {port.name}[1], …" if port.indexed else port.name for port in ports
    )


def _near(name: str, ports: tuple[Port, ...]) -> str:
    """Return the port that was probably meant, with its index if it may have one."""
    parsed = parse_port(name)
    base, index = parsed if parsed is not None else (name.partition("[")[0], None)
    near = nearest(base, [port.name for port in ports])
    if near is None:
        return f'Try "{ports[0].name}".' if len(ports) == 1 else ""
    indexed = any(port.indexed for port in ports if port.name == near)
    return (
        f'Did you mean "{near}[{index}]"?'
        if indexed and index is not None
        else f'Did you mean "{near}"?'
    )


def _label_and_place(spec: Spec) -> str:
    """Return a Spec and where it stands."""
    place = spec.place()
    return f"{spec.label} at {place}" if place.line else spec.label


def _bearer(spec: Spec) -> str:
    """Return the kind of a Spec and where it stands: its name is what is asked about."""
    place = spec.place()
    return f"{spec.kind} at {place}" if place.line else f"a {spec.kind}"
