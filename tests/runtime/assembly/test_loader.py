"""The Loader makes the table agree with the store: as a whole, or not at all."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heddle.runtime.assembly.extension import Extension
from heddle.runtime.runtime import Runtime
from heddle.specs.model.names import named_id
from heddle.specs.model.spec import Binding, Spec
from heddle.specs.model.store import Change, ChangeSet, Delete, Put, Resource
from heddle.specs.model.value import Value
from heddle.specs.stores.memory import MemoryStore
from tests.runtime.worlds import (
    World,
    bound,
    change,
    linked,
    node_of,
    put,
    registry_of,
    remove,
    run_state,
    step,
    told,
    value,
    world,
)

pytestmark = pytest.mark.anyio


def quiet(here: World, **options: Any) -> dict[str, Any]:
    return {"kinds": here.kinds(), "watch": False, **options}


# -- the start -------------------------------------------------------------------------------------


async def test_a_start_with_broken_specs_runs_the_rest_and_tells_of_them() -> None:
    here = World()
    specs = [
        *(step("good", "leaf"), step("leaf")),
        linked("stepp", "typo"),
        step("wrong", colour="red"),
        step("waits", "nobody"),
        step("port", {"oot": "leaf"}),
        step("into", "leaf:inn"),
    ]
    async with world(specs, **quiet(here)) as rt:
        assert await rt.send("good", "") == "goodleaf"
        status = {one.name: one for one in rt.status().symbols}
        assert {name: one.state for name, one in status.items()} == {
            "good": "active",
            "leaf": "active",
            "waits": "waiting",
            **dict.fromkeys(["typo", "wrong", "port", "into"], "rejected"),
        }
        assert status["waits"].reasons == ('waits for "nobody", linked at ports.out',)
        assert 'no kind "stepp"' in status["typo"].reasons[0]
        codes = sorted(problem.code for problem in rt.status().problems)
        assert codes == ["unknown-field", "unknown-kind", "unknown-port", "unknown-port"]
        (left_out,) = told(rt, "specs left out")
        assert (len(left_out.problems), left_out.reason) == (4, "the rest runs")
        assert not told(rt, "change rejected")
        (waiting,) = told(rt, "symbol waiting")
        assert (waiting.symbol, waiting.reason) == (
            "waits",
            'waits for "nobody", linked at ports.out',
        )


async def test_an_empty_namespace_is_no_mistake() -> None:
    async with world([], **quiet(World())) as rt:
        assert rt.status().symbols == ()
        assert rt.table.wiring.generation.number == 0
        assert not told(rt, "generation live", "change rejected")


async def test_only_its_own_namespace_is_loaded() -> None:
    other = Spec(id=UUID(int=1), kind="step", namespace="other", name="b")
    async with world([step("a"), other], **quiet(World())) as rt:
        assert [one.label for one in rt.table.all()] == ["a"]


async def test_two_specs_of_one_name_leave_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = Spec(id=UUID(int=1), kind="step", name="a")
    store = MemoryStore([step("a")])

    async def both(*_: Any, **__: Any) -> list[Spec]:
        return [step("a"), twin]

    # A store never gives two of one name; whatever it gives must not break the table.
    monkeypatch.setattr(store, "specs", both)
    async with Runtime(store=store, kinds=registry_of(World().kinds()), watch=False) as rt:
        assert [problem.code for problem in rt.status().problems] == ["duplicate-name"]
        assert await rt.send("a", "") == "a"


# -- changes ---------------------------------------------------------------------------------------


async def test_a_good_change_goes_live_and_is_told() -> None:
    async with world([step("a")], **quiet(World())) as rt:
        loaded = await put(rt, step("a", add="2"), step("b"))
        assert (loaded.generation, loaded.changed, loaded.removed) == (2, ("a", "b"), ())
        assert not loaded.rejected
        live = told(rt, "generation live")[-1]
        assert (live.generation, live.reason) == (2, "changed a, b")
        assert await rt.send("a", "") == "2"
        assert (await remove(rt, step("b"))).removed == ("b",)


@pytest.mark.parametrize(
    ("spec", "code", "place"),
    [
        (step("a", refuse="no"), "range", "a.yaml:2:1"),
        (step("a", colour="red"), "unknown-field", "a.yaml:2:1"),
        (step("a", add=7), "type", "a.yaml:2:1"),
        (linked("stepp", "a"), "unknown-kind", "a.yaml:2:1"),
        (step("a", {"oot": "b"}), "unknown-port", "a.yaml:3:1"),
        (step("a", "b:inn"), "unknown-port", "a.yaml:5:1"),
        (step("a", refuse="crash"), "codec", "a.yaml:1:1"),
        (step("a", env={"X": Binding(name="nobody")}), "missing-value", "a.yaml:4:1"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
async def test_bad_edit_keeps_the_old_node(spec: Spec, code: str, place: str) -> None:
    async with world([step("a"), step("b")], **quiet(World())) as rt:
        old = rt.table.get("a")
        loaded = await put(rt, spec)
        assert [problem.code for problem in loaded.problems] == [code]
        assert str(loaded.problems[0].place) == place
        assert rt.table.get("a") is old
        assert await rt.send("a", "") == "a"
        (rejected,) = told(rt, "change rejected")
        assert (rejected.reason, rejected.generation) == ("generation 1 goes on running", 1)
        assert rejected.problems == loaded.problems
        (shown,) = [one for one in rt.status().symbols if one.name == "a"]
        assert shown.state == "degraded"
        assert shown.reasons == (f"rejected: {loaded.problems[0]}",)


async def test_a_kind_that_cannot_be_imported_is_a_problem_of_its_specs() -> None:
    def lost(extension: Extension) -> None:
        extension.kinds("tests.runtime", {"lost": "no_such_file:KIND"})

    here = World()
    specs = [step("a"), linked("lost", "b"), linked("lost", "c", env={"X": Binding(name="no")})]
    async with world(specs, [*here.kinds(), lost], watch=False) as rt:
        assert await rt.send("a", "") == "a"
        shown = {one.name: one.reasons for one in rt.status().symbols}
        assert "No module named 'tests.runtime.no_such_file'" in shown["b"][0]
        assert 'there is no Value "no"' in shown["c"][0]


async def test_a_change_set_goes_live_as_a_whole_or_not_at_all() -> None:
    async with world([step("a"), step("b")], **quiet(World())) as rt:
        loaded = await put(rt, step("a", add="2"), step("b", refuse="no"), step("c"))
        assert loaded.rejected
        assert await rt.send("a", "") == "a"
        assert rt.table.get("c") is None


async def test_all_problems_are_told_together() -> None:
    async with world([], **quiet(World())) as rt:
        loaded = await put(rt, step("a", refuse="no"), step("b", colour=1), linked("x", "c"))
        assert [problem.path.split(".")[0] for problem in loaded.problems] == ["a", "b", "c"]


async def test_only_what_changed_is_rebuilt() -> None:
    here = World()
    async with world([step("a", "b"), step("b", "c"), step("c")], **quiet(here)) as rt:
        nodes = {name: node_of(rt, name) for name in "abc"}
        here.compiled.clear()
        await put(rt, step("c", add="2"))
        assert here.compiled == ["c"]
        assert [node_of(rt, name) is nodes[name] for name in "abc"] == [True, True, False]
        assert await rt.send("a", "") == "ab2"


async def test_doubled_and_empty_changes_do_nothing() -> None:
    here = World()
    async with world([step("a")], **quiet(here)) as rt:
        here.compiled.clear()
        for _ in range(2):
            loaded = await rt.load(ChangeSet(specs=frozenset({step("a").id, UUID(int=5)})))
            assert (loaded.generation, loaded.rejected) == (None, False)
        assert here.compiled == []
        assert rt.table.wiring.generation.number == 1


async def test_a_spec_that_moves_keeps_its_node_and_its_problems_move() -> None:
    async with world([step("a")], **quiet(World())) as rt:
        node = node_of(rt, "a")
        moved = Spec(id=step("a").id, kind="step", name="a", fields=step("a").fields, places=None)
        await put(rt, moved)
        symbol = rt.table.get("a")
        assert symbol is not None
        assert symbol.node is node
        assert symbol.spec.places is None


# -- what would stop something ---------------------------------------------------------------------


async def test_deleting_what_others_lead_to_is_rejected() -> None:
    async with world([step("a", "b"), step("b")], **quiet(World())) as rt:
        loaded = await remove(rt, step("b"))
        assert [problem.code for problem in loaded.problems] == ["missing-link"]
        assert loaded.problems[0].hint.endswith("a is active and would stop.")
        assert await rt.send("a", "") == "ab"
        loaded = await put(rt, step("a"))
        assert rt.table.get("b") is None
        assert await rt.send("a", "") == "a"


async def test_edit_that_leads_to_nobody_is_rejected_where_it_would_stop_something() -> None:
    async with world([step("a", "b"), step("b")], **quiet(World())) as rt:
        assert (await put(rt, step("a", "bb"))).rejected
        assert await rt.send("a", "") == "ab"


async def test_an_edit_that_leads_to_what_waits_is_rejected_too() -> None:
    specs = [step("front", "a"), step("a", "b"), step("b"), step("waits", "nobody")]
    async with world(specs, **quiet(World())) as rt:
        loaded = await put(rt, step("a", "waits"))
        assert [problem.code for problem in loaded.problems] == ["waiting-link"]
        assert '"waits" is not active: waits for "nobody"' in loaded.problems[0].found
        assert str(loaded.problems[0].place) == "a.yaml:4:1"
        assert await rt.send("front", "") == "frontab"


# -- one mistake does not hold up others -----------------------------------------------------------


async def test_a_mistake_in_one_change_set_does_not_hold_up_another() -> None:
    async with world([step("a"), step("b")], **quiet(World())) as rt:
        assert (await put(rt, step("a", refuse="no"))).rejected
        assert not (await put(rt, step("b", add="2"))).rejected
        assert await rt.send("b", "") == "2"
        assert await rt.send("a", "") == "a"
        assert len(told(rt, "change rejected")) == 1


async def test_what_was_rejected_goes_live_by_itself_when_its_other_half_arrives() -> None:
    async with world([step("a", "b"), step("b")], **quiet(World())) as rt:
        assert (await put(rt, step("a", "c"))).rejected
        assert (await remove(rt, step("b"))).rejected
        assert await rt.send("a", "") == "ab"
        assert not (await put(rt, step("c"))).rejected
        assert await rt.send("a", "") == "ac"
        assert rt.table.get("b") is None
        assert not rt.status().problems


async def test_a_rejected_change_set_goes_live_when_its_mistake_is_mended() -> None:
    async with world([step("a"), step("b")], **quiet(World())) as rt:
        assert (await put(rt, step("a", add="2"), step("b", refuse="no"), step("c"))).rejected
        assert not (await put(rt, step("b", add="2"))).rejected
        assert [await rt.send(name, "") for name in "abc"] == ["2", "2", "c"]
        assert not rt.status().problems


async def test_halves_that_are_only_fit_together_go_live_together() -> None:
    async with world([step("front", "m"), step("m")], **quiet(World())) as rt:
        renamed = Spec(id=step("m").id, kind="step", name="new", fields={"add": "new"})
        assert (await put(rt, renamed)).rejected
        loaded = await put(rt, step("front", "new"))
        assert loaded.changed == ("front", "new")
        assert await rt.send("front", "") == "frontnew"
        assert not rt.status().problems


async def test_halves_that_are_fit_together_go_live_beside_a_mistake() -> None:
    async with world([step("front", "m"), step("m")], **quiet(World())) as rt:
        renamed = Spec(id=step("m").id, kind="step", name="new", fields={"add": "new"})
        assert (await put(rt, step("x", refuse="no"))).rejected
        assert (await put(rt, renamed)).rejected
        assert not (await put(rt, step("front", "new"))).rejected
        assert [problem.path for problem in rt.status().problems] == ["x.refuse"]


async def test_a_port_in_use_holds_up_nobody_else() -> None:
    here = World()
    async with world([step("a"), step("b")], **quiet(here)) as rt:
        assert (await put(rt, step("a", add="2", open="fail"))).rejected
        here.log.clear()
        assert not (await put(rt, step("b", add="2"))).rejected
        assert await rt.send("b", "") == "2"
        assert here.log.count("b2: open") == 1
        assert len(told(rt, "change rejected")) == 1
        assert not (await put(rt, step("a", add="3"))).rejected
        assert await rt.send("a", "") == "3"
        assert not rt.status().problems


async def test_taking_a_mistake_back_forgets_it() -> None:
    async with world([step("a"), step("b")], **quiet(World())) as rt:
        await put(rt, step("a", refuse="no"))
        assert rt.status().problems
        loaded = await put(rt, step("a"))
        assert not loaded.rejected
        assert not rt.status().problems
        await put(rt, step("x", refuse="no"))
        await remove(rt, step("x"))
        assert not rt.status().problems
        assert [one.name for one in rt.status().symbols] == ["a", "b"]


async def test_link_that_edit_would_break_is_told_at_link_and_forgotten_again() -> None:
    async with world([step("a", {"out": "r"}), linked("router", "r")], **quiet(World())) as rt:
        loaded = await put(rt, linked("boom", "r", {"out": "a"}))
        assert [problem.path for problem in loaded.problems] == ["r.ports.out"]
        await put(rt, linked("router", "r"))
        assert not rt.status().problems


async def test_one_name_may_begin_as_another_does() -> None:
    async with world([step("api"), step("leaf")], **quiet(World())) as rt:
        loaded = await put(rt, step("api.v1", {"oot": "leaf"}), step("api.ports", "leaf:inn"))
        assert loaded.rejected
        shown = {one.name: one for one in rt.status().symbols}
        assert shown["api"].reasons == ()
        assert "oot" in shown["api.v1"].reasons[0]
        assert "inn" in shown["api.ports"].reasons[0]


# -- Values ----------------------------------------------------------------------------------------


def greeting(name: str, wanted: str) -> Spec:
    return step(name, env=bound(wanted), add=f"{{{{ .{wanted.upper()} }}}}")


async def test_a_changed_value_reloads_exactly_who_is_bound_to_it() -> None:
    here = World()
    stored: list[Resource] = [
        value("one", "1"),
        value("two", "2"),
        greeting("a", "one"),
        greeting("b", "two"),
    ]
    async with world([*stored, step("c")], **quiet(here)) as rt:
        assert [await rt.send(name, "") for name in "abc"] == ["1", "2", "c"]
        nodes = {name: node_of(rt, name) for name in "abc"}
        loaded = await put(rt, value("one", "uno"))
        assert loaded.changed == ("a",)
        assert [node_of(rt, name) is nodes[name] for name in "abc"] == [False, True, True]
        assert await rt.send("a", "") == "uno"
        assert (await put(rt, value("unused", 1))).generation is None


async def test_a_value_that_comes_to_the_same_reloads_nothing() -> None:
    async with world([value("one", "1"), greeting("a", "one")], **quiet(World())) as rt:
        node = node_of(rt, "a")
        again = Value(id=UUID(int=9), name="one", data="1")
        one = value("one", "1")
        await change(rt, Delete(type=Value, id=one.id), Put(resource=again))
        assert node_of(rt, "a") is node
        # It is bound to the new one from now on.
        assert (await remove(rt, again)).rejected
        assert (await put(rt, Value(id=UUID(int=9), name="one", data="2"))).changed == ("a",)


async def test_deleting_a_value_in_use_is_rejected_until_nobody_uses_it() -> None:
    async with world([value("one", "1"), greeting("a", "one"), step("b")], **quiet(World())) as rt:
        loaded = await remove(rt, value("one", ""))
        assert [problem.code for problem in loaded.problems] == ["missing-value"]
        assert await rt.send("a", "") == "1"
        assert not (await put(rt, step("b", add="2"))).rejected
        assert rt.status().problems == loaded.problems
        assert not (await put(rt, step("a"))).rejected
        assert not rt.status().problems


async def test_a_value_that_was_missing_makes_the_spec_live_when_it_comes() -> None:
    async with world([greeting("a", "one")], **quiet(World())) as rt:
        assert [problem.code for problem in rt.status().problems] == ["missing-value"]
        assert (await put(rt, value("one", "1"))).changed == ("a",)
        assert await rt.send("a", "") == "1"


# -- secrets ---------------------------------------------------------------------------------------

SECRET = "hunter2!"


@pytest.mark.parametrize("way", [{"open": "fail"}, {"refuse": "no"}, {"refuse": "crash"}])
async def test_a_secret_is_seen_nowhere_whatever_goes_wrong(way: dict[str, str]) -> None:
    here = World()
    said = step("a", env=bound("key"), secret="{{ .KEY }}", **way)
    async with world([value("key", SECRET, secret=True)], **quiet(here)) as rt:
        loaded = await put(rt, said)
        assert loaded.rejected
        seen = repr([loaded, *rt.events.recent, rt.status()])
        assert SECRET not in seen
        assert "••••••" in seen


async def test_a_secret_is_masked_in_status_and_events_while_it_is_bound() -> None:
    said = step("a", env=bound("key"), secret="{{ .KEY }}")
    stored: list[Resource] = [value("key", SECRET, secret=True), said]
    async with world(stored, **quiet(World())) as rt:
        assert rt.status().symbols[0].node["shown"] == "••••••"
        rt.events.emit("went", reason=f"with {SECRET}")
        await put(rt, value("key", "other one", secret=True))
        rt.events.emit("went", reason="with other one")
        assert SECRET not in repr(rt.events.recent)
        assert "other one" not in repr(rt.events.recent)


async def test_a_value_that_becomes_secret_is_masked_from_then_on() -> None:
    said = step("a", env=bound("key"), add="{{ .KEY }}")
    async with world([value("key", SECRET), said], **quiet(World())) as rt:
        assert rt.status().symbols[0].node["add"] == SECRET
        await put(rt, value("key", SECRET, secret=True))
        assert rt.status().symbols[0].node["add"] == "••••••"


# -- whatever the order ----------------------------------------------------------------------------

EDITS = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(["good", "other", "wrong", "linked", "dangling", "gone"]),
    ),
    min_size=1,
    max_size=4,
)


def edit(name: str, how: str, held: set[str]) -> Change | None:
    following = chr(ord(name) + 1)
    if how == "gone":
        return Delete(type=Spec, id=named_id("spec", "default", name)) if name in held else None
    spec = {
        "good": step(name),
        "other": step(name, add=f"{name}!"),
        "wrong": step(name, refuse="no"),
        "linked": step(name, following),
        "dangling": step(name, "nobody"),
    }[how]
    return Put(resource=spec)


@settings(max_examples=120, deadline=None)
@given(st.lists(EDITS, max_size=5), st.randoms(use_true_random=False))
def test_doubled_late_and_reordered_changes_do_no_harm(
    sets: list[list[tuple[str, str]]], chance: Any
) -> None:
    """Two runtimes of one store: one hears each change set in its turn, one hears them anyhow.

    Once both have heard of everything, and every mistake is mended, they agree with one that begins.
    """

    async def story() -> None:
        store = MemoryStore()
        found = [registry_of(World().kinds()) for _ in range(3)]
        async with (
            Runtime(store=store, kinds=found[0], watch=False) as steady,
            Runtime(store=Shared(store), kinds=found[1], watch=False) as shaken,
        ):
            heard: list[ChangeSet] = []
            for edits in [*sets, [(name, "good") for name in "abcd"]]:
                keys = await apply(store, edits)
                if keys is None:
                    continue
                heard.append(keys)
                await steady.load(keys)
                if chance.random() < 0.3:
                    await shaken.load(chance.choice(heard))
            late = [*heard, *chance.choices(heard, k=2)] if heard else []
            chance.shuffle(late)
            for keys in late:
                await shaken.load(keys)
            async with Runtime(store=Shared(store), kinds=found[2], watch=False) as anew:
                wanted = shown(anew)
                assert shown(steady) == wanted
                assert shown(shaken) == wanted
                for name in "abcd":
                    assert await steady.send(name, "") == await anew.send(name, "")

    asyncio.run(story())


class Shared(MemoryStore):
    """A store that several runtimes share: only one of them opens and closes it."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self.__dict__.update(store.__dict__)

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None


async def apply(store: MemoryStore, edits: list[tuple[str, str]]) -> ChangeSet | None:
    """Make edits as one change set; the keys that it is told by."""
    held = {spec.name or "" for spec in await store.specs()}
    changes = {name: edit(name, how, held) for name, how in edits}
    made = [one for one in changes.values() if one is not None]
    if not made:
        return None
    await store.apply(made)
    ids = {one.resource.id if isinstance(one, Put) else one.id for one in made}
    return ChangeSet(specs=frozenset(ids))


def shown(rt: Runtime) -> list[tuple[str | None, str, Any]]:
    """Return what a runtime looks like from outside."""
    return [(one.name, run_state(one), one.node) for one in rt.status().symbols]
