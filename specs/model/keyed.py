"""A change set with a key is made once, however often it is sent."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable
from uuid import UUID, uuid5

from heddle.schemas.errors import ConflictError
from heddle.specs.model.revision import Key, Revision, RevisionChange
from heddle.specs.model.store import Change, Put, Resource

_SPACE = UUID("f3a1c0de-5e1f-4b52-9f0c-6b1d0c7e9a44")


@runtime_checkable
class KeyedStore(Protocol):
    """A store that knows which Revision was made under which key; see Note."""

    async def keyed(self, key: UUID) -> Revision | None:
        """Return the Revision that was made under this key, None if there is none."""
        ...


def key_from(text: str) -> UUID:
    """Return the key that a text stands for: a UUID for itself, any other text for one of its own."""
    try:
        return UUID(text)
    except ValueError:
        return uuid5(_SPACE, text)


def put_under(changes: Sequence[Change], revision: Revision) -> list[Resource]:
    """Return what `apply` returned when it made this Revision of these changes.

    Raise Conflict if it was made of other changes: the key is in use.
    """
    turns = {turn.key: turn for turn in revision.turns}
    requested: dict[Key, Resource | None] = {}
    for change in changes:
        if isinstance(change, Put):
            requested[type(change.resource), change.resource.id] = change.resource
        else:
            requested[change.type, change.id] = None
    for key, turn in turns.items():
        if key not in requested or (requested[key] is None) != (turn.after is None):
            raise ConflictError(
                f"revision {revision.number} was made of other changes under the same key "
                "(expected: the same changes, or another key)"
            )
    return [
        _put(change.resource, turns.get((type(change.resource), change.resource.id)))
        for change in changes
        if isinstance(change, Put)
    ]


def _put(resource: Resource, turn: RevisionChange | None) -> Resource:
    return resource if turn is None or turn.after is None else turn.after
