"""Layer assignment gives every box a column, so that lines lead onwards and are short."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TypeAlias

Edge: TypeAlias = tuple[int, int]

_PASSES = 6


def assign_layers(count: int, edges: Sequence[Edge]) -> list[int]:
    """Return a layer for each of `count` boxes, from 0 on.

    An edge from a higher layer to a lower one leads back: it closes a ring. Only a self link
    stays in its layer.
    """
    onward = _without_cycles(count, [edge for edge in edges if edge[0] != edge[1]])
    after: list[list[int]] = [[] for _ in range(count)]
    before: list[list[int]] = [[] for _ in range(count)]
    for source, target in onward:
        after[source].append(target)
        before[target].append(source)
    order = _topological(after, before)
    layers = _longest_path(order, before)
    _tighten(layers, order, after, before)
    least = min(layers, default=0)
    return [layer - least for layer in layers]


def _without_cycles(count: int, edges: Sequence[Edge]) -> list[Edge]:
    """Return the edges without a cycle: those that lead back to where the flow came from are reversed."""
    outs: list[list[int]] = [[] for _ in range(count)]
    entries = set(range(count))
    for number, (source, target) in enumerate(edges):
        outs[source].append(number)
        entries.discard(target)
    state = [0] * count  # 0 not seen, 1 on the way here, 2 done
    back: set[int] = set()
    for root in (*sorted(entries), *range(count)):
        if state[root]:
            continue
        state[root] = 1
        path = [(root, iter(outs[root]))]
        while path:
            box, rest = path[-1]
            number = next(rest, -1)
            if number < 0:
                state[box] = 2
                path.pop()
                continue
            target = edges[number][1]
            if state[target] == 1:
                back.add(number)
            elif state[target] == 0:
                state[target] = 1
                path.append((target, iter(outs[target])))
    return [(edge[1], edge[0]) if n in back else edge for n, edge in enumerate(edges)]


def _topological(after: list[list[int]], before: list[list[int]]) -> list[int]:
    missing = [len(sources) for sources in before]
    queue = deque(box for box, count in enumerate(missing) if not count)
    order = []
    while queue:
        box = queue.popleft()
        order.append(box)
        for target in after[box]:
            missing[target] -= 1
            if not missing[target]:
                queue.append(target)
    return order


def _longest_path(order: Iterable[int], before: list[list[int]]) -> list[int]:
    layers = [0] * len(before)
    for box in order:
        layers[box] = max((layers[source] + 1 for source in before[box]), default=0)
    return layers


def _tighten(
    layers: list[int], order: Sequence[int], after: list[list[int]], before: list[list[int]]
) -> None:
    """Slide boxes towards the side if more of their lines are; no line grows by it in sum."""
    for _ in range(_PASSES):
        moved = False
        for box in reversed(order):
            if after[box] and len(after[box]) >= len(before[box]):
                moved |= _slide(layers, box, min(layers[target] for target in after[box]) - 1)
        for box in order:
            if before[box] and len(before[box]) >= len(after[box]):
                moved |= _slide(layers, box, max(layers[source] for source in before[box]) + 1)
        if not moved:
            return


def _slide(layers: list[int], box: int, layer: int) -> bool:
    moved = layers[box] != layer
    layers[box] = layer
    return moved
