"""Symbols that wait for each other in a cycle are named together, in the order of their links."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID


def find_cycles(links: Mapping[UUID, Sequence[UUID]]) -> dict[UUID, tuple[UUID, ...]]:
    """Return the members of each cycle by each of its members; `links` are the targets of each node.

    The first member is the first in `links`; the others follow as they are met along the links. This is
    the algorithm of Tarjan, with a stack of its own: a chain may be longer than Python recurses.
    """
    cycles: dict[UUID, tuple[UUID, ...]] = {}
    index: dict[UUID, int] = {}
    low: dict[UUID, int] = {}
    path: list[UUID] = []
    open_: set[UUID] = set()
    for first in links:
        if first in index:
            continue
        stack: list[tuple[UUID, Iterator[UUID]]] = []
        _enter(first, links, index, low, path, open_, stack)
        while stack:
            node, targets = stack[-1]
            target = next((each for each in targets if each in links), None)
            if target is None:
                stack.pop()
                if stack:
                    low[stack[-1][0]] = min(low[stack[-1][0]], low[node])
                if low[node] == index[node]:
                    _leave(node, links, path, open_, cycles)
            elif target not in index:
                _enter(target, links, index, low, path, open_, stack)
            elif target in open_:
                low[node] = min(low[node], index[target])
    return cycles


def _enter(
    node: UUID,
    links: Mapping[UUID, Sequence[UUID]],
    index: dict[UUID, int],
    low: dict[UUID, int],
    path: list[UUID],
    open_: set[UUID],
    stack: list[tuple[UUID, Iterator[UUID]]],
) -> None:
    index[node] = low[node] = len(index)
    path.append(node)
    open_.add(node)
    stack.append((node, iter(links[node])))


def _leave(
    node: UUID,
    links: Mapping[UUID, Sequence[UUID]],
    path: list[UUID],
    open_: set[UUID],
    cycles: dict[UUID, tuple[UUID, ...]],
) -> None:
    """Take the group that a node began off the path; it is a cycle if a link leads back into it."""
    members = [path.pop()]
    while members[-1] != node:
        members.append(path.pop())
    open_.difference_update(members)
    group = tuple(reversed(members))
    if len(group) > 1 or node in links[node]:
        cycles.update(dict.fromkeys(group, group))


def labels_of(labels: Iterable[str]) -> str:
    """Return the members of a cycle as people read them: at most eight, and back to the first."""
    members = list(labels)
    shown = members if len(members) <= 8 else [*members[:5], "…", *members[-2:]]
    return " → ".join([*shown, members[0]])
