"""An address is had by one listener of a namespace: a plan, a check and a runtime all say so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.extensions.net.listen_address import address_use
from heddle.runtime.assembly.check import check_specs
from heddle.runtime.changes.plan import Plan, apply_plan, plan_steps
from heddle.runtime.runtime import Runtime
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import ValueSet
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import ChangeSet
from heddle.specs.model.value import Value
from heddle.specs.stores.memory import MemoryStore
from tests.examples.folders import free_port
from tests.runtime.changing import codes, everything, plan, read, store_of

pytestmark = pytest.mark.anyio


def listener(name: str, port: object, host: str = "127.0.0.1") -> str:
    """Return a listener that answers by itself."""
    return (
        f"- {{kind: listener, name: {name}, host: {host!r}, port: {port}, "
        "ports: {out: [{name: pong, port: in}]}}\n"
    )


PONG = "- {kind: nop, name: pong}\n"


def held(name: str, port: object) -> str:
    """Return a block that holds a listener."""
    return f"""\
- kind: block
  name: {name}
  specs:
    - {{kind: listener, name: web, port: {port}, ports: {{out: [{{name: own, port: in}}]}}}}
    - {{kind: nop, name: own}}
"""


def by_definition(name: str, port: object) -> str:
    """Return a block that is made with a definition, which holds a listener."""
    return (
        held(f"{name}-made", "'{{ at }}'").replace(
            "  specs:", "  params: {at: {type: integer}}\n  specs:"
        )
        + f"- {{kind: block, name: {name}, uses: {name}-made, with: {{at: {port}}}}}\n"
    )


def by_value(name: str, port: object) -> str:
    """Return a listener whose port is a Value."""
    spec = listener(name, "'{{ PORT }}'").replace(
        "ports:", f"env: {{PORT: {{name: {name}-port}}}}, ports:"
    )
    return f"{spec}- {{name: {name}-port, data: {port}}}\n"


async def live(
    store: MemoryStore, rt: Runtime, text: str
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Plan a text, apply it whatever the plan says, and return the Problems of the plan and the runtime."""
    planned = await plan(store, text)
    await apply_plan(store, Plan(differences=planned.differences))
    resources = [each.resource for each in planned.changed]
    loaded = await rt.load(
        ChangeSet(
            specs=frozenset(each.id for each in resources if isinstance(each, Spec)),
            values=frozenset(each.id for each in resources if isinstance(each, Value)),
        )
    )
    return planned.problems, loaded.problems


SHAPES = pytest.mark.parametrize("shape", [listener, held, by_definition, by_value])


@SHAPES
@pytest.mark.parametrize("before", [listener, held, by_definition, by_value])
async def test_a_second_claim_of_an_address_is_rejected_everywhere(
    before: object, shape: object
) -> None:
    port = free_port()
    async with (
        store_of(PONG + before("first", port)) as store,  # type: ignore[operator]
        Runtime(store=store, kinds=everything(), watch=False) as rt,
    ):
        assert not rt.status().problems
        planned, loaded = await live(store, rt, shape("second", port))  # type: ignore[operator]
        assert [problem.code for problem in planned] == ["in-use"]
        assert planned == loaded
        assert f"the address 127.0.0.1:{port} is in use by" in planned[0].found


@SHAPES
async def test_an_address_may_be_taken_over_and_exchanged(shape: object) -> None:
    ports = free_port(), free_port()
    first, second = (shape(name, port) for name, port in zip(("a", "b"), ports, strict=True))  # type: ignore[operator]
    async with (
        store_of(PONG + first + second) as store,
        Runtime(store=store, kinds=everything(), watch=False) as rt,
    ):
        exchanged = shape("a", ports[1]) + shape("b", ports[0])  # type: ignore[operator]
        assert await live(store, rt, exchanged) == ((), ())


async def test_a_value_that_moves_a_listener_onto_another_is_a_problem() -> None:
    ports = free_port(), free_port()
    async with (
        store_of(PONG + listener("a", ports[0]) + by_value("b", ports[1])) as store,
        Runtime(store=store, kinds=everything(), watch=False) as rt,
    ):
        planned, loaded = await live(store, rt, f"{{name: b-port, data: {ports[0]}}}")
        assert [problem.code for problem in planned] == ["in-use"]
        assert planned == loaded


async def test_who_was_rejected_has_no_claim() -> None:
    ports = free_port(), free_port()
    async with (
        store_of(PONG + listener("a", ports[0])) as store,
        Runtime(store=store, kinds=everything(), watch=False) as rt,
    ):
        _, loaded = await live(store, rt, listener("b", ports[0]))
        assert loaded
        await store.report(rt.report())
        # An edit of the one that has the address concerns nobody; then it leaves, and the other comes.
        edited = listener("a", ports[0]).replace(", port:", ", stream: true, port:", 1)
        assert await live(store, rt, edited) == ((), ())
        assert await live(store, rt, listener("a", ports[1])) == ((), ())
        assert not rt.status().problems


async def test_a_start_runs_all_but_the_second_of_an_address() -> None:
    port = free_port()
    text = PONG + listener("a", port) + listener("b", port, "")
    specs = [each for each in read(text) if isinstance(each, Spec)]
    result = check_specs(specs, ValueSet(), everything())
    assert [(each.code, each.path) for each in result.problems] == [("in-use", "b.port")]
    async with Runtime(store=MemoryStore(specs), kinds=everything(), watch=False) as rt:
        assert [each.code for each in rt.status().problems] == ["in-use"]
        assert {each.name for each in rt.status().symbols if each.state == "active"} == {
            "a",
            "pong",
        }


WAITING = [
    "- {{kind: listener, name: a, port: {port}, ports: {{out: [{{name: nobody, port: in}}]}}}}\n",
    """\
- {{kind: listener, name: a, port: {port}, ports: {{out: [{{name: step, port: in}}]}}}}
- {{kind: nop, name: step, ports: {{out: [{{name: nobody, port: in}}]}}}}
""",
    "- {{kind: listener, name: a, port: {port}, ports: {{wrong: [{{name: pong, port: in}}]}}}}\n",
]


@pytest.mark.parametrize("waiting", WAITING)
@SHAPES
async def test_an_address_goes_to_who_could_serve_before_who_only_waits(
    shape: object, waiting: str
) -> None:
    """Names do not decide about it: at a start, in one change, and in a check."""
    port = free_port()
    text = PONG + waiting.format(port=port) + shape("b", port)  # type: ignore[operator]
    async with Runtime(store=MemoryStore(), kinds=everything(), watch=False) as rt:
        planned = await plan(rt.store, text)
        in_use = [each.path for each in planned.problems if each.code == "in-use"]
        assert in_use
        assert all(path.startswith("a") for path in in_use)
    specs = [each for each in read(text) if isinstance(each, Spec)]
    values = [each for each in read(text) if isinstance(each, Value)]
    async with Runtime(store=MemoryStore([*specs, *values]), kinds=everything(), watch=False) as rt:
        states = {each.name: each.state for each in rt.status().symbols}
        assert states["b"] == "active"
        assert states.get("a") != "active"


async def test_a_namespace_of_its_own_has_addresses_of_its_own() -> None:
    port = free_port()
    async with store_of(PONG + listener("a", port)) as store:
        steps = [(None, each) for each in read(PONG + listener("b", port), namespace="other")]
        assert not codes(await plan_steps(store, steps, everything()))


HOSTS = st.sampled_from(
    ["", "0.0.0.0", "::", "127.0.0.1", "::1", "localhost", "example.org", "10.0.0.1"]
)


@given(HOSTS, HOSTS)
def test_claims_overlap_both_ways_and_with_themselves(host: str, other: str) -> None:
    (one,), (two,) = address_use(host, 80), address_use(other, 80)
    assert one.overlaps(one)
    assert one.overlaps(two) is two.overlaps(one)
    assert not address_use(host, 0)
    assert not any(one.overlaps(use) for use in address_use(other, 81))
