"""A Revision is one change set that a store has kept: who made it, when, why, and what it changed."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias, runtime_checkable
from uuid import UUID

import msgspec

from heddle.specs.model.spec import Spec
from heddle.specs.model.value import Value


class Note(msgspec.Struct, frozen=True):
    """The author of a change set and the reason for it; both may be empty.

    `key` makes it repeatable: a store makes the change set of one key once. Who sends it again is
    given what was put then.
    """

    author: str = ""
    message: str = ""
    key: UUID | None = None


NO_NOTE = Note()


class RevisionChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of one resource by a Revision: `before` is None if it is new, `after` if it is gone."""

    before: Spec | Value | None = None
    after: Spec | Value | None = None

    @property
    def resource(self) -> Spec | Value:
        """The resource, in its later form."""
        current = self.after if self.after is not None else self.before
        if current is None:
            raise ValueError("a turn has a before or an after")
        return current

    @property
    def key(self) -> "Key":
        """The sort and the id of what it is about."""
        return type(self.resource), self.resource.id

    @property
    def back(self) -> "RevisionChange":
        """The turn that takes this one back."""
        return RevisionChange(before=self.after, after=self.before)


Key: TypeAlias = tuple[type[Spec] | type[Value], UUID]


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One kept change set. `number` grows from one to the next; `time` is in seconds since 1970."""

    number: int
    time: float
    author: str = ""
    message: str = ""
    turns: tuple[RevisionChange, ...] = ()

    def within(self, namespace: str) -> "Revision":
        """Return the same with the turns of one namespace only."""
        turns = tuple(
            turn
            for turn in self.turns
            if any(each and each.namespace == namespace for each in (turn.before, turn.after))
        )
        return msgspec.structs.replace(self, turns=turns)


@runtime_checkable
class RevisionStore(Protocol):
    """A store that keeps its Revisions, so that one may look back and roll back.

    A resource's `revision` is the number of the Revision that changed it last.
    """

    async def history(
        self, namespace: str | None = None, *, before: int | None = None, limit: int = 50
    ) -> Sequence[Revision]:
        """Return the Revisions that changed something in a namespace (None: in any), the newest first.

        Each has only the turns of that namespace. `before` leaves out that number and all later
        ones; at most `limit` are given.
        """
        ...

    async def revision(self, number: int) -> Revision:
        """Return one Revision with all its turns; raise NotFoundError if there is none of that number."""
        ...


async def since(
    store: RevisionStore, number: int, namespace: str | None = None
) -> list[RevisionChange]:
    """Return what all Revisions after this one come to together, one turn for each resource, oldest first."""
    first: dict[Key, RevisionChange] = {}
    before: int | None = None
    while True:
        page = await store.history(namespace, before=before, limit=100)
        for revision in page:
            if revision.number <= number:
                return _net(first)
            for turn in reversed(revision.turns):
                later = first.pop(turn.key, None)
                after = later.after if later is not None else turn.after
                first[turn.key] = RevisionChange(before=turn.before, after=after)
        if not page:
            return _net(first)
        before = page[-1].number


def _net(turns: "dict[Key, RevisionChange]") -> list[RevisionChange]:
    return [turn for turn in reversed(turns.values()) if turn.before != turn.after]
