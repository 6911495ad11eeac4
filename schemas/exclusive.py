"""An ExclusiveUse is the claim of a Spec to something that only one Spec of a namespace can have."""

from typing import Final, NamedTuple

from heddle.schemas.path import Path

EVERY: Final = "*"
"""The member of a family that overlaps with all of it."""


class ExclusiveUse(NamedTuple):
    """A claim of a Spec, by the field at `path`, on something that only one Spec can have.

    `resource` is what the claims compete for, such as the port 80. `parts` are the parts of it that are
    claimed, each as a family and a member of it (EVERY: all of them), such as addresses by their
    versions. `shown` names it for people; `hint` is what to do if it is in use. Claims whose `terms`
    are the same can be met together; without `terms`, no other claim can.
    """

    path: Path
    resource: str
    parts: frozenset[tuple[str, str]]
    shown: str
    hint: str = ""
    terms: str = ""

    def overlaps(self, other: "ExclusiveUse") -> bool:
        """Return whether only one of both claims can be met."""
        if self.resource != other.resource or (self.terms and self.terms == other.terms):
            return False
        return any(
            family == its_family and (member == its_member or EVERY in (member, its_member))
            for family, member in self.parts
            for its_family, its_member in other.parts
        )
