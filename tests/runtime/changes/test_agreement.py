"""Random change sets of a random namespace: a plan says what happens live, and a change leaves nothing stale."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from heddle.runtime.assembly.check import LATER
from heddle.runtime.changes.plan import plan_steps
from heddle.runtime.changes.wait_live import wait_live
from heddle.runtime.runtime import Runtime
from heddle.schemas.problem import Problem
from heddle.specs.model.index import key_of
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Change, ChangeSet, Delete, Put, Resource
from heddle.specs.model.value import Value
from heddle.specs.stores.contract_story import spec, value
from heddle.specs.stores.memory import MemoryStore
from tests.runtime.changing import everything
from tests.runtime.random_specs import names, resources, specs


@st.composite
def edits(draw: Any) -> tuple[list[Resource], list[int], list[tuple[int, str]]]:
    """Return one change set: what is put, what is taken out (by number), and what gets another name."""
    return (
        draw(st.lists(resources, max_size=3)),
        draw(st.lists(st.integers(0, 9), max_size=2)),
        draw(st.lists(st.tuples(st.integers(0, 9), names), max_size=1)),
    )


class Story:
    """A runtime that follows random change sets, which are planned first."""

    def __init__(self, store: MemoryStore, rt: Runtime) -> None:
        self.store = store
        self.rt = rt

    async def stored(self) -> dict[Any, Resource]:
        every: list[Resource] = [*await self.store.specs(), *await self.store.values()]
        return {key_of(each): each for each in every}

    async def steps(self, edit: Any) -> list[tuple[Resource | None, Resource | None]]:
        stored = await self.stored()
        rows = list(stored.values())
        puts, deletes, renames = edit
        steps: dict[Any, tuple[Resource | None, Resource | None]] = {}
        bearers = {(type(each), each.name): key for key, each in stored.items()}
        taken: set[Any] = set()
        for new in puts:
            key = bearers.get((type(new), new.name), key_of(new))
            if key in stored and key != key_of(new):
                new = _with_id(new, key[1])
            if key_of(new) not in steps and (type(new), new.name) not in taken:
                taken.add((type(new), new.name))
                steps[key_of(new)] = stored.get(key_of(new)), new
        for number in deletes if rows else ():
            old = rows[number % len(rows)]
            steps.setdefault(key_of(old), (old, None))
        for number, name in renames if rows else ():
            old = rows[number % len(rows)]
            free = (Spec, name) not in bearers and (Spec, name) not in taken
            if isinstance(old, Spec) and free:
                more = {field: getattr(old, field) for field in ("ports", "env", "fields", "kind")}
                steps.setdefault(key_of(old), (old, spec(name, id=old.id, **more)))
        return [(old, new) for old, new in steps.values() if old != new]

    async def follow(self, edit: Any) -> None:
        """Plan and make a change set; what was rejected is taken back."""
        steps = await self.steps(edit)
        if not steps:
            return
        await self.store.report(self.rt.report())
        planned = await plan_steps(self.store, steps, everything())
        before = await self.stored()
        rejected = await self._make(steps)
        # What a new Spec lacks may come later: a plan lets it pass.
        own = {str(new.name) for _, new in steps if isinstance(new, Spec)}
        # Its links are judged by what runs of it, so more may seem wrong by that.
        early = any(each.code in LATER and _owner(each) in own for each in rejected)
        codes = sorted({problem.code for problem in planned.problems})
        if planned.problems or not early:
            why = codes, [str(each) for each in rejected], _shown(steps), _shown_all(before)
            assert bool(codes) is bool(rejected), why
        if rejected:
            now = await self.stored()
            keys = [key_of(new or old) for old, new in steps]  # type: ignore[arg-type]
            back = await self._make([(now.get(key), before.get(key)) for key in keys])
            assert not back, (back, _shown(steps), _shown_all(before))

    async def _make(
        self, steps: list[tuple[Resource | None, Resource | None]]
    ) -> Sequence[Problem]:
        """Make these steps in the store and live; return why they were rejected."""
        changes: list[Change] = []
        ids: dict[type, set[Any]] = {Spec: set(), Value: set()}
        for old, new in steps:
            sort, uuid = key_of(new or old)  # type: ignore[arg-type]
            ids[sort].add(uuid)
            if new is not None:
                changes.append(Put(resource=new))
            elif old is not None:
                changes.append(Delete(type=sort, id=uuid))
        await self.store.apply(changes)
        revision = await self.store.newest()
        loaded = await self.rt.load(
            ChangeSet(specs=frozenset(ids[Spec]), values=frozenset(ids[Value]), revision=revision)
        )
        await self.store.report(self.rt.report())
        waited = await wait_live(self.store, "default", revision, ids[Spec] | ids[Value], timeout=5)
        assert not waited.behind
        assert waited.rejected is loaded.rejected
        return loaded.problems

    async def compare(self) -> None:
        """Compare the runtime with one that begins with what is stored now."""
        store = MemoryStore((await self.stored()).values())
        async with Runtime(store=store, kinds=everything(), watch=False) as fresh:
            assert picture(self.rt) == picture(fresh)


def picture(rt: Runtime) -> dict[str, Any]:
    """Return everything that a change may leave stale."""
    table = rt.table
    layout, bonds = table._layout, table._bonds
    symbols = {
        symbol.label: (
            symbol.id,
            symbol.source,
            repr(symbol.spec.fields),
            repr(symbol.binding.spec.fields),
            symbol.binding.asks,
            symbol.binding.uses,
            symbol.links,
            symbol.inlets,
            symbol.flows,
            symbol.held,
            symbol.uses,
            table.active(symbol),
            table.reasons(symbol),
            type(symbol.node),
        )
        for symbol in table.all()
    }
    return {
        "symbols": symbols,
        "names": dict(layout.names.items()),
        "wanted": {word: ids for word, ids in layout.linked_from.items() if ids},
        "waiting": set(layout.waiting),
        "wired": {key: (each.label, each.links) for key, each in layout.wired.items()},
        "asking": {word: set(ids) for word, ids in bonds._asking.items()},
        "using": {word: set(ids) for word, ids in bonds._using.items()},
        "problems": sorted(problem.code for problem in rt.status().problems),
        "values": dict(rt.report().rejected_values),
    }


def _owner(problem: Problem) -> str:
    """Return the name of the Spec that a Problem is of."""
    return re.split(r"[./\[]", problem.path, maxsplit=1)[0]


def _with_id(resource: Resource, uuid: Any) -> Resource:
    return msgspec.structs.replace(resource, id=uuid)


def _shown(steps: Any) -> list[Any]:
    return [(_text(old), _text(new)) for old, new in steps]


def _shown_all(stored: Any) -> list[Any]:
    return [_text(each) for each in stored.values()]


def _text(each: Any) -> Any:
    if isinstance(each, Spec):
        return each.name, each.kind, each.fields, dict(each.ports), dict(each.env)
    return (each.name, each.data) if each is not None else None


@settings(max_examples=40, deadline=None)
@given(st.lists(specs(), min_size=6, max_size=12), st.lists(edits(), min_size=2, max_size=8))
def test_a_plan_says_what_happens_and_nothing_stays_stale(
    first: list[Resource], changes: list[Any]
) -> None:
    async def story() -> None:
        store = MemoryStore()
        async with Runtime(store=store, kinds=everything(), watch=False) as rt:
            told = Story(store, rt)
            for each in (value("v", "a"), value("w", "b"), *first):
                await told.follow(([each], [], []))
            for edit in changes:
                await told.follow(edit)
            await told.compare()

    asyncio.run(story())
