"""An Index holds Specs and Values by id and by name, and says whether changes fit together."""

from collections.abc import Callable, Collection, Iterable, Sequence, Set
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from heddle.schemas.errors import ConflictError, NotFoundError
from heddle.schemas.pieces import Pieces
from heddle.specs.model.mentions import mentions_of
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Change, Delete, Put, Resource
from heddle.specs.model.value import Value

Key: TypeAlias = tuple[type[Spec] | type[Value], UUID]
"""The key by which an Index finds a resource; Specs and Values may share an id."""

Name: TypeAlias = tuple[type[Spec] | type[Value], str, str]

Step: TypeAlias = tuple[Resource | None, Resource | None]
"""The state before and after: one change with its consequence."""


class ResourceIndex:
    """Specs and Values by id, by name and by namespace. Every question costs what its answer holds."""

    def __init__(self) -> None:
        self._all: dict[Key, Resource] = {}
        self._names: dict[Name, Key] = {}
        self._spaces: dict[tuple[type[Spec] | type[Value], str], dict[UUID, Resource]] = {}
        # Made when it is asked for the first time: a runtime that nobody writes through never needs it.
        self._mentions: dict[tuple[str, str], dict[UUID, None]] | None = None
        self._unlisted: dict[UUID, Spec] = {}

    def __len__(self) -> int:
        return len(self._all)

    def keys(self) -> Iterable[Key]:
        """Return every key, in the order of arrival."""
        return self._all.keys()

    def all(self) -> Iterable[Resource]:
        """Return every resource, in the order of arrival."""
        return self._all.values()

    def get(self, key: Key) -> Resource | None:
        """Return the resource of that key; None if there is none."""
        return self._all.get(key)

    def named(self, like: Resource) -> Resource | None:
        """Return the resource that has the name of this one; None if there is none."""
        key = self._names.get(_name(like)) if like.name is not None else None
        return self._all[key] if key is not None else None

    def put(self, resource: Resource) -> None:
        """Hold this resource, in the place of the one with its id."""
        key = key_of(resource)
        old = self._all.get(key)
        if old is not None and (old.namespace != resource.namespace or old.name != resource.name):
            self._forget(old)
        self._relist(old, resource)
        self._all[key] = resource
        if resource.name is not None:
            self._names[_name(resource)] = key
        self._spaces.setdefault((key[0], resource.namespace), {})[resource.id] = resource

    def drop(self, key: Key) -> Resource | None:
        """Hold it no longer; what it was, or None."""
        old = self._all.pop(key, None)
        if old is not None:
            self._relist(old, None)
            self._forget(old)
        return old

    def find(self, sort: type[Any], namespace: str | None, ids: Iterable[UUID] | None) -> list[Any]:
        """Return the resources of one sort and namespace (None: of all); with `ids`, those that exist."""
        if ids is not None:
            once = ids if isinstance(ids, Set) else dict.fromkeys(ids)
            resources = [self._all.get((sort, id_)) for id_ in once]
            return [
                each
                for each in resources
                if each is not None and (namespace is None or each.namespace == namespace)
            ]
        if namespace is not None:
            return list(self._spaces.get((sort, namespace), {}).values())
        return [each for key, each in self._all.items() if key[0] is sort]

    def with_names(self, namespace: str, names: Iterable[str]) -> list[Resource]:
        """Return the Specs and Values of a namespace that have one of these names."""
        resources: list[Resource] = []
        for name in dict.fromkeys(names):
            for sort in (Spec, Value):
                key = self._names.get((sort, namespace, name))
                if key is not None:
                    resources.append(self._all[key])
        return resources

    def mentioning(self, namespace: str, words: Collection[str]) -> Pieces[list[Spec]]:
        """Return the Specs of a namespace that mention one of these texts, see `mentions_of`."""
        mentions = yield from self._listed()
        ids: dict[UUID, None] = {}
        for word in words:
            yield
            ids.update(mentions.get((namespace, word), {}))
        resources = (self._all.get((Spec, id_)) for id_ in ids)
        return [each for each in resources if isinstance(each, Spec)]

    def _listed(self) -> Pieces[dict[tuple[str, str], dict[UUID, None]]]:
        """Return the index of mentions, made now if nobody has asked before; the rest may change meanwhile."""
        if self._mentions is None:
            self._mentions = {}
            self._unlisted = {
                id_: each for (_, id_), each in self._all.items() if isinstance(each, Spec)
            }
        while self._unlisted:
            yield
            if self._unlisted:
                self._list(self._unlisted.popitem()[1])
        return self._mentions

    def _relist(self, old: Resource | None, new: Resource | None) -> None:
        """Have the index of mentions hold this one in the place of that one."""
        if self._mentions is None:
            return
        if isinstance(old, Spec) and self._unlisted.pop(old.id, None) is None:
            for word in mentions_of(old):
                ids = self._mentions.get((old.namespace, word), {})
                ids.pop(old.id, None)
                if not ids:
                    self._mentions.pop((old.namespace, word), None)
        if isinstance(new, Spec):
            self._list(new)

    def _list(self, spec: Spec) -> None:
        if self._mentions is not None:
            for word in mentions_of(spec):
                self._mentions.setdefault((spec.namespace, word), {})[spec.id] = None

    def _forget(self, old: Resource) -> None:
        key = key_of(old)
        if old.name is not None and self._names.get(_name(old)) == key:
            del self._names[_name(old)]
        space = self._spaces[(key[0], old.namespace)]
        space.pop(old.id, None)
        if not space:
            del self._spaces[(key[0], old.namespace)]


def key_of(resource: Resource) -> Key:
    """Return the key of a resource."""
    return (Spec if isinstance(resource, Spec) else Value, resource.id)


def _name(resource: Resource) -> Name:
    return (key_of(resource)[0], resource.namespace, resource.name or "")


def plan(
    index: ResourceIndex, changes: Sequence[Change], revise: Callable[[int], int]
) -> list[Step]:
    """Return what these changes come to, in order, as one change set; nothing is done yet.

    A Put of what is there already keeps its revision; otherwise `revise` makes the new one of the
    old (0: there was none). Conflict when a revision does not match, or a name would be held
    twice after all of them; NotFoundError when a Delete names what is not there.
    """
    steps: list[Step] = []
    later: dict[Key, Resource | None] = {}
    for change in changes:
        key = key_of(change.resource) if isinstance(change, Put) else (change.type, change.id)
        old = later[key] if key in later else index.get(key)
        _check_revision(change, old)
        new: Resource | None = None
        if isinstance(change, Put):
            new = _revised(change.resource, old, revise)
        elif old is None:
            raise NotFoundError(f"there is no {change.type.__name__} {change.id}")
        later[key] = new
        steps.append((old, new))
    _check_names(index, later)
    return steps


def net(steps: Sequence[Step]) -> list[Step]:
    """Return what all steps together change: the first state of each resource, and its last."""
    first: dict[Key, Resource | None] = {}
    last: dict[Key, Resource | None] = {}
    for old, new in steps:
        resource = new if new is not None else old
        if resource is not None:
            key = key_of(resource)
            first.setdefault(key, old)
            last[key] = new
    return [(old, last[key]) for key, old in first.items() if old != last[key]]


def _revised(resource: Resource, old: Resource | None, revise: Callable[[int], int]) -> Resource:
    before = old.revision if old is not None else 0
    same = old is not None and old == resource
    revision = before if same else revise(before)
    if resource.revision == revision:
        return resource
    return msgspec.structs.replace(resource, revision=revision)


def _check_revision(change: Put | Delete, old: Resource | None) -> None:
    stored = old.revision if old is not None else 0
    if change.revision is None or change.revision == stored:
        return
    if isinstance(change, Put):
        text = f"{type(change.resource).__name__} {change.resource.label}"
    else:
        text = f"{change.type.__name__} {old.label if old is not None else change.id}"
    if old is None:
        raise ConflictError(f"{text} is gone: you read its revision {change.revision}")
    if change.revision == 0:
        raise ConflictError(f"{text} is there already, in revision {stored}")
    raise ConflictError(
        f"{text} was changed since you read it: revision {stored}, not {change.revision}"
    )


def _check_names(index: ResourceIndex, later: dict[Key, Resource | None]) -> None:
    taken: dict[Name, Resource] = {}
    for key, new in later.items():
        if new is None or new.name is None:
            continue
        holder = index.named(new)
        if holder is not None and key_of(holder) != key and key_of(holder) not in later:
            other = holder
        else:
            other = taken.setdefault(_name(new), new)
        if key_of(other) != key:
            raise ConflictError(
                f'the name "{new.name}" is taken in the namespace {new.namespace}: '
                f"{type(other).__name__} {other.id} has it"
            )
