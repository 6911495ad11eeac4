"""Routing draws the lines of a placed mesh: straight past the boxes, curved only between them.

Each gap between two columns has three bands: the reach of the pins on its left, a middle where
lines change their breadth, and the reach of the pins on its right. So no line ever runs through
a box or through the label of a pin.
"""

from heddle.cli.drawing.boxes import Join, Point, Route, Spot, Step
from heddle.cli.drawing.mesh import CHANNEL_SPACE, Mesh

_LEAST_MIDDLE, _MOST_MIDDLE, _SLOPE = 46.0, 190.0, 0.32
_LEAST_REACH = 10.0
_CURL, _CURL_STEP = 15.0, 6.0
_OUTSIDE_FIRST = 24.0


class Column:
    """The boxes of a layer stand from `start` to `end`; bands reach to `before` and `beyond`."""

    __slots__ = ("before", "beyond", "end", "start")

    def __init__(self, start: float, end: float, before: float, beyond: float) -> None:
        self.start = start
        self.end = end
        self.before = before
        self.beyond = beyond


class Routes:
    """The columns of a placed mesh, where its boxes stand, and the way of every join."""

    def __init__(self, mesh: Mesh, middles: list[float]) -> None:
        self._mesh = mesh
        self._middles = middles
        self._columns = self._stand()
        self._lanes = self._outer_lanes()

    def spots(self) -> list[Spot]:
        """Where each box stands; all of one layer have the length of the longest."""
        spots = []
        for index, box in enumerate(self._mesh.boxes):
            column = self._columns[self._mesh.layers[index]]
            top = self._middles[index] - box.breadth / 2
            spots.append(Spot(column.start, top, column.end - column.start, box.breadth))
        return spots

    def routes(self) -> list[Route]:
        """The way of each join."""
        return [self._route(number, join) for number, join in enumerate(self._mesh.joins)]

    def _route(self, number: int, join: Join) -> Route:
        if number in self._mesh.outside:
            return self._round(join)
        return self._return(number, join) if number in self._mesh.channels else self._on(number)

    def _stand(self) -> list[Column]:
        """Set the columns one after the other, with the bands that their pins and lines need."""
        mesh = self._mesh
        lengths = [0.0] * mesh.depth
        for index, box in enumerate(mesh.boxes):
            layer = mesh.layers[index]
            lengths[layer] = max(lengths[layer], box.length)
        before, beyond = self._reaches()
        columns: list[Column] = []
        start = 0.0
        for layer, length in enumerate(lengths):
            if layer:
                last = columns[-1]
                start = last.beyond + self._middle(layer - 1) + before[layer]
            end = start + length
            columns.append(Column(start, end, start - before[layer], end + beyond[layer]))
        return columns

    def _reaches(self) -> tuple[list[float], list[float]]:
        mesh = self._mesh
        before, beyond = [_LEAST_REACH] * mesh.depth, [_LEAST_REACH] * mesh.depth
        for index, box in enumerate(mesh.boxes):
            layer = mesh.layers[index]
            before[layer] = max(before[layer], *(pin.reach for pin in box.ins), 0.0)
            beyond[layer] = max(beyond[layer], *(pin.reach for pin in box.outs), 0.0)
        return before, beyond

    def _middle(self, gap: int) -> float:
        """The steeper the lines of a gap must climb, the more room they get for it."""
        climb = max(
            (
                abs(self._middles[left] + leave - self._middles[right] - arrive)
                for left, leave, right, arrive, _ in self._mesh.gaps[gap]
            ),
            default=0.0,
        )
        curls = self._curls(gap)
        return min(_MOST_MIDDLE, max(_LEAST_MIDDLE, climb * _SLOPE)) + curls

    def _curls(self, gap: int) -> float:
        """Room for the lines that turn round beside the boxes of this gap."""
        ends = {
            self._mesh.layers[index]
            for number in self._mesh.channels
            for index in (self._mesh.joins[number].source, self._mesh.joins[number].target)
        }
        return _CURL * ((gap in ends) + (gap + 1 in ends))

    def _outer_lanes(self) -> dict[tuple[int, int, str], float]:
        """A breadth beyond everything else for the lines of each strand to each pin."""
        mesh = self._mesh
        edge = max(
            (b + item.beyond for b, item in zip(self._middles, mesh.items, strict=True)),
            default=0.0,
        )
        keys = dict.fromkeys(
            (join.target, join.pin, join.strand)
            for number, join in enumerate(mesh.joins)
            if number in mesh.outside
        )
        return {
            key: edge + _OUTSIDE_FIRST + CHANNEL_SPACE * place for place, key in enumerate(keys)
        }

    def _leaves(self, join: Join) -> tuple[float, Column]:
        pin = self._mesh.boxes[join.source].outs[join.out]
        column = self._columns[self._mesh.layers[join.source]]
        return self._middles[join.source] + pin.b, column

    def _arrives(self, join: Join) -> tuple[float, Column]:
        pin = self._mesh.boxes[join.target].ins[join.pin]
        column = self._columns[self._mesh.layers[join.target]]
        return self._middles[join.target] + pin.b, column

    def _on(self, number: int) -> Route:
        join = self._mesh.joins[number]
        leave, column = self._leaves(join)
        arrive, last = self._arrives(join)
        pen = _Pen((column.end, leave))
        pen.line(column.beyond)
        for point in self._mesh.ways[number]:
            past = self._columns[self._mesh.items[point].layer]
            pen.curve((past.before, self._middles[point]))
            pen.line(past.beyond)
        pen.curve((last.before, arrive))
        pen.line(last.start)
        return pen.route()

    def _return(self, number: int, join: Join) -> Route:
        leave, column = self._leaves(join)
        arrive, last = self._arrives(join)
        under, over = self._mesh.channels[number]
        under += self._middles[join.source]
        over += self._middles[join.target]
        pen = _Pen((column.end, leave))
        pen.line(column.beyond)
        pen.curl(under, self._bulge(join.source, under))
        if join.source != join.target:
            pen.line(column.before)
            for point in self._mesh.ways[number]:
                past = self._columns[self._mesh.items[point].layer]
                pen.curve((past.beyond, self._middles[point]))
                pen.line(past.before)
            pen.curve((last.beyond, over))
        pen.line(last.before)
        pen.curl(arrive, -self._bulge(join.target, over))
        pen.line(last.start)
        return pen.route()

    def _bulge(self, box: int, channel: float) -> float:
        depth = channel - self._middles[box] - self._mesh.edge(box)
        return _CURL + _CURL_STEP * max(0.0, depth / CHANNEL_SPACE - 1)

    def _round(self, join: Join) -> Route:
        leave, column = self._leaves(join)
        arrive, last = self._arrives(join)
        lane = self._lanes[(join.target, join.pin, join.strand)]
        pen = _Pen((column.end, leave))
        pen.line(column.beyond)
        if self._mesh.leads_back(join):
            pen.curl(lane, _LEAST_MIDDLE)
            pen.line(last.before)
            pen.curl(arrive, -_LEAST_MIDDLE)
        else:
            pen.curve((column.beyond + _LEAST_MIDDLE, lane))
            pen.line(last.before - _LEAST_MIDDLE)
            pen.curve((last.before, arrive))
        pen.line(last.start)
        return pen.route()


class _Pen:
    """Draws a way: lines along the flow, curves that begin and end along it."""

    def __init__(self, start: Point) -> None:
        self._start = self._at = start
        self._steps: list[Step] = []

    def line(self, a: float) -> None:
        """Go straight on; two lines in a row are one."""
        self._at = (a, self._at[1])
        if self._steps and len(self._steps[-1]) == 1:
            self._steps[-1] = (self._at,)
        else:
            self._steps.append((self._at,))

    def curve(self, to: Point) -> None:
        """Change the breadth on the way to this point; straight on, if it does not change."""
        if abs(to[1] - self._at[1]) < 1e-6:
            self.line(to[0])
            return
        middle = (self._at[0] + to[0]) / 2
        self._steps.append(((middle, self._at[1]), (middle, to[1]), to))
        self._at = to

    def curl(self, b: float, bulge: float) -> None:
        """Turn round to another breadth; the turn reaches out by the bulge."""
        a = self._at[0]
        to = (a, b)
        pull = a + bulge * 4 / 3
        self._steps.append(((pull, self._at[1]), (pull, b), to))
        self._at = to

    def route(self) -> Route:
        return Route(self._start, tuple(self._steps))
