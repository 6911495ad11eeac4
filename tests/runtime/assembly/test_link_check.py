"""Links are judged across Specs: the target, its in port, and the own out port."""

from uuid import UUID

import pytest

from heddle.cli.extensions import installed
from heddle.cli.options import settings_of
from heddle.runtime.assembly.check import check_specs
from heddle.runtime.assembly.link_check import check_links
from heddle.schemas.link import Link
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import ValueSet
from heddle.specs.model.names import new_id
from heddle.specs.model.spec import Spec
from heddle.specs.yaml.document import read_data, read_text
from heddle.specs.yaml.fast import parse
from heddle.specs.yaml.parsing.parser import read_twice_aside
from tests.schemas.kinds import BY_KIND, linked, spec


def told(*specs: Spec) -> list[Problem]:
    return check_links(specs, BY_KIND.get)


def pong(name: str = "pong") -> Spec:
    return spec("snippet", name, language="text", code="pong")


def test_a_flow_that_fits_has_no_problems() -> None:
    flow = [
        linked("listener", "listener", {"out": [Link("router")], "init": [Link("pong")]}),
        linked(
            "router",
            "router",
            {"out[0]": [Link("pong")], "out[7]": [Link("pong")], "error": [Link("pong")]},
        ),
        pong(),
    ]
    assert told(*flow) == []


def test_an_in_port_that_is_not_there_is_told_with_the_nearest() -> None:
    (problem,) = told(linked("router", "router", {"out[0]": [Link("pong", None, "inn")]}), pong())
    assert problem.code == "unknown-port"
    assert str(problem) == (
        'flow.yaml:10:1 router.ports.out[0]: "pong" has no port "inn" (it has: in). Did you mean "in"?'
    )


def test_one_of_several_links_is_told_by_its_number() -> None:
    (problem,) = told(
        linked("router", "router", {"out": [Link("pong"), Link("pong", None, "x")]}), pong()
    )
    assert problem.path == "router.ports.out[1]"
    assert problem.hint == 'Try "in".'


def test_a_node_without_in_ports_cannot_be_linked_to() -> None:
    (problem,) = told(linked("router", "r", {"out": [Link("l")]}), linked("listener", "l", {}))
    assert problem.found == '"l" has no port "in" (it has no in ports)'


def test_an_out_port_that_the_kind_does_not_have_is_told() -> None:
    (problem,) = told(linked("router", "router", {"oot[2]": [Link("pong")]}), pong())
    assert str(problem) == (
        'flow.yaml:10:1 router.ports.oot[2]: kind "router" has no out port "oot[2]" '
        '(it has: out[0], out[1], …, error). Did you mean "out[2]"?'
    )
    (problem,) = told(linked("snippet", "s", {"out[1]": [Link("pong")]}), pong())
    assert problem.hint == 'Did you mean "out"?'


def test_a_missing_target_is_told_apart_with_the_nearest_name() -> None:
    (problem,) = told(linked("router", "router", {"out": [Link("pongg")]}), pong())
    assert (problem.code, problem.found) == ("missing-link", 'there is no "pongg"')
    assert problem.hint == 'Did you mean "pong"?'


def test_links_stay_inside_their_namespace() -> None:
    other = Spec(id=new_id(), kind="snippet", namespace="blue", name="pong")
    (problem,) = told(linked("router", "router", {"out": [Link("pong")]}), other)
    assert problem.code == "missing-link"
    assert problem.hint == 'It stands in namespace "blue"; links stay inside "default".'
    (problem,) = told(linked("router", "router", {"out": [Link(id=other.id)]}), other)
    assert problem.code == "missing-link"


def test_an_id_wins_over_a_name() -> None:
    target = pong("there")
    assert told(linked("router", "router", {"out": [Link("nobody", target.id)]}), target) == []
    nobody = UUID(int=7)
    (problem,) = told(linked("router", "router", {"out": [Link("there", nobody)]}), target)
    assert problem.found == f'there is no "{nobody}"'


def test_a_name_and_an_id_belong_to_one_spec() -> None:
    first = linked("snippet", "pong", {})
    problems = told(first, pong())
    assert [problem.code for problem in problems] == ["duplicate-name"]
    assert problems[0].found == 'the name "pong" is taken by snippet at flow.yaml:10:1'
    twin = Spec(id=first.id, kind="snippet", name="twin")
    assert [problem.code for problem in told(first, twin)] == ["duplicate-id"]


def test_ports_that_depend_on_fields_are_judged_by_them() -> None:
    block = spec("block", "block", inbounds={"jobs": {"name": "a"}})
    assert told(linked("router", "router", {"out": [Link("block", None, "jobs")]}), block) == []
    (problem,) = told(linked("router", "router", {"out": [Link("block", None, "job")]}), block)
    assert problem.hint == 'Did you mean "jobs"?'


def test_what_cannot_be_known_is_not_judged() -> None:
    broken = spec("block", "block", inbounds=5)
    strange = spec("strange", "strange")
    flow = linked(
        "router", "router", {"out": [Link("block", None, "x"), Link("strange", None, "y")]}
    )
    assert told(flow, broken, strange, linked("strange", "s2", {"z": [Link("router")]})) == []


def test_problems_of_all_specs_stand_in_order_of_place() -> None:
    flow = linked(
        "router",
        "router",
        {"out[0]": [Link("a"), Link("b")], "nope": [Link("pong")], "error": [Link("c")]},
    )
    problems = told(flow, pong())
    assert [(problem.place.line, problem.place.column) for problem in problems] == [
        (10, 1),
        (10, 2),
        (11, 1),
        (12, 1),
    ]


# --- short targets ------------------------------------------------------------------------------


def written(text: str) -> list[str]:
    """Return the Problems between the Specs of a text, as people read them."""
    reading = read_text(text, file="f.yaml")
    assert not reading.problems
    return [str(problem) for problem in check_links(reading.specs, BY_KIND.get)]


ROUTER = "- {kind: router, name: r, routes: [], ports: {out: %s}}\n"
SNIPPET = "- {kind: snippet, name: %s, language: text, code: x}\n"


def test_a_short_target_leads_to_in_or_the_port_it_names() -> None:
    flow = ROUTER % "[a, a.in, v1.users]" + SNIPPET % "a" + SNIPPET % "v1.users"
    assert written(flow) == []
    links = read_text(flow).specs[0].ports["out"]
    assert links == (Link("a"), Link("a"), Link("v1.users"))
    assert read_text(ROUTER % "'a.b.in[12]'").specs[0].ports["out"] == (
        Link("a.b", None, "in[12]"),
    )


def test_a_short_target_with_two_readings_is_a_problem() -> None:
    both = SNIPPET % "a" + SNIPPET % "a.in"
    assert written(ROUTER % "[a.in]" + both) == [
        (
            'f.yaml:1:53 r.ports.out: "a.in" may be the port "in" of "a", or the node "a.in". '
            'Write {name: a, port: "in"} or {name: "a.in", port: in}.'
        )
    ]
    long = "[{name: a, port: in}, {name: a.in}, {port: in, name: a}]"
    assert written(ROUTER % long + both) == []


def test_a_wrong_short_target_comes_with_its_long_form() -> None:
    assert written(ROUTER % "[a.in]" + SNIPPET % "a.in") == [
        'f.yaml:1:53 r.ports.out: there is no "a". Write {name: "a.in", port: in}.'
    ]
    hub = "- {kind: block, name: hub, inbounds: {send: [{name: x}]}}\n"
    assert written(ROUTER % "[hub.send]" + hub) == [
        'f.yaml:1:53 r.ports.out: there is no "hub.send". Write {name: hub, port: "send"}.'
    ]


AMBIGUOUS = [
    ("{kind: snippet, name: first, ports: {out: a.in}}", "first.ports.out"),
    ("{kind: snippet, name: first, ports: {out: [b, 'a.in']}}", "first.ports.out[1]"),
    (
        "{kind: router, name: first, routes: [{method: GET, path: /, to: a.in}]}",
        "first.routes[0].to",
    ),
    ("{kind: call, name: first, target: a.in}", "first.target"),
    (
        "{kind: block, name: first, specs: [{kind: nop, name: s, ports: {out: a.in}}, {kind: nop, name: a}, {kind: nop, name: a.in}]}",
        "first/s.ports.out[0]",
    ),
]
CLEAR = [
    "{kind: snippet, name: first, ports: {out: a}}",
    "{kind: snippet, name: first, ports: {out: [b, {name: a, port: in}]}}",
    "{kind: snippet, name: first, ports: {out: {name: a.in}}}",
    "{kind: router, name: first, routes: [{method: GET, path: /, to: a}, {method: GET, path: /x, to: {name: a.in}}]}",
    "{kind: call, name: first, target: {name: a, port: in}}",
    "{kind: call, name: first, targets: [a, a.in]}",
]
TARGETS = "".join(
    f"\n- {{kind: snippet, name: {name}, language: text, code: x}}" for name in ("a", "a.in", "b")
)


def readings(text: str) -> list[tuple[Spec, ...]]:
    """Return the Specs of a YAML text, and of the same as plain data, as it comes by JSON."""
    whole = f"- {text}{TARGETS}".replace("snippet, name: first", "snippet, code: x, name: first")
    return [read_text(whole, file="f.yaml").specs, read_data(parse(whole).documents[0]).specs]


@pytest.mark.parametrize(("text", "path"), AMBIGUOUS, ids=[text for text, _ in AMBIGUOUS])
def test_a_text_with_two_readings_is_a_problem_everywhere(text: str, path: str) -> None:
    for specs in readings(text):
        problems = check_specs(specs, ValueSet(()), installed(settings_of(None, ()))).problems
        ambiguous = [each for each in problems if each.code == "ambiguous-link"]
        assert [each.path for each in ambiguous] == [path]
        assert ambiguous[0].hint == 'Write {name: a, port: "in"} or {name: "a.in", port: in}.'


@pytest.mark.parametrize("text", CLEAR)
def test_a_target_with_one_reading_is_clear(text: str) -> None:
    for specs in readings(text):
        problems = check_specs(specs, ValueSet(()), installed(settings_of(None, ()))).problems
        assert [each for each in problems if each.code == "ambiguous-link"] == []


@pytest.mark.anyio
async def test_texts_of_a_parser_of_its_own_process_keep_their_form() -> None:
    whole = f"- {AMBIGUOUS[1][0]}{TARGETS}"
    first, _ = await read_twice_aside(
        whole.encode(), namespace="default", only=None, key="a", again="b", most=10**6
    )
    assert first.specs[0].short_links == {("out", 1)}
