"""Bend removal nudges placed items a little if that takes a bend out of a line."""

from typing import TypeAlias

from heddle.extensions.drawing.layered_graph import LayeredGraph

Pull: TypeAlias = tuple[int, float, float]
"""A neighbour, if it wants this item's middle from its own, and how much that counts."""

_BEND = 14.0
_NUDGE = 11.0
_INNER = 4.0
_ROUNDS = 4


def remove_bends(graph: LayeredGraph, middles: list[float]) -> None:
    """Move the middles in place; the order and the space between items stay.

    Only a little: what stands in the middle of its fan is to stay there.
    """
    pulls = _pulls(graph)
    for _ in range(_ROUNDS):
        moved = False
        for row in graph.rows:
            for place, item in enumerate(row):
                low, high = _slack(graph, middles, row, place)
                better = _better(pulls[item], middles, middles[item], low, high)
                moved |= better != middles[item]
                middles[item] = better
        if not moved:
            return


def _pulls(graph: LayeredGraph) -> list[list[Pull]]:
    pulls: list[list[Pull]] = [[] for _ in graph.items]
    for gap in graph.gaps:
        for left, leave, right, arrive, _ in gap:
            inner = graph.items[left].box is None and graph.items[right].box is None
            weight = _INNER if inner else 1.0
            pulls[left].append((right, arrive - leave, weight))
            pulls[right].append((left, leave - arrive, weight))
    return pulls


def _better(pulls: list[Pull], middles: list[float], now: float, low: float, high: float) -> float:
    """Return the place near by where the lines bend least; if it is now, if none is better."""
    wishes = {middles[n] + offset for n, offset, _ in pulls}
    near = sorted(b for b in wishes if abs(b - now) <= _NUDGE and low <= b <= high)
    best = min(near, key=lambda b: _cost(pulls, middles, b), default=now)
    gain = _cost(pulls, middles, now) - _cost(pulls, middles, best)
    return best if gain > 1e-6 else now


def _cost(pulls: list[Pull], middles: list[float], b: float) -> float:
    bends = ((abs(middles[n] + offset - b), weight) for n, offset, weight in pulls)
    return sum(weight * (bend + _BEND) for bend, weight in bends if bend > 1e-6)


def _slack(
    graph: LayeredGraph, middles: list[float], row: list[int], place: int
) -> tuple[float, float]:
    """Return how far the node may go without coming too close to its neighbours in the row."""
    item = graph.items[row[place]]
    low, high = float("-inf"), float("inf")
    if place:
        upper = row[place - 1]
        low = middles[upper] + graph.items[upper].beyond + item.before
    if place + 1 < len(row):
        lower = row[place + 1]
        high = middles[lower] - graph.items[lower].before - item.beyond
    return low, high
