"""A cycle without an end: nodes that pass every packet on, linked to each other in a circle."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from heddle.schemas.check import in_order
from heddle.schemas.links import SchemaOf
from heddle.schemas.port import canonical
from heddle.specs.problem import Problem
from heddle.specs.spec import Link, Path, Spec


def endless_cycles(specs: Iterable[Spec], schema_of: SchemaOf) -> list[Problem]:
    """Return a Problem for each group of nodes in which a packet goes round for ever.

    Only nodes of kinds that pass on everything count: whatever may choose another way, answer or
    fail by its author's will may end a cycle.
    """
    return in_order(_Cycles(list(specs), schema_of).problems())


class _Cycles:
    """The links between the nodes that pass everything on."""

    def __init__(self, specs: list[Spec], schema_of: SchemaOf) -> None:
        self._names = {(one.namespace, one.name): one.id for one in specs if one.name is not None}
        self._passing = {one.id: one for one in specs if _passes_on(one, schema_of)}

    def problems(self) -> list[Problem]:
        """Walk depth-first from each node; a link to a node on the way closes a cycle."""
        problems: list[Problem] = []
        done: set[UUID] = set()
        for start in self._passing:
            way: list[UUID] = []
            todo: list[tuple[UUID, bool]] = [(start, False)]
            closed = False
            while todo:
                node, leaving = todo.pop()
                if leaving:
                    way.pop()
                    continue
                if node in done:
                    continue
                done.add(node)
                way.append(node)
                todo.append((node, True))
                for path, target in self._links(self._passing[node]):
                    if target in way:
                        if not closed:
                            cycle = way[way.index(target) :]
                            problems.append(self._problem(cycle, path))
                        closed = True
                    elif target not in done:
                        todo.append((target, False))
        return problems

    def _links(self, spec: Spec) -> list[tuple[Path, UUID]]:
        """Return the links of `out` that lead to nodes which pass on, too, with their paths."""
        found: list[tuple[Path, UUID]] = []
        for port, links in spec.ports.items():
            if canonical(port) != "out":
                continue
            for index, link in enumerate(links):
                target = self._target(spec, link)
                if target in self._passing:
                    path = ("ports", port, index) if len(links) > 1 else ("ports", port)
                    found.append((path, target))
        return found

    def _target(self, spec: Spec, link: Link) -> Any:
        if link.id is not None:
            return link.id
        return self._names.get((spec.namespace, link.name or ""))

    def _problem(self, cycle: list[UUID], path: Path) -> Problem:
        last = self._passing[cycle[-1]]
        labels = [self._passing[one].label for one in (*cycle, cycle[0])]
        if len(labels) > 8:
            labels = [*labels[:4], "…", *labels[-3:]]
        return Problem(
            code="endless-cycle",
            found=f"a packet goes round for ever: {' → '.join(labels)}",
            wanted="a node in the cycle that can end it",
            hint="Put an `if` or a `switch` into it, use a `while`, or remove this link.",
            place=last.place(path),
            path=last.at(path),
        )


def _passes_on(spec: Spec, schema_of: SchemaOf) -> bool:
    schema = schema_of(spec.kind)
    if schema is None or schema.passes_on is None:
        return False
    return bool(schema.passes_on(spec.fields))
