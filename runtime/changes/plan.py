"""The plan of a change set: it is checked, then made whole, or not at all."""

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

import msgspec

from heddle.runtime.assembly.check import NOBODY, Served, check_in_pieces
from heddle.runtime.assembly.extension import Registry
from heddle.runtime.changes.dangling import Step, after, left_behind, left_in_pieces
from heddle.runtime.changes.lost_values import lost_values
from heddle.runtime.changes.neighbourhood import kept_claims, neighbourhood
from heddle.runtime.changes.sealing import alike, have_keys, kept_all
from heddle.schemas.errors import ConflictError, NotFoundError, SpecError, StoreError
from heddle.schemas.pieces import LoopYield, Pieces, at_once, by_turns
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import ValueSet, bind
from heddle.specs.merge.merge import MergeResult, merge_one
from heddle.specs.model.accepted import AcceptanceStore, AcceptedState
from heddle.specs.model.difference import Diff, difference
from heddle.specs.model.index import Key, key_of
from heddle.specs.model.mask import MASK
from heddle.specs.model.report import ReportStore
from heddle.specs.model.revision import NO_NOTE, Note, RevisionChange, RevisionStore, since
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Change, Delete, PlacingStore, Put, Resource, Store
from heddle.specs.model.value import Value
from heddle.specs.secrets.keyring import Keyring
from heddle.specs.stores.overlay import Overlay


class Clash(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody else changed what was to be changed: the state that both began with, mine, and theirs."""

    base: Resource | None
    mine: Resource | None
    theirs: Resource | None

    @property
    def resource(self) -> Resource:
        """The resource, in the latest form that there is."""
        resource = self.theirs or self.mine or self.base
        if resource is None:
            raise RuntimeError("a conflict needs one form of its resource")
        return resource

    def merged(self) -> MergeResult:
        """Return both changes put together, by field and by port; with conflicts if they do not fit."""
        return merge_one(self.base, self.mine, self.theirs)

    def __str__(self) -> str:
        """Return what happened, in one line."""
        resource = self.resource
        text = f"{type(resource).__name__.lower()} {resource.label}"
        if self.theirs is None:
            return f"{text} was deleted by somebody else in the meantime"
        if self.base is None:
            return f"{text} was created by somebody else in the meantime"
        return f"{text} was changed by somebody else in the meantime"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The effect on each resource, in order. With Problems or Clashes nothing can be made of it."""

    differences: tuple[Diff, ...] = ()
    problems: tuple[Problem, ...] = ()
    clashes: tuple[Clash, ...] = ()

    @property
    def changed(self) -> tuple[Diff, ...]:
        """The differences that change something."""
        return tuple(each for each in self.differences if each.action != "unchanged")

    @property
    def changes(self) -> list[Change]:
        """The changes to ask of the store: each only if it is still as it was when this was planned."""
        return [_change(each.turn) for each in self.changed]


class ApplyResult(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a Planned; with Problems or Clashes nothing was written.

    `revision` is the one that holds the change set; 0 if nothing was changed.
    """

    differences: tuple[Diff, ...] = ()
    problems: tuple[Problem, ...] = ()
    clashes: tuple[Clash, ...] = ()
    revision: int = 0

    @property
    def changed(self) -> tuple[Diff, ...]:
        """The differences that change something."""
        return tuple(each for each in self.differences if each.action != "unchanged")

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces in which something changed."""
        texts = {side.namespace for each in self.changed for side in _sides(each.turn)}
        return tuple(sorted(texts))

    def ids(self, namespace: str) -> frozenset[UUID]:
        """Return what changed in a namespace."""
        return frozenset(
            side.id
            for each in self.changed
            for side in _sides(each.turn)
            if side.namespace == namespace
        )


async def apply_plan(store: Store, planned: Plan, note: Note = NO_NOTE) -> ApplyResult:
    """Do what was planned as one change set, or nothing.

    Nothing is written if there are Problems or Clashes, nor if somebody else changed one of
    these in the meantime: then the Clashes tell what they made of it. Conflict if a name was
    taken meanwhile, StoreError if the store cannot do it.
    """
    if planned.problems or planned.clashes:
        return ApplyResult(problems=planned.problems, clashes=planned.clashes)
    if not planned.changed:
        return ApplyResult(differences=planned.differences)
    try:
        put = await store.apply(planned.changes, note)
    except (ConflictError, NotFoundError):
        clashes = await _clashes(store, planned)
        if not clashes:
            raise
        return ApplyResult(clashes=clashes)
    applied = ApplyResult(
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
    base: int | None = None,
    merge: bool = False,
    seen: Store | None = None,
) -> Plan:
    """Check what these steps come to, among what is stored around them.

    `seen` is the store as the runtime has it, with what stands below it; without it, the store itself.
    With `base`, what somebody else changed since that revision
    is a Clash if the steps change it otherwise, and stays as it is where they do not change it;
    with `merge`, both changes are put together if they fit. Raise StoreError if the store keeps no
    revisions. Secrets are sealed with the keys of the registry, see heddle.runtime.changes.sealing. Whoever
    is left behind with a link to what goes is a Problem, if a link to what may come later is none.
    """
    invalid = _invalid(steps)
    turns = LoopYield()
    await have_keys([side for step in steps for side in step], registry.keys)
    steps, unsealed = kept_all(steps, registry.keys)
    steps, clashes = await _rebased(store, steps, base, registry.keys, merge=merge)
    await turns.rest()
    problems = [
        *invalid,
        *unsealed,
        *await check_change(seen or store, steps, registry),
        *(await store.misplaced(steps) if isinstance(store, PlacingStore) else ()),
    ]
    differences: list[Diff] = []
    for old, new in steps:
        await turns.rest()
        differences.append(difference(old, new))
    return Plan(
        differences=tuple(differences),
        problems=tuple(dict.fromkeys(problems)),
        clashes=tuple(clashes),
    )


async def plan_delete(
    store: Store,
    resources: Iterable[Resource],
    registry: Registry | None = None,
) -> Plan:
    """Return what it comes to that these are deleted.

    Whatever would stop without them, or lose its Value, is a Problem. Without a registry, links that
    only a kind knows (those of a block) are not followed.
    """
    steps: list[Step] = [(each, None) for each in resources]
    problems = await check_change(store, steps, registry or Registry())
    turns = LoopYield()
    differences: list[Diff] = []
    for old, new in steps:
        await turns.rest()
        differences.append(difference(old, new))
    return Plan(differences=tuple(differences), problems=tuple(problems))


def recording(store: Store) -> RevisionStore:
    """Return the store as one that keeps its Revisions; raise StoreError if it keeps none."""
    if not isinstance(store, RevisionStore):
        raise StoreError(f"{store.url} keeps no revisions (expected: a store with a history)")
    return store


# --- checking -------------------------------------------------------------------------------------


async def check_change(
    store: Store, steps: Sequence[Step], registry: Registry, *, whole: bool = True
) -> list[Problem]:
    """Return what a runtime would reject of these steps, among what is stored around them.

    Without `whole`, only what would stop what is active. That costs the change and its neighbours,
    not what the namespace holds.
    """
    if isinstance(store, Overlay):
        # What goes from the store lets through what stands below it.
        steps = [
            (old, new or (store.below(old) if old is not None else None)) for old, new in steps
        ]
    turns = LoopYield()
    served = await _served(store, steps)
    await turns.rest()
    stored = await neighbourhood(store, steps, registry, served)
    await turns.rest()
    await have_keys(stored, registry.keys)
    problems = await by_turns(steps_in_pieces(steps, stored, registry, served)) if whole else []
    left = await by_turns(left_in_pieces(steps, stored, registry, served))
    names: list[tuple[str, str]] = []
    if left.mistyped:
        # A mistyped name is told with the one that was meant: that may be any.
        sides = [side for step in steps for side in step if side is not None]
        changed = {key_of(side) for side in sides}
        spaces = sorted({side.namespace for side in sides})
        names = [
            (space, spec.name)
            for space in spaces
            for spec in await store.specs(space)
            if spec.name is not None and key_of(spec) not in changed
        ]
    problems += await by_turns(left.explain(registry, names))
    return list(dict.fromkeys(problems))


async def _served(store: Store, steps: Sequence[Step]) -> Served:
    """Return what runs of the Specs of which a runtime has rejected the newest."""
    specs: dict[UUID, Spec | None] = {}
    if not isinstance(store, ReportStore):
        return specs
    for space in sorted({side.namespace for step in steps for side in step if side is not None}):
        reports = await store.reports(space)
        rejected = {symbol.id for report in reports for symbol in report.symbols if symbol.rejected}
        if not rejected:
            continue
        runs = {symbol.id for report in reports for symbol in report.symbols if symbol.observed}
        state = (
            await store.accepted(space) if isinstance(store, AcceptanceStore) else AcceptedState()
        )
        kept = {item.id: item for item in state.items if item.id in rejected & runs}
        for uuid in rejected:
            try:
                resource = kept[uuid].resource if uuid in kept else None
            except SpecError:
                continue
            if uuid not in runs or isinstance(resource, Spec):
                specs[uuid] = resource if isinstance(resource, Spec) else None
    return specs


def check_steps(
    steps: Sequence[Step], stored: Sequence[Resource], registry: Registry
) -> list[Problem]:
    """Return what would be wrong with what these steps put, and whoever is made with it, and is not wrong already.

    What may come later is not a Problem: links to what is not there, Values and the environment.
    """
    return at_once(steps_in_pieces(steps, stored, registry))


def steps_in_pieces(
    steps: Sequence[Step],
    stored: Sequence[Resource],
    registry: Registry,
    served: Served = NOBODY,
) -> Pieces[list[Problem]]:
    """As `check_steps`, a Spec at a time."""
    specs = [new for _, new in steps if isinstance(new, Spec)]
    yield
    changed = {spec.id for spec in specs}
    yield
    gone = {old.id for old, new in steps if new is None and isinstance(old, Spec)}
    before = [each for each in stored if isinstance(each, Spec)]
    yield
    others = [each for each in before if each.id not in changed and each.id not in gone]
    bound = yield from _bound(steps, others, registry)
    yield
    users = _users(steps, others, registry)
    yield
    if not (specs or bound or users):
        return []
    values = ValueSet([each for each in after(steps, stored) if isinstance(each, Value)])
    yield
    was = ValueSet([each for each in stored if isinstance(each, Value)])
    checked = frozenset(bound | users)
    earlier = yield from check_in_pieces(before, was, registry, only=checked, served=served)
    known = set(earlier.problems)
    result = yield from check_in_pieces(
        [*specs, *others],
        values,
        registry,
        only=checked | changed,
        later=True,
        served=served,
        bearers=_bearers(steps),
        holders=kept_claims(steps, registry.scheme),
    )
    yield
    problems = [problem for problem in result.problems if problem not in known]
    problems += yield from lost_values(steps, before, [*specs, *others], (was, values), registry)
    if users:
        away = yield from check_in_pieces(
            [*specs, *others], values, registry, only=frozenset(users)
        )
        problems += [
            each for each in away.problems if each.code == "missing-use" and each not in known
        ]
    return problems


def _bearers(steps: Sequence[Step]) -> set[UUID]:
    """Return the Specs that keep their names."""
    return {
        new.id
        for old, new in steps
        if isinstance(old, Spec) and isinstance(new, Spec) and old.name == new.name
    }


def _bound(steps: Sequence[Step], others: Sequence[Spec], registry: Registry) -> Pieces[set[UUID]]:
    """Return who is, or may be, bound to a Value that these steps change."""
    changed: dict[str, set[UUID | str | None]] = {}
    for old, new in steps:
        if isinstance(new, Value) and old != new:
            changed.setdefault(new.namespace, set()).update((new.id, new.name))
    bound: set[UUID] = set()
    for spec in others:
        names = changed.get(spec.namespace)
        if names is None:
            continue
        yield
        if registry.scheme.expands(spec.kind) or bind(spec).asks & names:
            bound.add(spec.id)
    return bound


def _users(steps: Sequence[Step], others: Sequence[Spec], registry: Registry) -> set[UUID]:
    """Return who may be made with a Spec that these steps change, take out or rename."""
    sides = [side for step in steps for side in step if isinstance(side, Spec)]
    scheme = registry.scheme
    spaces = {side.namespace for side in sides if scheme.expands(side.kind)}
    return {spec.id for spec in others if spec.namespace in spaces and scheme.expands(spec.kind)}


def _invalid(steps: Sequence[Step]) -> list[Problem]:
    """Secrets that were shown masked, and would be lost when they are put back so."""
    return [
        Problem(
            code="masked",
            found=f"the secret is masked ({MASK})",
            expected="the secret itself",
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


# --- somebody else --------------------------------------------------------------------------------


async def _rebased(
    store: Store, steps: Sequence[Step], base: int | None, keys: Keyring, *, merge: bool
) -> tuple[list[Step], list[Clash]]:
    """Return the steps as they are to be done now, when they were thought of at the revision `base`."""
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


async def _clashes(store: Store, planned: Plan) -> tuple[Clash, ...]:
    """Return what of this was changed by somebody else since it was planned."""
    changed = planned.changed
    now = await current(store, [key_of(each.resource) for each in changed])
    clashes: list[Clash] = []
    for each in changed:
        theirs = now.get(key_of(each.resource))
        before = each.turn.before
        if theirs != before or _revision(theirs) != _revision(before):
            clashes.append(Clash(base=before, mine=each.turn.after, theirs=theirs))
    return tuple(clashes)


async def current(store: Store, keys: Sequence[Key]) -> dict[Key, Resource]:
    """Return what is stored under these keys now, in whichever namespace."""
    specs = [id_ for sort, id_ in keys if sort is Spec]
    values = [id_ for sort, id_ in keys if sort is Value]
    resources: list[Resource] = []
    if specs:
        resources += await store.specs(None, specs)
    if values:
        resources += await store.values(None, values)
    return {key_of(each): each for each in resources}


def _revision(resource: Resource | None) -> int:
    return resource.revision if resource is not None else 0


async def _last(store: Store, namespaces: Iterable[str]) -> int:
    """Return the newest revision that changed something in these namespaces."""
    if not isinstance(store, RevisionStore):
        return await store.newest()
    pages = [await store.history(space, limit=1) for space in namespaces]
    return max((page[0].number for page in pages if page), default=0)


def _change(turn: RevisionChange) -> Change:
    old, new = turn.before, turn.after
    if new is not None:
        return Put(resource=new, revision=_revision(old))
    if old is None:
        raise RuntimeError("a change needs an old or a new resource")
    return Delete(type=key_of(old)[0], id=old.id, revision=old.revision)


def _sides(turn: RevisionChange) -> Iterator[Resource]:
    return (side for side in (turn.before, turn.after) if side is not None)


__all__ = [
    "ApplyResult",
    "Clash",
    "Plan",
    "Step",
    "apply_plan",
    "check_change",
    "check_steps",
    "current",
    "left_behind",
    "plan_delete",
    "plan_steps",
    "recording",
]
