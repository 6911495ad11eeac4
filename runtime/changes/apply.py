"""Applying puts what files say into a store: whole, checked before, and nothing else is touched."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from heddle.runtime.assembly.extension import Registry
from heddle.runtime.changes.plan import ApplyResult, Plan, Step, apply_plan, plan_steps
from heddle.schemas.pieces import LoopYield, Pieces, at_once, by_turns
from heddle.specs.model.index import key_of
from heddle.specs.model.lookup import named
from heddle.specs.model.names import named_id, new_id
from heddle.specs.model.revision import NO_NOTE, Note
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource, Store


async def apply_into(
    store: Store,
    resources: Sequence[Resource],
    registry: Registry,
    *,
    anonymous: frozenset[UUID] = frozenset(),
    note: Note = NO_NOTE,
) -> ApplyResult:
    """Create or update each by its id, else by its namespace and name; all of them or none.

    As `plan_apply` and then `apply_plan`, which see.
    """
    return await apply_plan(
        store, await plan_apply(store, resources, registry, anonymous=anonymous), note
    )


async def plan_apply(
    store: Store,
    resources: Sequence[Resource],
    registry: Registry,
    *,
    anonymous: frozenset[UUID] = frozenset(),
    prune: bool = False,
    base: int | None = None,
    merge: bool = False,
    seen: Store | None = None,
) -> Plan:
    """Return what it would change to create or update each by its id, else by its namespace and name.

    `anonymous` are the ids that nobody wrote: such a resource is new. With `prune`, what they do
    not name is deleted: Specs in the namespaces of these Specs, Values in those of these Values,
    and nothing anywhere else. With `base`, they were made from that revision of the store: what
    somebody else changed since then is kept, or is a Clash if these change it too; with `merge`
    both changes are put together if they fit. `seen`: see plan_steps. Nothing is written. Differences come in the order of the resources, what is deleted after them.
    """
    turns = LoopYield()
    ids = [resource.id for resource in resources]
    stored: list[Resource] = [*await store.specs(None, ids)]
    await turns.rest()
    stored += await store.values(None, ids)
    await turns.rest()
    known = {key_of(each): each for each in stored}
    around: list[Resource] = []
    for space in sorted({resource.namespace for resource in resources}):
        await turns.rest()
        if prune:
            around += await store.specs(space)
            around += await store.values(space)
            continue
        mine = (each.name for each in resources if each.namespace == space)
        around += await named(store, space, {name for name in mine if name is not None})
    for each in around:
        await turns.rest()
        known.setdefault(key_of(each), each)
    matching = _ResourceMatcher(list(known.values()), anonymous)
    steps = await by_turns(matching.steps(resources))
    if prune:
        steps += _pruned(steps, around)
    return await plan_steps(store, steps, registry, base=base, merge=merge, seen=seen)


def match(
    stored: Sequence[Resource],
    resources: Sequence[Resource],
    *,
    anonymous: frozenset[UUID] = frozenset(),
) -> list[Step]:
    """Return each resource with the stored one that it means, by its id, else by its namespace and name."""
    return at_once(_ResourceMatcher(stored, anonymous).steps(resources))


def _pruned(steps: Sequence[Step], stored: Sequence[Resource]) -> list[Step]:
    """Return what is stored if these steps put something of its sort, and is not among it."""
    spaces = {(type(new), new.namespace) for _, new in steps if new is not None}
    kept = {key_of(side) for step in steps for side in step if side is not None}
    return [
        (each, None)
        for each in stored
        if (type(each), each.namespace) in spaces and key_of(each) not in kept
    ]


class _ResourceMatcher:
    """Finds for each resource of some files the stored one that it means."""

    def __init__(self, stored: Sequence[Resource], anonymous: frozenset[UUID]) -> None:
        self._anonymous = anonymous
        self._ids = {key_of(each): each for each in stored}
        self._names = {
            (type(each), each.namespace, each.name): each
            for each in stored
            if each.name is not None
        }

    def steps(self, resources: Sequence[Resource]) -> Pieces[list[Step]]:
        """Return each resource with what it replaces, under the id that it is kept by."""
        claimed = set()
        for each in resources:
            yield
            if not self._derived(each):
                claimed.add(key_of(each))
        steps: list[Step] = []
        for each in resources:
            yield
            steps.append(self._step(each, claimed))
        return steps

    def _derived(self, resource: Resource) -> bool:
        """Return whether nobody wrote the id of this resource."""
        if resource.name is None:
            return resource.id in self._anonymous
        sort = "spec" if isinstance(resource, Spec) else "value"
        return resource.id == named_id(sort, resource.namespace, resource.name)

    def _step(self, resource: Resource, claimed: set[tuple[type, UUID]]) -> Step:
        key = key_of(resource)
        if not self._derived(resource):
            return self._ids.get(key), resource
        if resource.name is None:
            return None, _with_id(resource, new_id())
        old = self._names.get((key[0], resource.namespace, resource.name))
        if old is not None and key_of(old) not in claimed:
            return old, _with_id(resource, old.id)
        # Its derived id may belong to one that was renamed since.
        taken = key in self._ids or key in claimed
        return None, _with_id(resource, new_id()) if taken else resource


def _with_id(resource: Resource, id_: UUID) -> Resource:
    if resource.id == id_:
        return resource
    return msgspec.structs.replace(resource, id=id_)
