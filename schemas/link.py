"""A Link is one entry under `ports:` of a Spec."""

from uuid import UUID

import msgspec

DEFAULT_NAMESPACE = "default"
"""The namespace of a Spec or Value that names none."""


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
