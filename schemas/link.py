"""A Link is one entry under `ports:` of a Spec."""

import re
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec

DEFAULT_NAMESPACE = "default"
"""The namespace of a Spec or Value that names none."""

LinkStyle: TypeAlias = Literal["short", "long", "keep"]
"""The form of links: short if that says the same, always long, or each as its author chose."""

SHORT_PORT: Final = r"in(?:\[(?:0|[1-9][0-9]{0,5})\])?"
"""The in ports that a short target may name: `in` and `in[1]`. Others need the long form."""

_SHORT: Final = re.compile(rf"(.*[^.])\.({SHORT_PORT})", re.DOTALL)


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry under `ports:`: this out port goes to that node's in port.

    `id` wins over `name`; one of them is given. `port` is the in port of the target.
    """

    name: str | None = None
    id: UUID | None = None
    port: str = "in"

    @property
    def target(self) -> str:
        """The target as a person would say it."""
        return self.name if self.name is not None and self.id is None else str(self.id)

    @property
    def short(self) -> str | None:
        """The target as a text that reads as this Link: `read`, `read.in[1]`; None if no text does."""
        if self.name is None or self.id is not None:
            return None
        text = self.name if self.port == "in" else f"{self.name}.{self.port}"
        return text if text and parse_target(text) == self else None


def names_port(text: str) -> bool:
    """Return whether a short target names a port, so that it could be the name of a node as well."""
    return _SHORT.fullmatch(text) is not None


def parse_target(text: str) -> Link:
    """Return the Link that a short target stands for: `read` leads to its port `in`, `read.in[1]` to that.

    The text is split at its last dot, and only if `in` or `in[i]` follows: `v1.users` is one name.
    """
    match = _SHORT.fullmatch(text)
    return Link(text) if match is None else Link(match[1], None, match[2])


def ambiguity(link: Link) -> tuple[str, str]:
    """Return what is wrong with a short target that may be a node as well, and what to write instead."""
    whole = f"{link.name}.{link.port}"
    return (
        f'"{whole}" may be the port "{link.port}" of "{link.name}", or the node "{whole}"',
        f'Write {{name: {link.name}, port: "{link.port}"}} or {{name: "{whole}", port: in}}.',
    )
