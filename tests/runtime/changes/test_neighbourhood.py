"""A change is checked among its neighbours, and comes to the same as among all that is stored."""

import asyncio
import re
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from heddle.runtime.changes.dangling import left_behind
from heddle.runtime.changes.neighbourhood import neighbourhood
from heddle.runtime.changes.plan import check_change, check_steps
from heddle.schemas.link import Link
from heddle.specs.model.index import key_of
from heddle.specs.model.names import new_id
from heddle.specs.model.spec import Binding, Spec
from heddle.specs.model.store import Put, Resource
from heddle.specs.model.value import Value
from heddle.specs.stores.contract_story import spec, value
from heddle.specs.stores.memory import MemoryStore
from tests.runtime.changing import everything
from tests.runtime.random_specs import checked, names

VALUE = new_id()
INSIDE = re.compile(r'Did you mean "[a-z0-9]+/[a-z0-9]+"\? ')


@st.composite
def worlds(draw: Any) -> tuple[list[Resource], list[tuple[Resource | None, Resource | None]]]:
    """Return what is stored, and a change of it: what is put, taken out or renamed."""
    stored = {key_of(each): each for each in draw(st.lists(checked, max_size=8))}
    steps: dict[Any, tuple[Resource | None, Resource | None]] = {}
    for new in draw(st.lists(checked, max_size=3)):
        steps[key_of(new)] = (stored.get(key_of(new)), new)
    for old in draw(st.lists(st.sampled_from(list(stored.values())), max_size=2)) if stored else ():
        steps.setdefault(key_of(old), (old, None))
    if stored and draw(st.booleans()):
        old = draw(st.sampled_from(list(stored.values())))
        if isinstance(old, Spec):
            more = {name: getattr(old, name) for name in ("ports", "env", "fields", "kind")}
            steps[key_of(old)] = (old, spec(draw(names), id=old.id, **more))
    return list(stored.values()), list(steps.values())


def problems(many: Any) -> list[str]:
    """Return each Problem with all that it says; what a distant block holds is suggested to nobody."""
    return sorted(INSIDE.sub("", repr(each)) for each in dict.fromkeys(many))


@settings(max_examples=300, deadline=None)
@given(worlds())
def test_neighbours_are_all_that_takes_part_in_a_check(
    world: tuple[list[Resource], list[tuple[Resource | None, Resource | None]]],
) -> None:
    stored, steps = world

    async def story() -> None:
        store = MemoryStore()
        await store.open()
        await store.apply([Put(resource=each) for each in stored])
        whole: list[Resource] = [*await store.specs(), *await store.values()]
        registry = everything()
        wanted = [
            *check_steps(steps, whole, registry),
            *left_behind(steps, whole, registry),
        ]
        assert problems(await check_change(store, steps, registry)) == problems(wanted)

    asyncio.run(story())


async def _read(store: MemoryStore, *steps: tuple[Resource | None, Resource | None]) -> set[str]:
    return {str(each.name) for each in await neighbourhood(store, steps, everything())}


def test_neighbours_are_read_by_the_links_that_a_value_gives() -> None:
    """Both where they led, and where they lead from now on, for whoever is made with the Value."""
    before, after = (Value(id=VALUE, name="v", data=name) for name in "ab")
    caller = spec("c", "call", env={"X": Binding(name="v")}, fields={"target": "{{ X }}"})
    source = spec("d", "listener", fields={"port": 8101}, ports={"out": (Link(name="nobody"),)})
    held = {
        "specs": [{"kind": "snippet", "name": "inner", "language": "text", "code": "{{ X }}"}],
        "outbounds": {"out": [{"name": "inner", "port": "out"}]},
    }
    ports = {"out": (Link(name="d", port="in"),)}
    block = spec("e", "block", ports=ports, env={"X": Binding(name="v")}, fields=held)

    async def story() -> None:
        store = MemoryStore()
        await store.open()
        stored = [spec("a"), spec("b"), before, caller, source, block]
        await store.apply([Put(resource=each) for each in stored])
        registry = everything()
        steps = [(before, after)]
        whole = [*await store.specs(), *await store.values()]
        assert await check_change(store, steps, registry) == check_steps(steps, whole, registry)
        assert {"a", "b", "c", "d", "e"} <= await _read(store, *steps)

    asyncio.run(story())


def test_what_is_not_concerned_is_not_read() -> None:
    async def story() -> None:
        store = MemoryStore()
        await store.open()
        chain = [
            spec(f"n{number}", ports={"out": (Link(name=f"n{number + 1}"),)}) for number in range(9)
        ]
        await store.apply([Put(resource=each) for each in [*chain, spec("n9"), value("v", 1)]])
        changed = spec("n4", ports=chain[4].ports, annotations={"a": "b"})
        assert await _read(store, (chain[4], changed)) == {"n3", "n4", "n5"}
        # Who may stop is looked at with all that it leads to, and nothing else.
        assert await _read(store, (chain[7], None)) == {"n6", "n7", "n8", "n9"}
        fresh = Value(id=new_id(), name="u", data=1)
        assert await _read(store, (None, fresh)) == set()

    asyncio.run(story())


def test_a_claim_that_was_made_before_is_no_problem_of_an_edit() -> None:
    async def story() -> None:
        store = MemoryStore()
        await store.open()
        first, second = (spec(name, "listener", fields={"port": 8101}) for name in "ab")
        await store.apply([Put(resource=each) for each in (first, second)])
        edit = (first, msgspec.structs.replace(first, annotations={"a": "b"}))
        third = (None, spec("c", "listener", fields={"port": 8101}))
        registry = everything()
        assert await check_change(store, [edit], registry) == []
        # Whoever comes new has the Problem.
        both = await check_change(store, [edit, third], registry)
        assert [(each.code, each.path) for each in both] == [("in-use", "c.port")]

    asyncio.run(story())


def test_an_edit_that_asks_for_a_missing_value_is_a_problem() -> None:
    async def story() -> None:
        store = MemoryStore()
        await store.open()
        old = spec("a", "snippet", fields={"language": "text", "code": "x"})
        await store.apply([Put(resource=old)])
        env = {"X": Binding(name="v")}
        new = msgspec.structs.replace(old, env=env)
        registry = everything()
        (problem,) = await check_change(store, [(old, new)], registry)
        assert (problem.code, problem.path) == ("missing-value", "a.env.X.name")
        assert problem.hint == "Write the Value first, or with the same change."
        # With its Value it is none; a new Spec may wait for its own; what it lacked before is no news.
        assert await check_change(store, [(old, new), (None, value("v", 1))], registry) == []
        fresh = spec("b", "snippet", env=env, fields={"language": "text", "code": "x"})
        assert await check_change(store, [(None, fresh)], registry) == []
        await store.apply([Put(resource=new)])
        again = msgspec.structs.replace(new, annotations={"a": "b"})
        assert await check_change(store, [(new, again)], registry) == []

    asyncio.run(story())
