"""Coordinate assignment gives every node its breadth: lines run straight, and nothing overlaps.

After Brandes and Köpf (2001), with items of unequal size and lines that meet them off their
middle: items joined by a median line form a straight block, blocks are set as close as they may
stand, once from each of four corners, and each item takes the mean of the two middle answers.
"""

from itertools import pairwise
from typing import NamedTuple

from heddle.extensions.drawing.layered_graph import LayeredGraph


class _Neighbour(NamedTuple):
    """An item across a gap, and where the line meets that item and this one."""

    item: int
    theirs: float
    ours: float
    minor: bool


def assign_coordinates(graph: LayeredGraph) -> list[float]:
    """Return the middle of every node; the order of the rows is kept, and the space between them."""
    beside = _Neighbours(graph)
    crossed = _conflicts(graph, beside)
    answers = [
        _Alignment(graph, beside, crossed, onward, mirrored).solve()
        for onward in (True, False)
        for mirrored in (False, True)
    ]
    return _balance(graph, answers)


class _Neighbours:
    """The nodes that are joined across the gaps, as far as it counts for running straight.

    Dummy nodes count only dummy nodes, if they have any: the inside of a long line comes out straight,
    whoever joins its trunk on the way. Boxes count only lines that are not minor, if they have any.
    """

    def __init__(self, graph: LayeredGraph) -> None:
        count = len(graph.items)
        self.afore: list[list[_Neighbour]] = [[] for _ in range(count)]
        self.after: list[list[_Neighbour]] = [[] for _ in range(count)]
        for gap in graph.gaps:
            for left, leave, right, arrive, minor in gap:
                self.after[left].append(_Neighbour(right, arrive, leave, minor))
                self.afore[right].append(_Neighbour(left, leave, arrive, minor))
        self._is_dummy = [item.box is None for item in graph.items]
        for neighbours in (self.afore, self.after):
            for item, near in enumerate(neighbours):
                neighbours[item] = self._first(item, near) or near
        self.afore, self.after = self._mutual(self.afore, self.after)

    @staticmethod
    def _mutual(
        afore: list[list[_Neighbour]], after: list[list[_Neighbour]]
    ) -> tuple[list[list[_Neighbour]], list[list[_Neighbour]]]:
        """Return only the lines that count for both their ends."""
        onward = {(item, n.item) for item, near in enumerate(after) for n in near}
        back = {(n.item, item) for item, near in enumerate(afore) for n in near}
        both = onward & back
        return (
            [[n for n in near if (n.item, item) in both] for item, near in enumerate(afore)],
            [[n for n in near if (item, n.item) in both] for item, near in enumerate(after)],
        )

    def _first(self, item: int, near: list[_Neighbour]) -> list[_Neighbour]:
        if self._is_dummy[item]:
            return [n for n in near if self._is_dummy[n.item]]
        return [n for n in near if not n.minor]

    def inner(self, item: int) -> int | None:
        """Return the dummy node before this dummy node; None if there is none."""
        if not self._is_dummy[item] or not self.afore[item]:
            return None
        first = self.afore[item][0].item
        return first if self._is_dummy[first] else None


def _conflicts(graph: LayeredGraph, beside: _Neighbours) -> set[tuple[int, int]]:
    """Return the lines that cross the inside of a long one (type 1 conflicts): those must bend, it must not."""
    crossed: set[tuple[int, int]] = set()
    places = {item: place for row in graph.rows for place, item in enumerate(row)}
    for before, row in pairwise(graph.rows):
        low, scanned = 0, 0
        for place, item in enumerate(row):
            inner = beside.inner(item)
            if inner is None and place < len(row) - 1:
                continue
            high = places[inner] if inner is not None else len(before)
            for other in row[scanned : place + 1]:
                if beside.inner(other) is not None:
                    continue
                for neighbour in beside.afore[other]:
                    if not low <= places[neighbour.item] <= high:
                        crossed.add((neighbour.item, other))
            scanned, low = place + 1, high
    return crossed


class _Alignment:
    """One of the four answers: blocks made row by row from one end, packed towards one side."""

    def __init__(
        self,
        graph: LayeredGraph,
        beside: _Neighbours,
        crossed: set[tuple[int, int]],
        onward: bool,
        mirrored: bool,
    ) -> None:
        self._graph = graph
        self._crossed = crossed
        self._neighbours = beside.afore if onward else beside.after
        rows = graph.rows if onward else graph.rows[::-1]
        self._rows = [row[::-1] for row in rows] if mirrored else rows
        self._sign = -1.0 if mirrored else 1.0
        count = len(graph.items)
        self._root = list(range(count))
        self._next = list(range(count))
        self._shift = [0.0] * count
        self._place = [0] * count
        for row in self._rows:
            for place, item in enumerate(row):
                self._place[item] = place

    def solve(self) -> list[float]:
        self._align()
        blocks = self._pack()
        return [
            self._sign * (blocks[root] + shift)
            for root, shift in zip(self._root, self._shift, strict=True)
        ]

    def _align(self) -> None:
        for row in self._rows:
            last = -1
            for item in row:
                last = self._join(item, last)

    def _join(self, item: int, last: int) -> int:
        """Put the item into the block of its median neighbour, if the way there is free."""
        near = sorted(
            self._neighbours[item],
            key=lambda n: (self._place[n.item], self._sign * n.theirs, self._sign * n.ours),
        )
        for middle in sorted({(len(near) - 1) // 2, len(near) // 2}) if near else ():
            other = near[middle]
            if self._next[item] != item or self._place[other.item] <= last:
                continue
            if (other.item, item) in self._crossed or (item, other.item) in self._crossed:
                continue
            self._root[item] = self._root[other.item]
            self._next[other.item] = item
            self._next[item] = self._root[item]
            bend = self._sign * (other.theirs - other.ours)
            self._shift[item] = self._shift[other.item] + bend
            last = self._place[other.item]
        return last

    def _pack(self) -> dict[int, float]:
        """Set every block as low as the blocks before it allow, then up against those after it."""
        space: dict[int, dict[int, float]] = {root: {} for root in dict.fromkeys(self._root)}
        before: dict[int, dict[int, float]] = {root: {} for root in space}
        for row in self._rows:
            for upper, lower in pairwise(row):
                gap = self._room(upper, lower)
                first, two = self._root[upper], self._root[lower]
                if gap > space[first].get(two, -1e18):
                    space[first][two] = before[two][first] = gap
        order = _sorted(space, before)
        at: dict[int, float] = {}
        for block in order:
            at[block] = max((at[b] + gap for b, gap in before[block].items()), default=0.0)
        for block in reversed(order):
            room = min((at[b] - gap for b, gap in space[block].items()), default=at[block])
            at[block] = max(at[block], room)
        return at

    def _room(self, upper: int, lower: int) -> float:
        first, two = self._graph.items[upper], self._graph.items[lower]
        needed = first.beyond + two.before if self._sign > 0 else first.before + two.beyond
        return self._shift[upper] + needed - self._shift[lower]


def _sorted(after: dict[int, dict[int, float]], before: dict[int, dict[int, float]]) -> list[int]:
    missing = {block: len(sources) for block, sources in before.items()}
    order = [block for block, count in missing.items() if not count]
    done = 0
    while done < len(order):
        for other in after[order[done]]:
            missing[other] -= 1
            if not missing[other]:
                order.append(other)
        done += 1
    return order


def _balance(graph: LayeredGraph, answers: list[list[float]]) -> list[float]:
    """Slide the four answers onto the narrowest, then take the middle of each item's four."""
    bounds = [
        (
            min(b - item.before for b, item in zip(answer, graph.items, strict=True)),
            max(b + item.beyond for b, item in zip(answer, graph.items, strict=True)),
        )
        for answer in answers
    ]
    low, high = min(bounds, key=lambda bound: bound[1] - bound[0])
    slides = [
        low - bound[0] if number % 2 == 0 else high - bound[1]
        for number, bound in enumerate(bounds)
    ]
    return [
        sum(sorted(b + slide for b, slide in zip(four, slides, strict=True))[1:3]) / 2
        for four in zip(*answers, strict=True)
    ]
