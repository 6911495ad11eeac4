"""The memory store keeps Specs and Values in this process; nothing stays when it ends."""

import time
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from uuid import UUID

from heddle.schemas.errors import NotFoundError, StoreError
from heddle.schemas.pieces import by_turns
from heddle.schemas.problem import Problem
from heddle.specs.model.accepted import AcceptedKey, AcceptedResource, AcceptedState, updated
from heddle.specs.model.index import ResourceIndex, Step, key_of, net, plan
from heddle.specs.model.keyed import put_under
from heddle.specs.model.lease import GrantedLease, Holder, Lease
from heddle.specs.model.report import Report
from heddle.specs.model.revision import NO_NOTE, Note, Revision, RevisionChange
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Change, ChangeSet, Put, Resource
from heddle.specs.model.value import Value
from heddle.specs.stores.broadcast import ChangeFeed


class MemoryStore:
    """A Store in memory: for tests, and for flows that were given on the command line."""

    def __init__(self, resources: Iterable[Resource] = (), *, url: str = "memory://") -> None:
        self._url = url
        self._index = ResourceIndex()
        self._feed = ChangeFeed()
        self._open = False
        self._revisions: list[Revision] = []
        self._keys: dict[UUID, int] = {}
        self._reports: dict[str, Report] = {}
        self._accepted: dict[str, dict[AcceptedKey, AcceptedResource]] = {}
        self._hold(self._plan([Put(resource=each) for each in resources]), NO_NOTE)

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
        """Return the Specs of a namespace (None: of all); with `ids` only those that exist."""
        self._check_open()
        return self._index.find(Spec, namespace, ids)

    async def values(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Value]:
        """Return the Values of a namespace (None: of all); with `ids` only those that exist."""
        self._check_open()
        return self._index.find(Value, namespace, ids)

    async def named(self, namespace: str, names: Collection[str]) -> Sequence[Resource]:
        """Return the Specs and Values of a namespace that have one of these names."""
        self._check_open()
        return self._index.with_names(namespace, names)

    async def mentioning(self, namespace: str, words: Collection[str]) -> Sequence[Spec]:
        """Return the Specs of a namespace that mention one of these texts; see IndexedStore."""
        self._check_open()
        return await by_turns(self._index.mentioning(namespace, words))

    async def problems(self) -> Sequence[Problem]:
        """Return nothing: what is here was read before it came here."""
        self._check_open()
        return ()

    async def newest(self) -> int:
        """Return the number of the newest revision; 0 if nothing was ever put."""
        self._check_open()
        return self._newest

    async def look(self, namespace: str) -> bool:
        """Return True: nothing is to be looked for, as all of it is here."""
        del namespace
        self._check_open()
        return True

    async def apply(self, changes: Sequence[Change], note: Note = NO_NOTE) -> Sequence[Resource]:
        """Do all of them as one change set, or none; see Store.apply."""
        self._check_open()
        if note.key is not None and note.key in self._keys:
            return put_under(changes, self._revisions[self._keys[note.key] - 1])
        steps = self._plan(changes)
        before = self._newest
        self._hold(steps, note)
        if note.key is not None and self._newest > before:
            self._keys[note.key] = self._newest
        changed = change_set(steps, self._url, self._newest)
        if changed is not None:
            self._feed.publish(changed)
        return [new for _, new in steps if new is not None]

    def watch(self, namespace: str | None = None) -> AsyncIterator[ChangeSet]:
        """Change sets from the first `anext` on; those of other namespaces may be among them."""
        self._check_open()
        del namespace  # a change set only tells where to look: what is elsewhere does no harm
        return self._feed.watch()

    async def missed(self, since: int, namespace: str | None = None) -> Sequence[ChangeSet] | None:
        """Return the change sets after this revision; None if it is not one of ours."""
        self._check_open()
        del namespace
        if not 0 <= since <= self._newest:
            return None
        changes = []
        for revision in self._revisions[since:]:
            steps = [(turn.before, turn.after) for turn in revision.turns]
            changes.append(change_set(steps, self._url, revision.number))
        return [changes for changes in changes if changes is not None]

    # --- looking back ---

    async def history(
        self, namespace: str | None = None, *, before: int | None = None, limit: int = 50
    ) -> Sequence[Revision]:
        """Return the Revisions since it was made, the newest first; see Recording.history."""
        self._check_open()
        revisions: list[Revision] = []
        for revision in reversed(self._revisions):
            if len(revisions) >= limit:
                break
            shown = revision if namespace is None else revision.within(namespace)
            if shown.turns and (before is None or shown.number < before):
                revisions.append(shown)
        return revisions

    async def revision(self, number: int) -> Revision:
        """Return one Revision; raise NotFoundError if there is none of that number."""
        self._check_open()
        if not 0 < number <= self._newest:
            raise NotFoundError(
                f"there is no revision {number} in {self._url} (newest: {self._newest})"
            )
        return self._revisions[number - 1]

    async def keyed(self, key: UUID) -> Revision | None:
        """Return the Revision that was made under this key, None if there is none; see Keyed."""
        self._check_open()
        number = self._keys.get(key)
        return None if number is None else self._revisions[number - 1]

    def lease(self, name: str, ttl: float, holder: Holder) -> Lease:
        """Return a lease that is always granted: nobody else follows this store."""
        del name, ttl
        return GrantedLease(holder)

    # --- runtimes ---

    async def report(self, report: Report) -> None:
        """Keep this Report."""
        self._check_open()
        self._reports[report.runtime] = report

    async def withdraw(self, runtime: str) -> None:
        """Drop the Report of a runtime that ends."""
        self._reports.pop(runtime, None)

    async def reports(self, namespace: str | None = None) -> Sequence[Report]:
        """Return the Reports of a namespace (None: of all) whose runtimes are not gone."""
        self._check_open()
        now = time.time()
        return [
            report
            for report in self._reports.values()
            if namespace in (None, report.namespace) and not report.late(now)
        ]

    async def accepted(self, namespace: str) -> AcceptedState:
        """Return what a runtime accepted last in this namespace."""
        self._check_open()
        return AcceptedState(items=tuple(self._accepted.get(namespace, {}).values()))

    async def accept(
        self,
        namespace: str,
        kept: Sequence[AcceptedResource],
        dropped: Collection[AcceptedKey] = (),
    ) -> None:
        """Keep these records, and drop others."""
        self._check_open()
        updated(self._accepted.setdefault(namespace, {}), kept, dropped)

    @property
    def _newest(self) -> int:
        return len(self._revisions)

    def _plan(self, changes: Sequence[Change]) -> list[Step]:
        return plan(self._index, changes, lambda _: self._newest + 1)

    def _hold(self, steps: Sequence[Step], note: Note) -> None:
        turns = tuple(RevisionChange(before=old, after=new) for old, new in net(steps))
        if turns:
            self._revisions.append(
                Revision(
                    number=self._newest + 1,
                    time=time.time(),
                    author=note.author,
                    message=note.message,
                    turns=turns,
                )
            )
        for old, new in steps:
            if new is not None:
                self._index.put(new)
            elif old is not None:
                self._index.drop(key_of(old))

    def _check_open(self) -> None:
        if not self._open:
            raise StoreError(f"the store {self._url} is not open")


def change_set(steps: Sequence[Step], origin: str, revision: int) -> ChangeSet | None:
    """Return the change set of what was really changed; None if nothing was."""
    specs: set[UUID] = set()
    values: set[UUID] = set()
    for old, new in steps:
        resource = new if new is not None else old
        if resource is not None and old != new:
            (specs if isinstance(resource, Spec) else values).add(resource.id)
    if not specs and not values:
        return None
    return ChangeSet(
        specs=frozenset(specs), values=frozenset(values), origin=origin, revision=revision
    )
