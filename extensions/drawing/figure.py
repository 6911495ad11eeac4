"""A Figure is a Picture laid out on paper: every card, port and line with its place in pixels."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Literal, TypeAlias

import msgspec

from heddle.extensions.drawing.boxes import Box, BoxLayout, Join, LineRoute, Pin, Point
from heddle.extensions.drawing.card import Card, card
from heddle.extensions.drawing.layout import layout
from heddle.extensions.drawing.picture import Picture, PictureEdge, Strand, strand
from heddle.extensions.drawing.text import fit, shown, width

Direction: TypeAlias = Literal["right", "down"]

LABEL_SIZE = 10.5
EDGE = 26.0
HEADING = 34.0

_LABEL_ROOM = 132.0
_PITCH = 21.0
_SIDE = 13.0
_OUT_AIR, _IN_AIR = 13.0, 19.0
_ASPECTS = {"right": 1.8, "down": 0.7}


class CardPort(msgspec.Struct, frozen=True, kw_only=True):
    """A port that an edge uses: where its line meets the card, and what is written there."""

    label: str
    strand: Strand
    at: Point
    out: bool


class PlacedCard(msgspec.Struct, frozen=True, kw_only=True):
    """A node's card on the paper: its upper left corner and its size."""

    index: int
    card: Card
    at: Point
    size: Point


class EdgeLine(msgspec.Struct, frozen=True, kw_only=True):
    """An edge's way over the paper, in paper coordinates."""

    edge: PictureEdge
    start: Point
    steps: tuple[tuple[Point, ...], ...]

    @property
    def end(self) -> Point:
        """Return where it arrives."""
        return self.steps[-1][-1]


class NamespaceFrame(msgspec.Struct, frozen=True, kw_only=True):
    """The ground of one namespace; drawn only if a Picture shows several."""

    namespace: str
    at: Point
    size: Point


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is drawn, on paper of this size. Nodes and edges keep their order."""

    size: Point
    frames: tuple[NamespaceFrame, ...]
    cards: tuple[PlacedCard, ...]
    ports: tuple[CardPort, ...]
    lines: tuple[EdgeLine, ...]

    @classmethod
    def of(cls, picture: Picture, direction: Direction = "right") -> "Figure":
        """Lay the Picture out; every namespace by itself, one below the other."""
        spaces = picture.namespaces
        framed = len(spaces) > 1
        parts = [_Part(picture, space, direction) for space in spaces]
        frames: list[NamespaceFrame] = []
        widest = max((part.size[0] for part in parts), default=120.0)
        widest = max([widest, *(width(shown(s), 13.0) for s in spaces)]) if framed else widest
        x, y = (2 * EDGE, EDGE) if framed else (EDGE, EDGE)
        for part in parts:
            top = y
            y += HEADING if framed else 0.0
            part.stand(x, y)
            y += part.size[1]
            if framed:
                y += EDGE / 2
                size = (widest + 2 * EDGE, y - top)
                frames.append(NamespaceFrame(namespace=part.namespace, at=(EDGE, top), size=size))
                y += EDGE
        size = (widest + 2 * x, y if framed else y + EDGE if parts else 4 * EDGE)
        cards = sorted((c for part in parts for c in part.cards), key=lambda placed: placed.index)
        numbered = sorted((n, line) for part in parts for n, line in part.lines.items())
        return cls(
            size=size,
            frames=tuple(frames),
            cards=tuple(cards),
            ports=tuple(port for part in parts for port in part.ports),
            lines=tuple(line for _, line in numbered),
        )


class _CardSide:
    """The ports on one side of a card, in order, each with the breadth at which its line meets it.

    The ports that carry traffic stand in the middle, and those of errors and lifecycle after them:
    so a straight flow stays straight, whatever else its nodes link. The same link written twice
    has two lines, hence a port may stand there more than once.
    """

    def __init__(
        self,
        ports: Sequence[tuple[str, int]],
        out: bool,
        across: bool,
        texts: Mapping[str, str] | None = None,
    ) -> None:
        self.ports = ports
        self._texts = texts or {}
        self.labels = [self._label(port, copy, out) for port, copy in ports]
        self._across = across
        self._widths = [width(label, LABEL_SIZE, mono=True) for label in self.labels]
        steps = (max(_PITCH, wide + 15.0) if across else _PITCH for wide in self._widths)
        starts = list(accumulate(steps, initial=0.0))[: len(ports)]
        main = [
            b
            for b, (name, _) in zip(starts, ports, strict=True)
            if not out or strand(name) == "plain"
        ]
        centred = main or starts or [0.0]
        middle = (centred[0] + centred[-1]) / 2
        self.offsets = [b - middle for b in starts]
        self._air = _OUT_AIR if out else _IN_AIR

    @property
    def breadth(self) -> float:
        """Return what the card must offer."""
        return 2 * max(abs(b) for b in self.offsets) + 2 * _SIDE if self.ports else 0.0

    @property
    def overhang(self) -> float:
        """Return how far from the card's middle the labels reach, where they stand beside their lines."""
        if not self._across or not self.ports:
            return 0.0
        return max(o + wide + 9.0 for o, wide in zip(self.offsets, self._widths, strict=True))

    def pins(self) -> tuple[Pin, ...]:
        reaches = [24.0 if self._across else wide + self._air for wide in self._widths]
        return tuple(Pin(b, reach) for b, reach in zip(self.offsets, reaches, strict=True))

    def _label(self, port: str, copy: int, out: bool) -> str:
        if copy or (port == "in" and not out):
            return ""
        return fit(
            shown(self._texts.get(port) or port) or "?", LABEL_SIZE, _LABEL_ROOM, 1, mono=True
        )[0]


class _Part:
    """One namespace of a Picture, laid out by itself and then put in its place."""

    def __init__(self, picture: Picture, namespace: str, direction: Direction) -> None:
        self.namespace = namespace
        self._down = direction == "down"
        self._members = picture.within(namespace)
        self._near = {index: number for number, index in enumerate(self._members)}
        self._edges = {
            number: edge for number, edge in enumerate(picture.edges) if edge.source in self._near
        }
        used = [_UsedPorts() for _ in self._members]
        ends = {number: self._plug(edge, used) for number, edge in self._edges.items()}
        self._outs, self._ins = self._sides(picture, used)
        self._cards = [self._card(picture, number) for number in range(len(self._members))]
        self._layout = self._lay_out(ends, _ASPECTS[direction])
        self.size = self._turn((self._layout.length, self._layout.breadth))

    def stand(self, x: float, y: float) -> None:
        """Put its upper left corner here; only then it has cards, ports and lines."""
        self._corner = x, y
        self.cards = [self._placed(number) for number in range(len(self._members))]
        self.lines = {
            number: self._line(edge, route)
            for (number, edge), route in zip(self._edges.items(), self._layout.routes, strict=True)
        }
        self.ports = [port for number in range(len(self._members)) for port in self._ports(number)]

    def _plug(self, edge: PictureEdge, used: list["_UsedPorts"]) -> tuple[tuple[str, int], ...]:
        source, target = self._near[edge.source], self._near[edge.target]
        copy = used[source].copy(edge)
        used[source].outs.add((edge.out, copy))
        used[target].ins.add((edge.port, copy))
        return (edge.out, copy), (edge.port, copy)

    def _sides(
        self, picture: Picture, used: list["_UsedPorts"]
    ) -> tuple[list[_CardSide], list[_CardSide]]:
        outs, ins = [], []
        for number, index in enumerate(self._members):
            node = picture.nodes[index]
            outs.append(
                _CardSide(_sorted(node.outs, used[number].outs), True, self._down, node.labels)
            )
            ins.append(_CardSide(_sorted(node.ins, used[number].ins), False, self._down))
        return outs, ins

    def _card(self, picture: Picture, number: int) -> Card:
        node = picture.nodes[self._members[number]]
        linked = {port for port, _ in self._outs[number].ports}
        return card(node, tuple(port for port in node.outs if port not in linked))

    def _lay_out(self, ends: dict[int, tuple[tuple[str, int], ...]], aspect: float) -> BoxLayout:
        joins = []
        for number, edge in self._edges.items():
            source, target = self._near[edge.source], self._near[edge.target]
            (out, port) = ends[number]
            joins.append(
                Join(
                    source,
                    self._outs[source].ports.index(out),
                    target,
                    self._ins[target].ports.index(port),
                    edge.strand,
                    edge.strand != "plain",
                )
            )
        return layout([self._box(number) for number in range(len(self._members))], joins, aspect)

    def _box(self, number: int) -> Box:
        outs, ins, entry = self._outs[number], self._ins[number], self._cards[number]
        length, breadth = self._turn((entry.width, entry.height))
        breadth = max(breadth, outs.breadth, ins.breadth)
        return Box(
            length=length,
            breadth=breadth,
            margin=max(0.0, outs.overhang - breadth / 2, ins.overhang - breadth / 2),
            outs=outs.pins(),
            ins=ins.pins(),
        )

    def _placed(self, number: int) -> PlacedCard:
        placement = self._layout.placements[number]
        return PlacedCard(
            index=self._members[number],
            card=self._cards[number],
            at=self._on_paper((placement.a, placement.b)),
            size=self._turn((placement.length, placement.breadth)),
        )

    def _ports(self, number: int) -> Iterable[CardPort]:
        placement = self._layout.placements[number]
        middle = placement.b + placement.breadth / 2
        for side, out in ((self._ins[number], False), (self._outs[number], True)):
            for (name, _), label, b in zip(side.ports, side.labels, side.offsets, strict=True):
                a = placement.a + placement.length if out else placement.a
                at = self._on_paper((a, middle + b))
                yield CardPort(label=label, strand=strand(name) if out else "plain", at=at, out=out)

    def _line(self, edge: PictureEdge, route: LineRoute) -> EdgeLine:
        return EdgeLine(
            edge=edge,
            start=self._on_paper(route.start),
            steps=tuple(tuple(self._on_paper(point) for point in step) for step in route.steps),
        )

    def _turn(self, point: Point) -> Point:
        return (point[1], point[0]) if self._down else point

    def _on_paper(self, point: Point) -> Point:
        x, y = self._turn(point)
        return x + self._corner[0], y + self._corner[1]


class _UsedPorts:
    """The ports of one node that edges use, and how often it has written each of its links."""

    def __init__(self) -> None:
        self.outs: set[tuple[str, int]] = set()
        self.ins: set[tuple[str, int]] = set()
        self._links: dict[tuple[str, int, str], int] = {}

    def copy(self, edge: PictureEdge) -> int:
        """Return how many times this very link was there before."""
        key = (edge.out, edge.target, edge.port)
        self._links[key] = self._links.get(key, -1) + 1
        return self._links[key]


def _sorted(names: Sequence[str], used: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    places = {name: place for place, name in enumerate(names)}
    return sorted(used, key=lambda port: (places[port[0]], port[1]))
