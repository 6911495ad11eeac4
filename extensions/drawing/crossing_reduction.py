"""Crossing reduction orders the nodes of every layer so that few edges cross: a layer sweep by barycentres."""

from bisect import bisect_left, bisect_right, insort
from itertools import pairwise

from heddle.extensions.drawing.layered_graph import LayeredGraph, Segment

_PATIENCE = 4
_LARGE, _HUGE = 3_000, 12_000


def reduce_crossings(graph: LayeredGraph) -> None:
    """Order the rows of the graph; the same graph always comes out the same."""
    _LayerSweep(graph).run()


def crossings(graph: LayeredGraph) -> int:
    """Return how many pairs of lines cross, as the rows stand."""
    places = _places(graph.rows, len(graph.items))
    return sum(_crossings(gap, places) for gap in graph.gaps)


class _LayerSweep:
    """Sweeps to and fro, each row following the row before, and keeps the best that came of it."""

    def __init__(self, graph: LayeredGraph) -> None:
        self._graph = graph
        count = len(graph.items)
        self._afore: list[list[tuple[int, float]]] = [[] for _ in range(count)]
        self._after: list[list[tuple[int, float]]] = [[] for _ in range(count)]
        for gap in graph.gaps:
            for left, leave, right, arrive, _ in sorted(gap, key=lambda s: (s.leave, s.arrive)):
                self._after[left].append((right, self._share(right, arrive)))
                self._afore[right].append((left, self._share(left, leave)))
        self._segments = sum(len(gap) for gap in graph.gaps)
        self._places: list[int] = [0] * count

    def run(self) -> None:
        rows = self._first()
        if self._segments < 2:
            self._graph.rows = rows
            return
        self._places = _places(rows, len(self._graph.items))
        best, fewest, idle = [list(row) for row in rows], self._count(), 0
        sweeps = 28 if self._segments < _LARGE else 10 if self._segments < _HUGE else 4
        for sweep in range(sweeps):
            if not fewest or idle >= _PATIENCE:
                break
            self._sweep(rows, onward=sweep % 2 == 0, flip=sweep % 4 > 1)
            count = self._count()
            idle += 1
            if count < fewest:
                best, fewest, idle = [list(row) for row in rows], count, 0
        self._places = _places(best, len(self._graph.items))
        if fewest and self._segments < _LARGE:
            self._swap(best)
        self._graph.rows = best

    def _share(self, item: int, b: float) -> float:
        """Return a place on the node as a part of its breadth, so that pins count within a row."""
        entry = self._graph.items[item]
        return b / (entry.before + entry.beyond)

    def _count(self) -> int:
        return sum(_crossings(gap, self._places) for gap in self._graph.gaps)

    def _first(self) -> list[list[int]]:
        """Follow the lines from the start, pin by pin: a tree comes out without a crossing."""
        rows: list[list[int]] = [[] for _ in self._graph.rows]
        seen = [False] * len(self._graph.items)
        for root in (item for row in self._graph.rows for item in row):
            stack = [root]
            while stack:
                item = stack.pop()
                if seen[item]:
                    continue
                seen[item] = True
                rows[self._graph.items[item].layer].append(item)
                stack.extend(right for right, _ in reversed(self._after[item]))
        return rows

    def _sweep(self, rows: list[list[int]], onward: bool, flip: bool) -> None:
        beside = self._afore if onward else self._after
        for row in rows if onward else reversed(rows):
            self._settle(row, beside, flip)

    def _settle(self, row: list[int], beside: list[list[tuple[int, float]]], flip: bool) -> None:
        """Sort a row by the barycentres of its neighbours; a node without any keeps its place."""
        places = self._places
        pulled = [
            (sum(places[n] + share for n, share in beside[item]) / len(beside[item]), item)
            for item in row
            if beside[item]
        ]
        if flip:
            pulled.reverse()
        pulled.sort(key=lambda entry: entry[0])
        follow = iter(pulled)
        row[:] = [next(follow)[1] if beside[item] else item for item in row]
        for place, item in enumerate(row):
            places[item] = place

    def _swap(self, rows: list[list[int]]) -> None:
        """Exchange neighbours as long as that undoes crossings."""
        for _ in range(_PATIENCE):
            gained = 0
            for row in rows:
                for at in range(len(row) - 1):
                    upper, lower = row[at], row[at + 1]
                    gain = self._between(upper, lower) - self._between(lower, upper)
                    if gain > 0:
                        row[at], row[at + 1] = lower, upper
                        self._places[lower], self._places[upper] = at, at + 1
                        gained += gain
            if not gained:
                return

    def _between(self, upper: int, lower: int) -> int:
        """Return the crossings among the lines of two neighbours in this order."""
        places, count = self._places, 0
        for beside in (self._afore, self._after):
            if not (beside[upper] and beside[lower]):
                continue
            below = sorted(places[n] + share for n, share in beside[lower])
            count += sum(bisect_left(below, places[n] + share) for n, share in beside[upper])
        return count


def _places(rows: list[list[int]], count: int) -> list[int]:
    places = [0] * count
    for row in rows:
        for place, item in enumerate(row):
            places[item] = place
    return places


def _crossings(gap: list[Segment], places: list[int]) -> int:
    """Return the crossings within one gap: pairs that leave in one order and arrive in the other."""
    lines = sorted(
        (places[left], leave, places[right], arrive) for left, leave, right, arrive, _ in gap
    )
    if all(a[2:] <= b[2:] for a, b in pairwise(lines)):
        return 0
    seen: list[tuple[float, float]] = []
    count = 0
    at = 0
    while at < len(lines):
        # Lines that leave from one point cannot cross each other.
        end = at
        while end < len(lines) and lines[end][:2] == lines[at][:2]:
            end += 1
        for line in lines[at:end]:
            count += len(seen) - bisect_right(seen, line[2:])
        for line in lines[at:end]:
            insort(seen, line[2:])
        at = end
    return count
