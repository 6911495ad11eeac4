"""The memory store keeps Specs and Values in this process; nothing stays when it ends."""

from collections.abc import AsyncIterator, Iterable, Sequence
from uuid import UUID

from heddle.specs.errors import StoreError
from heddle.specs.feed import Feed
from heddle.specs.index import Index, Step, key_of, plan
from heddle.specs.problem import Problem
from heddle.specs.spec import Spec
from heddle.specs.store import Change, ChangeSet, Put, Resource
from heddle.specs.value import Value


class MemoryStore:
    """A Store in memory: for tests, and for flows that were given on the command line."""

    def __init__(self, resources: Iterable[Resource] = (), *, url: str = "memory://") -> None:
        self._url = url
        self._index = Index()
        self._feed = Feed()
        self._open = False
        self._hold(plan(self._index, [Put(resource=each) for each in resources], _next))

    @property
    def url(self) -> str:
        """`memory://`."""
        return self._url

    async def open(self) -> None:
        """Make ready; a closed memory store opens again with what it held."""
        self._open = True

    async def close(self) -> None:
        """End the watchers."""
        self._open = False
        self._feed.end()

    async def specs(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Spec]:
        """The Specs of a namespace (None: of all); with `ids` only those that exist."""
        self._check_open()
        return self._index.find(Spec, namespace, ids)

    async def values(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Value]:
        """The Values of a namespace (None: of all); with `ids` only those that exist."""
        self._check_open()
        return self._index.find(Value, namespace, ids)

    async def problems(self) -> Sequence[Problem]:
        """Always empty: what is here was read before it came here."""
        self._check_open()
        return ()

    async def apply(self, changes: Sequence[Change]) -> Sequence[Resource]:
        """Do all of them as one change set, or none; see Store.apply."""
        self._check_open()
        steps = plan(self._index, changes, _next)
        self._hold(steps)
        told = change_set(steps, self._url)
        if told is not None:
            self._feed.tell(told)
        return [new for _, new in steps if new is not None]

    def watch(self, namespace: str | None = None) -> AsyncIterator[ChangeSet]:
        """Change sets from the first `anext` on; those of other namespaces may be among them."""
        self._check_open()
        del namespace  # a change set only tells where to look: what is elsewhere does no harm
        return self._feed.watch()

    def _hold(self, steps: Sequence[Step]) -> None:
        for old, new in steps:
            if new is not None:
                self._index.put(new)
            elif old is not None:
                self._index.drop(key_of(old))

    def _check_open(self) -> None:
        if not self._open:
            raise StoreError(f"the store {self._url} is not open")


def _next(revision: int) -> int:
    return revision + 1


def change_set(steps: Sequence[Step], origin: str) -> ChangeSet | None:
    """The change set of what was really changed; None where nothing was."""
    specs: set[UUID] = set()
    values: set[UUID] = set()
    for old, new in steps:
        resource = new if new is not None else old
        if resource is not None and old != new:
            (specs if isinstance(resource, Spec) else values).add(resource.id)
    if not specs and not values:
        return None
    return ChangeSet(specs=frozenset(specs), values=frozenset(values), origin=origin)
