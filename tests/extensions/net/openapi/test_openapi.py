"""openapi: what a flow takes and answers, in a document and on a page."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from heddle.extensions.net.openapi import document as document_module
from heddle.specs.model.mask import MASK
from tests.cli.support import heddle, ran
from tests.support import change, degraded, fetch, port_of, running

pytestmark = pytest.mark.anyio

API = """
- {kind: listener, name: listener, port: 0, ports: {out: {name: guard}}}
- {kind: auth, name: guard, bearer: {ada: secret-of-ada}, ports: {out: {name: router}}}
- kind: router
  name: router
  routes:
    - {method: GET, path: /tasks, to: list}
    - {method: POST, path: /tasks, to: create}
    - {method: GET, path: '/tasks/{id:uuid}', to: read}
    - {method: DELETE, path: '/tasks/{id:uuid}', to: read}
    - {method: POST, path: '/jobs/:name', to: job}
    - {method: GET, path: '/files/*', port: 'out[0]'}
    - {method: GET, path: /openapi.json, to: api}
    - {method: GET, path: /docs, to: api}
  ports: {'out[0]': {name: file}}
- kind: validate
  name: list
  annotations:
    summary: List tasks
    description: All of them, page by page
    tags: tasks, lists
    response: '{type: array, items: {type: object}}'
  query: {limit: {type: integer, default: 20, description: How many}, q: {type: string, required: true}}
  header: {X-Trace: {type: string}}
  ports: {out: {name: show}}
- kind: validate
  name: create
  body: {$ref: '#/$defs/Task', $defs: {Task: {type: object, properties: {part: {$ref: '#/$defs/Task'}}}}}
  ports: {out: {name: made}}
- {kind: respond, name: made, status: 201}
- {kind: respond, name: read, missing: 404}
- {kind: respond, name: show, body: '[]'}
- {kind: fork, name: job, status: 202, annotations: {operationId: startJob, deprecated: 'true'}}
- {kind: snippet, name: file, language: cel, code: params}
- {kind: openapi, name: api, title: 'Tasks <1>', version: '1.0', description: Of a loom}
"""

TOKEN = {"Authorization": "Bearer secret-of-ada"}


async def document(text: str = API) -> dict[str, Any]:
    async with running(text) as rt:
        assert not rt.status().problems
        reply = await fetch(port_of(rt), "/openapi.json", headers=TOKEN)
        assert reply.headers["Content-Type"] == "application/json"
        made: dict[str, Any] = json.loads(reply.body)
        return made


async def test_the_document_tells_what_stands_in_the_specs() -> None:
    made = await document()
    assert made["openapi"] == "3.1.0"
    assert made["info"] == {"title": "Tasks <1>", "version": "1.0", "description": "Of a loom"}
    assert sorted(made["paths"]) == ["/files/{path}", "/jobs/{name}", "/tasks", "/tasks/{id}"]
    listed = made["paths"]["/tasks"]["get"]
    assert (listed["summary"], listed["tags"]) == ("List tasks", ["tasks", "lists"])
    assert listed["operationId"] == "list"
    assert [(one["in"], one["name"], one["required"]) for one in listed["parameters"]] == [
        ("query", "limit", False),
        ("query", "q", True),
        ("header", "X-Trace", False),
    ]
    assert listed["parameters"][0]["schema"]["default"] == 20
    assert listed["parameters"][0]["description"] == "How many"
    good = listed["responses"]["200"]["content"]["application/json"]["schema"]
    assert good == {"type": "array", "items": {"type": "object"}}
    assert sorted(listed["responses"]) == ["200", "400", "401", "422"]
    assert listed["security"] == [{"bearer": []}]
    assert made["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}


async def test_schemas_that_name_each_other_are_components() -> None:
    made = await document()
    create = made["paths"]["/tasks"]["post"]
    body = create["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Task"}
    task = made["components"]["schemas"]["Task"]
    assert task["properties"]["part"] == {"$ref": "#/components/schemas/Task"}
    assert sorted(create["responses"]) == ["201", "400", "401", "422"]


async def test_statuses_and_parameters_come_from_nodes_and_routes() -> None:
    paths = (await document())["paths"]
    read = paths["/tasks/{id}"]["get"]
    assert read["parameters"] == [
        {
            "name": "id",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "format": "uuid"},
        }
    ]
    assert "application/problem+json" in read["responses"]["404"]["content"]
    job = paths["/jobs/{name}"]["post"]
    assert (job["operationId"], job["deprecated"]) == ("startJob", True)
    assert "202" in job["responses"]
    names = [each["operationId"] for methods in paths.values() for each in methods.values()]
    assert len(set(names)) == len(names)


async def test_the_document_is_valid_by_the_schema_of_its_parts() -> None:
    made = await document()
    for methods in made["paths"].values():
        for each in methods.values():
            for parameter in each.get("parameters", ()):
                Draft202012Validator.check_schema(parameter["schema"])
    for schema in made["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


async def test_browsers_get_a_page_that_loads_nothing() -> None:
    async with running(API) as rt:
        page = await fetch(port_of(rt), "/docs", headers={**TOKEN, "Accept": "text/html"})
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "<title>Tasks &lt;1&gt;</title>" in page.text
        assert "List tasks" in page.text
        assert "<script" not in page.text
        assert "src=" not in page.text
        raw = await fetch(port_of(rt), "/docs", headers={**TOKEN, "Accept": "application/json"})
        assert json.loads(raw.body)["openapi"] == "3.1.0"


async def test_the_document_is_that_of_the_generation_that_is_live() -> None:
    async with running(API) as rt:
        await fetch(port_of(rt), "/openapi.json", headers=TOKEN)
        await change(rt, API.replace("path: /tasks, to: list", "path: /all, to: list"))
        reply = await fetch(port_of(rt), "/openapi.json", headers=TOKEN)
        assert "/all" in json.loads(reply.body)["paths"]


async def test_a_token_never_stands_in_the_document() -> None:
    assert "secret-of-ada" not in json.dumps(await document())


async def test_the_command_prints_what_the_node_serves(tmp_path: Path) -> None:
    flow = tmp_path / "flow.yaml"
    flow.write_text(API)
    printed = json.loads(ran("openapi", flow, "--title", "Tasks <1>", "--api-version", "1.0"))
    served = await document()
    del served["info"]["description"]
    assert printed == served
    ran("openapi", flow, "-o", tmp_path / "openapi.json")
    assert json.loads((tmp_path / "openapi.json").read_text())["paths"] == served["paths"]


async def test_the_command_tells_what_cannot_be_read(tmp_path: Path) -> None:
    flow = tmp_path / "flow.yaml"
    flow.write_text(API.replace("to: create", "to: nobody"))
    result = heddle("openapi", flow)
    assert result.exit_code == 1
    assert 'there is no "nobody"' in result.stderr
    assert "/tasks" in json.loads(result.stdout)["paths"]


FILES = """
- {kind: listener, name: listener, port: 0, ports: {out: {name: router}}}
- kind: router
  name: router
  routes:
    - {method: POST, path: /tasks, to: create}
    - {method: GET, path: /openapi.json, to: api}
- {kind: validate, name: create, root: '%s', body: task.json, ports: {out: {name: made}}}
- {kind: respond, name: made, status: 201}
- {kind: openapi, name: api}
"""


async def described(port: int) -> Any:
    """Return the schema of the body, out of the document that is served now."""
    made = json.loads((await fetch(port, "/openapi.json")).body)
    body = made["paths"]["/tasks"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return made["components"]["schemas"].get(body["$ref"].rpartition("/")[2])


async def test_the_document_has_schema_files_as_they_are_now(tmp_path: Path) -> None:
    file = tmp_path / "task.json"
    file.write_text('{"title": "one"}')
    async with running(FILES % tmp_path) as rt:
        assert await described(port_of(rt)) == {"title": "one"}
        file.write_text('{"title": "two"}')
        async with asyncio.timeout(60):
            while await described(port_of(rt)) != {"title": "two"}:
                await rt.events.wait("schema changed")


async def test_a_broken_file_leaves_the_document_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "task.json"
    file.write_text('{"title": "one"}')
    async with running(FILES % tmp_path) as rt:
        assert await described(port_of(rt)) == {"title": "one"}
        file.write_text('{"allOf": 5}')
        async with asyncio.timeout(60):
            await rt.events.wait("schema rejected")
            while not degraded(rt, "api"):
                assert await described(port_of(rt)) == {"title": "one"}
        assert 'in the file "task.json" at "/allOf"' in degraded(rt, "api")
        file.write_text('{"title": "two"}')
        async with asyncio.timeout(60):
            while await described(port_of(rt)) != {"title": "two"}:
                pass
        assert degraded(rt, "api") == ""


async def test_a_failure_is_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def fail(*_args: Any, **_named: Any) -> Any:
        calls.append(1)
        raise LookupError("a defect")

    monkeypatch.setattr(document_module, "describe_flow", fail)
    async with running(API) as rt:
        for _ in range(3):
            assert (await fetch(port_of(rt), "/openapi.json", headers=TOKEN)).status == 500
    assert len(calls) == 1


SECRETS = """
name: key
secret: true
data: hunter2-of-the-loom
---
- {kind: listener, name: listener, port: 0, ports: {out: {name: router}}}
- kind: router
  name: router
  env: {KEY: {name: key}}
  routes: [{method: GET, path: '/{{ .KEY }}', to: read}, {method: GET, path: /openapi.json, to: api}]
- kind: validate
  name: read
  env: {KEY: {name: key}}
  query: {q: {const: '{{ .KEY }}', default: 'Bearer {{ .KEY }}'}}
- {kind: openapi, name: api, title: '{{ .KEY }}', env: {KEY: {name: key}}}
"""


async def test_secrets_are_masked_wherever_the_document_is_shown(tmp_path: Path) -> None:
    flow = tmp_path / "flow.yaml"
    flow.write_text(SECRETS)
    printed = ran("openapi", flow)
    async with running(SECRETS) as rt:
        served = (await fetch(port_of(rt), "/openapi.json")).text
    for text in (printed, served):
        assert "hunter2" not in text
        assert MASK in text


def test_a_schema_that_cannot_be_used_is_left_out_of_the_print(tmp_path: Path) -> None:
    flow = tmp_path / "flow.yaml"
    flow.write_text(FILES % tmp_path)
    (tmp_path / "task.json").write_text('{"allOf": 5}')
    result = heddle("openapi", flow)
    assert result.exit_code == 1
    assert 'in the file "task.json" at "/allOf"' in result.stderr
    body = json.loads(result.stdout)["paths"]["/tasks"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"] is True


async def test_schemas_that_name_each_other_in_a_circle_are_described() -> None:
    circle = "{$ref: '#/$defs/a', $defs: {a: {allOf: [{$ref: '#/$defs/a'}], properties: {n: {}}}}}"
    made = await document(API.replace("query: {limit:", f"query: {circle}\n  params: {{limit:"))
    listed = made["paths"]["/tasks"]["get"]["parameters"]
    assert [each["name"] for each in listed if each["in"] == "query"] == ["n"]
