"""The last accepted revisions are what a runtime served last: what a start serves if the newest fails."""

from collections.abc import Collection, Sequence
from typing import Literal, Protocol, Self, TypeAlias, runtime_checkable
from uuid import UUID

import msgspec

from heddle.schemas.problem import Problem
from heddle.specs.model.body import body_of, resource_of, sort_of
from heddle.specs.model.record import recorded
from heddle.specs.model.spec import Spec, file_of
from heddle.specs.model.value import Value

Sort: TypeAlias = Literal["spec", "value"]
AcceptedKey: TypeAlias = tuple[Sort, UUID]


class AcceptedResource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One resource as a runtime accepted it; `body` is what it said, as a Body (see model/body.py).

    `active` says whether its symbol was active, `file` is the file in which it stood. A secret that
    stands in clear is masked in `body`; a sealed one stays sealed.
    """

    sort: Sort
    id: UUID
    body: str
    revision: int = 0
    active: bool = True
    file: str = ""

    @classmethod
    def of(cls, resource: Spec | Value, *, active: bool = True) -> Self:
        """Return the record of a resource; raise StoreError if it holds what no store can keep."""
        return cls(
            sort="spec" if sort_of(resource) == "spec" else "value",
            id=resource.id,
            body=body_of(recorded(resource)),
            revision=resource.revision,
            active=active,
            file=file_of(resource.places),
        )

    @property
    def key(self) -> AcceptedKey:
        """The sort and the id."""
        return self.sort, self.id

    @property
    def resource(self) -> Spec | Value:
        """The resource; raise SpecError if this Heddle does not know what the body says."""
        return resource_of(self.sort, self.body, self.revision)


class AcceptedState(msgspec.Struct, frozen=True, kw_only=True):
    """Every record of a namespace. `problems` are of records that cannot be read, and are left out."""

    items: tuple[AcceptedResource, ...] = ()
    problems: tuple[Problem, ...] = ()


@runtime_checkable
class AcceptanceStore(Protocol):
    """A store that keeps, for each namespace, what a runtime accepted last."""

    async def accepted(self, namespace: str) -> AcceptedState:
        """Return what a runtime accepted last in this namespace; empty if none ever did."""
        ...

    async def accept(
        self,
        namespace: str,
        kept: Sequence[AcceptedResource],
        dropped: Collection[AcceptedKey] = (),
    ) -> None:
        """Keep these records in the place of those before, and drop others: all of it, or nothing.

        No revision grows, and nobody who watches is called. Raise StoreError if they cannot be kept.
        """
        ...


def updated(
    state: dict[AcceptedKey, AcceptedResource],
    kept: Sequence[AcceptedResource],
    dropped: Collection[AcceptedKey],
) -> None:
    """Bring a state up to date, in place."""
    for key in dropped:
        state.pop(key, None)
    for each in kept:
        state[each.key] = each
