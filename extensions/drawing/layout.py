"""A layout places boxes in columns along the flow, and gives every join its way."""

from collections.abc import Iterable, Sequence
from math import sqrt

import msgspec

from heddle.extensions.drawing.bend_removal import remove_bends
from heddle.extensions.drawing.boxes import Box, BoxLayout, Join, LineRoute, Placement, Point
from heddle.extensions.drawing.coordinate_assignment import assign_coordinates
from heddle.extensions.drawing.crossing_reduction import reduce_crossings
from heddle.extensions.drawing.edge_routing import EdgeRouting
from heddle.extensions.drawing.layer_assignment import assign_layers
from heddle.extensions.drawing.layered_graph import LayeredGraph

_AFTER, _BESIDE = 54.0, 34.0
_ASPECT = 1.7


def layout(boxes: Sequence[Box], joins: Sequence[Join], aspect: float = _ASPECT) -> BoxLayout:
    """Lay out any number of boxes; what is not joined stands apart, nothing overlaps.

    `aspect` is length over breadth: the shape wanted if several pieces are set together.
    """
    pieces = [_Component(boxes, joins, *group) for group in _components(len(boxes), joins)]
    pieces.sort(key=lambda piece: (len(piece.boxes) == 1, not piece.joins))
    places, length, breadth = _pack_components(pieces, aspect)
    placements: dict[int, Placement] = {}
    routes: dict[int, LineRoute] = {}
    for piece, (a, b) in zip(pieces, places, strict=True):
        for index, placement in zip(piece.boxes, piece.placements, strict=True):
            placements[index] = Placement(
                placement.a + a, placement.b + b, placement.length, placement.breadth
            )
        for number, route in zip(piece.joins, piece.routes, strict=True):
            routes[number] = route.moved(a, b)
    return BoxLayout(
        placements=tuple(placements[index] for index in range(len(boxes))),
        routes=tuple(routes[number] for number in range(len(joins))),
        length=length,
        breadth=breadth,
    )


class _Component:
    """Boxes that hang together, laid out by themselves with their upper left corner at (0, 0)."""

    def __init__(
        self,
        boxes: Sequence[Box],
        joins: Sequence[Join],
        members: Sequence[int],
        lines: Sequence[int],
    ) -> None:
        self.boxes = members
        self.joins = lines
        near = {index: number for number, index in enumerate(members)}
        own = [boxes[index] for index in members]
        between = [
            msgspec.structs.replace(join, source=near[join.source], target=near[join.target])
            for join in (joins[number] for number in lines)
        ]
        layers = assign_layers(len(own), [(join.source, join.target) for join in between])
        graph = LayeredGraph(own, between, layers)
        reduce_crossings(graph)
        middles = assign_coordinates(graph)
        remove_bends(graph, middles)
        drawn = EdgeRouting(graph, middles)
        placements, routes = drawn.placements(), drawn.routes()
        (low, top), (high, bottom) = _bounds(own, placements, routes)
        self.placements = [Placement(s.a - low, s.b - top, s.length, s.breadth) for s in placements]
        self.routes = [route.moved(-low, -top) for route in routes]
        self.length = high - low
        self.breadth = bottom - top


def _bounds(
    boxes: Sequence[Box], placements: Sequence[Placement], routes: Iterable[LineRoute]
) -> tuple[Point, Point]:
    corners: list[Point] = []
    for box, placement in zip(boxes, placements, strict=True):
        corners.append((placement.a, placement.b - box.margin))
        corners.append(
            (placement.a + placement.length, placement.b + placement.breadth + box.margin)
        )
    for route in routes:
        corners.append(route.start)
        corners.extend(point for step in route.steps for point in step)
    return (
        (min(a for a, _ in corners), min(b for _, b in corners)),
        (max(a for a, _ in corners), max(b for _, b in corners)),
    )


def _components(count: int, joins: Sequence[Join]) -> list[tuple[list[int], list[int]]]:
    """Return the boxes that hang together, with their joins, by the first box of each group."""
    leader = list(range(count))

    def lead(box: int) -> int:
        while leader[box] != box:
            leader[box] = leader[leader[box]]
            box = leader[box]
        return box

    for join in joins:
        first, two = sorted((lead(join.source), lead(join.target)))
        leader[two] = first
    groups: dict[int, tuple[list[int], list[int]]] = {}
    for box in range(count):
        groups.setdefault(lead(box), ([], []))[0].append(box)
    for number, join in enumerate(joins):
        groups[lead(join.source)][1].append(number)
    return list(groups.values())


def _pack_components(
    pieces: Sequence[_Component], aspect: float
) -> tuple[list[Point], float, float]:
    """Set the pieces in rows like books; return the place of each, and the size of the whole."""
    area = sum((piece.length + _AFTER) * (piece.breadth + _BESIDE) for piece in pieces)
    limit = max([sqrt(area * aspect), *(piece.length for piece in pieces)])
    places: list[Point] = []
    a = b = tallest = length = 0.0
    for piece in pieces:
        if a and a + piece.length > limit + 1e-6:
            a, b, tallest = 0.0, b + tallest + _BESIDE, 0.0
        places.append((a, b))
        a += piece.length + _AFTER
        tallest = max(tallest, piece.breadth)
        length = max(length, a - _AFTER)
    return places, length, b + tallest
