"""A Store keeps Specs and Values, and tells which keys changed."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable
from uuid import UUID

import msgspec

from heddle.schemas.problem import Problem
from heddle.specs.model.revision import NO_NOTE, Note
from heddle.specs.model.spec import Spec
from heddle.specs.model.value import Value

Resource: TypeAlias = Spec | Value


class ChangeSet(msgspec.Struct, frozen=True, kw_only=True):
    """Keys that may have changed together: one saved file, one `apply`, one transaction.

    It tells where to look, never what happened: a doubled or late ChangeSet does no harm.
    `problems` are of documents that could not be read at all; what they held before stays.
    `invalid` are the Specs in them, as far as they could be read: more may be wrong with them.
    `revision` is what the store had come to when it told this; who has looked at these keys since
    has seen everything up to it.
    """

    specs: frozenset[UUID] = frozenset()
    values: frozenset[UUID] = frozenset()
    problems: tuple[Problem, ...] = ()
    invalid: tuple[Spec, ...] = ()
    origin: str = ""
    revision: int = 0


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """Keep this resource; with `revision`, only if the stored one still has that revision (0: is new)."""

    resource: Resource
    revision: int | None = None


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    """Drop the resource with this id; with `revision`, only if it still has that revision."""

    type: type[Spec] | type[Value]
    id: UUID
    revision: int | None = None


Change: TypeAlias = Put | Delete


class Store(Protocol):
    """The promises of every store. Reads see whole change sets, never half of one.

    A store that has `problems` may have `invalid()` as well, see Spoiling. One that keeps its past is
    Recording, one in which runtimes say how they are is Reporting, one that can tell what somebody
    missed is Resuming.
    """

    @property
    def url(self) -> str:
        """The address, as a person would write it; no secret in it."""
        ...

    async def open(self) -> None:
        """Make ready; StoreError names the address when it cannot be reached."""
        ...

    async def close(self) -> None:
        """Let go of everything; watchers end."""
        ...

    async def specs(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Spec]:
        """Return the Specs of a namespace (None: of all), as they are now; with `ids` only those that exist."""
        ...

    async def values(
        self, namespace: str | None = None, ids: Iterable[UUID] | None = None
    ) -> Sequence[Value]:
        """Return the Values of a namespace (None: of all), as they are now; with `ids` only those that exist."""
        ...

    async def problems(self) -> Sequence[Problem]:
        """Return what cannot be read at this moment (a broken file); empty when all is well."""
        ...

    async def newest(self) -> int:
        """Return the number of the newest revision; it grows with every change set that changes something.

        Who reads the store afterwards sees everything up to it.
        """
        ...

    async def apply(self, changes: Sequence[Change], note: Note = NO_NOTE) -> Sequence[Resource]:
        """Do all of them as one change set, or none; the note says who does it, and why.

        Returns what was put, with new revisions, in order. Conflict when a revision does not
        match or a name is taken; NotFoundError when a Delete names what is not there.
        """
        ...

    def watch(self, namespace: str | None = None) -> AsyncIterator[ChangeSet]:
        """Change sets from the moment of the first `anext` on, each soon after it happened."""
        ...


@runtime_checkable
class IndexedStore(Protocol):
    """A store that finds Specs by what they mention: that costs what is found, not what it holds.

    See heddle.specs.model.lookup, which asks any store.
    """

    async def named(self, namespace: str, names: Collection[str]) -> Sequence[Resource]:
        """Return the Specs and Values of a namespace that have one of these names."""
        ...

    async def mentioning(self, namespace: str, words: Collection[str]) -> Sequence[Spec]:
        """Return the Specs of a namespace that mention one of these texts, or more of them.

        See `heddle.specs.model.mentions.mentions_of`.
        """
        ...


@runtime_checkable
class SecretStore(Protocol):
    """A store that keeps its keys to itself, and shows secrets to those who have the right."""

    async def revealed(self, namespace: str | None = None) -> Sequence[Value]:
        """Return the Values of a namespace (None: of all) with their data in clear; that is written down.

        StoreError if that is not for us to see.
        """
        ...


@runtime_checkable
class PartialStore(Protocol):
    """A store that keeps what it could read of documents with Problems."""

    async def invalid(self, namespace: str | None = None) -> Sequence[Spec]:
        """Return the Specs with Problems, as far as they can be read, that `specs` does not give."""
        ...


@runtime_checkable
class PollingStore(Protocol):
    """A store that can look for changes of a namespace at once, before it is told of them."""

    async def look(self, namespace: str) -> bool:
        """See what changed in this namespace by now; False if somebody is in the midst of saving it.

        Cheap, and never waits for long.
        """
        ...


@runtime_checkable
class PlacingStore(Protocol):
    """A store that keeps each resource at a place that an annotation of it may name."""

    async def misplaced(
        self, steps: Sequence[tuple[Resource | None, Resource | None]]
    ) -> Sequence[Problem]:
        """Return the Problems of those that `apply` would not write there; each step is before and after."""
        ...


@runtime_checkable
class ResumableStore(Protocol):
    """A store that remembers what changed when: who was away need not look at everything."""

    async def missed(self, since: int, namespace: str | None = None) -> Sequence[ChangeSet] | None:
        """Return the change sets after this revision, oldest first; None if it cannot tell them all.

        Those of other namespaces may come without keys.
        """
        ...
