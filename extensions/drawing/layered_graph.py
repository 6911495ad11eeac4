"""A LayeredGraph is layered boxes whose lines cross one gap at a time, through dummy nodes if needed.

A line to the next layer is one segment. A longer one passes a dummy node in every layer between;
lines of one strand into one pin share their dummy nodes, so a common target has one trunk and not
a bundle. A line that leads back runs in a channel under both its boxes and is then like any
other, read from the far end. Where dummy nodes would become too many, the longest lines go round
the outside instead: those are `outside`, and no part of the graph.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from heddle.extensions.drawing.boxes import Box, Join

Key: TypeAlias = tuple[int, int, str]

BOX_SPACE = 26.0
CHANNEL_SPACE = 13.0
CHANNEL_FIRST = 15.0
_DUMMY_SPACE = 7.0
_MOST_DUMMIES = 10_000


class Segment(NamedTuple):
    """From the item `left`, at `leave` from its middle, to `right` in the next layer."""

    left: int
    leave: float
    right: int
    arrive: float
    minor: bool


class LayerNode:
    """A box or a dummy node in its layer; it takes `before` and `beyond` its middle."""

    __slots__ = ("before", "beyond", "box", "layer")

    def __init__(self, layer: int, before: float, beyond: float, box: int | None = None) -> None:
        self.layer = layer
        self.before = before
        self.beyond = beyond
        self.box = box


class LayeredGraph:
    """Items (the boxes first, in their order), rows of items, and the segments of every gap.

    `ways` has the dummy nodes of each join from its source to its target; `channels` the breadths
    under its source and its target if a join that leads back runs.
    """

    def __init__(self, boxes: Sequence[Box], joins: Sequence[Join], layers: Sequence[int]) -> None:
        self.boxes = boxes
        self.joins = joins
        self.layers = layers
        self.depth = max(layers, default=-1) + 1
        self.outside = self._too_long()
        self.channels = self._dig()
        self.items = [
            LayerNode(layers[index], *self._extent(index), index) for index in range(len(boxes))
        ]
        self.trunks = self._lay_trunks()
        self.ways = [self._way(number) for number in range(len(joins))]
        self.gaps = self._segments()
        self.rows: list[list[int]] = [[] for _ in range(self.depth)]
        for index, item in enumerate(self.items):
            self.rows[item.layer].append(index)

    def leads_back(self, join: Join) -> bool:
        """Return whether it leads to its own layer (a self link) or to an earlier one."""
        return self.layers[join.target] <= self.layers[join.source]

    def edge(self, box: int) -> float:
        """Return how far from its middle a box and the labels beside it reach."""
        return self.boxes[box].breadth / 2 + self.boxes[box].margin

    def key(self, join: Join) -> Key:
        """Return the trunk that the join belongs to."""
        way = "back" if self.leads_back(join) else "on"
        return join.target, join.pin, f"{way} {join.strand}"

    def _reaches(self) -> dict[Key, int]:
        """Return how many layers lie between the target of each trunk and the farthest of its sources."""
        reach: dict[Key, int] = {}
        for join in self.joins:
            span = abs(self.layers[join.target] - self.layers[join.source]) - 1
            reach[self.key(join)] = max(reach.get(self.key(join), 0), span)
        return reach

    def _too_long(self) -> frozenset[int]:
        """Return the joins whose dummy nodes would be too many; the longest of them first."""
        reach = self._reaches()
        total = sum(reach.values())
        long: set[Key] = set()
        for key in sorted(reach, key=lambda key: (-reach[key], key)):
            if total <= _MOST_DUMMIES:
                break
            long.add(key)
            total -= reach.pop(key)
        self._reach = reach
        return frozenset(
            number
            for number, join in enumerate(self.joins)
            if self.key(join) in long
            and abs(self.layers[join.target] - self.layers[join.source]) > 1
        )

    def _dig(self) -> dict[int, tuple[float, float]]:
        """Give every join that leads back its channel under the source and under the target.

        Self links lie innermost. Lines that come in through one pin share a channel, and so do
        lines that leave through one pin for the same trunk.
        """
        owners: list[dict[tuple[int, float, Key], None]] = [{} for _ in self.boxes]
        under: dict[int, tuple[tuple[int, float, Key], tuple[int, float, Key]]] = {}
        for number, join in enumerate(self.joins):
            if number in self.outside or not self.leads_back(join):
                continue
            key = self.key(join)
            out = -self.boxes[join.source].outs[join.out].b
            entry = -self.boxes[join.target].ins[join.pin].b
            leave = (0 if join.source == join.target else 1, out, key)
            arrive = leave if join.source == join.target else (2, entry, key)
            owners[join.source][leave] = None
            owners[join.target][arrive] = None
            under[number] = leave, arrive
        places = [
            {owner: index for index, owner in enumerate(sorted(entries))} for entries in owners
        ]
        self._dug = [len(entries) for entries in owners]
        return {
            number: (
                self._channel(self.joins[number].source, places[self.joins[number].source][leave]),
                self._channel(self.joins[number].target, places[self.joins[number].target][arrive]),
            )
            for number, (leave, arrive) in under.items()
        }

    def _channel(self, box: int, place: int) -> float:
        return self.edge(box) + CHANNEL_FIRST + CHANNEL_SPACE * place

    def _extent(self, index: int) -> tuple[float, float]:
        dug, edge = self._dug[index], self.edge(index)
        beyond = self._channel(index, dug - 1) if dug else edge
        return edge + BOX_SPACE / 2, beyond + BOX_SPACE / 2

    def _lay_trunks(self) -> dict[Key, tuple[int, ...]]:
        """Add dummy nodes from the layer after the farthest source to the layer before the target."""
        trunks: dict[Key, tuple[int, ...]] = {}
        for key, reach in self._reach.items():
            end = self.layers[key[0]]
            back = key[2].startswith("back")
            layers = range(end + reach, end, -1) if back else range(end - reach, end)
            first = len(self.items)
            self.items.extend(LayerNode(layer, _DUMMY_SPACE, _DUMMY_SPACE) for layer in layers)
            trunks[key] = tuple(range(first, len(self.items)))
        return trunks

    def _way(self, number: int) -> tuple[int, ...]:
        join = self.joins[number]
        between = abs(self.layers[join.target] - self.layers[join.source]) - 1
        if number in self.outside or between < 1:
            return ()
        return self.trunks[self.key(join)][-between:]

    def _segments(self) -> list[list[Segment]]:
        gaps: list[dict[Segment, None]] = [{} for _ in range(max(0, self.depth - 1))]
        for number, join in enumerate(self.joins):
            if number not in self.outside and join.source != join.target:
                self._lead(number, join, gaps)
        return [list(gap) for gap in gaps]

    def _lead(self, number: int, join: Join, gaps: list[dict[Segment, None]]) -> None:
        """Add the segments of one join, up to where its trunk is known already."""
        back = number in self.channels
        leave, arrive = self.channels.get(
            number,
            (self.boxes[join.source].outs[join.out].b, self.boxes[join.target].ins[join.pin].b),
        )
        here, b = join.source, leave
        for there in (*self.ways[number], join.target):
            to = arrive if there == join.target else 0.0
            ends = (there, to, here, b) if back else (here, b, there, to)
            segment = Segment(*ends, join.minor)
            gap = gaps[self.items[segment.left].layer]
            if segment in gap and here != join.source:
                return
            gap[segment] = None
            here, b = there, to
