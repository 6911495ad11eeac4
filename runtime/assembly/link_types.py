"""Types across links: what leaves by a port is compared with what the port that it leads to accepts."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from heddle.runtime.assembly.flow_graph import FlowEdge, FlowGraph, graph_problem, quoted
from heddle.runtime.assembly.graph_codes import LINK_TYPE
from heddle.schemas.errors import SpecError
from heddle.schemas.port import find_port
from heddle.schemas.problem import Problem
from heddle.schemas.schema import TypeOfCode
from heddle.schemas.types.comparison import compare_types
from heddle.schemas.types.fit import Fit
from heddle.schemas.types.type_words import describe_schema


def check_link_types(graph: FlowGraph, types: "PortTypes") -> Iterator[Problem]:
    """Yield a Problem for each link over which nothing can go that the target accepts.

    A type that is not known fits everything, so nothing is reported that may work.
    """
    for edge in graph.edges:
        if not edge.path:
            continue
        accepted = types.accepted(edge)
        sent = types.sent(edge) if accepted is not None else None
        if accepted is None or sent is None:
            continue
        fit = compare_types(sent, accepted)
        if fit.fails:
            yield _problem(graph, edge, sent, accepted, fit)


class PortTypes:
    """The types of the ports of a graph, as far as their kinds know them; each node is asked once."""

    def __init__(self, graph: FlowGraph, type_of_code: TypeOfCode) -> None:
        self._graph = graph
        self._type_of_code = type_of_code
        self._own: dict[UUID, dict[str, Any]] = {}

    def accepted(self, edge: FlowEdge) -> Any:
        """Return what the target of an edge accepts there; None if that is not known."""
        return self._type(edge.target, edge.port, inward=True)

    def sent(self, edge: FlowEdge) -> Any:
        """Return what leaves by the out port of an edge; None if that is not known."""
        return self.sent_by(edge.source, edge.out)

    def sent_by(self, node: UUID, port: str) -> Any:
        """Return what leaves a node by an out port; None if that is not known."""
        return self._type(node, port, inward=False)

    def _type(self, node: UUID, port: str, *, inward: bool) -> Any:
        schema = self._graph.schema(node)
        if schema is None or (inward and port in self._graph.parts[node].inlets):
            # An inlet stands for a port inside, which has a type of its own.
            return None
        own = self._of_fields(node).get(port)
        if callable(own):
            # Found once, and only if somebody asks for it.
            own = self._own[node][port] = own()
        if own is not None:
            return own or None
        fields = self._graph.fields(node) if schema.ports is not None else None
        try:
            ins, outs = schema.ports_of(fields)
        except SpecError:
            return None
        declared = find_port(ins if inward else outs, port)
        return None if declared is None else declared.schema

    def _of_fields(self, node: UUID) -> Mapping[str, Any]:
        """Return the types that depend on what the Spec says; none of them if blanks are open."""
        if node not in self._own:
            self._own[node] = {}
            schema, part = self._graph.schema(node), self._graph.parts[node]
            if schema is not None and schema.types is not None and part.bound:
                fields = self._graph.fields(node)
                if fields is not None:
                    self._own[node] = dict(schema.types(fields, self._type_of_code))
        return self._own[node]


def _problem(graph: FlowGraph, edge: FlowEdge, sent: Any, accepted: Any, fit: Fit) -> Problem:
    source, target = graph.spec(edge.source), graph.spec(edge.target)
    hint = "Put a node between them that converts it, such as a snippet, or change one of the two."
    if fit is Fit.EMPTY:
        hint = "Nothing fits but what is empty. " + hint
    return graph_problem(
        LINK_TYPE,
        source,
        edge.path,
        f'{quoted(source)} sends {describe_schema(sent)} by "{edge.out}"',
        f'{describe_schema(accepted)}, as {quoted(target)} accepts at "{edge.port}"',
        hint,
    )
