"""A Card is a node measured: the texts it shows, and the room they take."""

import msgspec

from heddle.extensions.drawing.picture import PictureNode
from heddle.extensions.drawing.text import fit, shown, width

NAME_SIZE, NAME_ROW = 14.0, 18.0
BADGE_SIZE, BADGE_HEIGHT, BADGE_PAD = 10.0, 17.0, 7.0
PORT_SIZE, PORT_ROW = 10.0, 15.0
PAD_X, PAD_Y, BADGE_GAP, PORT_GAP = 14.0, 12.0, 5.0, 6.0
CORNER = 10.0

_ROOM = 216.0
_LEAST = 92.0
_RING = 12.0


class CardStub(msgspec.Struct, frozen=True):
    """An out port that no edge leaves, named at the foot of the card: `x` from where the foot begins."""

    port: str
    x: float
    row: int


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """The texts of a node's card and its size in pixels; the texts fit between its paddings.

    `foot` is the width of the rows of unlinked ports.
    """

    badge: str
    badge_width: float
    name: tuple[str, ...]
    stubs: tuple[CardStub, ...]
    foot: float
    width: float
    height: float


def card(node: PictureNode, unlinked: tuple[str, ...] = ()) -> Card:
    """Measure a node; `unlinked` are those of its out ports that lead nowhere."""
    name = fit(shown(node.label) or "(no name)", NAME_SIZE, _ROOM, 2)
    badge = fit(shown(node.kind) or "?", BADGE_SIZE, _ROOM - 2 * BADGE_PAD, 1, mono=True)[0]
    badge_width = width(badge, BADGE_SIZE, mono=True) + 2 * BADGE_PAD
    stubs, foot = _stubs(unlinked, max(_ROOM * 0.6, badge_width))
    room = max(badge_width, foot, *(width(row, NAME_SIZE) for row in name))
    rows = stubs[-1].row + 1 if stubs else 0
    return Card(
        badge=badge,
        badge_width=badge_width,
        name=name,
        stubs=stubs,
        foot=foot,
        width=max(_LEAST, room + 2 * PAD_X),
        height=2 * PAD_Y
        + BADGE_HEIGHT
        + BADGE_GAP
        + NAME_ROW * len(name)
        + (PORT_GAP + PORT_ROW * rows if rows else 0.0),
    )


def _stubs(ports: tuple[str, ...], room: float) -> tuple[tuple[CardStub, ...], float]:
    """Set the ports in rows; return also how wide the widest row became."""
    stubs: list[CardStub] = []
    x, row, widest = 0.0, 0, 0.0
    for port in ports:
        text = fit(shown(port) or "?", PORT_SIZE, room - _RING, 1, mono=True)[0]
        wide = _RING + width(text, PORT_SIZE, mono=True)
        if x and x + wide > room:
            x, row = 0.0, row + 1
        stubs.append(CardStub(text, x, row))
        widest = max(widest, x + wide)
        x += wide + 10.0
    return tuple(stubs), widest
