"""The graph of some Specs: which node a packet may come to from which, by which ports.

A Spec that holds others is a node, too, with an edge from each of its in ports to what that stands
for inside. What is asked of the graph stands in `graph_check.py`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from heddle.runtime.assembly.link_check import SchemaOf
from heddle.schemas.check import decode
from heddle.schemas.errors import SpecError
from heddle.schemas.link import Link
from heddle.schemas.path import Path
from heddle.schemas.port import LIFECYCLE, canonical
from heddle.schemas.problem import Problem
from heddle.schemas.schema import Schema
from heddle.specs.model.spec import Spec

if TYPE_CHECKING:
    from networkx import DiGraph

ENTRY = "heddle/entry"
"""The annotation of a node that somebody outside sends packets to; it says who."""

_LIFECYCLE = frozenset(port.name for port in LIFECYCLE)


class FlowPart(NamedTuple):
    """A Spec as it counts. `inlets` are the in ports inside that its own stand for.

    `held` are the ids of what it holds. `bound` is False if blanks are open or something is wrong with
    it, `settled` if some of its links, or of what it holds, are not known for that reason. `sends`
    are the links by which it sends to what it holds, by name.
    """

    spec: Spec
    inlets: Mapping[str, tuple[Link, ...]] = {}
    held: Set[UUID] = frozenset()
    settled: bool = True
    bound: bool = True
    sends: Mapping[str, tuple[Link, ...]] = {}


class FlowEdge(NamedTuple):
    """A way from an out port to an in port. An inlet has no out port, and no path."""

    source: UUID
    out: str
    target: UUID
    port: str
    path: Path = ()


class FlowGraph:
    """The nodes and edges of some Specs. `incomplete` names the namespaces with links to nowhere."""

    def __init__(self, parts: Sequence[FlowPart], schema_of: SchemaOf) -> None:
        self.parts = {part.spec.id: part for part in parts}
        self.edges: list[FlowEdge] = []
        self.incomplete: set[str] = set()
        self._schema_of = schema_of
        self._names = {
            (part.spec.namespace, part.spec.name): part.spec.id
            for part in reversed(parts)
            if part.spec.name is not None
        }
        for part in parts:
            self.edges += self._edges(part)
        self.leaving: dict[UUID, list[FlowEdge]] = {}
        for edge in self.edges:
            self.leaving.setdefault(edge.source, []).append(edge)

    def _edges(self, part: FlowPart) -> Iterator[FlowEdge]:
        spec = part.spec
        for port, links in spec.ports.items():
            for index, link in enumerate(links):
                target = self._target(spec, link)
                if target is None:
                    self.incomplete.add(spec.namespace)
                    continue
                path = ("ports", port, index) if len(links) > 1 else ("ports", port)
                yield FlowEdge(spec.id, canonical(port), target, canonical(link.port), path)
        for port, links in chain(part.inlets.items(), part.sends.items()):
            for link in links:
                if link.id is not None and link.id in self.parts:
                    yield FlowEdge(spec.id, f"/{port}", link.id, canonical(link.port))
        if not part.settled:
            self.incomplete.add(spec.namespace)

    def _target(self, spec: Spec, link: Link) -> UUID | None:
        if link.id is not None:
            part = self.parts.get(link.id)
            return link.id if part and part.spec.namespace == spec.namespace else None
        return self._names.get((spec.namespace, link.name or ""))

    # -- nodes ---------------------------------------------------------------------------------

    def spec(self, node: UUID) -> Spec:
        """Return the Spec of a node."""
        return self.parts[node].spec

    def schema(self, node: UUID) -> Schema[Any] | None:
        """Return the Schema of the kind of a node; None if the kind is not known here."""
        return self._schema_of(self.spec(node).kind)

    def fields(self, node: UUID) -> Any:
        """Return the decoded fields of a node; None if they are wrong, or its kind is not known."""
        schema = self.schema(node)
        try:
            return None if schema is None else decode(self.spec(node), schema)
        except SpecError:
            return None

    def begins(self, node: UUID) -> bool:
        """Return True if the node begins processes by itself, by what its kind says."""
        schema = self.schema(node)
        return (
            schema is not None
            and schema.begins is not None
            and bool(schema.begins(self.spec(node).fields))
        )

    def passes_on(self, node: UUID) -> bool:
        """Return True if every packet that comes to the node leaves by `out`."""
        schema = self.schema(node)
        return (
            schema is not None
            and schema.passes_on is not None
            and bool(schema.passes_on(self.spec(node).fields))
        )

    def ways(self, node: UUID, port: str) -> tuple[str, ...]:
        """Return the out ports that answers to packets at an in port come from, if all are linked."""
        if self.parts[node].held:
            return (f"/{port}",)
        schema, fields = self.schema(node), self.fields(node)
        if schema is None or schema.ways is None or fields is None:
            return ("out",) if self.passes_on(node) else ()
        return tuple(schema.ways(fields))

    def is_entry(self, node: UUID) -> bool:
        """Return True if nothing has to lead to the node.

        It is annotated, begins processes, sends packets of its life, has no in port, is a definition that others
        use, or holds such a node. What cannot be judged counts as one.
        """
        return any(self._begins_alone(uuid) for uuid in (node, *self.parts[node].held))

    def _begins_alone(self, node: UUID) -> bool:
        """Return True if nothing has to lead to the node, whatever it holds."""
        if node not in self.parts:
            return False
        part, schema = self.parts[node], self.schema(node)
        if ENTRY in part.spec.annotations:
            return True
        if schema is None or self.begins(node) or part.spec.fields.get("params") is not None:
            return True
        if any(canonical(port) in _LIFECYCLE and links for port, links in part.spec.ports.items()):
            return True
        ins = schema.ins
        if schema.ports is not None:
            fields = self.fields(node)
            try:
                ins = () if fields is None else schema.ports_of(fields)[0]
            except SpecError:
                return True
        return not ins

    # -- ways ----------------------------------------------------------------------------------

    def written(self, edge: FlowEdge) -> FlowEdge:
        """Return the edge as somebody wrote it: a link of what holds the source, if it comes from there."""
        for part in self.parts.values():
            if edge.source in part.held:
                for entry in self.leaving.get(part.spec.id, ()):
                    if entry.path and (entry.target, entry.port) == (edge.target, edge.port):
                        return entry
        return edge

    def reached(self, nodes: Iterable[UUID]) -> set[UUID]:
        """Return these nodes, and all that a packet may come to from them."""
        reached = set(nodes)
        waiting = list(reached)
        while waiting:
            for edge in self.leaving.get(waiting.pop(), ()):
                if edge.target not in reached:
                    reached.add(edge.target)
                    waiting.append(edge.target)
        return reached

    def joined(self, edges: Iterable[FlowEdge] | None = None) -> "DiGraph[UUID]":
        """Return the graph of these edges (all of them, unless said) for networkx; with every node."""
        from networkx import DiGraph

        graph: DiGraph[UUID] = DiGraph()
        graph.add_nodes_from(self.parts)
        graph.add_edges_from(
            (edge.source, edge.target) for edge in (self.edges if edges is None else edges)
        )
        return graph


def quoted(spec: Spec) -> str:
    """Return what people call a Spec, in quotes."""
    return f'"{spec.label}"'


def graph_problem(
    code: str, spec: Spec, path: Path, actual: str, expected: str, hint: str
) -> Problem:
    """Return a Problem at a path of a Spec."""
    return Problem(
        code=code,
        found=actual,
        expected=expected,
        hint=hint,
        place=spec.place(path),
        path=spec.at(path),
    )
