"""A Neighbourhood is what a change concerns of all that a store holds, read by its indexes.

These are the Specs that are linked to what changes, or made with it, and what they and the change
need themselves: Values, definitions, targets of links. If a change may stop somebody, it is also
whatever those lead to, as they are active only with all of it. The rest takes no part in any check.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Final
from uuid import UUID

from heddle.runtime.assembly.check import NOBODY, Served
from heddle.runtime.assembly.extension import Registry
from heddle.runtime.assembly.scheme import Scheme
from heddle.runtime.changes.dangling import Step, linked, relink
from heddle.schemas.pieces import LoopYield
from heddle.specs.binding.bind import ValueSet
from heddle.specs.model.index import Key, key_of
from heddle.specs.model.lookup import called, mentioning
from heddle.specs.model.mentions import (
    BLANK,
    mentions_of,
    needs_of,
    targets_of,
    with_holders,
)
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource, Store
from heddle.specs.model.value import Value

MANY: Final = 500
"""Steps in one change for which the namespaces are read as a whole."""

DEEP: Final = 32
"""Steps from node to node after which the namespace is read as a whole."""


async def neighbourhood(
    store: Store, steps: Sequence[Step], registry: Registry, served: Served = NOBODY
) -> list[Resource]:
    """Return what is stored of all that these steps concern.

    `served` are the Specs of which an older revision runs than the store has. Raise StoreError if the store
    cannot be read.
    """
    mapping: dict[Key, Resource] = {}
    spaces = {side.namespace for step in steps for side in step if side is not None}
    turns = LoopYield()
    for space in sorted(spaces):
        await turns.rest()
        if len(steps) > MANY:
            every: list[Resource] = [*await store.specs(space), *await store.values(space)]
            for each in every:
                await turns.rest()
                mapping[key_of(each)] = each
            continue
        mine = [step for step in steps if any(each and each.namespace == space for each in step)]
        reader = _NeighbourReader(store, space, registry, mine, served)
        mapping.update(await reader.read())
    return list(mapping.values())


class _NeighbourReader:
    """Reads the Neighbourhood of one namespace."""

    def __init__(
        self,
        store: Store,
        namespace: str,
        registry: Registry,
        steps: Sequence[Step],
        served: Served,
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._registry = registry
        self._steps = steps
        self._served = served
        self._resources: dict[Key, Resource] = {}
        self._specs: dict[str, Spec] = {}
        self._read: set[str] = set()
        self._mentioned: set[str] = set()

    async def read(self) -> Mapping[Key, Resource]:
        """Return the resources by the keys of what is stored."""
        sides = [side for step in self._steps for side in step]
        mine = [side for side in sides if side is not None and side.namespace == self._namespace]
        await self._query({str(side.id) for side in mine})
        words = {word for side in mine for word in (str(side.id), side.name) if word is not None}
        changed = [side for side in mine if isinstance(side, Spec)]
        instead = [spec for spec in self._served.values() if spec is not None]
        instead = [spec for spec in instead if not words.isdisjoint(mentions_of(spec))]
        await self._query({str(spec.id) for spec in instead})
        around = [*changed, *instead, *await self._around(words, changed)]
        await self._need(around)
        stops = relink(self._steps, around, self._served, self._registry)
        # The links of who is made anew with a Value or a definition are checked anew, too.
        anew = [*changed, *self._made_anew(around)]
        await self._lead(around if stops else anew, further=stops)
        if any(self._claims(spec) for spec in self._claiming(around)):
            await self._rivals()
        return self._resources

    def _claiming(self, around: Iterable[Spec]) -> Iterator[Spec]:
        """Yield who may claim with this change what only one can have, and did not before."""
        scheme = self._registry.scheme
        kept = kept_claims(self._steps, scheme)
        yield from (new for _, new in self._steps if isinstance(new, Spec) and new.id not in kept)
        yield from self._made_anew(around)

    def _made_anew(self, around: Iterable[Spec]) -> Iterator[Spec]:
        """Yield who around the change may be made with a Value or a definition that it changes."""
        scheme = self._registry.scheme
        if _remade(self._steps, scheme):
            yield from (spec for spec in around if _made_with(spec, scheme))

    def _claims(self, spec: Spec) -> bool:
        """Return whether a Spec, or one that it holds, claims what only one can have."""
        scheme = self._registry.scheme
        if not scheme.expands(spec.kind):
            return scheme.exclusive(spec.kind)
        values = ValueSet([each for each in self._resources.values() if isinstance(each, Value)])
        parts = linked(spec, self._definition, values, self._registry)
        return any(scheme.exclusive(part.spec.kind) for part in parts)

    async def _rivals(self) -> None:
        """Read whoever else may claim what only one can have, with what those are made with.

        No index of a store knows them. Such changes are rare: most edit no address.
        """
        scheme = self._registry.scheme
        every = await self._store.specs(self._namespace)
        rivals = [
            spec for spec in every if scheme.exclusive(spec.kind) or scheme.expands(spec.kind)
        ]
        self._keep(rivals)
        await self._need(rivals)

    async def _around(self, words: Set[str], changed: Sequence[Spec]) -> list[Spec]:
        """Return who mentions one of these texts, or is made with somebody who does."""
        # Where a link with a blank leads is not known before the blank is filled.
        scheme = self._registry.scheme
        words = words | {f"{BLANK}{name}" for name in scheme.names if scheme.leads(name)}
        around: dict[Key, Spec] = {}
        for spec in changed:
            words = words | self._defined(spec)
        while words - self._mentioned:
            fresh = words - self._mentioned
            self._mentioned |= fresh
            words = set()
            for spec in await mentioning(self._store, self._namespace, fresh):
                if around.setdefault(key_of(spec), spec) is spec:
                    words |= self._defined(spec)
        self._keep(around.values())
        return list(around.values())

    async def _need(self, specs: Iterable[Spec]) -> None:
        """Read the Values and the definitions that these Specs are made with, and those are made with."""
        todo = list(specs)
        while todo:
            words = {word for spec in todo for word in needs_of(spec)}
            todo = [each for each in await self._query(words) if isinstance(each, Spec)]

    async def _lead(self, specs: Iterable[Spec], *, further: bool) -> None:
        """Read what the links of these Specs lead to; `further`, whatever those lead to as well."""
        todo = list(specs)
        seen: set[UUID] = set()
        for _ in range(DEEP):
            seen.update(spec.id for spec in todo)
            words = {word for spec in todo for word in self._targets(spec)}
            await self._query(words)
            targets = [self._specs[word] for word in words if word in self._specs]
            await self._need(targets)
            todo = [spec for spec in targets if spec.id not in seen] if further else []
            if not todo:
                return
        # A long way: one look at everything is shorter than many at a little.
        self._keep(await self._store.specs(self._namespace))
        self._keep(await self._store.values(self._namespace))

    def _targets(self, spec: Spec) -> set[str]:
        """Return what a Spec, and each that it holds, names the targets of its links by.

        Of a Spec of which an older revision runs, that of both.
        """
        runs = self._served.get(spec.id)
        if runs is not None and runs is not spec:
            return self._targets_of(spec) | self._targets_of(runs)
        return self._targets_of(spec)

    def _targets_of(self, spec: Spec) -> set[str]:
        # Its own name: whoever bears it already has a say.
        own = {spec.name} if spec.name is not None else set()
        if not self._registry.scheme.leads(spec.kind):
            return with_holders(targets_of(spec)) | own
        for values in self._values():
            for each in linked(spec, self._definition, values, self._registry):
                for links in each.links.values():
                    own |= {
                        str(link.id) if link.id is not None else link.name or "" for link in links
                    }
                    # A text such as `a.in` may have meant a node of that name.
                    own |= {f"{link.name}.{link.port}" for link in links if link.id is None}
        return with_holders(own | targets_of(spec))

    def _values(self) -> list[ValueSet]:
        """Return the Values before the change, and those after it if it changes any."""
        before = {key: each for key, each in self._resources.items() if isinstance(each, Value)}
        after = dict(before)
        for old, new in self._steps:
            if isinstance(old, Value):
                after.pop(key_of(old), None)
            if isinstance(new, Value):
                after[key_of(new)] = new
        return [ValueSet(list(each.values())) for each in (before, after)[: 1 + (before != after)]]

    def _defined(self, spec: Spec) -> set[str]:
        """Return the name of a Spec that others may be made with."""
        expands = self._registry.scheme.expands(spec.kind)
        return {spec.name} if spec.name is not None and expands else set()

    def _definition(self, name: str) -> Spec | None:
        for step in self._steps:
            if isinstance(step[1], Spec) and step[1].name == name:
                return step[1]
        return self._specs.get(name)

    async def _query(self, words: Set[str]) -> list[Resource]:
        """Read what has one of these names or ids and was not read before; return it."""
        fresh = words - self._read
        if not fresh:
            return []
        self._read |= fresh
        resources = await called(self._store, self._namespace, fresh)
        return self._keep(resources)

    def _keep(self, resources: Iterable[Resource]) -> list[Resource]:
        fresh = [each for each in resources if key_of(each) not in self._resources]
        for each in fresh:
            self._resources[key_of(each)] = each
            if isinstance(each, Spec):
                self._specs[str(each.id)] = each
                if each.name is not None:
                    self._specs[each.name] = each
        return fresh


def kept_claims(steps: Sequence[Step], scheme: Scheme) -> set[UUID]:
    """Return the Specs of these steps that claim what they claimed before: they are made as before."""
    remade = _remade(steps, scheme)
    return {
        new.id
        for old, new in steps
        if isinstance(old, Spec) and isinstance(new, Spec) and _made_alike(old, new)
        if not (remade and _made_with(new, scheme))
    }


def _remade(steps: Sequence[Step], scheme: Scheme) -> bool:
    """Return whether these steps may change a Value, or a definition, that others are made with."""
    return any(not isinstance(new, Spec) or scheme.expands(new.kind) for _, new in steps)


def _made_with(spec: Spec, scheme: Scheme) -> bool:
    """Return whether a Spec may be made with a Value or a definition."""
    return bool(spec.env) or scheme.expands(spec.kind)


def _made_alike(old: Spec, new: Spec) -> bool:
    """Return whether two revisions of a Spec say the same, but for their links and names."""
    return (old.kind, old.namespace, old.fields, old.env) == (
        new.kind,
        new.namespace,
        new.fields,
        new.env,
    )
