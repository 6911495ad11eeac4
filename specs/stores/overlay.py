"""An Overlay is a store seen through what is there anyway: what the store says stands over that.

    overlay(store, shipped)   gives the shipped resources, but for those that the store says itself

Whoever changes it changes the store beneath. Deleted there, the shipped resource is back.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import TypeVar
from uuid import UUID

import msgspec

from heddle.schemas.problem import Problem
from heddle.specs.model.accepted import (
    AcceptanceStore,
    AcceptedKey,
    AcceptedResource,
    AcceptedState,
)
from heddle.specs.model.lease import LeaseStore
from heddle.specs.model.lookup import mentioning, named
from heddle.specs.model.mentions import mentions_of
from heddle.specs.model.report import Report, ReportStore
from heddle.specs.model.revision import NO_NOTE, Note
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Change, ChangeSet, PartialStore, Resource, Store
from heddle.specs.model.value import Value

R = TypeVar("R", Spec, Value)


def overlay(store: Store, base: Iterable[Resource], *, owned: bool = True) -> "Overlay":
    """Return the store over these resources; with `owned` it opens and closes with the Overlay."""
    kind = ReportingOverlay if isinstance(store, ReportStore) else Overlay
    if kind is ReportingOverlay and isinstance(store, AcceptanceStore):
        kind = AcceptingOverlay
    return kind(store, base, owned=owned)


class Overlay:
    """A Store that is seen so. See `overlay`."""

    def __init__(self, store: Store, base: Iterable[Resource], *, owned: bool = True) -> None:
        many = list(base)
        self.store = store
        self._specs = [resource for resource in many if isinstance(resource, Spec)]
        self._values = [resource for resource in many if isinstance(resource, Value)]
        self._owned = owned

    @property
    def url(self) -> str:
        """That of the store beneath."""
        return self.store.url

    async def open(self) -> None:
        """Open the store beneath, unless somebody else does."""
        if self._owned:
            await self.store.open()

    async def close(self) -> None:
        """Close the store beneath, unless somebody else does."""
        if self._owned:
            await self.store.close()

    def below(self, resource: Resource) -> Resource | None:
        """Return what is seen once this is gone from the store: by its id, or by its name."""
        base = self._specs if isinstance(resource, Spec) else self._values
        for each in base:
            same = each.name is not None and each.name == resource.name
            if each.id == resource.id or (same and each.namespace == resource.namespace):
                return each
        return None

    async def specs(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Spec]:
        """Return those of the store, and what it says nothing of."""
        requested = None if ids is None else list(ids)
        specs = list(await self.store.specs(namespace, requested))
        below = _select(self._specs, namespace, requested)
        if below:
            below = _uncovered(below, await self._over(specs, below, requested))
        return [*specs, *below]

    async def _over(
        self, specs: Sequence[Spec], below: Sequence[Spec], ids: Sequence[UUID] | None
    ) -> Sequence[Spec]:
        """Return what may stand over these: by id, or by name under another id."""
        if ids is None:
            return specs
        return [resource for resource in await self._named(below) if isinstance(resource, Spec)]

    async def _named(self, below: Sequence[Resource]) -> list[Resource]:
        """Return what the store has under the names of these."""
        over: list[Resource] = []
        for space in sorted({resource.namespace for resource in below}):
            names = {
                resource.name
                for resource in below
                if resource.namespace == space and resource.name is not None
            }
            over += await named(self.store, space, names)
        return over

    async def values(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Value]:
        """Return those of the store, and what it says nothing of."""
        requested = None if ids is None else list(ids)
        values = list(await self.store.values(namespace, requested))
        below = _select(self._values, namespace, requested)
        if below and requested is not None:
            over = [
                resource for resource in await self._named(below) if isinstance(resource, Value)
            ]
            return [*values, *_uncovered(below, [*values, *over])]
        return [*values, *_uncovered(below, values)]

    async def named(self, namespace: str, names: Collection[str]) -> Sequence[Resource]:
        """Return those of the store that have one of these names, and what it says nothing of."""
        resources = await named(self.store, namespace, names)
        specs = [spec for spec in _select(self._specs, namespace, None) if spec.name in names]
        values = [value for value in _select(self._values, namespace, None) if value.name in names]
        over_specs = [resource for resource in resources if isinstance(resource, Spec)]
        over_values = [resource for resource in resources if isinstance(resource, Value)]
        over_specs += await self.store.specs(namespace, [spec.id for spec in specs])
        over_values += await self.store.values(namespace, [value.id for value in values])
        return [*resources, *_uncovered(specs, over_specs), *_uncovered(values, over_values)]

    async def mentioning(self, namespace: str, words: Collection[str]) -> Sequence[Spec]:
        """Return those of the store that mention one of these texts, and what it says nothing of."""
        specs = await mentioning(self.store, namespace, words)
        below = [
            spec
            for spec in _select(self._specs, namespace, None)
            if not mentions_of(spec).isdisjoint(words)
        ]
        over = list(specs)
        over += await self.store.specs(namespace, [spec.id for spec in below])
        names = {spec.name for spec in below if spec.name is not None}
        over += [
            resource
            for resource in await named(self.store, namespace, names)
            if isinstance(resource, Spec)
        ]
        return [*specs, *_uncovered(below, over)]

    async def problems(self) -> Sequence[Problem]:
        """Return those of the store."""
        return await self.store.problems()

    async def invalid(self, namespace: str | None = None) -> Sequence[Spec]:
        """Return those of the store."""
        return await self.store.invalid(namespace) if isinstance(self.store, PartialStore) else ()

    async def newest(self) -> int:
        """Return that of the store."""
        return await self.store.newest()

    async def apply(self, changes: Sequence[Change], note: Note = NO_NOTE) -> Sequence[Resource]:
        """Change the store beneath."""
        return await self.store.apply(changes, note)

    async def watch(self, namespace: str | None = None) -> AsyncIterator[ChangeSet]:
        """Yield the change sets of the store; with each, what may have come out from under it."""
        below = [spec for spec in self._specs if namespace in (None, spec.namespace)]
        ids = frozenset(spec.id for spec in below)
        values = frozenset(
            value.id for value in self._values if namespace in (None, value.namespace)
        )
        async for changes in self.store.watch(namespace):
            specs = changes.specs | ids if changes.specs else changes.specs
            others = changes.values | values if changes.values else changes.values
            yield msgspec.structs.replace(changes, specs=specs, values=others)


class ReportingOverlay(Overlay):
    """An Overlay of a store in which runtimes say how they are."""

    @property
    def _reporting(self) -> ReportStore:
        if not isinstance(self.store, ReportStore):
            raise TypeError(f"runtimes do not say how they are in a {type(self.store).__name__}")
        return self.store

    async def report(self, report: Report) -> None:
        """Keep it in the store."""
        await self._reporting.report(report)

    async def withdraw(self, runtime: str) -> None:
        """Drop it in the store."""
        await self._reporting.withdraw(runtime)

    async def reports(self, namespace: str | None = None) -> Sequence[Report]:
        """Return those of the store."""
        return await self._reporting.reports(namespace)


class AcceptingOverlay(ReportingOverlay):
    """An Overlay of a store that keeps what a runtime accepted last as well.

    What is there anyway is not written down: it counts as it is now.
    """

    @property
    def _accepting(self) -> AcceptanceStore:
        if not isinstance(self.store, AcceptanceStore):
            raise TypeError(f"nothing accepted is kept in a {type(self.store).__name__}")
        return self.store

    async def accepted(self, namespace: str) -> AcceptedState:
        """Return what the store has, and what it says nothing of."""
        state = await self._accepting.accepted(namespace)
        if not state.items and not await self.store.specs(namespace):
            # Nothing stands over what is there anyway: nothing can be wrong with it.
            return state
        over = [item.resource for item in state.items if item.sort == "spec"]
        specs = [resource for resource in over if isinstance(resource, Spec)]
        below = _uncovered(_select(self._specs, namespace, None), specs)
        items = (*state.items, *(AcceptedResource.of(spec) for spec in below))
        return AcceptedState(items=items, problems=state.problems)

    async def accept(
        self,
        namespace: str,
        kept: Sequence[AcceptedResource],
        dropped: Collection[AcceptedKey] = (),
    ) -> None:
        """Keep in the store what is its own."""
        own = [resource for resource in kept if resource.revision]
        if own or dropped:
            await self._accepting.accept(namespace, own, dropped)


def _select(base: Sequence[R], namespace: str | None, ids: Sequence[UUID] | None) -> list[R]:
    # The ids may be thousands, and of most namespaces nothing is below.
    base = [spec for spec in base if namespace in (None, spec.namespace)]
    requested = None if ids is None or not base else set(ids)
    return [spec for spec in base if requested is None or spec.id in requested]


def _uncovered(below: Sequence[R], over: Sequence[R]) -> list[R]:
    """Return those over which nothing stands, by id or by name."""
    ids = {spec.id for spec in over}
    names = {(spec.namespace, spec.name) for spec in over if spec.name is not None}
    return [
        spec for spec in below if spec.id not in ids and (spec.namespace, spec.name) not in names
    ]


def leasing(store: Store) -> LeaseStore | None:
    """Return the store, or the one beneath it, if it grants leases."""
    while isinstance(store, Overlay):
        store = store.store
    return store if isinstance(store, LeaseStore) else None
