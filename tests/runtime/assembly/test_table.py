"""The SymbolTable joins ports, and moves from state to state by the change alone."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from heddle.runtime.assembly.symbol import Symbol
from heddle.runtime.assembly.table import SymbolTable, TablePlan
from heddle.runtime.assembly.table_state import TableState
from heddle.runtime.flow.node import Node
from heddle.schemas.link import Link
from heddle.specs.binding.bind import BoundSpec
from heddle.specs.model.names import named_id
from heddle.specs.model.spec import Spec
from tests.runtime.nodes import add, run
from tests.runtime.worlds import linked


class Other(Node):
    """A node of another sort."""


def symbol(spec: Spec, node: Node | None = None) -> Symbol:
    return Symbol(spec, BoundSpec(spec=spec), node or add("."))


def fresh(old: Symbol) -> Symbol:
    return Symbol(old.spec, old.binding, add("."))


class Board:
    """A table whose plans go live at once."""

    def __init__(self) -> None:
        self.table = SymbolTable(fresh)

    def put(self, *specs: Spec) -> TablePlan:
        return self.change([symbol(spec) for spec in specs])

    def remove(self, *names: str) -> TablePlan:
        return self.change([], [named_id("spec", "default", name) for name in names])

    def change(self, puts: Sequence[Symbol], removes: Iterable[UUID] = ()) -> TablePlan:
        plan = self.table.plan(puts, removes)
        self.table.commit(plan)
        for one in plan.opens:
            assert not one.opened
            one.opened = True
        return plan

    def __getitem__(self, name: str) -> Symbol:
        found = self.table.get(name)
        assert found is not None
        return found

    @property
    def active(self) -> set[str]:
        return {one.label for one in self.table.all() if self.table.active(one)}


def names(symbols: Iterable[Symbol]) -> list[str]:
    return [one.label for one in symbols]


@pytest.fixture
def board() -> Board:
    return Board()


# -- activation ------------------------------------------------------------------------------------


def test_a_symbol_without_links_is_active_at_once(board: Board) -> None:
    assert names(board.put(linked("step", "a")).opens) == ["a"]
    assert board.active == {"a"}
    assert board.table.reasons(board["a"]) == []


def test_a_link_target_may_come_later(board: Board) -> None:
    assert board.put(linked("step", "a", "b")).opens == []
    assert board.active == set()
    assert board.table.reasons(board["a"]) == ['waits for "b", linked at ports.out']
    assert names(board.put(linked("step", "b")).opens) == ["b", "a"]
    assert board.active == {"a", "b"}


def test_activity_goes_through_chains_with_reasons(board: Board) -> None:
    board.put(linked("step", "a", "b"), linked("step", "b", {"out": ["c", "d"]}))
    board.put(linked("step", "c"))
    assert board.active == {"c"}
    assert board.table.reasons(board["a"]) == ['"b" is not active, linked at ports.out']
    assert board.table.reasons(board["b"]) == ['waits for "d", linked at ports.out']


def test_lifecycle_links_count(board: Board) -> None:
    board.put(linked("step", "a", {"init": "b"}))
    assert board.active == set()


def test_a_ring_comes_in_as_a_whole_and_goes_out_as_whole(board: Board) -> None:
    board.put(linked("step", "a", "b"), linked("step", "b", "c"))
    assert board.active == set()
    plan = board.put(linked("step", "c", "a"), linked("step", "d", "a"))
    assert sorted(names(plan.opens)) == ["a", "b", "c", "d"]
    assert names(plan.opens)[-1] == "d"
    plan = board.remove("b")
    assert board.active == set()
    assert names(plan.retires)[0] == "d"
    assert sorted(names(plan.retires)) == ["a", "b", "c", "d"]
    assert sorted(names(plan.stops)) == ["a", "c", "d"]


def test_a_symbol_that_leads_to_itself_is_active(board: Board) -> None:
    board.put(linked("step", "a", "a"))
    assert board.active == {"a"}


def test_a_symbol_that_is_not_active_always_has_a_reason() -> None:
    state = TableState()
    ring = symbol(linked("step", "a", "a"))
    state.attach(ring)
    state.note([ring.id])
    assert state.reasons(ring) == ["part of a cycle that is not active (a → a)"]
    state.active[ring.id] = None
    assert state.reasons(ring) == []


def test_a_cycle_that_waits_is_named_once_with_what_it_waits_for(board: Board) -> None:
    board.put(
        linked("step", "b", {"out": ["c", "gone"]}),
        linked("step", "c", "a"),
        linked("step", "a", "b"),
        linked("step", "d", "a"),
    )
    cycle = "part of a cycle that is not active (a → b → c → a)"
    missing = 'waits for "gone", linked at ports.out'
    assert board.table.reasons(board["a"]) == [cycle, f'"b": {missing}']
    assert board.table.reasons(board["b"]) == [cycle, missing]
    assert board.table.reasons(board["d"]) == ['"a" is not active, linked at ports.out']
    board.put(linked("step", "c", "end"), linked("step", "end"))
    assert board.table.reasons(board["a"]) == ['"b" is not active, linked at ports.out']


def test_links_lead_by_id_as_well(board: Board) -> None:
    target = linked("step", "b")
    board.put(
        Spec(
            id=named_id("spec", "default", "a"),
            kind="step",
            name="a",
            ports={"out": (Link(id=target.id),)},
        )
    )
    assert board.table.reasons(board["a"]) == [f'waits for "{target.id}", linked at ports.out']
    board.put(target)
    assert board.active == {"a", "b"}
    renamed = Spec(id=target.id, kind="step", name="other")
    board.put(renamed)
    assert board.active == {"a", "other"}


def test_opens_come_targets_first_and_retires_sources_first(board: Board) -> None:
    plan = board.put(
        linked("step", "a", {"out": ["b", "c"]}),
        linked("step", "b", "d"),
        linked("step", "c", "d"),
        linked("step", "d"),
    )
    assert names(plan.opens)[0] == "d"
    assert names(plan.opens)[-1] == "a"
    plan = board.remove("d")
    assert names(plan.retires)[0] == "a"
    assert names(plan.retires)[-1] == "d"


# -- what changes, and what does not ---------------------------------------------------------------


def test_a_change_of_a_leaf_touches_the_leaf_alone(board: Board) -> None:
    board.put(linked("step", "a", "b"), linked("step", "b", "c"), linked("step", "c"))
    before = dict(board.table.wiring.symbols)
    a, b = board["a"], board["b"]
    plan = board.put(linked("step", "c", add="new"))
    assert names(plan.opens) == names(plan.retires) == ["c"]
    assert board["a"] is a
    assert board["b"] is b
    after = board.table.wiring.symbols
    assert [after[one.id] is before[one.id] for one in (a, b)] == [True, True]
    assert plan.heirs[board["c"].id].spec.fields == {}


def test_work_is_proportional_to_the_change(board: Board) -> None:
    board.put(
        linked("step", "front", {"out": [f"n{number}" for number in range(500)]}),
        *(linked("step", f"n{number}", "leaf") for number in range(500)),
        linked("step", "leaf"),
    )
    before = dict(board.table.wiring.symbols)
    board.put(linked("step", "n7", "leaf", add="new"))
    after = board.table.wiring.symbols
    touched = [key for key in after if after[key] is not before.get(key)]
    assert touched == [board["n7"].id]


def test_who_leaves_and_comes_back_within_one_change_was_never_away(board: Board) -> None:
    board.put(linked("step", "a", "b"), linked("step", "b"))
    a = board["a"]
    plan = board.put(linked("step", "b", "c"), linked("step", "c"))
    assert names(plan.opens) == ["c", "b"]
    assert names(plan.retires) == ["b"]
    assert board["a"] is a


def test_a_symbol_that_comes_back_gets_a_fresh_node(board: Board) -> None:
    board.put(linked("step", "a", "b"), linked("step", "b"))
    a, node = board["a"], board["a"].node
    board.remove("b")
    assert board["a"] is a
    board.put(linked("step", "b"))
    assert board["a"] is not a
    assert board["a"].node is not node
    assert a.opened


def test_a_symbol_that_never_began_keeps_its_node_until_it_does(board: Board) -> None:
    board.put(linked("step", "a", "b"))
    node = board["a"].node
    board.put(linked("step", "b"))
    assert board["a"].node is node


def test_a_plan_changes_nothing_before_it_is_committed(board: Board) -> None:
    board.put(linked("step", "a", "b"), linked("step", "b"))
    wiring = board.table.wiring
    board.table.plan([symbol(linked("step", "c"))], [board["b"].id])
    assert board.active == {"a", "b"}
    assert board.table.wiring is wiring
    assert board.table.get("c") is None
    assert [one.label for one in board.table.neighbours(board["b"])] == ["a"]


def test_generations_count_up(board: Board) -> None:
    for number in range(1, 4):
        board.put(linked("step", f"s{number}"))
        assert board.table.wiring.generation.number == number


def test_a_link_may_lead_to_an_indexed_in_port(board: Board) -> None:
    board.put(linked("step", "m"), linked("step", "a", {"out": ["m:in[1]", "m:in[0]", "m"]}))
    wiring, m = board.table.wiring, board["m"]
    assert wiring.targets(board["a"].id, "out") == ((m.id, "in[1]"), (m.id, "in"), (m.id, "in"))
    assert list(wiring.inputs(m.id)) == ["in", "in[1]"]


def test_out_and_out_0_of_a_spec_are_one_port(board: Board) -> None:
    spec = linked("step", "a", {"out": "b", "out[0]": "c"})
    board.put(spec, linked("step", "b"), linked("step", "c"))
    assert len(board.table.wiring.targets(board["a"].id, "out")) == 2


# -- names -----------------------------------------------------------------------------------------


def test_a_name_goes_to_another_spec_and_its_links_follow(board: Board) -> None:
    old = Spec(id=UUID(int=1), kind="step", name="b")
    board.put(linked("step", "a", "b"), old)
    a = board["a"]
    plan = board.change([symbol(Spec(id=UUID(int=2), kind="step", name="b"))], [old.id])
    assert board.table.wiring.targets(a.id, "out") == ((UUID(int=2), "in"),)
    assert board["a"] is a
    assert plan.heirs[UUID(int=2)].id == old.id


def test_two_specs_may_exchange_their_names(board: Board) -> None:
    one, two = (
        Spec(id=UUID(int=1), kind="step", name="x"),
        Spec(id=UUID(int=2), kind="step", name="y"),
    )
    board.put(one, two, linked("step", "a", "x"))
    plan = board.put(
        Spec(id=UUID(int=1), kind="step", name="y"), Spec(id=UUID(int=2), kind="step", name="x")
    )
    assert board.table.wiring.targets(board["a"].id, "out") == ((UUID(int=2), "in"),)
    assert {key: heir.id for key, heir in plan.heirs.items()} == {one.id: one.id, two.id: two.id}


def test_a_renamed_spec_leaves_its_links_waiting(board: Board) -> None:
    one = Spec(id=UUID(int=1), kind="step", name="x")
    board.put(one, linked("step", "a", "x"))
    board.put(Spec(id=UUID(int=1), kind="step", name="y"))
    assert board.active == {"y"}
    assert board.table.get("x") is None
    assert names(board.table.wanting("x")) == ["a"]
    assert board.table.wanting("nobody") == []


def test_a_predecessor_is_inherited_from_once(board: Board) -> None:
    one = Spec(id=UUID(int=1), kind="step", name="x")
    board.put(one)
    plan = board.put(
        Spec(id=UUID(int=1), kind="step", name="y"), Spec(id=UUID(int=2), kind="step", name="x")
    )
    assert list(plan.heirs) == [UUID(int=1)]


def test_only_the_same_sort_of_node_is_inherited_from(board: Board) -> None:
    board.put(linked("step", "a"))
    plan = board.change([symbol(linked("step", "a", add="x"), Other())])
    assert plan.heirs == {}


# -- running ---------------------------------------------------------------------------------------


def test_packets_run_on_the_wiring_of_their_time(board: Board) -> None:
    board.put(linked("step", "a", "b"), linked("step", "b"))
    old = board.table.wiring
    board.put(linked("step", "b", "c"), linked("step", "c"))
    assert run(old, "x", board["a"].id) == "x.."
    assert run(board.table.wiring, "x", board["a"].id) == "x..."


def test_a_look_that_begins_while_a_change_is_made_sees_new_state(board: Board) -> None:
    board.put(linked("step", "a"))
    plan = board.table.plan([symbol(linked("step", "b"))], [])
    seen = []

    def lens(owner: Any, port: str, inbound: bool) -> None:
        seen.append((owner, port, inbound))

    board.table.look_through(lens)
    board.table.commit(plan)
    assert run(board.table.wiring, "x", board["b"].id) == "x."
    assert (board["b"].id, "in", True) in seen
    plan = board.table.plan([symbol(linked("step", "c"))], [])
    board.table.look_through(None)
    board.table.commit(plan)
    seen.clear()
    run(board.table.wiring, "x", board["c"].id)
    assert seen == []


# -- the model -------------------------------------------------------------------------------------

IDS = [UUID(int=number + 1) for number in range(7)]
NAMES = "abcdefg"

LINKS = st.lists(
    st.one_of(
        st.sampled_from(NAMES).map(lambda name: Link(name=name)),
        st.sampled_from(IDS).map(lambda one: Link(id=one)),
    ),
    max_size=3,
)
SPECS = st.builds(
    lambda one, name, out, error, salt: Spec(
        id=one,
        kind="step",
        name=name,
        fields={"salt": salt},
        ports={port: tuple(links) for port, links in (("out", out), ("error", error)) if links},
    ),
    st.sampled_from(IDS),
    st.one_of(st.none(), st.sampled_from(NAMES)),
    LINKS,
    st.one_of(st.just([]), LINKS),
    st.integers(0, 1),
)


class Model(RuleBasedStateMachine):
    """What the table comes to, change by change, against working everything out anew."""

    def __init__(self) -> None:
        super().__init__()
        self.table = SymbolTable(fresh)
        self.specs: dict[UUID, Spec] = {}
        self.open: dict[UUID, Symbol] = {}

    @rule(specs=st.lists(SPECS, max_size=4), removes=st.sets(st.sampled_from(IDS), max_size=2))
    def change(self, specs: list[Spec], removes: set[UUID]) -> None:
        puts = {spec.id: spec for spec in specs if spec.id not in removes}
        after = {key: spec for key, spec in self.specs.items() if key not in removes} | puts
        taken: set[str] = set()
        for spec in after.values():
            if spec.name is not None and spec.name in taken:
                return
            taken.add(spec.name or "")
        before, old = dict(self.table.wiring.symbols), self.resolved()
        plan = self.table.plan([symbol(spec) for spec in puts.values()], removes)
        self.table.commit(plan)
        self.specs = after
        self.check_order(plan, old)
        self.check_life(plan, puts)
        self.check_identity(before, old, puts)

    def check_order(self, plan: TablePlan, old: dict[UUID, list[UUID]]) -> None:
        for order, leads in (
            ([one.id for one in plan.opens], self.resolved()),
            ([one.id for one in reversed(plan.retires)], old),
        ):
            assert len(set(order)) == len(order)
            for index, one in enumerate(order):
                for target in leads[one]:
                    later = target in order[index + 1 :]
                    assert not later or one in reach(target, leads)

    def check_life(self, plan: TablePlan, puts: dict[UUID, Spec]) -> None:
        for one in plan.retires:
            assert self.open.pop(one.id) is one
        for one in plan.opens:
            assert one.id not in self.open
            assert not one.opened
            heir = plan.heirs.get(one.id)
            assert heir is None or heir in plan.retires
            one.opened = True
            self.open[one.id] = one
        heirs = [heir.id for heir in plan.heirs.values()]
        assert len(set(heirs)) == len(heirs)
        assert {one.id for one in plan.stops} == {
            one.id for one in plan.retires if one.id in self.specs and one.id not in self.open
        }
        assert set(puts) & set(self.open) <= {one.id for one in plan.opens}

    def check_identity(
        self, before: dict[Any, Any], old: dict[UUID, list[UUID]], puts: dict[UUID, Spec]
    ) -> None:
        now = self.resolved()
        for key, wired in self.table.wiring.symbols.items():
            assert isinstance(key, UUID)
            if key in before and key not in puts and old[key] == now[key]:
                assert wired is before[key]

    def find(self, link: Link) -> UUID | None:
        if link.id is not None:
            return link.id if link.id in self.specs else None
        bearers = [spec.id for spec in self.specs.values() if spec.name == link.name]
        return bearers[0] if bearers else None

    def resolved(self) -> dict[UUID, list[UUID]]:
        return {
            key: [
                found
                for links in spec.ports.values()
                for link in links
                if (found := self.find(link)) is not None
            ]
            for key, spec in self.specs.items()
        }

    @invariant()
    def what_is_active_is_what_leads_to_nothing_missing(self) -> None:
        active = set(self.specs)
        while True:
            stuck = {
                key
                for key in active
                for links in self.specs[key].ports.values()
                for link in links
                if self.find(link) not in active
            }
            if not stuck:
                break
            active -= stuck
        assert set(self.table.wiring.symbols) == active == set(self.open)
        for one in self.table.all():
            assert self.table.active(one) == (one.id in active)
            assert bool(self.table.reasons(one)) == (one.id not in active)
        assert {one.id for one in self.table.waiters()} == set(self.specs) - active
        assert self.table.waiting == len(self.specs) - len(active)

    @invariant()
    def the_wiring_is_what_the_specs_say(self) -> None:
        assert {one.id: one.spec for one in self.table.all()} == self.specs
        for key, wired in self.table.wiring.symbols.items():
            assert isinstance(key, UUID)
            spec = self.specs[key]
            assert wired.node is self.open[key].node
            assert wired.label == spec.label
            assert dict(wired.links) == {
                port: tuple((self.find(link), "in") for link in links)
                for port, links in spec.ports.items()
            }
            linked_to = any(
                target == key
                for other in self.table.wiring.symbols
                if isinstance(other, UUID)
                for target in self.resolved()[other]
            )
            assert list(self.table.wiring.inputs(key)) == (["in"] if linked_to else [])

    @invariant()
    def everybody_is_found_by_name_and_by_link(self) -> None:
        for spec in self.specs.values():
            found = self.table.get(spec.id)
            assert found is not None
            if spec.name is not None:
                assert self.table.get(spec.name) is found
        for name in NAMES:
            wanting = {
                spec.id
                for spec in self.specs.values()
                if any(link.name == name for links in spec.ports.values() for link in links)
            }
            assert {one.id for one in self.table.wanting(name)} == wanting


def reach(start: UUID, leads: dict[UUID, list[UUID]]) -> set[UUID]:
    """Return whoever can be reached from here."""
    found: set[UUID] = set()
    todo = [start]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo.extend(leads.get(one, ()))
    return found


TestModel = Model.TestCase
TestModel.settings = settings(
    max_examples=150,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much],
)
