"""A check tells everything that is wrong, and a decode takes exactly what a check finds no fault with."""

import time
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heddle.schemas.check import check, decode, in_order, unknown_kind
from heddle.schemas.code import Expression
from heddle.schemas.errors import SpecError
from heddle.schemas.field import Fields, about
from heddle.schemas.path import Path
from heddle.schemas.problem import Place, Problem
from heddle.schemas.schema import Schema
from heddle.schemas.units import Duration, Interval, Size
from heddle.specs.model.spec import Spec
from tests.schemas.kinds import (
    ALL,
    BATCH,
    BLOCK,
    BY_KIND,
    LISTENER,
    ROUTER,
    SNIPPET,
    SWITCH,
    Case,
    Clock,
    Route,
    Window,
    spec,
)


def lines(kind: str, /, **fields: Any) -> list[str]:
    """Return each Problem as `path: found (expected: …). hint`, without its place."""
    return [
        str(problem).removeprefix("<input> ")
        for problem in check(spec(kind, **fields), BY_KIND[kind])
    ]


def test_what_is_left_out_gets_its_default() -> None:
    fields = decode(spec("listener", protocol="http", port=8000), LISTENER)
    assert (fields.host, fields.timeout, fields.body) == ("127.0.0.1", 30.0, Size("1MiB"))


def test_decoded_fields_have_their_types() -> None:
    fields = decode(
        spec(
            "listener",
            protocol="http",
            port=1,
            timeout="1m30s",
            body="64kB",
            headers={"X-Tries": 3},
        ),
        LISTENER,
    )
    assert fields.timeout == Duration("1m30s")
    assert fields.body == 64000
    assert fields.headers == {"X-Tries": "3"}


def test_text_from_the_environment_counts_as_number_or_flag_that_is_wanted() -> None:
    fields = decode(
        spec("listener", protocol="http", port="8000", compress="false", timeout="250"), LISTENER
    )
    assert (fields.port, fields.compress, fields.timeout) == (8000, False, 0.25)


def test_a_single_item_stands_for_a_list_of_one() -> None:
    route = {"method": "GET", "path": "/", "port": "out"}
    assert decode(spec("router", routes=route), ROUTER).routes == [
        Route(method="GET", path="/", port="out")
    ]
    assert decode(spec("listener", protocol="ws", port=1, methods="GET"), LISTENER).methods == (
        "GET",
    )
    case = decode(spec("switch", matches={"when": True, "port": "out"}), SWITCH).matches
    assert case == (Case(when=Expression("true"), port="out"),)


def test_a_single_item_inside_a_single_item_works_too() -> None:
    tree = {"name": "a", "leaves": {"name": "b", "leaves": {"name": "c"}}}
    fields = decode(spec("batch", window={"by": "count", "size": "3"}, tree=tree), BATCH)
    assert fields.window == Window(size=3)
    assert fields.tree is not None
    assert fields.tree.leaves[0].leaves[0].name == "c"


def test_a_bare_number_in_code_is_its_text() -> None:
    assert decode(spec("snippet", language="text", code=42), SNIPPET).code == "42"


def test_every_mistake_is_told_at_once() -> None:
    found = lines(
        "listener",
        protocol="htp",
        port=70000,
        host=True,
        tls={"crt": "x"},
        timeout="soon",
        bdy=1,
        body=[],
    )
    assert found == [
        'listener.protocol: the text "htp" (expected: http or ws). Did you mean "http"?',
        "listener.port: the number 70000 (expected: a whole number from 0 to 65535)",
        'listener.host: true, which is a boolean (expected: text, not empty). Write it in quotes: "true".',
        'listener.tls.crt: unknown field (expected: one of cert or key). Did you mean "cert"?',
        'listener.timeout: the text "soon" (expected: a duration such as 1.5s, 250ms or 1m30s, or a number of milliseconds)',
        'listener.bdy: unknown field (expected: one of protocol, port, host, tls, timeout, body, headers, compress or methods). Did you mean "body"?',
        "listener.body: a list (expected: a size such as 512B, 64kB or 1MiB, or a number of bytes)",
    ]


def test_lists_of_mappings_are_looked_into() -> None:
    found = lines(
        "router",
        routes=[
            {"metod": "GET", "path": "/a"},
            {"method": "get", "path": "a", "port": "in"},
            "GET /",
            {"path": "/", "port": 1},
        ],
    )
    assert found == [
        'router.routes[0].metod: unknown field (expected: one of method, path or port). Did you mean "method"?',
        'router.routes[1].method: the text "get" (expected: GET, POST or DELETE). Did you mean "GET"?',
        'router.routes[1].path: the text "a" (expected: text that matches ^/)',
        'router.routes[1].port: the text "in" (expected: text that matches ^out(\\[[0-9]+\\])?$)',
        'router.routes[2]: the text "GET /" (expected: a mapping with method, path and port)',
        "router.routes[3].port: the number 1 (expected: text that matches ^out(\\[[0-9]+\\])?$)",
        "router.routes[3].method: missing (expected: GET, POST or DELETE)",
    ]


def test_a_misspelled_field_is_not_told_as_missing_too() -> None:
    (problem,) = check(spec("router", rotes=[]), ROUTER)
    assert (problem.code, problem.hint) == ("unknown-field", 'Did you mean "routes"?')


def test_a_misspelled_common_field_is_recognised() -> None:
    (problem,) = check(spec("snippet", language="text", code="", prots={}), SNIPPET)
    assert problem.hint == 'Did you mean "ports"?'


def test_missing_fields_are_told_with_what_is_wanted() -> None:
    assert lines("snippet") == [
        "snippet.language: missing (expected: the name of a language)",
        "snippet.code: missing (expected: code, as text)",
    ]


def test_an_empty_field_may_be_left_out() -> None:
    (line,) = lines("listener", protocol="http", port=1, compress=None)
    assert line.endswith("(expected: true or false). Leave it out for the default, true.")


def test_lengths_are_told() -> None:
    (problem,) = check(spec("router", routes=[]), ROUTER)
    assert (problem.code, problem.found) == ("range", "an empty list")
    (problem,) = check(spec("switch", matches=[{"when": "a", "port": "out"}] * 9), SWITCH)
    assert problem.found == "a list of 9"
    assert problem.expected.endswith("of at most 8 items")


@pytest.mark.parametrize(
    ("kind", "fields", "code", "path"),
    [
        ("snippet", {"language": "text"}, "missing", "snippet.code"),
        ("snippet", {"language": "text", "code": []}, "type", "snippet.code"),
        ("listener", {"protocol": "http", "port": -1}, "range", "listener.port"),
        ("listener", {"protocol": "http", "port": True}, "type", "listener.port"),
        ("listener", {"protocol": "tcp", "port": 1}, "choice", "listener.protocol"),
        ("listener", {"protocol": "http", "port": 1, "body": -1}, "range", "listener.body"),
        (
            "listener",
            {"protocol": "http", "port": 1, "methods": ["PUT"]},
            "choice",
            "listener.methods[0]",
        ),
        (
            "listener",
            {"protocol": "http", "port": 1, "headers": {"a": []}},
            "type",
            "listener.headers.a",
        ),
        ("switch", {"matches": [], "timeout": 0}, "range", "switch.timeout"),
        (
            "switch",
            {"matches": [{"when": {"code": []}, "port": "o"}]},
            "type",
            "switch.matches[0].when.code",
        ),
        ("batch", {"window": {"by": "count", "size": 0}}, "range", "batch.window.size"),
        ("batch", {"window": {"by": "weight"}}, "choice", "batch.window.by"),
        ("batch", {"window": {"size": 3}}, "missing", "batch.window.by"),
        (
            "batch",
            {"window": {"by": "time", "every": "1s"}, "weights": {"a": "x"}},
            "type",
            "batch.weights.a",
        ),
        ("batch", {"window": {"by": "time", "every": 1}, "key": {"a": 1}}, "type", "batch.key"),
        ("batch", {"window": {"by": "time", "every": 1}, "ratio": 1}, "range", "batch.ratio"),
        ("block", {"inbounds": {"in": {"port": "in"}}}, "missing", "block.inbounds.in"),
    ],
)
def test_each_sort_of_mistake_has_a_code_and_its_place(
    kind: str, fields: dict[str, Any], code: str, path: str
) -> None:
    (problem,) = check(spec(kind, **fields), BY_KIND[kind])
    assert (problem.code, problem.path) == (code, path)


def test_a_rule_across_fields_names_the_field() -> None:
    (problem,) = check(spec("listener", protocol="ws", port=1, tls={"cert": "x"}), LISTENER)
    assert (problem.path, problem.expected) == ("listener.tls.key", "the key of the certificate")


def test_a_union_of_mappings_is_told_by_its_tag() -> None:
    fields = decode(spec("batch", window={"by": "time", "every": "2s"}), BATCH)
    assert fields.window == Clock(every=Interval("2s"))
    (line,) = lines("batch", window={"by": "clock", "every": "2s"})
    assert line == 'batch.window.by: the text "clock" (expected: count or time)'


def test_a_problem_knows_the_place_of_the_very_field() -> None:
    def places(path: Path) -> Place:
        return Place("ping.yaml", 4 + int(path[1]) if len(path) > 1 else 3, 5)

    router = Spec(
        id=spec("router").id,
        kind="router",
        name="router",
        fields={"routes": [{"method": "GET", "path": "/"}, {"method": "GIT", "path": "/"}]},
        places=places,
    )
    (problem,) = check(router, ROUTER)
    assert str(problem).startswith("ping.yaml:5:5 router.routes[1].method: ")


def test_a_rejected_spec_raises_all_it_is_told() -> None:
    bad = spec("listener", protocol="x", port="y")
    with pytest.raises(SpecError) as caught:
        decode(bad, LISTENER)
    assert list(caught.value.problems) == check(bad, LISTENER)
    assert len(caught.value.problems) == 2


def test_blanks_may_stand_anywhere_before_they_are_filled() -> None:
    router = spec(
        "router", routes=[{"method": "{{ M }}", "path": "{{ P }}"}, {"method": "G", "path": "/"}]
    )
    assert [problem.path for problem in check(router, ROUTER, unfilled=True)] == [
        "router.routes[1].method"
    ]
    assert len(check(router, ROUTER)) == 3
    assert check(spec("router", routes="{{ ROUTES }}"), ROUTER, unfilled=True) == []
    assert check(spec("router", **{"{{ NAME }}": 1}), ROUTER, unfilled=True) == []


def test_problems_stand_in_the_order_of_the_text_and_each_once() -> None:
    later = Problem(code="a", found="a", place=Place("b.yaml", 2, 1))
    sooner = Problem(code="b", found="b", place=Place("b.yaml", 1, 9))
    other = Problem(code="c", found="c", place=Place("a.yaml", 9, 1))
    assert in_order([later, sooner, other, later]) == [other, sooner, later]


def test_an_unknown_kind_is_told_with_the_nearest() -> None:
    problem = unknown_kind(spec("ruter", "r"), {"router": 1, "listener": 2})
    assert str(problem) == '<input> r.kind: no kind "ruter". Did you mean "router"?'


# --- what a decode takes is what a check finds no fault with ---

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-10, max_value=70000),
    st.floats(min_value=-2, max_value=2),
    st.sampled_from(
        [
            "",
            "GET",
            "get",
            "/",
            "/a",
            "out",
            "out[0]",
            "http",
            "8000",
            "1.5s",
            "1KiB",
            "x",
            "true",
            "count",
            "time",
        ]
    ),
)
WORDS = [
    "protocol",
    "port",
    "host",
    "tls",
    "cert",
    "timeout",
    "body",
    "routes",
    "method",
    "path",
    "matches",
    "when",
    "code",
    "language",
    "window",
    "by",
    "size",
    "every",
    "weights",
    "key",
    "ratio",
    "tree",
    "leaves",
    "name",
    "headers",
    "methods",
    "inbounds",
    "specs",
    "oops",
    "metod",
]
names = st.sampled_from(WORDS)
data = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=12,
)

GOOD: list[tuple[str, dict[str, Any]]] = [
    (
        "listener",
        {"protocol": "http", "port": 8000, "tls": {"cert": "c", "key": "k"}, "headers": {"a": "b"}},
    ),
    (
        "router",
        {
            "routes": [
                {"method": "GET", "path": "/"},
                {"method": "POST", "path": "/a", "port": "out[1]"},
            ]
        },
    ),
    (
        "switch",
        {
            "matches": [{"when": "a", "port": "out"}, {"when": {"code": "b"}, "port": "out"}],
            "timeout": 5,
        },
    ),
    ("snippet", {"language": "text", "code": "pong"}),
    (
        "batch",
        {
            "window": {"by": "count", "size": 2},
            "key": "k",
            "weights": {"a": 1.5},
            "tree": {"name": "a"},
        },
    ),
    ("block", {"inbounds": {"in": [{"name": "a", "port": "in"}]}, "specs": [{"kind": "snippet"}]}),
]


@st.composite
def nearly_good(draw: st.DrawFn) -> tuple[str, Any]:
    """Fields of some kind, with a few parts replaced, dropped or added."""
    kind, fields = draw(st.sampled_from(GOOD))

    def spoil(value: Any) -> Any:
        if draw(st.integers(0, 7)) == 0:
            return draw(data)
        if isinstance(value, dict):
            invalid = {key: spoil(item) for key, item in value.items() if draw(st.integers(0, 9))}
            if draw(st.integers(0, 7)) == 0:
                invalid[draw(names)] = draw(data)
            return invalid
        if isinstance(value, list):
            return [spoil(item) for item in value]
        return value

    return kind, {key: spoil(item) for key, item in fields.items()}


def told(schema: Schema[Any], fields: dict[str, Any]) -> list[Problem]:
    """Return what is told of these fields; the same by both ways."""
    written = spec(schema.kind, **fields)
    problems = check(written, schema)
    if problems:
        with pytest.raises(SpecError) as caught:
            decode(written, schema)
        assert list(caught.value.problems) == problems
    else:
        assert isinstance(decode(written, schema), schema.fields)
    return problems


class Named(Fields):
    word: Annotated[str, about("A word.", pattern="^[a-z]+$", examples=["one", "two"])]


def test_examples_say_what_a_pattern_means() -> None:
    schema = Schema(kind="named", fields=Named, summary="Has a word.")
    [problem] = check(spec("named", word="3"), schema)
    assert problem.expected == "text that matches ^[a-z]+$, such as one or two"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(nearly_good())
def test_a_check_and_a_decode_always_agree(case: tuple[str, Any]) -> None:
    kind, fields = case
    problems = told(BY_KIND[kind], fields)
    assert len({problem.path for problem in problems}) == len(problems), "a place is told once"
    assert all(
        problem.found and (problem.expected or problem.code == "invalid") for problem in problems
    )


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(names, data, max_size=4), st.sampled_from(ALL))
def test_they_agree_about_nonsense_too(fields: dict[str, Any], schema: Schema[Any]) -> None:
    told(schema, fields)


@settings(max_examples=60, deadline=None)
@given(
    st.sets(
        st.sampled_from(
            [
                ("port", 99999),
                ("protocol", "ftp"),
                ("host", 5),
                ("timeout", "x"),
                ("body", "x"),
                ("compress", "x"),
                ("oops", 1),
            ]
        )
    )
)
def test_so_many_mistakes_so_many_problems(mistakes: set[tuple[str, Any]]) -> None:
    fields = {"protocol": "http", "port": 1, **dict(mistakes)}
    problems = check(spec("listener", **fields), LISTENER)
    assert {problem.path for problem in problems} == {f"listener.{name}" for name, _ in mistakes}


def test_ten_thousand_good_specs_decode_in_no_time() -> None:
    written = [
        spec("router", f"r{n}", routes=[{"method": "GET", "path": "/"}]) for n in range(10_000)
    ]
    started = time.perf_counter()
    for one in written:
        decode(one, ROUTER)
    # A few microseconds each on a slow machine; a walk of each would take a hundred times as long.
    assert time.perf_counter() - started < 1.0


def test_a_single_mapping_is_decoded_the_same_in_an_inner_list() -> None:
    fields = decode(spec("block", inbounds={"in": {"name": "a"}}, specs={"kind": "snippet"}), BLOCK)
    assert fields.inbounds["in"][0].link.name == "a"
    assert fields.specs == [{"kind": "snippet"}]


def test_a_blank_without_an_env_is_explained() -> None:
    [told] = lines("listener", protocol="http", port="{{ .PORT }}")
    assert told.endswith(
        "Blanks are filled if an env has their names: PORT: {data: '{{ .PORT }}'}."
    )
