"""Edge routing draws the lines of a placed graph: straight past the boxes, curved only between them.

Each gap between two columns has three bands: the reach of the pins on its left, a middle where
lines change their breadth, and the reach of the pins on its right. So no line ever runs through
a box or through the label of a pin.
"""

from heddle.extensions.drawing.boxes import Join, LineRoute, Placement, Point, Step
from heddle.extensions.drawing.layered_graph import CHANNEL_FIRST, CHANNEL_SPACE, Key, LayeredGraph

_LEAST_MIDDLE, _MOST_MIDDLE, _SLOPE = 46.0, 190.0, 0.32
_LEAST_REACH = 10.0
_CURL, _CURL_STEP = 15.0, 6.0
_OUTSIDE_FIRST = 24.0


class LayerColumn:
    """The boxes of a layer stand from `start` to `end`; bands reach to `before` and `beyond`."""

    __slots__ = ("before", "beyond", "end", "start")

    def __init__(self, start: float, end: float, before: float, beyond: float) -> None:
        self.start = start
        self.end = end
        self.before = before
        self.beyond = beyond


class EdgeRouting:
    """The columns of a placed graph, where its boxes stand, and the way of every join."""

    def __init__(self, graph: LayeredGraph, middles: list[float]) -> None:
        self._graph = graph
        self._middles = middles
        self._curls = self._turns()
        self._columns = self._stand()
        self._lanes = self._outer_lanes()
        self._trunks: dict[Key, tuple[list[Step], dict[int, int]]] = {}

    def placements(self) -> list[Placement]:
        """Return where each box stands; all of one layer have the length of the longest."""
        placements = []
        for index, box in enumerate(self._graph.boxes):
            column = self._columns[self._graph.layers[index]]
            top = self._middles[index] - box.breadth / 2
            placements.append(Placement(column.start, top, column.end - column.start, box.breadth))
        return placements

    def routes(self) -> list[LineRoute]:
        """Return the way of each join."""
        return [self._route(number, join) for number, join in enumerate(self._graph.joins)]

    def _route(self, number: int, join: Join) -> LineRoute:
        if number in self._graph.outside:
            return self._round(join)
        return self._return(number, join) if number in self._graph.channels else self._on(number)

    def _stand(self) -> list[LayerColumn]:
        """Set the columns one after the other, with the bands that their pins and lines need."""
        graph = self._graph
        lengths = [0.0] * graph.depth
        for index, box in enumerate(graph.boxes):
            layer = graph.layers[index]
            lengths[layer] = max(lengths[layer], box.length)
        before, beyond = self._reaches()
        columns: list[LayerColumn] = []
        start = 0.0
        for layer, length in enumerate(lengths):
            if layer:
                last = columns[-1]
                start = last.beyond + self._middle(layer - 1) + before[layer]
            end = start + length
            columns.append(LayerColumn(start, end, start - before[layer], end + beyond[layer]))
        return columns

    def _reaches(self) -> tuple[list[float], list[float]]:
        graph = self._graph
        before, beyond = [_LEAST_REACH] * graph.depth, [_LEAST_REACH] * graph.depth
        for index, box in enumerate(graph.boxes):
            layer = graph.layers[index]
            before[layer] = max(before[layer], *(pin.reach for pin in box.ins), 0.0)
            beyond[layer] = max(beyond[layer], *(pin.reach for pin in box.outs), 0.0)
        return before, beyond

    def _middle(self, gap: int) -> float:
        """Return the room between two columns: the steeper its lines must climb, the more."""
        climb = max(
            (
                abs(self._middles[left] + leave - self._middles[right] - arrive)
                for left, leave, right, arrive, _ in self._graph.gaps[gap]
            ),
            default=0.0,
        )
        curls = self._curls[gap][1] + self._curls[gap + 1][0]
        return min(_MOST_MIDDLE, max(_LEAST_MIDDLE, climb * _SLOPE)) + curls

    def _turns(self) -> list[tuple[float, float]]:
        """Return how far lines that turn round reach out before and beyond each column."""
        graph = self._graph
        turns = [(0.0, 0.0)] * graph.depth
        for number, (under, over) in graph.channels.items():
            join = graph.joins[number]
            source, target = graph.layers[join.source], graph.layers[join.target]
            beyond = self._bulge(join.source, under)
            turns[source] = turns[source][0], max(turns[source][1], beyond)
            before = self._bulge(join.target, over)
            turns[target] = max(turns[target][0], before), turns[target][1]
        return turns

    def _outer_lanes(self) -> dict[Key, float]:
        """Return a breadth beyond everything else for each trunk that goes round the outside.

        Trunks that never come beside each other share a lane.
        """
        graph = self._graph
        edge = max(
            (b + item.beyond for b, item in zip(self._middles, graph.items, strict=True)),
            default=0.0,
        )
        spans: dict[Key, list[int]] = {}
        for number in sorted(graph.outside):
            join = graph.joins[number]
            ends = graph.layers[join.source], graph.layers[join.target]
            spans.setdefault(graph.key(join), []).extend(ends)
        free: list[int] = []
        lanes: dict[Key, float] = {}
        for key in sorted(spans, key=lambda key: (min(spans[key]), key)):
            low, high = min(spans[key]), max(spans[key])
            place = next((lane for lane, end in enumerate(free) if end < low), len(free))
            free[place : place + 1] = [high]
            lanes[key] = edge + _OUTSIDE_FIRST + CHANNEL_SPACE * place
        return lanes

    def _leaves(self, join: Join) -> tuple[float, LayerColumn]:
        pin = self._graph.boxes[join.source].outs[join.out]
        column = self._columns[self._graph.layers[join.source]]
        return self._middles[join.source] + pin.b, column

    def _arrives(self, join: Join) -> tuple[float, LayerColumn]:
        pin = self._graph.boxes[join.target].ins[join.pin]
        column = self._columns[self._graph.layers[join.target]]
        return self._middles[join.target] + pin.b, column

    def _on(self, number: int) -> LineRoute:
        join = self._graph.joins[number]
        leave, column = self._leaves(join)
        pen = _PathBuilder((column.end, leave))
        pen.line(column.beyond)
        self._follow(pen, number, join)
        return pen.route()

    def _return(self, number: int, join: Join) -> LineRoute:
        leave, column = self._leaves(join)
        under = self._graph.channels[number][0]
        pen = _PathBuilder((column.end, leave))
        pen.line(column.beyond)
        pen.curl(self._middles[join.source] + under, self._bulge(join.source, under))
        if join.source == join.target:
            self._arrive(pen, number, join)
        else:
            pen.line(column.before)
            self._follow(pen, number, join)
        return pen.route()

    def _follow(self, pen: "_PathBuilder", number: int, join: Join) -> None:
        """Go from one gap to the target, along the trunk if there is one."""
        way = self._graph.ways[number]
        if not way:
            self._arrive(pen, number, join)
            return
        near, _ = self._sides(way[0], number)
        pen.curve((near, self._middles[way[0]]))
        steps, marks = self._trunk(number, join)
        pen.follow(steps[marks[way[0]] :])

    def _trunk(self, number: int, join: Join) -> tuple[list[Step], dict[int, int]]:
        """Return the steps of a trunk to its end; for each dummy node, with which of them to go on."""
        key = self._graph.key(join)
        if key not in self._trunks:
            points = self._graph.trunks[key]
            near, _ = self._sides(points[0], number)
            pen = _PathBuilder((near, self._middles[points[0]]))
            marks: dict[int, int] = {}
            for point in points:
                near, far = self._sides(point, number)
                pen.curve((near, self._middles[point]))
                marks[point] = pen.mark()
                pen.line(far)
            self._arrive(pen, number, join)
            self._trunks[key] = pen.steps, marks
        return self._trunks[key]

    def _sides(self, point: int, number: int) -> tuple[float, float]:
        """Return where a line comes into the column of a dummy node, and where it goes out again."""
        column = self._columns[self._graph.items[point].layer]
        if number in self._graph.channels:
            return column.beyond, column.before
        return column.before, column.beyond

    def _arrive(self, pen: "_PathBuilder", number: int, join: Join) -> None:
        """Go through the last gap and into the pin."""
        arrive, last = self._arrives(join)
        if number not in self._graph.channels:
            pen.curve((last.before, arrive))
        else:
            over = self._graph.channels[number][1]
            if join.source != join.target:
                pen.curve((last.beyond, self._middles[join.target] + over))
            pen.line(last.before)
            pen.curl(arrive, -self._bulge(join.target, over))
        pen.line(last.start)

    def _bulge(self, box: int, channel: float) -> float:
        """Return how far a turn reaches out: the deeper its channel lies under its box, the wider."""
        depth = (channel - self._graph.edge(box) - CHANNEL_FIRST) / CHANNEL_SPACE
        return _CURL + _CURL_STEP * depth

    def _round(self, join: Join) -> LineRoute:
        leave, column = self._leaves(join)
        arrive, last = self._arrives(join)
        lane = self._lanes[self._graph.key(join)]
        pen = _PathBuilder((column.end, leave))
        pen.line(column.beyond)
        if self._graph.leads_back(join):
            pen.curl(lane, _LEAST_MIDDLE)
            pen.line(last.before)
            pen.curl(arrive, -_LEAST_MIDDLE)
        else:
            pen.curve((column.beyond + _LEAST_MIDDLE, lane))
            pen.line(last.before - _LEAST_MIDDLE)
            pen.curve((last.before, arrive))
        pen.line(last.start)
        return pen.route()


class _PathBuilder:
    """Draws a way: lines along the flow, curves that begin and end along it."""

    def __init__(self, start: Point) -> None:
        self._start = self._at = start
        self.steps: list[Step] = []

    def line(self, a: float) -> None:
        """Go straight on; two lines in a row are one."""
        if a == self._at[0]:
            return
        self._at = (a, self._at[1])
        if self.mark() < len(self.steps):
            self.steps[-1] = (self._at,)
        else:
            self.steps.append((self._at,))

    def curve(self, to: Point) -> None:
        """Change the breadth on the way to this point; straight on, if it does not change."""
        if abs(to[1] - self._at[1]) < 1e-6:
            self.line(to[0])
            return
        middle = (self._at[0] + to[0]) / 2
        self.steps.append(((middle, self._at[1]), (middle, to[1]), to))
        self._at = to

    def curl(self, b: float, bulge: float) -> None:
        """Turn round to another breadth; the turn reaches out by the bulge."""
        a, here = self._at
        pull = a + bulge * 4 / 3
        self._at = (a, b)
        self.steps.append(((pull, here), (pull, b), self._at))

    def mark(self) -> int:
        """Return the number of the step that a line from here would be, or be a part of."""
        going = bool(self.steps) and len(self.steps[-1]) == 1
        return len(self.steps) - going

    def follow(self, steps: list[Step]) -> None:
        """Go on as steps do that begin here, with a line."""
        self.steps[self.mark() :] = steps

    def route(self) -> LineRoute:
        return LineRoute(self._start, tuple(self.steps))
