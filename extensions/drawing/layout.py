"""A layout places boxes in columns along the flow, and gives every join its way."""

from collections.abc import Iterable, Sequence
from math import sqrt

import msgspec

from heddle.extensions.drawing.bend_removal import straighten
from heddle.extensions.drawing.boxes import Box, Join, Layout, Point, Route, Spot
from heddle.extensions.drawing.coordinate_assignment import place
from heddle.extensions.drawing.crossing_reduction import order
from heddle.extensions.drawing.edge_routing import Routes
from heddle.extensions.drawing.layer_assignment import layering
from heddle.extensions.drawing.layered_graph import Mesh

_AFTER, _BESIDE = 54.0, 34.0
_ASPECT = 1.7


def layout(boxes: Sequence[Box], joins: Sequence[Join], aspect: float = _ASPECT) -> Layout:
    """Lay out any number of boxes; what is not joined stands apart, nothing overlaps.

    `aspect` is length over breadth: the shape wanted where several pieces are set together.
    """
    pieces = [_Piece(boxes, joins, *group) for group in _groups(len(boxes), joins)]
    pieces.sort(key=lambda piece: (len(piece.boxes) == 1, not piece.joins))
    places, length, breadth = _shelves(pieces, aspect)
    spots: dict[int, Spot] = {}
    routes: dict[int, Route] = {}
    for piece, (a, b) in zip(pieces, places, strict=True):
        for index, spot in zip(piece.boxes, piece.spots, strict=True):
            spots[index] = Spot(spot.a + a, spot.b + b, spot.length, spot.breadth)
        for number, route in zip(piece.joins, piece.routes, strict=True):
            routes[number] = route.moved(a, b)
    return Layout(
        spots=tuple(spots[index] for index in range(len(boxes))),
        routes=tuple(routes[number] for number in range(len(joins))),
        length=length,
        breadth=breadth,
    )


class _Piece:
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
        layers = layering(len(own), [(join.source, join.target) for join in between])
        mesh = Mesh(own, between, layers)
        order(mesh)
        middles = place(mesh)
        straighten(mesh, middles)
        drawn = Routes(mesh, middles)
        spots, routes = drawn.spots(), drawn.routes()
        (low, top), (high, bottom) = _bounds(own, spots, routes)
        self.spots = [Spot(s.a - low, s.b - top, s.length, s.breadth) for s in spots]
        self.routes = [route.moved(-low, -top) for route in routes]
        self.length = high - low
        self.breadth = bottom - top


def _bounds(
    boxes: Sequence[Box], spots: Sequence[Spot], routes: Iterable[Route]
) -> tuple[Point, Point]:
    corners: list[Point] = []
    for box, spot in zip(boxes, spots, strict=True):
        corners.append((spot.a, spot.b - box.margin))
        corners.append((spot.a + spot.length, spot.b + spot.breadth + box.margin))
    for route in routes:
        corners.append(route.start)
        corners.extend(point for step in route.steps for point in step)
    return (
        (min(a for a, _ in corners), min(b for _, b in corners)),
        (max(a for a, _ in corners), max(b for _, b in corners)),
    )


def _groups(count: int, joins: Sequence[Join]) -> list[tuple[list[int], list[int]]]:
    """The boxes that hang together, with their joins, by the first box of each group."""
    leader = list(range(count))

    def lead(box: int) -> int:
        while leader[box] != box:
            leader[box] = leader[leader[box]]
            box = leader[box]
        return box

    for join in joins:
        one, two = sorted((lead(join.source), lead(join.target)))
        leader[two] = one
    groups: dict[int, tuple[list[int], list[int]]] = {}
    for box in range(count):
        groups.setdefault(lead(box), ([], []))[0].append(box)
    for number, join in enumerate(joins):
        groups[lead(join.source)][1].append(number)
    return list(groups.values())


def _shelves(pieces: Sequence[_Piece], aspect: float) -> tuple[list[Point], float, float]:
    """Set the pieces in rows like books; the place of each, and the size of the whole."""
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
