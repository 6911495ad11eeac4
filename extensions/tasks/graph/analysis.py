"""Questions to the graph of a workflow: cycles, levels, the critical path. networkx answers them when asked.

The scheduler needs none of this: `levels` are for people, never a barrier.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from networkx import DiGraph


class NumberedFlows(Protocol):
    """The questions to a graph: the names of its tasks, and the dependents of each by number."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tasks."""
        ...

    @property
    def flows(self) -> Sequence[tuple[int, ...]]:
        """The dependents of each task."""
        ...


def digraph(graph: NumberedFlows) -> "DiGraph[str]":
    """Return the graph of the names of the tasks."""
    import networkx

    value: DiGraph[str] = networkx.DiGraph()
    value.add_nodes_from(graph.names)
    for number, targets in enumerate(graph.flows):
        value.add_edges_from((graph.names[number], graph.names[target]) for target in targets)
    return value


def find_cycle(names: Iterable[str], flows: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the names on a cycle, the first one twice: `a, b, a`; empty if there is no cycle.

    `flows` are pairs of an upstream task and its dependent. The result depends on the order of the
    names and the flows alone.
    """
    import networkx

    value: DiGraph[str] = networkx.DiGraph()
    value.add_nodes_from(names)
    value.add_edges_from(flows)
    try:
        edges = networkx.find_cycle(value)
    except networkx.NetworkXNoCycle:
        return ()
    return (*(source for source, _ in edges), edges[0][0])


def levels(graph: NumberedFlows) -> list[list[str]]:
    """Return the names of the tasks by their distance from the first ones, each level in order."""
    import networkx

    order = {name: number for number, name in enumerate(graph.names)}
    generations = networkx.topological_generations(digraph(graph))
    return [sorted(names, key=order.__getitem__) for names in generations]


def critical_path(
    graph: NumberedFlows, seconds: Mapping[str, float]
) -> tuple[tuple[str, ...], float]:
    """Return the chain of tasks that took longest, and its seconds; `seconds` has the time of each."""
    import networkx

    weighted = networkx.DiGraph()
    for name in graph.names:
        weighted.add_edge((name, 0), (name, 1), weight=seconds.get(name, 0.0))
    for number, targets in enumerate(graph.flows):
        for target in targets:
            weighted.add_edge((graph.names[number], 1), (graph.names[target], 0), weight=0.0)
    path = networkx.dag_longest_path(weighted)
    chain = tuple(name for name, end in path if not end)
    return chain, sum(seconds.get(name, 0.0) for name in chain)
