"""Questions about the graph of some Specs, as warnings: what nothing leads to, what never ends or answers.

A warning keeps nothing from running. None is given on a guess: each holds whatever packets say, as far
as the Specs at hand are all there is. networkx takes long to import, so it is asked only once a walk
has shown that there is something to tell.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias
from uuid import UUID

from heddle.runtime.assembly.answer_types import check_answer_types
from heddle.runtime.assembly.cycles import endless_cycles, error_loops
from heddle.runtime.assembly.flow_graph import (
    ENTRY,
    FlowEdge,
    FlowGraph,
    FlowPart,
    graph_problem,
    quoted,
)
from heddle.runtime.assembly.graph_codes import (
    DEAD_NODE,
    NEVER_MERGED,
    NO_ANSWER,
    UNREACHED,
)
from heddle.runtime.assembly.link_check import SchemaOf
from heddle.runtime.assembly.link_types import PortTypes, check_link_types
from heddle.schemas.check import in_order
from heddle.schemas.path import Path
from heddle.schemas.port import canonical
from heddle.schemas.problem import Problem
from heddle.schemas.schema import TypeOfCode

End: TypeAlias = tuple[UUID, str]
"""A node and one of its in ports."""


def check_graph(
    parts: Sequence[FlowPart],
    schema_of: SchemaOf,
    *,
    whole: bool = True,
    type_of_code: TypeOfCode = lambda language, code: {},
) -> list[Problem]:
    """Return a Problem for each thing in the graph of these Specs that cannot have been meant, by place.

    Without `whole`, some Specs could not be read: what may follow from that is not told.
    `type_of_code` gives the types of code in a language, which links are checked with.
    """
    graph = FlowGraph(parts, schema_of)
    problems = [*_unreached(graph), *endless_cycles(graph), *error_loops(graph)]
    types = PortTypes(graph, type_of_code)
    problems += [*check_link_types(graph, types), *check_answer_types(graph, types)]
    if whole:
        problems += [*_dead_nodes(graph), *_no_answers(graph), *_never_merged(graph)]
    return in_order(problems)


# --- nodes ------------------------------------------------------------------------------------


def _dead_nodes(graph: FlowGraph) -> Iterator[Problem]:
    """Tell of each node that no packet comes to, but for those behind such a node.

    In a namespace in which nothing begins a process, a program sends the packets: nobody knows where.
    """
    fed = {graph.spec(node).namespace for node in graph.parts if graph.begins(node)}
    texts = fed - graph.incomplete
    reached = graph.reached(node for node in graph.parts if graph.is_entry(node))
    dead = {
        node for node in graph.parts if node not in reached and graph.spec(node).namespace in texts
    }
    if not dead:
        return
    import networkx

    rank = {node: number for number, node in enumerate(graph.parts)}
    rest = graph.joined().subgraph(dead)
    for group in networkx.strongly_connected_components(rest):
        if any(source not in group for node in group for source in rest.predecessors(node)):
            continue
        spec = graph.spec(min(group, key=rank.__getitem__))
        actual = f"nothing leads to {quoted(spec)}, and a {spec.kind} begins nothing itself"
        if len(group) > 1:
            actual = f"nothing leads to {quoted(spec)} but nodes that nothing leads to"
        yield graph_problem(
            DEAD_NODE,
            spec,
            (),
            actual,
            "a link to one of its in ports",
            f"Link a port to it, or remove it. If a program sends to it, annotate it with {ENTRY}.",
        )


# --- answers ----------------------------------------------------------------------------------


def _no_answers(graph: FlowGraph) -> Iterator[Problem]:
    """Tell of each port for requests from which every way ends in a node that answers NOTHING."""
    asking = {node for node in graph.parts if (schema := graph.schema(node)) and schema.asks}
    silent = _silent_ends(graph, (edge for edge in graph.edges if edge.source in asking))
    for node in asking:
        schema, spec = graph.schema(node), graph.spec(node)
        if schema is None or spec.namespace in graph.incomplete:
            continue
        for port in schema.asks:
            leaving = [edge for edge in graph.leaving.get(node, ()) if edge.out == port]
            linked = (
                text for text, links in spec.ports.items() if links and canonical(text) == port
            )
            written = next(linked, None)
            if not leaving and not (graph.begins(node) and graph.parts[node].bound):
                continue
            if leaving and not silent.issuperset((edge.target, edge.port) for edge in leaving):
                continue
            path: Path = () if written is None else ("ports", written)
            actual = f'no packet that leaves by "{port}" is ever answered'
            if not leaving:
                actual = f'nothing is linked to "{port}", so that no packet is ever answered'
            yield graph_problem(
                NO_ANSWER,
                spec,
                path,
                actual,
                "a way to a node that answers",
                "Link a node that answers, such as a `snippet`; `fork` answers at once, and goes on.",
            )


def _silent_ends(graph: FlowGraph, starts: Iterable[FlowEdge]) -> set[End]:
    """Return the in ports behind these edges at which each packet is answered NOTHING."""
    behind: dict[End, list[End]] = {}
    before: dict[End, set[End]] = {}
    waiting = [(edge.target, edge.port) for edge in starts]
    silent: list[End] = []
    while waiting:
        end = waiting.pop()
        if end in behind:
            continue
        schema = graph.schema(end[0])
        behind[end] = []
        if schema is not None and not schema.answers:
            silent.append(end)
            continue
        ports = graph.ways(*end)
        ways = [each for each in graph.leaving.get(end[0], ()) if each.out in ports]
        if {way.out for way in ways} == set(ports):
            behind[end] = [(way.target, way.port) for way in ways]
        for entry in behind[end]:
            before.setdefault(entry, set()).add(end)
            waiting.append(entry)
    ended = set(silent)
    while silent:
        for end in before.get(silent.pop(), ()):
            if end not in ended and ended.issuperset(behind[end]):
                ended.add(end)
                silent.append(end)
    return ended


def _never_merged(graph: FlowGraph) -> Iterator[Problem]:
    """Tell of each in port of a `merge` to which no process comes that comes to another of them."""
    merges = [node for node in graph.parts if (schema := graph.schema(node)) and schema.gathers]
    if not merges:
        return
    begins = [node for node in graph.parts if graph.begins(node)]
    reached = {node: graph.reached([node]) for node in begins}
    for node in merges:
        spec = graph.spec(node)
        edges = [edge for edge in graph.edges if edge.target == node]
        ports = {edge.port for edge in edges}
        if spec.namespace in graph.incomplete:
            continue
        for source, nodes in reached.items():
            filled = {edge.port for edge in edges if edge.source in nodes}
            if filled and filled != ports:
                empty = ", ".join(sorted(ports - filled))
                yield graph_problem(
                    NEVER_MERGED,
                    spec,
                    (),
                    f"packets of {quoted(graph.spec(source))} wait for ever: it does not lead to {empty}",
                    "a way from it to each in port that is linked",
                    "Packets are merged within one process. Begin at one `split`, or link both ways to "
                    "one node.",
                )
                break


# --- parts of a Spec --------------------------------------------------------------------------


def _unreached(graph: FlowGraph) -> Iterator[Problem]:
    """Tell of what each kind says that no packet can reach: routes, cases, links."""
    for part in graph.parts.values():
        spec = part.spec
        schema = graph.schema(spec.id)
        if schema is None or schema.unreached is None or not part.settled:
            continue
        fields = graph.fields(spec.id)
        if fields is None:
            continue
        linked = {canonical(port): port for port, links in spec.ports.items() if links}
        for path, actual, hint in schema.unreached(fields, linked):
            yield graph_problem(UNREACHED, spec, path, actual, "", hint)
