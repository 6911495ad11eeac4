"""Specs to draw: flows that people write, and flows that are hard to lay out."""

from collections.abc import Sequence
from random import Random
from uuid import UUID

import msgspec

from heddle.schemas.link import Link
from heddle.specs.model.spec import Spec

NASTY = (
    'say "hi"',
    "a[b]{c}(d)",
    "<b>bold</b> &amp; <script>alert(1)</script>",
    "#35; #quot;",
    "semi;colon: style x:#fff;",
    "`code` **bold** _it_ ~~no~~",
    "1. item",
    "- item",
    "%%{init}%% x",
    "$$x^2$$",
    "line1\nline2",
    "back\\slash\\n\\",
    "a|b|c",
    "A-->B",
    "end",
    "http://x.y/z?a=b&c",
    "日本語の名前",
    "😀 emoji",
    "my_node_name _lead trail_",
    "fa:fa-car",
    "ﬂ°°35¶ß",
    "@{shape}",
    "'",
    '"',
    "*",
    "]]>",
    "control \x01 \x7f \x85 and \ufffe",
)


def spec(
    number: int, name: str | None = None, kind: str = "snippet", **ports: Sequence[str]
) -> Spec:
    """Return a Spec; `out_0=["join:in[1]"]` links its port `out[0]` to port `in[1]` of `join`."""
    return Spec(
        id=UUID(int=number << 96),
        kind=kind,
        name=name,
        ports={
            port.replace("_", "[") + "]" if "_" in port else port: tuple(map(_link, links))
            for port, links in ports.items()
        },
    )


def within(namespace: str, entry: Spec) -> Spec:
    """Return the same Spec in another namespace."""
    return msgspec.structs.replace(entry, namespace=namespace)


def _link(text: str) -> Link:
    name, _, port = text.partition(":")
    return Link(name=name, port=port or "in")


def ping() -> list[Spec]:
    """Somebody asks, and is told: pong."""
    return [
        spec(1, "listener", "listener", out=["router"]),
        spec(2, "router", "router", out_0=["pong"]),
        spec(3, "pong"),
    ]


def shop() -> list[Spec]:
    """Return a flow of ordinary size with every oddity that a flow may have."""
    return [
        spec(1, "listener", "listener", out=["guard"], error=["oops"]),
        spec(2, "guard", "try", out=["router"], error=["oops"]),
        spec(3, "router", "router", out_0=["parse"], out_1=["list"], error=["oops"]),
        spec(4, "parse", out=["valid"], error=["oops"]),
        spec(5, "valid", "if", out_0=["save"], out_1=["reject"]),
        spec(6, "save", "sql", out=["fan"], error=["again"]),
        spec(7, "again", "retry", out=["save"], error=["oops"]),
        spec(8, "reject", "throw"),
        spec(9, "list", "sql", error=["oops"], init=["warm-up"]),
        spec(10, "warm-up", "cache"),
        spec(11, "fan", "fork", out=["mail", "mail", "loop"]),
        spec(12, "mail", "http", error=["oops"]),
        spec(13, "loop", "for", out=["loop", "each"], out_1=["join:in[1]"]),
        spec(14, "each", out=["join:in[0]"]),
        spec(15, "join", "merge", out=["later"]),
        spec(16, "oops", out=[]),
        spec(17, None, "nop"),
    ]


def chain(count: int, jump: int = 0, oops: bool = False) -> list[Spec]:
    """Return one node after the other; each also leads `jump` nodes on, or its errors to one place."""
    specs = []
    for number in range(count):
        outs = [f"n{number + 1}"] if number + 1 < count else []
        outs += [f"n{number + jump}"] if jump and number + jump < count else []
        ports = {"out": outs, "error": ["oops"]} if oops else {"out": outs}
        specs.append(spec(number + 1, f"n{number}", "snippet", **ports))
    return [*specs, spec(count + 1, "oops")] if oops else specs


def fan(count: int) -> list[Spec]:
    """Return one node that leads to many, which all lead to one."""
    leaves = [f"leaf{number}" for number in range(count)]
    return [
        spec(1, "root", "fork", out=leaves),
        *(spec(2 + number, leaf, out=["sink"]) for number, leaf in enumerate(leaves)),
        spec(2 + count, "sink", "merge"),
    ]


def ring(count: int) -> list[Spec]:
    """Nodes that lead to each other in a circle."""
    return [spec(n + 1, f"n{n}", out=[f"n{(n + 1) % count}"]) for n in range(count)]


def tangle(count: int, links: int, seed: int) -> list[Spec]:
    """Links at random: mostly onwards, some back, some to themselves, some twice."""
    random = Random(seed)
    ports: list[dict[str, list[str]]] = [{} for _ in range(count)]
    for _ in range(links):
        one, two = random.randrange(count), random.randrange(count)
        if random.random() < 0.8:
            one, two = sorted((one, two))
        port = random.choice(["out", "out_0", "out_1", "error", "init"])
        target = f"n{two}" + random.choice(["", "", ":in[0]", ":in[1]"])
        ports[one].setdefault(port, []).append(target)
    return [spec(n + 1, f"n{n}", "snippet", **entry) for n, entry in enumerate(ports)]


def nasty() -> list[Spec]:
    """Nodes and ports whose names are meant to break whoever writes them down."""
    return [
        Spec(
            id=UUID(int=(number + 1) << 96),
            kind=f"kind of {name}",
            name=name,
            ports={f"port {name}": (Link(name=NASTY[(number + 1) % len(NASTY)]),)},
        )
        for number, name in enumerate(NASTY)
    ]
