"""Whatever writes to a store gives the answer that the runtime would give."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heddle.runtime.assembly.extension import Extension, registry
from heddle.runtime.changes import dangling
from heddle.runtime.changes.dangling import Linked, linked
from heddle.runtime.changes.plan import Plan, apply_plan, plan_delete, plan_steps
from heddle.runtime.runtime import Runtime
from heddle.schemas.link import Link
from heddle.specs.model.difference import difference
from heddle.specs.model.names import named_id
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import ChangeSet
from heddle.specs.stores.memory import MemoryStore
from tests.runtime.changing import codes, do, everything, plan, read, store_of
from tests.waiting import until

pytestmark = pytest.mark.anyio

NAMES = ("a", "b", "c", "d", "e")


def _spec(name: str, targets: tuple[str, ...], called: str = "") -> Spec:
    return Spec(
        id=named_id("spec", "default", name),
        kind="pipe",
        name=called or name,
        ports={"out[0]": tuple(Link(name=one) for one in targets)} if targets else {},
    )


TARGETS = st.lists(st.sampled_from(NAMES), max_size=2, unique=True).map(tuple)
STORED = st.dictionaries(st.sampled_from(NAMES), TARGETS)
CALLED = st.one_of(st.just(""), st.sampled_from([*NAMES, "x"]))
CHANGE = st.dictionaries(
    st.sampled_from(NAMES), st.one_of(st.none(), st.tuples(TARGETS, CALLED)), min_size=1
)


@given(stored=STORED, change=CHANGE)
@settings(deadline=None, max_examples=150)
async def test_a_plan_is_rejected_where_the_runtime_rejects_it(
    stored: dict[str, tuple[str, ...]], change: dict[str, tuple[tuple[str, ...], str] | None]
) -> None:
    store = MemoryStore(_spec(name, targets) for name, targets in stored.items())
    async with Runtime(store=store, kinds=everything(), watch=False) as rt:
        held = {spec.id: spec for spec in await store.specs()}
        steps = []
        for name, put in change.items():
            old = held.get(named_id("spec", "default", name))
            new = _spec(name, *put) if put is not None else None
            if old is not None or new is not None:
                steps.append((old, new))
        taken = [new.name for _, new in steps if new is not None]
        kept = [
            spec.name for id_, spec in held.items() if id_ not in {(o or n).id for o, n in steps}
        ]  # type: ignore[union-attr]
        if len({*taken, *kept}) < len([*taken, *kept]):
            return  # A name taken twice is told by the store itself.
        planned = await plan_steps(store, steps, everything())
        # Whoever does not ask writes it all the same; the runtime says what it makes of that.
        unasked = Plan(differences=tuple(difference(*step) for step in steps))
        await apply_plan(store, unasked)
        ids = frozenset(side.id for step in steps for side in step if side is not None)
        loaded = await rt.load(ChangeSet(specs=ids))
        assert bool(planned.problems) == loaded.rejected, (planned.problems, loaded.problems)


FLOW = """\
- {kind: pipe, name: start, ports: {'out[0]': [{name: leaf, port: in}]}}
- {kind: nop, name: leaf}
"""


async def test_an_active_spec_led_to_missing_name_is_problem_with_its_hint() -> None:
    async with store_of(FLOW) as store:
        planned = await plan(store, FLOW.replace("name: leaf, port", "name: laef, port"))
        [problem] = planned.problems
        assert problem.code == "missing-link"
        assert 'Did you mean "leaf"?' in problem.hint
        assert "start is active and would stop" in problem.hint


async def test_a_new_or_waiting_spec_may_lead_to_a_later_one() -> None:
    async with store_of(FLOW) as store:
        early = "{kind: pipe, name: early, ports: {'out[0]': [{name: nobody}, {name: leaf}]}}"
        await do(store, early)
        assert not (await plan(store, early.replace("nobody", "somebody"))).problems
        # Only what is active is kept from stopping.
        start = [spec for spec in await store.specs() if spec.name in ("start", "leaf")]
        assert not (await plan_delete(store, start)).problems


async def test_a_value_that_no_longer_fits_whoever_needs_it_is_a_problem() -> None:
    bound = "- {kind: timer, name: t, interval: '{{ V }}', env: {V: {name: v}}}\n"
    async with store_of(bound + "- {name: v, data: 1s}\n") as store:
        assert not (await plan(store, "{name: v, data: 2s}")).problems
        planned = await plan(store, "{name: v, data: often}")
        assert planned.problems
        assert planned.problems[0].path == "t.interval"


async def test_a_template_that_somebody_uses_is_not_deleted() -> None:
    template = """\
- {kind: block, name: greet, params: {who: {type: string}}, specs: [{kind: snippet, language: text, code: hi}]}
- {kind: block, name: mine, uses: greet, with: {who: ada}}
"""
    async with store_of(template) as store:
        greet = [spec for spec in await store.specs() if spec.name == "greet"]
        assert codes(await plan_delete(store, greet, everything())) == ["missing-use"]


async def test_what_runs_counts_when_the_newest_was_rejected() -> None:
    async with store_of(FLOW) as store, Runtime(store=store, kinds=everything()) as rt:
        named = {spec.name: spec for spec in await store.specs()}
        leaf, start = named["leaf"], named["start"]
        astray = _spec("start", ("nobody",))
        await apply_plan(store, Plan(differences=(difference(start, astray),)))
        await rt.events.wait("change rejected", since=0)
        await store.report(rt.report())

        async def is_kept() -> bool:
            return any(
                item.id == start.id for item in (await store.accepted(start.namespace)).items
            )

        await until(is_kept)
        # What runs still leads to the leaf, whatever the store says of it.
        assert (await plan_delete(store, [leaf], everything())).problems


@pytest.mark.parametrize(
    "holder",
    [
        "{kind: block, name: outer, specs: [{kind: nop, name: inner}]}",
        "{kind: step, name: outer, specs: [{kind: nop, name: inner}]}",
        "{kind: workflow, name: outer, tasks: [{name: inner, do: {kind: nop}}]}",
    ],
)
async def test_a_held_node_goes_when_its_holder_becomes_a_plain_kind(holder: str) -> None:
    start = "{kind: pipe, name: start, ports: {'out[0]': [{name: outer/inner, port: in}]}}"
    async with (
        store_of(f"- {holder}\n- {start}\n") as store,
        Runtime(store=store, kinds=everything(), watch=False) as rt,
    ):
        assert rt.table.waiting == 0
        plain = "{kind: nop, name: outer}"
        planned = await plan(store, plain)
        assert codes(planned) == ["missing-link"]
        # The runtime says the same to whoever does not ask.
        await apply_plan(store, Plan(differences=planned.differences))
        ids = frozenset(each.resource.id for each in planned.differences)
        loaded = await rt.load(ChangeSet(specs=ids))
        assert [problem.code for problem in loaded.problems] == ["missing-link"]


async def test_a_value_that_leads_a_running_node_to_nobody_is_a_problem() -> None:
    calling = "- {kind: call, name: ask, target: '{{ TO }}', env: {TO: {name: to}}}\n"
    async with (
        store_of("- {name: to, data: pong}\n- {kind: nop, name: pong}\n" + calling) as store,
        Runtime(store=store, kinds=everything(), watch=False) as rt,
    ):
        assert rt.table.waiting == 0
        planned = await plan(store, "{name: to, data: nobody}")
        assert codes(planned) == ["missing-link"]
        await apply_plan(store, Plan(differences=planned.differences))
        ids = frozenset(each.resource.id for each in planned.differences)
        loaded = await rt.load(ChangeSet(values=ids))
        assert [problem.code for problem in loaded.problems] == ["missing-link"]


async def test_what_needs_a_removed_value_misses_it_at_any_depth() -> None:
    work = "{kind: snippet, language: text, code: '{{ X }}', env: {X: {name: x}}}"
    flow = f"- {{kind: workflow, name: flow, tasks: [{{name: say, do: {work}}}]}}\n"
    unused = (
        f"- {{kind: workflow, name: unused, params: {{}}, tasks: [{{name: say, do: {work}}}]}}\n"
    )
    user = "- {kind: workflow, name: user, uses: unused}\n"
    for text, paths in (
        (flow, ["flow.tasks[0].do.env.X"]),
        (unused, []),
        (unused + user, ["unused.tasks[0].do.env.X"]),
    ):
        async with store_of("- {name: x, data: 1}\n" + text) as store:
            problems = (await plan_delete(store, await store.values(), everything())).problems
            assert [each.code for each in problems] == ["left-behind"] * len(paths)
            assert [each.path for each in problems] == paths


async def test_a_kind_that_cannot_be_imported_holds_up_no_other_change() -> None:
    def lost(extension: Extension) -> None:
        extension.kinds("tests.runtime", {"lost": "no_such_file:KIND"})

    kinds = registry([lost])
    async with store_of(FLOW) as store:
        steps = [(None, each) for each in read("{kind: nop, name: more}")]
        assert not (await plan_steps(store, steps, kinds)).problems
        steps = [(None, each) for each in read("{kind: lost, name: more}")]
        (problem,) = (await plan_steps(store, steps, kinds)).problems
        assert "no_such_file" in problem.found


async def test_a_suggested_name_costs_no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: Counter[str] = Counter()

    def counted(spec: Spec, *rest: Any) -> Iterator[Linked]:
        looks[spec.label] += 1
        return linked(spec, *rest)

    monkeypatch.setattr(dangling, "linked", counted)
    async with store_of(FLOW, "{kind: nop, name: further}") as store:
        (problem,) = (
            await plan(
                store,
                "{kind: pipe, name: start, ports: {out: [{name: furter, port: in}]}}",
            )
        ).problems
        assert 'Did you mean "further"?' in problem.hint
    # Once as it was, and once as it would be.
    assert looks["start"] == 2
