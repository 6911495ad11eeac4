"""Looking up in a store who is called so, and who mentions what; a store without an index is read whole."""

from collections.abc import Collection, Sequence
from uuid import UUID

from heddle.specs.model.mentions import mentions_of
from heddle.specs.model.names import parse_id
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import IndexedStore, Resource, Store


async def named(store: Store, namespace: str, names: Collection[str]) -> Sequence[Resource]:
    """Return the Specs and Values of a namespace that have one of these names."""
    if not names:
        return ()
    if isinstance(store, IndexedStore):
        return await store.named(namespace, names)
    every: list[Resource] = [*await store.specs(namespace), *await store.values(namespace)]
    return [each for each in every if each.name in names]


async def called(store: Store, namespace: str, words: Collection[str]) -> Sequence[Resource]:
    """Return the Specs and Values of a namespace that have one of these names or ids."""
    ids = identified(words)
    resources = list(await named(store, namespace, words))
    if ids:
        resources += await store.specs(namespace, ids)
        resources += await store.values(namespace, ids)
    return resources


async def mentioning(store: Store, namespace: str, words: Collection[str]) -> Sequence[Spec]:
    """Return the Specs of a namespace that mention one of these texts, see `mentions_of`."""
    if not words:
        return ()
    if isinstance(store, IndexedStore):
        return await store.mentioning(namespace, words)
    names = set(words)
    every = await store.specs(namespace)
    return [spec for spec in every if not names.isdisjoint(mentions_of(spec))]


def identified(words: Collection[str]) -> list[UUID]:
    """Return the ids among these texts."""
    uuids = (parse_id(word) for word in words if len(word) in (32, 36))
    return [id_ for id_ in uuids if id_ is not None]
