"""Rolling back makes a new revision that says what the store said at an older one."""

import msgspec

from heddle.runtime.assembly.extension import Registry
from heddle.runtime.changes.plan import Plan, Step, current, plan_steps, recording
from heddle.schemas.path import Path
from heddle.schemas.problem import Place
from heddle.specs.model.difference import Diff, difference
from heddle.specs.model.index import Key
from heddle.specs.model.revision import RevisionChange, since
from heddle.specs.model.store import Resource, Store


class _WrittenPlace:
    """The place of something of a revision."""

    def __init__(self, number: int) -> None:
        self._place = Place(f"revision {number}")

    def __call__(self, path: Path) -> Place:
        return self._place


async def plan_rollback(
    store: Store, number: int, registry: Registry, *, namespace: str | None = None
) -> Plan:
    """Return what it would change to bring a namespace (None: all) back to what it said at a revision.

    Checked as an apply is: what cannot run any more, as its kind is gone, is a Problem. Revision
    0 is the empty store. Raise StoreError if the store keeps no revisions, NotFoundError if it has none
    of that number. Nothing is written.
    """
    kept = recording(store)
    if number:
        await kept.revision(number)
    turns = await since(kept, number, namespace)
    now = await current(store, [turn.key for turn in turns])
    steps: list[Step] = []
    for turn in turns:
        before = turn.before if turn.before is None else _of_revision(turn.before, number)
        if now.get(turn.key) != before:
            steps.append((now.get(turn.key), before))
    return await plan_steps(store, steps, registry)


async def between(
    store: Store, first: int, second: int | None, *, namespace: str | None = None
) -> list[Diff]:
    """Return what tells a namespace (None: all) at one revision from what it is at another (None: now).

    StoreError if the store keeps no revisions, NotFoundError if it has none of these numbers.
    """
    kept = recording(store)
    for number in (first, second):
        if number:
            await kept.revision(number)
    at_first = {turn.key: turn for turn in await since(kept, first, namespace)}
    later = [] if second is None else await since(kept, second, namespace)
    at_second = {turn.key: turn for turn in later}
    diffs: list[Diff] = []
    for key in dict.fromkeys((*at_first, *at_second)):
        before, after = _state(at_first, at_second, key), _state(at_second, at_first, key)
        if before != after:
            diffs.append(difference(before, after))
    return diffs


def _state(
    own: dict[Key, RevisionChange], other: dict[Key, RevisionChange], key: Key
) -> Resource | None:
    """Return what a resource was at the revision that `own` leads back to; untouched since, it is as now."""
    return own[key].before if key in own else other[key].after


def _of_revision(resource: Resource, number: int) -> Resource:
    """Return the same, standing in a revision: that is where a Problem with it is."""
    if resource.places is not None:
        return resource
    return msgspec.structs.replace(resource, places=_WrittenPlace(number))
