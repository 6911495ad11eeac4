"""Applying puts what files say into a store: whole, checked before, and nothing else is touched."""

from collections.abc import Sequence
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from heddle.runtime.checking import check_specs
from heddle.runtime.extension import Registry
from heddle.runtime.sealing import kept_all
from heddle.specs.bind import Values
from heddle.specs.masking import MASK
from heddle.specs.names import named_id, new_id
from heddle.specs.problem import Problem
from heddle.specs.spec import Spec
from heddle.specs.store import Put, Resource, Store
from heddle.specs.value import Value

What: TypeAlias = Literal["created", "updated", "unchanged", "deleted"]


class Deed(msgspec.Struct, frozen=True):
    """What became of one resource."""

    what: What
    resource: Resource


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What an apply did, in the order of the files; with Problems it did nothing."""

    deeds: tuple[Deed, ...] = ()
    problems: tuple[Problem, ...] = ()


async def apply_into(
    store: Store,
    resources: Sequence[Resource],
    registry: Registry,
    *,
    anonymous: frozenset[UUID] = frozenset(),
    dry_run: bool = False,
) -> Applied:
    """Create or update each by its id, else by its namespace and name; all of them or none.

    `anonymous` are the ids that nobody wrote: such a resource is new. Secrets are sealed with the
    keys of the registry, see heddle.runtime.sealing. Conflict when somebody else changed one of
    them in the meantime. With `dry_run` nothing is written.
    """
    spaces = {resource.namespace for resource in resources}
    stored: list[Resource] = []
    for space in sorted(spaces):
        stored += await store.specs(space)
        stored += await store.values(space)
    ids = [resource.id for resource in resources]
    known = {_key(each): each for each in stored}
    named: list[Resource] = [*await store.specs(None, ids), *await store.values(None, ids)]
    for each in named:
        known.setdefault(_key(each), each)
    matched = _Matching(list(known.values()), anonymous).steps(resources)
    steps, unsealed = kept_all(matched, registry.keys)
    problems = [*_unfit(matched), *unsealed, *_check(steps, stored, registry)]
    if problems:
        return Applied(problems=tuple(problems))
    deeds = [Deed(_what(old, new), new) for old, new in steps]
    puts = [
        Put(resource=new, revision=old.revision if old is not None else 0)
        for old, new in steps
        if old is None or old != new
    ]
    if puts and not dry_run:
        await store.apply(puts)
    return Applied(deeds=tuple(deeds))


Step: TypeAlias = tuple[Resource | None, Resource]
"""What is stored, and what it becomes."""


def _key(resource: Resource) -> tuple[bool, UUID]:
    return isinstance(resource, Spec), resource.id


class _Matching:
    """Finds for each resource of some files the stored one that it means."""

    def __init__(self, stored: Sequence[Resource], anonymous: frozenset[UUID]) -> None:
        self._anonymous = anonymous
        self._ids = {_key(each): each for each in stored}
        self._names = {
            (isinstance(each, Spec), each.namespace, each.name): each
            for each in stored
            if each.name is not None
        }

    def steps(self, resources: Sequence[Resource]) -> list[Step]:
        """Each resource with what it replaces, under the id that it is kept by."""
        claimed = {_key(each) for each in resources if not self._derived(each)}
        return [self._step(resource, claimed) for resource in resources]

    def _derived(self, resource: Resource) -> bool:
        """Whether nobody wrote the id of this resource."""
        if resource.name is None:
            return resource.id in self._anonymous
        sort = "spec" if isinstance(resource, Spec) else "value"
        return resource.id == named_id(sort, resource.namespace, resource.name)

    def _step(self, resource: Resource, claimed: set[tuple[bool, UUID]]) -> Step:
        key = _key(resource)
        if not self._derived(resource):
            return self._ids.get(key), resource
        if resource.name is None:
            return None, _with_id(resource, new_id())
        old = self._names.get((key[0], resource.namespace, resource.name))
        if old is not None and _key(old) not in claimed:
            return old, _with_id(resource, old.id)
        # Its derived id may belong to one that was renamed since.
        taken = key in self._ids or key in claimed
        return None, _with_id(resource, new_id()) if taken else resource


def _with_id(resource: Resource, id_: UUID) -> Resource:
    if resource.id == id_:
        return resource
    return msgspec.structs.replace(resource, id=id_)


def _what(old: Resource | None, new: Resource) -> What:
    if old is None:
        return "created"
    return "unchanged" if old == new else "updated"


def _unfit(steps: Sequence[Step]) -> list[Problem]:
    """Secrets that were shown masked, and would be lost when they are put back so."""
    return [
        Problem(
            code="masked",
            found=f"the secret is masked ({MASK})",
            wanted="the secret itself",
            hint="Leave the entry out: what a file does not name stays as it is",
            place=new.place(("data",)),
            path=f"{new.label}.data",
        )
        for _, new in steps
        if isinstance(new, Value) and _masked(new.data)
    ]


def _masked(data: object) -> bool:
    if isinstance(data, dict):
        return any(_masked(each) for each in data.values())
    if isinstance(data, list):
        return any(_masked(each) for each in data)
    return data == MASK


def _check(steps: Sequence[Step], stored: Sequence[Resource], registry: Registry) -> list[Problem]:
    """What would be wrong with these Specs among those that are stored.

    What may come later is no Problem: links to what is not there, Values and the environment.
    """
    specs = [new for _, new in steps if isinstance(new, Spec)]
    if not specs:
        return []
    changed = {spec.id for spec in specs}
    values = [each for each in stored if isinstance(each, Value)]
    others = [each for each in stored if isinstance(each, Spec) and each.id not in changed]
    before = [each for each in stored if isinstance(each, Spec)]
    known = set(check_specs(before, Values(values), registry, only=frozenset()).problems)
    found = check_specs(
        [*specs, *others], Values(values), registry, only=frozenset(changed), later=True
    )
    return [problem for problem in found.problems if problem not in known]
