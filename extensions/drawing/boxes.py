"""Boxes, Pins and Joins are what a layout is asked; Placements and Routes are what it answers.

Lengths run along the flow, breadths across it; `a` counts along and `b` across, both in pixels.
A layout knows nothing of right or down: whoever draws turns `(a, b)` into `(x, y)` or `(y, x)`.
"""

from typing import TypeAlias

import msgspec

Point: TypeAlias = tuple[float, float]
"""A place `(a, b)`: along the flow, across it."""

Step: TypeAlias = tuple[Point] | tuple[Point, Point, Point]
"""A straight line to a point, or a curve to the last of three points (the others pull it)."""


class Pin(msgspec.Struct, frozen=True):
    """The point at which a line meets a side of a box: `b` from the box's middle; `reach` is kept straight."""

    b: float
    reach: float


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A rectangle to be placed; lines leave it through `outs` and come in through `ins`.

    `margin` is breadth that its labels need beyond it, on either side.
    """

    length: float
    breadth: float
    margin: float = 0.0
    outs: tuple[Pin, ...] = ()
    ins: tuple[Pin, ...] = ()


class Join(msgspec.Struct, frozen=True):
    """A line from an out pin of one box to an in pin of another, each counted from 0.

    Long lines of one `strand` into the same pin may share their way. A `minor` line bends where
    a line that is not could not run straight otherwise.
    """

    source: int
    out: int
    target: int
    pin: int
    strand: str = ""
    minor: bool = False


class Placement(msgspec.Struct, frozen=True):
    """The place of a box in the layout; its length may have grown to that of its column."""

    a: float
    b: float
    length: float
    breadth: float


class LineRoute(msgspec.Struct, frozen=True):
    """The way of a line, from pin to pin."""

    start: Point
    steps: tuple[Step, ...]

    @property
    def end(self) -> Point:
        """Return where it arrives."""
        return self.steps[-1][-1] if self.steps else self.start

    def moved(self, a: float, b: float) -> "LineRoute":
        """Return the same way, elsewhere."""

        def move(point: Point) -> Point:
            return point[0] + a, point[1] + b

        steps: list[Step] = [
            (move(step[0]),) if len(step) == 1 else (move(step[0]), move(step[1]), move(step[2]))
            for step in self.steps
        ]
        return LineRoute(move(self.start), tuple(steps))


class BoxLayout(msgspec.Struct, frozen=True, kw_only=True):
    """A Placement for every Box and a Route for every Join, in their order; all within the size."""

    placements: tuple[Placement, ...]
    routes: tuple[LineRoute, ...]
    length: float
    breadth: float
