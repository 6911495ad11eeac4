"""validate: what fits goes on with its types, what does not is told with every mistake."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from heddle.cli.extensions import installed
from heddle.cli.options import settings_of
from heddle.extensions.net.validation import schema_validator
from heddle.runtime.assembly.check import check_specs
from heddle.runtime.flow.errors import Error
from heddle.runtime.runtime import Runtime
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import ValueSet
from heddle.specs.yaml.document import read_text
from tests.support import Reply, degraded, fetch, port_of, running

pytestmark = pytest.mark.anyio

API = """
- {kind: listener, name: listener, port: 0, ports: {out: {name: router}}}
- kind: router
  name: router
  routes: [{method: POST, path: '/tasks/:id', to: check}]
- kind: validate
  name: check
  params: {id: {type: integer}}
  query:
    limit: {type: integer, minimum: 1, maximum: 100, default: 20}
    tag: {type: array, items: {type: integer}}
    deep: {type: boolean, required: true}
  header: {x-count: {type: [integer, 'null']}}
  cookies: {theme: {enum: [dark, light], default: light}}
  body:
    $ref: '#/$defs/task'
    $defs:
      task:
        type: object
        required: [title]
        properties:
          title: {type: string, minLength: 1}
          done: {type: boolean, default: false}
          due: {type: string, format: date-time}
          parent: {$ref: '#/$defs/task'}
        additionalProperties: false
  ports: {out: {name: show}}
- kind: snippet
  name: show
  language: cel
  code: '{"body": {"params": params, "query": query, "count": header["x-count"], "cookies": cookies, "body": body}}'
"""


async def post(port: int, path: str, body: Any, **headers: str) -> Reply:
    sent = {"Content-Type": "application/json", **headers}
    return await fetch(port, path, method="POST", headers=sent, body=json.dumps(body))


@pytest.fixture(params=["jsonschema-rs", "jsonschema"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decide by one of the two libraries."""
    if request.param == "jsonschema":
        monkeypatch.setattr(schema_validator, "rust", None)


@pytest.mark.usefixtures("engine")
async def test_what_fits_goes_on_with_its_types_and_defaults() -> None:
    async with running(API) as rt:
        reply = await post(
            port_of(rt),
            "/tasks/7?tag=1&tag=2&deep=true&other=x",
            {"title": "a", "parent": {"title": "b"}},
            Cookie="theme=dark; a=b",
            **{"X-COUNT": "3"},
        )
        assert reply.status == 200, reply.text
        assert json.loads(reply.body) == {
            "params": {"id": 7},
            "query": {"limit": 20, "tag": [1, 2], "deep": True, "other": ["x"]},
            "count": 3,
            "cookies": {"theme": "dark", "a": "b"},
            "body": {"title": "a", "done": False, "parent": {"title": "b", "done": False}},
        }


@pytest.mark.usefixtures("engine")
async def test_what_does_not_fit_is_422_with_every_mistake_by_pointer() -> None:
    async with running(API) as rt:
        reply = await post(
            port_of(rt),
            "/tasks/x?limit=101&tag=1&tag=b&tag=c",
            {"due": "tomorrow", "parent": {"title": ""}, "a/b~c": 1},
            Cookie="theme=pink",
            **{"X-Count": "many"},
        )
    assert reply.status == 422
    assert reply.headers["Content-Type"] == "application/problem+json"
    document = json.loads(reply.body)
    assert (document["status"], document["title"]) == (422, "Unprocessable Content")
    assert document["type"] == "urn:heddle:problem:invalid"
    problems = {(each["in"], each["pointer"]): each for each in document["problems"]}
    assert set(problems) == {
        ("params", "/id"),
        ("query", "/limit"),
        ("query", "/tag/1"),
        ("query", "/tag/2"),
        ("query", "/deep"),
        ("header", "/x-count"),
        ("cookies", "/theme"),
        ("body", ""),
        ("body", "/title"),
        ("body", "/due"),
        ("body", "/parent/title"),
    }
    assert problems["query", "/limit"]["found"] == "the number 101"
    assert problems["query", "/limit"]["expected"] == "integer from 1 to 100"
    assert problems["body", "/title"] == {
        "in": "body",
        "pointer": "/title",
        "found": "missing",
        "expected": "string",
    }


@pytest.mark.parametrize(
    "query", ["limit=1&limit=2", "limit=", "limit=1.5", "limit=%2B1", "limit=0x1"]
)
async def test_a_text_of_another_type_is_left_to_the_schema(query: str) -> None:
    async with running(API) as rt:
        reply = await post(port_of(rt), f"/tasks/7?deep=false&{query}", {"title": "a"})
        assert reply.status == 422
        [problem] = json.loads(reply.body)["problems"]
        assert problem["pointer"] == "/limit"


async def test_what_does_not_fit_goes_to_error_if_that_is_linked() -> None:
    flow = """
- kind: validate
  name: check
  schema: {type: object, required: [a], properties: {a: {type: integer}}}
  ports: {error: {name: why}}
- {kind: snippet, name: why, language: cel, code: '{"code": self.code, "data": self.data}'}
"""
    async with running(flow) as rt:
        assert await rt.send("check", {"a": 1}) == {"a": 1}
        assert await rt.send("check", {"a": "1"}) == {
            "code": "invalid",
            "data": [{"pointer": "/a", "found": 'the text "1"', "expected": "integer"}],
        }
        assert (await rt.send("check", b"bytes"))["data"][0]["found"] == "binary data"


async def test_only_names_that_no_pattern_allows_are_unknown() -> None:
    flow = """
- kind: validate
  name: v
  schema: {patternProperties: {'^x-': {type: integer}}, properties: {a: {}}, additionalProperties: false}
"""
    async with running(flow) as rt:
        assert await rt.send("v", {"x-a": 1, "a": 2}) == {"x-a": 1, "a": 2}
        answer = await rt.send("v", {"x-a": 1, "b": 2})
        assert [each["found"] for each in answer.data] == ["unknown property b"]


async def test_texts_of_a_payload_are_read_if_it_says_so() -> None:
    flow = (
        "- {kind: validate, name: check, coerce: true, schema: {properties: {a: {type: integer}}}}"
    )
    async with running(flow) as rt:
        assert await rt.send("check", {"a": "7", "b": "7"}) == {"a": 7, "b": "7"}


async def test_a_form_is_read_as_a_query_is() -> None:
    async with running(
        "- {kind: listener, name: listener, port: 0, ports: {out: {name: check}}}",
        "- {kind: validate, name: check, body: {type: object, properties: {n: {type: integer}}},"
        " ports: {out: {name: show}}}",
        "- {kind: snippet, name: show, language: cel, code: '{\"body\": body}'}",
    ) as rt:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = await fetch(port_of(rt), "/", method="POST", headers=form, body="n=7&m=a")
        assert json.loads(reply.body) == {"n": 7, "m": ["a"]}


async def test_a_payload_is_never_changed() -> None:
    flow = """
- kind: validate
  name: check
  schema: {properties: {a: {properties: {b: {default: [1]}}}, l: {items: {properties: {c: {default: 2}}}}}}
"""
    async with running(flow) as rt:
        whole = {"a": {"b": 1}, "l": [{"c": 1}]}
        assert await rt.send("check", whole) == whole
        part: dict[str, Any] = {"a": {}, "l": [{}, {"c": 1}]}
        first = await rt.send("check", part)
        assert first == {"a": {"b": [1]}, "l": [{"c": 2}, {"c": 1}]}
        assert part == {"a": {}, "l": [{}, {"c": 1}]}
        first["a"]["b"].append(9)
        assert (await rt.send("check", part))["a"] == {"b": [1]}


@pytest.mark.usefixtures("engine")
async def test_schemas_are_files_that_name_each_other(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "task.yaml").write_text(
        "$defs:\n  new:\n    type: object\n    properties:\n"
        "      owner: {$ref: parts/person.json}\n      tags: {$ref: '#/$defs/tags'}\n"
        "  tags: {type: array, items: {type: string}, default: [none]}\n"
    )
    person = {"type": "object", "required": ["name"], "properties": {"age": {"default": 1}}}
    (tmp_path / "parts" / "person.json").write_text(json.dumps(person))
    flow = f"- {{kind: validate, name: check, root: '{tmp_path}', schema: 'task.yaml#/$defs/new'}}"
    async with running(flow) as rt:
        assert not rt.status().problems
        assert await rt.send("check", {"owner": {"name": "ada"}}) == {
            "owner": {"name": "ada", "age": 1},
            "tags": ["none"],
        }
        answer = await rt.send("check", {"owner": {}, "tags": [1]})
        assert type(answer) is Error
        assert [each["pointer"] for each in answer.data] == ["/owner/name", "/tags/0"]


async def test_a_schema_that_is_saved_counts_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "part.json"
    file.write_text('{"type": "integer"}')
    flow = f"- {{kind: validate, name: it, root: '{tmp_path}', schema: {{$ref: part.json}}}}"

    async def saved(rt: Runtime, text: str, event: str) -> None:
        seen = asyncio.ensure_future(rt.events.wait(event))
        await asyncio.sleep(0)
        file.write_text(text)
        async with asyncio.timeout(60):
            await seen

    async with running(flow) as rt:
        assert await rt.send("it", 7) == 7
        await saved(rt, '{"type": "string", "default": ""}', "schema changed")
        assert type(await rt.send("it", 7)) is Error
        await saved(rt, '{"type": "strin', "schema rejected")
        assert await rt.send("it", "a") == "a"
        assert 'the file "part.json" is not a schema' in degraded(rt, "it")
        await saved(rt, '{"type": "integer", "minimum": 0}', "schema changed")
        assert await rt.send("it", 7) == 7
        assert degraded(rt, "it") == ""


async def test_a_schema_may_come_from_a_value_and_by_uri() -> None:
    flow = """
name: task
data: {$ref: 'https://example.com/task.json#/$defs/t'}
---
- kind: validate
  name: check
  env: {TASK: {name: task}}
  schema: '{{ .TASK }}'
  schemas: {'https://example.com/task.json': {$defs: {t: {type: integer}}}}
"""
    async with running(flow) as rt:
        assert not rt.status().problems
        assert await rt.send("check", 7) == 7
        assert type(await rt.send("check", "7")) is Error


def problems_of(text: str) -> list[Problem]:
    reading = read_text(text, file="flow.yaml")
    registry = installed(settings_of(None, ()))
    return list(check_specs(reading.specs, ValueSet(()), registry).problems)


@pytest.mark.parametrize(
    ("fields", "path", "text"),
    [
        ("schema: {type: objekt}", "v.schema.type", "'objekt' is not valid"),
        (
            "body: {properties: {a: {minimum: x}}}",
            "v.body.properties.a.minimum",
            "'x' is not of type",
        ),
        ("schema: {$ref: '#/$defs/none'}", "v.schema.$ref", "leads nowhere"),
        ("schema: none.json", "v.schema", 'the file "none.json" cannot be read: no such file'),
        ("schema: ../../etc/passwd", "v.schema", "is outside of the folder"),
        ("schema: {$ref: 'https://example.com/x.json'}", "v.schema.$ref", "nothing is fetched"),
        ("schema: {items: {pattern: '('}}", "v.schema.items.pattern", "cannot be read"),
        ("coerce: true", "v.schema", "nothing to check"),
        ("schema: {}, body: {}", "v.schema", "schema and body"),
    ],
)
def test_a_schema_that_cannot_be_used_is_a_problem_at_its_place(
    fields: str, path: str, text: str
) -> None:
    [problem] = problems_of(f"- {{kind: validate, name: v, {fields}}}")
    assert problem.path == path
    assert text in str(problem)


HEAVY = """
- {kind: listener, name: listener, port: 0, ports: {out: {name: router}}}
- kind: router
  name: router
  routes: [{method: POST, path: /, to: check}, {method: GET, path: /, to: quick}]
- kind: validate
  name: check
  body: {anyOf: [{type: array, uniqueItems: true, items: {type: object, required: [b]}}, {type: object}]}
- {kind: snippet, name: quick, language: text, code: quick}
"""


@pytest.mark.usefixtures("engine")
async def test_a_large_body_keeps_nobody_waiting_and_is_told_its_mistakes() -> None:
    body = [{"a": number} for number in range(60_000)]
    async with running(HEAVY) as rt:
        port = port_of(rt)
        large = asyncio.ensure_future(post(port, "/", body))
        quick = 0
        while not large.done():
            assert (await fetch(port, "/")).text == "quick"
            quick += 1
        assert quick > 1
        reply = await large
        assert reply.status == 422
        problems = json.loads(reply.body)["problems"]
        assert 0 < len(problems) <= 100


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("items", "unique"),
    [
        ([1, 1.0], False),
        ([1, True], True),
        ([[0], [False]], True),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1.0}], False),
        ([{"a": False}, {"a": 0}], True),
        (["1", 1, None, [None]], True),
    ],
)
async def test_items_are_unique_as_json_compares_them(items: list[Any], unique: bool) -> None:
    async with running("- {kind: validate, name: v, schema: {uniqueItems: true}}") as rt:
        answer = await rt.send("v", items)
        assert (type(answer) is not Error) == unique


@pytest.mark.usefixtures("engine")
async def test_data_that_is_nested_deep_is_judged_all_the_same() -> None:
    flow = "- {kind: validate, name: v, schema: {$defs: {l: {type: array, items: {$ref: '#/$defs/l'}}}, $ref: '#/$defs/l'}}"
    async with running(flow) as rt:
        value: Any = 1
        for _ in range(5000):
            value = [value]
        answer = await rt.send("v", value)
        assert type(answer) is Error
        assert answer.code == "invalid"


async def test_an_expression_that_would_go_back_for_ever_takes_no_time() -> None:
    flow = "- {kind: validate, name: v, schema: {pattern: '^(a+)+$'}}"
    async with running(flow) as rt:
        assert type(await rt.send("v", "a" * 50_000 + "!")) is Error
