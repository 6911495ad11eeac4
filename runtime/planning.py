"""What a change set would make of a store is planned and checked; then it is made whole, or not at all."""

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

import msgspec

from heddle.runtime.checking import checked_in_pieces
from heddle.runtime.extension import Registry
from heddle.runtime.leaving import Step, after, left_behind, left_in_pieces
from heddle.runtime.sealing import alike, have_keys, kept_all
from heddle.specs.bind import Values
from heddle.specs.difference import Difference, difference
from heddle.specs.errors import Conflict, NotFound, StoreError
from heddle.specs.index import Key, key_of
from heddle.specs.keyring import Keyring
from heddle.specs.masking import MASK
from heddle.specs.merging import Merged, merge_one
from heddle.specs.pieces import Pieces, Turns, at_once, by_turns
from heddle.specs.problem import Problem
from heddle.specs.revision import NO_NOTE, Note, Recording, Turn, since
from heddle.specs.spec import Spec
from heddle.specs.store import Change, Delete, Put, Resource, Store
from heddle.specs.value import Value


class Clash(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody else changed what was to be changed: the state that both began with, mine, and theirs."""

    base: Resource | None
    mine: Resource | None
    theirs: Resource | None

    @property
    def resource(self) -> Resource:
        """What it is about, in the latest form that there is."""
        found = self.theirs or self.mine or self.base
        assert found is not None
        return found

    def merged(self) -> Merged:
        """Both changes put together, by field and by port; with conflicts where they do not fit."""
        return merge_one(self.base, self.mine, self.theirs)

    def __str__(self) -> str:
        """What happened, in one line."""
        one = self.resource
        what = f"{type(one).__name__.lower()} {one.label}"
        if self.theirs is None:
            return f"{what} was deleted by somebody else in the meantime"
        if self.base is None:
            return f"{what} was created by somebody else in the meantime"
        return f"{what} was changed by somebody else in the meantime"


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What would become of each resource, in order. With Problems or Clashes nothing can be made of it."""

    differences: tuple[Difference, ...] = ()
    problems: tuple[Problem, ...] = ()
    clashes: tuple[Clash, ...] = ()

    @property
    def changed(self) -> tuple[Difference, ...]:
        """The differences that change something."""
        return tuple(each for each in self.differences if each.what != "unchanged")

    @property
    def changes(self) -> list[Change]:
        """What to ask of the store: each only if it is still as it was when this was planned."""
        return [_change(each.turn) for each in self.changed]


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a Planned; with Problems or Clashes nothing was written.

    `revision` is the one that holds the change set; 0 where nothing was changed.
    """

    differences: tuple[Difference, ...] = ()
    problems: tuple[Problem, ...] = ()
    clashes: tuple[Clash, ...] = ()
    revision: int = 0

    @property
    def changed(self) -> tuple[Difference, ...]:
        """The differences that change something."""
        return tuple(each for each in self.differences if each.what != "unchanged")

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces in which something changed."""
        found = {side.namespace for each in self.changed for side in _sides(each.turn)}
        return tuple(sorted(found))

    def ids(self, namespace: str) -> frozenset[UUID]:
        """What changed in a namespace."""
        return frozenset(
            side.id
            for each in self.changed
            for side in _sides(each.turn)
            if side.namespace == namespace
        )


async def make(store: Store, planned: Planned, note: Note = NO_NOTE) -> Applied:
    """Do what was planned as one change set, or nothing.

    Nothing is written where there are Problems or Clashes, nor where somebody else changed one of
    these in the meantime: then the Clashes tell what they made of it. Conflict where a name was
    taken meanwhile, StoreError where the store cannot do it.
    """
    if planned.problems or planned.clashes:
        return Applied(problems=planned.problems, clashes=planned.clashes)
    if not planned.changed:
        return Applied(differences=planned.differences)
    try:
        put = await store.apply(planned.changes, note)
    except (Conflict, NotFound):
        clashes = await _clashes(store, planned)
        if not clashes:
            raise
        return Applied(clashes=clashes)
    applied = Applied(
        differences=planned.differences, revision=max((each.revision for each in put), default=0)
    )
    if applied.revision:
        return applied
    return msgspec.structs.replace(applied, revision=await _last(store, applied.namespaces))


async def plan_steps(
    store: Store,
    steps: Sequence[Step],
    registry: Registry,
    *,
    stored: Sequence[Resource] = (),
    base: int | None = None,
    merge: bool = False,
) -> Planned:
    """Check what these steps come to, among everything that is stored in their namespaces.

    `stored` is what was read already. With `base`, what somebody else changed since that revision
    is a Clash where the steps change it otherwise, and stays as it is where they do not change it;
    with `merge`, both changes are put together where they fit. StoreError where the store keeps no
    revisions. Secrets are sealed with the keys of the registry, see heddle.runtime.sealing. Whoever
    is left behind with a link to what goes is a Problem, where a link to what may come later is none.
    """
    unfit = _unfit(steps)
    turns = Turns()
    stored = await _around(store, steps, stored)
    await have_keys([*stored, *(side for step in steps for side in step)], registry.keys)
    steps, unsealed = kept_all(steps, registry.keys)
    steps, clashes = await _rebased(store, steps, base, registry.keys, merge=merge)
    await turns.rest()
    checked = await by_turns(steps_in_pieces(steps, stored, registry))
    left = await by_turns(left_in_pieces(steps, stored))
    problems = [*unfit, *unsealed, *checked, *left]
    differences: list[Difference] = []
    for old, new in steps:
        await turns.rest()
        differences.append(difference(old, new))
    return Planned(
        differences=tuple(differences),
        problems=tuple(dict.fromkeys(problems)),
        clashes=tuple(clashes),
    )


async def plan_delete(
    store: Store, resources: Iterable[Resource], *, lenient: bool = False
) -> Planned:
    """What it comes to that these are deleted.

    Whoever is left behind with a link or a bond to one of them is a Problem, unless `lenient`.
    """
    steps: list[Step] = [(each, None) for each in resources]
    problems = [] if lenient else left_behind(steps, await _around(store, steps, ()))
    return Planned(
        differences=tuple(difference(old, new) for old, new in steps), problems=tuple(problems)
    )


def recording(store: Store) -> Recording:
    """The store as one that keeps its Revisions; StoreError where it keeps none."""
    if not isinstance(store, Recording):
        raise StoreError(f"{store.url} keeps no revisions (wanted: a store with a history)")
    return store


# --- checking -------------------------------------------------------------------------------------


def check_steps(
    steps: Sequence[Step], stored: Sequence[Resource], registry: Registry
) -> list[Problem]:
    """What would be wrong with the Specs that these steps put, and is not wrong already.

    What may come later is no Problem: links to what is not there, Values and the environment.
    """
    return at_once(steps_in_pieces(steps, stored, registry))


def steps_in_pieces(
    steps: Sequence[Step], stored: Sequence[Resource], registry: Registry
) -> Pieces[list[Problem]]:
    """As `check_steps`, a Spec at a time."""
    specs = [new for _, new in steps if isinstance(new, Spec)]
    if not specs:
        return []
    changed = {spec.id for spec in specs}
    gone = {old.id for old, new in steps if new is None and isinstance(old, Spec)}
    values = Values([each for each in after(steps, stored) if isinstance(each, Value)])
    before = [each for each in stored if isinstance(each, Spec)]
    others = [each for each in before if each.id not in changed and each.id not in gone]
    was = yield from checked_in_pieces(before, values, registry, only=frozenset())
    known = set(was.problems)
    found = yield from checked_in_pieces(
        [*specs, *others], values, registry, only=frozenset(changed), later=True
    )
    return [problem for problem in found.problems if problem not in known]


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
        for old, new in steps
        if isinstance(new, Value) and old != new and _masked(new.data)
    ]


def _masked(data: object) -> bool:
    if isinstance(data, dict):
        return any(_masked(each) for each in data.values())
    if isinstance(data, list):
        return any(_masked(each) for each in data)
    return data == MASK


async def _around(
    store: Store, steps: Sequence[Step], stored: Sequence[Resource]
) -> Sequence[Resource]:
    """Everything that is stored in the namespaces of these steps; `stored` was read already."""
    known = {each.namespace for each in stored}
    wanted = {side.namespace for step in steps for side in step if side is not None}
    found = list(stored)
    for space in sorted(wanted - known):
        found += await store.specs(space)
        found += await store.values(space)
    return found


# --- somebody else --------------------------------------------------------------------------------


async def _rebased(
    store: Store, steps: Sequence[Step], base: int | None, keys: Keyring, *, merge: bool
) -> tuple[list[Step], list[Clash]]:
    """The steps as they are to be done now, when they were thought of at the revision `base`."""
    if base is None:
        return list(steps), []
    kept = recording(store)
    if base:
        await kept.revision(base)
    turns = {turn.key: turn for turn in await since(kept, base)}
    kept_steps: list[Step] = []
    clashes: list[Clash] = []
    for theirs, mine in steps:
        side = theirs if theirs is not None else mine
        turn = turns.get(key_of(side)) if side is not None else None
        if turn is None or mine == theirs:
            kept_steps.append((theirs, mine))
        elif alike(turn.before, mine, keys):
            # Nothing of it is mine: what they made of it stays.
            if theirs is not None:
                kept_steps.append((theirs, theirs))
        else:
            clash = Clash(base=turn.before, mine=mine, theirs=theirs)
            merged = clash.merged() if merge else None
            if merged is None or merged.conflicts:
                kept_steps.append((theirs, mine))
                clashes.append(clash)
            else:
                kept_steps.append((theirs, next(iter(merged.resources), None)))
    return kept_steps, clashes


async def _clashes(store: Store, planned: Planned) -> tuple[Clash, ...]:
    """What of this was changed by somebody else since it was planned."""
    changed = planned.changed
    now = await current(store, [key_of(each.resource) for each in changed])
    found: list[Clash] = []
    for each in changed:
        theirs = now.get(key_of(each.resource))
        before = each.turn.before
        if theirs != before or _revision(theirs) != _revision(before):
            found.append(Clash(base=before, mine=each.turn.after, theirs=theirs))
    return tuple(found)


async def current(store: Store, keys: Sequence[Key]) -> dict[Key, Resource]:
    """What is stored under these keys now, in whichever namespace."""
    specs = [id_ for sort, id_ in keys if sort is Spec]
    values = [id_ for sort, id_ in keys if sort is Value]
    found: list[Resource] = []
    if specs:
        found += await store.specs(None, specs)
    if values:
        found += await store.values(None, values)
    return {key_of(each): each for each in found}


def _revision(resource: Resource | None) -> int:
    return resource.revision if resource is not None else 0


async def _last(store: Store, namespaces: Iterable[str]) -> int:
    """The newest revision that changed something in these namespaces."""
    if not isinstance(store, Recording):
        return await store.newest()
    pages = [await store.history(space, limit=1) for space in namespaces]
    return max((page[0].number for page in pages if page), default=0)


def _change(turn: Turn) -> Change:
    old, new = turn.before, turn.after
    if new is not None:
        return Put(resource=new, revision=_revision(old))
    assert old is not None
    return Delete(type=key_of(old)[0], id=old.id, revision=old.revision)


def _sides(turn: Turn) -> Iterator[Resource]:
    return (side for side in (turn.before, turn.after) if side is not None)


__all__ = [
    "Applied",
    "Clash",
    "Planned",
    "Step",
    "check_steps",
    "current",
    "left_behind",
    "make",
    "plan_delete",
    "plan_steps",
    "recording",
]
