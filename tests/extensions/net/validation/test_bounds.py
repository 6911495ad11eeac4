"""validate: however bad what is sent may be, the event loop goes on, and the answer stays short."""

import json
from typing import Any

import pytest

from heddle.extensions.net.validation import schema_validator
from heddle.runtime.flow.errors import Error
from tests.extensions.net.validation.support import problems_of
from tests.holding import held
from tests.support import fetch, port_of, running

pytestmark = pytest.mark.anyio

BRIEF = 0.1
"""Seconds of the processor; each of these checks would hold the loop for several times as long."""


@pytest.fixture(params=["jsonschema-rs", "jsonschema"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decide by one of the two libraries."""
    if request.param == "jsonschema":
        monkeypatch.setattr(schema_validator, "rust", None)


LONG = [1] * 40_000 + ["x"]
SCHEMA = "{type: array, items: {type: integer, minimum: 0, maximum: 9}}"


@pytest.mark.usefixtures("engine")
async def test_mistakes_of_a_small_body_are_listed_apart() -> None:
    flow = f"""
- {{kind: listener, name: listener, port: 0, ports: {{out: {{name: check}}}}}}
- {{kind: validate, name: check, body: {SCHEMA}}}
"""
    body = json.dumps(LONG)
    assert len(body) < 128 * 1024
    async with running(flow) as rt:
        sent = {"Content-Type": "application/json"}
        reply, longest = await held(fetch(port_of(rt), "/", method="POST", headers=sent, body=body))
        assert [each["pointer"] for each in json.loads(reply.body)["problems"]] == ["/40000"]
        assert longest < BRIEF


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("count", [40_000, 4_000])
async def test_mistakes_of_a_payload_are_listed_apart(count: int) -> None:
    flow = f"- {{kind: validate, name: v, schema: {SCHEMA}}}"
    async with running(flow) as rt:
        answer, longest = await held(rt.send("v", LONG[-count:]))
        assert [each["pointer"] for each in answer.data] == [f"/{count - 1}"]
        assert longest < BRIEF


async def test_nodes_before_a_check_that_leaves_act_once() -> None:
    flow = f"""
- {{kind: if, name: way, when: 'true', ports: {{'out[0]': {{name: count}}}}}}
- {{kind: log, name: count, event: counted, values: {{n: '1'}}, ports: {{out: {{name: v}}}}}}
- {{kind: validate, name: v, schema: {SCHEMA}, ports: {{out: {{name: again}}}}}}
- {{kind: if, name: again, when: 'true', ports: {{'out[0]': {{name: size}}}}}}
- {{kind: snippet, name: size, language: cel, code: size(self)}}
"""
    async with running(flow) as rt:
        assert await rt.send("way", LONG[:-1]) == 40_000
        assert [event.event for event in rt.events.recent].count("counted") == 1


async def test_a_list_of_mistakes_ends_with_more() -> None:
    flow = "- {kind: validate, name: v, schema: {items: {type: integer}}}"
    async with running(flow) as rt:
        answer = await rt.send("v", ["x"] * 500)
        assert len(answer.data) == 100
        assert answer.data[-1]["found"] == "more mistakes than are listed"
        assert str(answer).splitlines()[-1].startswith("the payload: more mistakes")
        assert len((await rt.send("v", ["x"] * 100)).data) == 100


async def test_mistakes_are_short_however_long_names_are() -> None:
    flow = "- {kind: validate, name: v, schema: {additionalProperties: {items: {type: integer}}}}"
    async with running(flow) as rt:
        answer = await rt.send("v", {"a" * 50_000: ["x"] * 100})
        assert answer.data[-1]["found"] == "more mistakes than are listed"
        assert len(str(answer)) < 200_000


async def test_only_some_names_that_are_unknown_are_listed() -> None:
    flow = "- {kind: validate, name: v, schema: {additionalProperties: false}}"
    async with running(flow) as rt:
        answer = await rt.send("v", {f"name{number}": 1 for number in range(1000)})
        [mistake] = answer.data
        assert mistake["found"].endswith("name9 and more")


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    "schema",
    [
        "{patternProperties: {'^(a+)+$': {type: integer}}, additionalProperties: false}",
        "{patternProperties: {'^(a+)+$': {type: integer}}, unevaluatedProperties: false}",
        "{propertyNames: {pattern: '^(a+)+$'}}",
        "{additionalProperties: {pattern: '^(a+)+$'}}",
        "{dependentSchemas: {x: {}}, patternProperties: {'^(a|a)*$': false}, required: [b]}",
    ],
)
async def test_expressions_over_names_of_a_client_take_linear_time(schema: str) -> None:
    async with running(f"- {{kind: validate, name: v, schema: {schema}}}") as rt:
        name = "a" * 35 + "!"
        answer, longest = await held(rt.send("v", {name: name}))
        assert type(answer) is Error
        assert answer.code == "invalid"
        assert longest < BRIEF


@pytest.mark.parametrize(
    "schema",
    [
        r"{pattern: '^(?=.*[0-9]).{8,}$'}",
        r"{items: {pattern: '(a)\1'}}",
        "{patternProperties: {'(?<!a)b': {}}}",
        "{propertyNames: {pattern: '(?>a)'}}",
    ],
)
def test_an_expression_that_looks_around_is_a_problem(schema: str) -> None:
    [problem] = problems_of(f"- {{kind: validate, name: v, schema: {schema}}}")
    assert "looks ahead, behind or back" in problem.found
    assert "allOf" in problem.hint


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("value", [10**400, float("inf"), float("nan"), "\ud800", {"a", "b"}])
async def test_a_value_that_no_library_expects_does_not_fit(value: Any) -> None:
    flow = "- {kind: validate, name: v, schema: {multipleOf: 0.3, pattern: '^$', type: [number, string]}}"
    async with running(flow) as rt:
        answer = await rt.send("v", value)
        assert type(answer) is Error
        assert answer.code == "invalid"


@pytest.mark.parametrize("group", ["(?i:", "(?P<a>", "(?#", "(?>"])
async def test_groups_of_python_are_no_expressions_of_a_schema(group: str) -> None:
    async with running("- {kind: validate, name: v, schema: {format: regex}}") as rt:
        answer, longest = await held(rt.send("v", (group + r"[\0-\U0010ffff])") * 50))
        assert type(answer) is Error
        assert longest < BRIEF
        assert await rt.send("v", r"^(?:a|(?=b)[(?i)])\(?i$") != answer
