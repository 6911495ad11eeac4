"""A Picture as an SVG that stands by itself: no script, no other file, light and dark."""

from html import escape

from heddle.extensions.drawing.boxes import Point
from heddle.extensions.drawing.card import (
    BADGE_GAP,
    BADGE_HEIGHT,
    BADGE_SIZE,
    CORNER,
    NAME_ROW,
    NAME_SIZE,
    PAD_X,
    PAD_Y,
    PORT_GAP,
    PORT_ROW,
    Card,
)
from heddle.extensions.drawing.family import family_of
from heddle.extensions.drawing.figure import (
    CardPort,
    Direction,
    EdgeLine,
    Figure,
    NamespaceFrame,
    PlacedCard,
)
from heddle.extensions.drawing.picture import Picture
from heddle.extensions.drawing.style import sheet
from heddle.extensions.drawing.text import legal, shown

_LISTED = 40
_TIP_LONG, _TIP_HALF = 8.0, 4.2


def svg(picture: Picture, direction: Direction = "right") -> str:
    """Return the text of the file; the same Picture gives the same text."""
    return _Sheet(picture, direction).text()


class _Sheet:
    """Writes one drawing, back to front: paper, frames, lines, cards, ports."""

    def __init__(self, picture: Picture, direction: Direction) -> None:
        self._picture = picture
        self._figure = Figure.of(picture, direction)
        self._down = direction == "down"

    def text(self) -> str:
        wide, high = (_number(round(side + 0.5)) for side in self._figure.size)
        families = [family_of(node) for node in self._picture.nodes]
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="heddle" width="{wide}" '
            f'height="{high}" viewBox="0 0 {wide} {high}" role="img" '
            'aria-labelledby="heddle-title heddle-desc">'
        )
        return "\n".join(
            [
                head,
                f'<title id="heddle-title">{_safe(self._title())}</title>',
                f'<desc id="heddle-desc">{_safe(self._description())}</desc>',
                f"<style>{sheet(families)}</style>",
                f'<rect class="paper" width="{wide}" height="{high}" rx="14"/>',
                *(self._frame(frame) for frame in self._figure.frames),
                '<g class="edges">',
                *(self._line(line) for line in self._figure.lines),
                "</g>",
                '<g class="nodes">',
                *(self._node(placed) for placed in self._figure.cards),
                "</g>",
                '<g class="ports">',
                *filter(None, (self._port(port) for port in self._figure.ports)),
                "</g>",
                "</svg>\n",
            ]
        )

    def _title(self) -> str:
        nodes, edges = len(self._picture.nodes), len(self._picture.edges)
        return f"{nodes} node{'s' * (nodes != 1)}, {edges} link{'s' * (edges != 1)}"

    def _description(self) -> str:
        """Return the picture in words, as far as anyone wants to hear them."""
        texts = [self._picture.edge_text(edge) for edge in self._picture.edges[:_LISTED]]
        alone = sorted(
            set(range(len(self._picture.nodes)))
            - {end for edge in self._picture.edges for end in (edge.source, edge.target)}
        )
        texts += [f"{self._picture.nodes[index].label} stands alone" for index in alone[:_LISTED]]
        more = len(self._picture.edges) + len(alone) - len(texts)
        return "; ".join(texts + ([f"and {more} more"] if more > 0 else [])) or "Nothing is there."

    def _frame(self, frame: NamespaceFrame) -> str:
        (x, y), (wide, high) = frame.at, frame.size
        return (
            f'<g class="frame">{_rect("ground", x, y, wide, high, 12)}'
            f"{_text('space', x + 16, y + 22, shown(frame.namespace))}</g>"
        )

    def _line(self, line: EdgeLine) -> str:
        edge = line.edge
        kind = edge.strand + (" late" if self._picture.nodes[edge.target].waiting else "")
        return (
            f'<g class="edge {kind}"><title>{_safe(self._picture.edge_text(edge))}</title>'
            f'<path class="line" d="{self._way(line)}"/><path class="tip" d="{self._tip(line)}"/></g>'
        )

    def _way(self, line: EdgeLine) -> str:
        # The line ends inside its tip, so that a thick end does not show before the point.
        x, y = line.end
        last = (x, y - _TIP_LONG + 2) if self._down else (x - _TIP_LONG + 2, y)
        steps = (*line.steps[:-1], (*line.steps[-1][:-1], last))
        marks = [f"M{_point(line.start)}"]
        marks += [
            f"{'L' if len(step) == 1 else 'C'}{' '.join(_point(p) for p in step)}" for step in steps
        ]
        return "".join(marks)

    def _tip(self, line: EdgeLine) -> str:
        x, y = line.end
        corners = [(0.0, 0.0), (-_TIP_LONG, -_TIP_HALF), (-_TIP_LONG, _TIP_HALF)]
        if self._down:
            corners = [(b, a) for a, b in corners]
        return "M" + "L".join(_point((x + a, y + b)) for a, b in corners) + "Z"

    def _node(self, placed: PlacedCard) -> str:
        node = self._picture.nodes[placed.index]
        wide, high = placed.size
        classes = f"node {family_of(node).name}" + ("" if node.named else " unnamed")
        return (
            f'<g class="{classes}" transform="translate({_point(placed.at)})">'
            f"<title>{_safe(node.label)} ({_safe(node.kind)})</title>"
            f"{_rect('card', 0, 0, wide, high, CORNER)}{_inside(placed.card, wide, high, self._down)}</g>"
        )

    def _port(self, port: CardPort) -> str:
        x, y = port.at
        dot = f'<circle cx="{_number(x)}" cy="{_number(y)}" r="3.2"/>' if port.out else ""
        label = ""
        if port.label:
            x, y, anchor = self._beside(port)
            label = _text("", x, y, port.label, anchor)
        return f'<g class="port {port.strand}">{dot}{label}</g>' if dot or label else ""

    def _beside(self, port: CardPort) -> tuple[float, float, str]:
        x, y = port.at
        if self._down:
            return (x + 7, y + 15, "") if port.out else (x + 7, y - 12, "")
        return (x + 8, y - 5, "") if port.out else (x - 11, y - 5, "end")


def _inside(card: Card, wide: float, high: float, middle: bool) -> str:
    """Draw badge, name and unlinked ports, as a block in the middle of the card's height.

    They stand at the left, or in the `middle` if lines come in there.
    """
    y = (high - card.height) / 2 + PAD_Y
    left = (wide - card.badge_width) / 2 if middle else PAD_X
    base = y + BADGE_HEIGHT / 2 + BADGE_SIZE * 0.34
    parts = [
        _rect("badge", left, y, card.badge_width, BADGE_HEIGHT, BADGE_HEIGHT / 2),
        _text("kind", left + card.badge_width / 2, base, card.badge, "middle"),
    ]
    y += BADGE_HEIGHT + BADGE_GAP
    for row in card.name:
        base = y + NAME_ROW / 2 + NAME_SIZE * 0.36
        parts.append(
            _text("name", wide / 2, base, row, "middle")
            if middle
            else _text("name", PAD_X, base, row)
        )
        y += NAME_ROW
    left = (wide - card.foot) / 2 if middle else PAD_X
    for stub in card.stubs:
        centre = y + PORT_GAP + PORT_ROW * (stub.row + 0.5)
        parts.append(
            f'<circle class="stub" cx="{_number(left + stub.x + 3.5)}" cy="{_number(centre)}" '
            'r="2.8"/>' + _text("loose", left + stub.x + 11, centre + 3.4, stub.port)
        )
    return "".join(parts)


def _text(name: str, x: float, y: float, text: str, anchor: str = "") -> str:
    where = f' text-anchor="{anchor}"' if anchor else ""
    message = f' class="{name}"' if name else ""
    return f'<text{message}{where} x="{_number(x)}" y="{_number(y)}">{_safe(text)}</text>'


def _rect(name: str, x: float, y: float, wide: float, high: float, corner: float) -> str:
    return (
        f'<rect class="{name}" x="{_number(x)}" y="{_number(y)}" width="{_number(wide)}" '
        f'height="{_number(high)}" rx="{_number(corner)}"/>'
    )


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _point(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


def _safe(text: str) -> str:
    return escape(legal(text), quote=True)
