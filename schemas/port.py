"""A Port is where a node is linked; an indexed one is many: out[0], out[1], …."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

_NAME = re.compile(r"([A-Za-z_$][\w$.-]*)(?:\[(0|[1-9][0-9]{0,5})\])?", re.ASCII)


class Port(msgspec.Struct, frozen=True):
    """One port of a kind. `indexed` ports are written `out[0]`, `out[1]`, …; `out` is `out[0]`.

    `schema` is the JSON Schema of the payloads that an in port accepts, or that leave by an out
    port; None if anything may be. A check of links compares them, so state only what always holds.
    An in port is `required` if the node does nothing before a packet comes to it.
    """

    name: str
    help: str = ""
    indexed: bool = False
    schema: Any = None
    required: bool = False

    def __str__(self) -> str:
        """As people read it: `error`, or `out[i]` for an indexed port."""
        return f"{self.name}[i]" if self.indexed else self.name


IN = Port("in", "Packets to work on.")
OUT = Port("out", "Results.")
ERROR = Port("error", "Errors of this node; not linked, they are the answer.")

LIFECYCLE = (
    Port(
        "init",
        "One packet with the Spec, before the node becomes active; an Error keeps it from it.",
    ),
    Port("active", "One packet with the Spec, once the node is active."),
    Port("deactive", "One packet with the Spec, when the node stops being active."),
    Port("deinit", "One packet with the Spec, after the node was active for the last time."),
)
"""Out ports that every kind has beside its own."""


@lru_cache(maxsize=4096)
def parse_port(name: str) -> tuple[str, int | None] | None:
    """Return the base name and index of a port name (`out[1]` is `("out", 1)`); None if it is none."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return match[1], None if match[2] is None else int(match[2])


def merge_ports(static: tuple[Port, ...], own: tuple[Port, ...]) -> tuple[Port, ...]:
    """Return the ports of a kind, and those of one Spec: of two with one name, that of the Spec."""
    if not static or not own:
        return static or own
    given = {port.name: port for port in own}
    first = tuple(given.pop(port.name, port) for port in static)
    return (*first, *given.values())


def canonical(name: str) -> str:
    """Return one name for one port: `out[0]` is `out`; anything else stays as it is."""
    return name.removesuffix("[0]")


def find_port(ports: Iterable[Port], name: str) -> Port | None:
    """Return the declared port that this name means; an index only if the port is indexed."""
    parsed = parse_port(name)
    if parsed is None:
        return None
    base, index = parsed
    for port in ports:
        if port.name == base:
            return port if index is None or port.indexed else None
    return None
