"""A family is a colour that related kinds share in every drawing."""

import msgspec

from heddle.extensions.drawing.picture import PictureNode


class Shade(msgspec.Struct, frozen=True):
    """The colours of a family in one light: card border and marks, badge, text on the badge."""

    line: str
    wash: str
    ink: str


class KindFamily(msgspec.Struct, frozen=True, kw_only=True):
    """A name (safe as a CSS class), its kinds, and its colours on light and on dark paper."""

    name: str
    kinds: frozenset[str] = frozenset()
    light: Shade
    dark: Shade


def _family(name: str, kinds: str, light: Shade, dark: Shade) -> KindFamily:
    return KindFamily(name=name, kinds=frozenset(kinds.split()), light=light, dark=dark)


WAITING = _family(
    "waiting",
    "",
    Shade("#9aa3b2", "#eef0f4", "#5b6472"),
    Shade("#6b7585", "#262c36", "#aab3c0"),
)

OTHER = _family(
    "other",
    "",
    Shade("#7b8798", "#e9edf3", "#3f4a5a"),
    Shade("#8a97a9", "#2a323e", "#c3ccd9"),
)

FAMILIES = (
    _family(
        "net",
        "listener http websocket gateway proxy upgrader sse tcp udp grpc mail",
        Shade("#2f7fd6", "#e1effd", "#15539b"),
        Shade("#5aa5f2", "#16324f", "#a9d2ff"),
    ),
    _family(
        "control",
        "router if switch for fork merge nop pipe retry split step block throw try sleep loop"
        " call wait reduce limit",
        Shade("#8359d8", "#efe8fd", "#57309f"),
        Shade("#a988f0", "#33265a", "#d8c8ff"),
    ),
    _family(
        "code",
        "snippet template jinja python javascript typescript cel text json yaml map filter",
        Shade("#c9820b", "#fdf0d5", "#7d4e00"),
        Shade("#e0a53a", "#47340f", "#ffdc96"),
    ),
    _family(
        "data",
        "sql store cache session file queue kv",
        Shade("#1f9468", "#dcf5ea", "#0d5f41"),
        Shade("#45bd8e", "#123d2d", "#a2ecce"),
    ),
    _family(
        "system",
        "syscall system signal timer cron schedule print scan resource log",
        Shade("#0f93a6", "#dbf4f7", "#075f6c"),
        Shade("#3dbccd", "#0f3c43", "#a0e8f1"),
    ),
    _family(
        "testing",
        "test assert mock",
        Shade("#cf4f92", "#fce5f1", "#8d1f5a"),
        Shade("#ee82b8", "#4c1d37", "#ffc6e1"),
    ),
    _family(
        "tasks",
        "task workflow worker job",
        Shade("#5661d6", "#e6e8fd", "#2f389b"),
        Shade("#8690f5", "#262c5c", "#c5caff"),
    ),
    OTHER,
    WAITING,
)

_BY_KIND = {kind: family for family in FAMILIES for kind in family.kinds}


def family_of(node: PictureNode) -> KindFamily:
    """Return the family of a node's kind; `OTHER` for kinds that belong to none."""
    return WAITING if node.waiting else _BY_KIND.get(node.kind, OTHER)
