"""validate: a part of a request has one schema, or schemas by name, and never both."""

import json

import pytest

from heddle.extensions.net.validation.part_schema import schema_of_part
from tests.extensions.net.validation.support import problems_of
from tests.support import fetch, port_of, running

pytestmark = pytest.mark.anyio

FLOW = """
- {kind: listener, name: listener, port: 0, ports: {out: {name: check}}}
- kind: validate
  name: check
  query: %s
  ports: {out: {name: show}}
- {kind: snippet, name: show, language: cel, code: "{'body': query}"}
"""

LIMIT = "limit: {type: integer, maximum: 100}"


@pytest.mark.parametrize(
    "query",
    [
        f"{{properties: {{{LIMIT}}}, additionalProperties: false}}",
        f"{{properties: {{{LIMIT}}}, unevaluatedProperties: false}}",
        f"{{type: object, properties: {{{LIMIT}}}, additionalProperties: false}}",
        f"{{$ref: '#/$defs/q', $defs: {{q: {{properties: {{{LIMIT}}}, additionalProperties: false}}}}}}",
    ],
)
async def test_a_map_of_keywords_is_a_schema(query: str) -> None:
    async with running(FLOW % query) as rt:
        assert json.loads((await fetch(port_of(rt), "/?limit=7")).body) == {"limit": 7}
        reply = await fetch(port_of(rt), "/?limit=99999&evil=1")
        assert reply.status == 422
        mistakes = {each["pointer"]: each["found"] for each in json.loads(reply.body)["problems"]}
        assert mistakes == {"/limit": "the number 99999", "": "unknown property evil"}


@pytest.mark.parametrize("name", ["limit", "title", "format", "properties", "type"])
async def test_names_that_are_keywords_too_stay_names(name: str) -> None:
    async with running(FLOW % f"{{{name}: {{type: integer}}, q: {{type: string}}}}") as rt:
        reply = await fetch(port_of(rt), f"/?{name}=7&q=a")
        assert json.loads(reply.body) == {name: 7, "q": "a"}


@pytest.mark.parametrize(
    ("query", "spellings"),
    [
        ("{items: {type: integer}}", ["properties: {items: …}", "items: …} for the keyword"]),
        ("{default: {type: integer}}", ["properties: {default: …}"]),
        (f"{{type: object, properties: {{a: {{}}}}, {LIMIT}}}", ["properties: {limit: …}"]),
        (f"{{description: x, {LIMIT}}}", ["properties: {limit: …}"]),
        (f"{{properties: {{a: {{type: string}}}}, {LIMIT}}}", ["properties: {limit: …}"]),
        (f"{{{LIMIT}, deep: boolean}}", ["deep: {type: …}"]),
        ("{limit: {typ: integer}}", ["limit: {type: …}"]),
    ],
)
def test_a_map_that_may_be_both_is_a_problem(query: str, spellings: list[str]) -> None:
    [problem] = problems_of(f"- {{kind: validate, name: v, query: {query}}}")
    assert (problem.path, problem.code) == ("v.query", "schema")
    assert all(each in problem.expected for each in spellings)


def test_both_spellings_say_which_it_is() -> None:
    assert schema_of_part({"type": "object", "items": {"type": "integer"}})["items"]
    whole = {"type": "object", "properties": {"items": {"type": "integer"}}}
    assert schema_of_part(whole) == whole


@pytest.mark.parametrize("field", ["schema", "body"])
def test_schemas_by_name_are_no_schema_of_a_body(field: str) -> None:
    [problem] = problems_of(f"- {{kind: validate, name: v, {field}: {{{LIMIT}}}}}")
    assert problem.path == f"v.{field}"
    assert problem.expected == "properties: {limit: …}"
