"""Cycles without an end: nodes that pass every packet on, or every Error, linked to each other in a circle.

Only what passes on everything counts: whatever may choose another way, answer or fail by its author's
will may end a cycle.
"""

from collections.abc import Iterable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from uuid import UUID

from heddle.runtime.assembly.flow_graph import FlowEdge, FlowGraph, graph_problem
from heddle.runtime.assembly.graph_codes import ENDLESS_CYCLE, ERROR_LOOP
from heddle.schemas.problem import Problem


def endless_cycles(graph: FlowGraph) -> Iterator[Problem]:
    """Yield a Problem for each group of nodes in which a packet goes round for ever."""
    edges = [edge for edge in graph.edges if _passes_on(graph, edge)]
    rank = {node: number for number, node in enumerate(graph.parts)}
    for group in _groups(graph, edges):
        start = min(group, key=rank.__getitem__)
        inner = [edge for edge in edges if edge.source in group and edge.target in group]
        first = next(edge for edge in inner if edge.source == start)
        way = [start, *_way(graph, inner, first.target, start)]
        closing = (edge for edge in inner if edge.source == way[-2] and edge.target == start)
        last = graph.written(next(closing))
        yield graph_problem(
            ENDLESS_CYCLE,
            graph.spec(last.source),
            last.path,
            f"a packet goes round for ever: {_shown(graph, way)}",
            "a node in the cycle that can end it",
            "Put an `if` or a `switch` into it, use a `while`, or remove this link.",
        )


def error_loops(graph: FlowGraph) -> Iterator[Problem]:
    """Yield a Problem for each group with an error port from which an Error comes back to its own node."""
    edges = [edge for edge in graph.edges if _carries_error(graph, edge)]
    if not any(edge.out == "error" for edge in edges):
        return
    for group in _groups(graph, edges):
        inner = [edge for edge in edges if edge.source in group and edge.target in group]
        first = next((edge for edge in inner if edge.out == "error"), None)
        if first is None:
            continue
        way = [first.source, *_way(graph, inner, first.target, first.source)]
        link = graph.written(first)
        yield graph_problem(
            ERROR_LOOP,
            graph.spec(link.source),
            link.path,
            f"an Error that stays goes round for ever: {_shown(graph, way)}",
            "a way for Errors that ends",
            "Use a `retry` to try again, put an `if` or a `switch` into the way, or remove this link.",
        )


# --- edges ------------------------------------------------------------------------------------


def _passes_on(graph: FlowGraph, edge: FlowEdge) -> bool:
    """Return True if every packet that comes to the source leaves by this edge, to where it is passed on."""
    if edge.port != "in":
        return False
    return edge.out == "/in" or (edge.out == "out" and graph.passes_on(edge.source))


def _carries_error(graph: FlowGraph, edge: FlowEdge) -> bool:
    """Return True if an Error that the source has, or is sent, may leave by this edge and go on."""
    source, target = graph.schema(edge.source), graph.schema(edge.target)
    if source is None or target is None or source.detached or target.detached:
        return False
    if target.gathers or not target.answers:
        return False
    if edge.out == "error" and (source.asks or graph.begins(edge.source)):
        # Its Errors may be those of processes that it began, and not of packets that came in.
        return False
    if edge.out == "error":
        # What a Spec that holds others links is linked by what it holds.
        return not graph.parts[edge.source].held and edge.port == "in"
    return _passes_on(graph, edge)


# --- groups -----------------------------------------------------------------------------------


def _groups(graph: FlowGraph, edges: Sequence[FlowEdge]) -> list[set[UUID]]:
    """Return the groups of nodes that these edges lead from each to each."""
    if not _has_cycle(edges):
        return []
    import networkx

    loops = {edge.source for edge in edges if edge.source == edge.target}
    groups: Iterable[set[UUID]] = networkx.strongly_connected_components(graph.joined(edges))
    return [group for group in groups if len(group) > 1 or not loops.isdisjoint(group)]


def _has_cycle(edges: Iterable[FlowEdge]) -> bool:
    """Return True if these edges lead from some node back to it."""
    order: TopologicalSorter[UUID] = TopologicalSorter()
    for edge in edges:
        order.add(edge.source, edge.target)
    try:
        order.prepare()
    except CycleError:
        return True
    return False


def _way(graph: FlowGraph, edges: Sequence[FlowEdge], source: UUID, target: UUID) -> list[UUID]:
    """Return the shortest way from one node of a group to another, both included."""
    import networkx

    way: list[UUID] = networkx.shortest_path(graph.joined(edges), source, target)
    return way


def _shown(graph: FlowGraph, way: Sequence[UUID]) -> str:
    """Return a way as people read it: at most eight nodes."""
    labels = [graph.spec(node).label for node in way]
    if len(labels) > 8:
        labels = [*labels[:4], "…", *labels[-3:]]
    return " → ".join(labels)
