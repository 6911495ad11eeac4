"""Answers without guesswork: which maps are responses, and what `respond` and `fork` make of a packet."""

import json
from typing import Any

import pytest

from tests.support import fetch, port_of, running

pytestmark = pytest.mark.anyio


def flow(mode: str, code: str) -> str:
    return f"""
- {{kind: listener, name: listener, port: 0, answer: {mode}, ports: {{out: {{name: it}}}}}}
- {{kind: snippet, name: it, language: json, code: '{code}'}}
"""


DATA: list[dict[str, Any]] = [
    {"status": "open"},
    {"status": "open", "body": "x"},
    {"status": 7, "body": "x"},
    {"header": ["a", "b"], "body": 1},
    {"header": {"a b": "c"}},
    {"header": {"X-A": {"deep": 1}}, "status": 404},
    {"body": "x", "title": "y"},
    {"path": "/x", "body": "y"},
    {"status": True},
    {"status": None, "query": {}},
]


@pytest.mark.parametrize("data", DATA, ids=str)
@pytest.mark.parametrize("mode", ["auto", "data"])
async def test_a_map_that_does_not_fit_a_response_is_data(mode: str, data: dict[str, Any]) -> None:
    async with running(flow(mode, json.dumps(data))) as rt:
        reply = await fetch(port_of(rt))
        assert (reply.status, json.loads(reply.body)) == (200, data)


@pytest.mark.parametrize(
    ("mode", "status", "body"),
    [
        ("auto", 404, "gone"),
        ("response", 404, "gone"),
        ("data", 200, '{"status":404,"body":"gone"}'),
    ],
)
async def test_a_map_that_fits_a_response_is_one_unless_answers_are_data(
    mode: str, status: int, body: str
) -> None:
    async with running(flow(mode, '{"status": 404, "body": "gone"}')) as rt:
        reply = await fetch(port_of(rt))
        assert (reply.status, reply.text) == (status, body)


@pytest.mark.parametrize(
    "code", ['{"a": 1}', '{"status": "open"}', '{"status": 200, "title": "x"}']
)
async def test_a_flow_that_says_response_has_to_answer_one(code: str) -> None:
    async with running(flow("response", code)) as rt:
        reply = await fetch(port_of(rt))
        assert (reply.status, reply.text) == (500, "Internal Server Error")


NODES = """
- {kind: listener, name: listener, port: 0, answer: data, ports: {out: {name: router}}}
- kind: router
  name: router
  routes:
    - {method: GET, path: /made, to: make}
    - {method: GET, path: /row, to: row}
    - {method: GET, path: /none, to: none}
    - {method: GET, path: /null, to: keep}
    - {method: DELETE, path: /made, to: gone}
    - {method: GET, path: /cookie, to: cookies}
    - {method: POST, path: /job, to: job}
- kind: respond
  name: make
  status: 201
  body: "{'method': method}"
  header: {Cache-Control: no-store}
  headers: "{'Location': path, 'X-None': null}"
- {kind: snippet, name: row, language: json, code: '{"status": "open"}', ports: {out: {name: show}}}
- {kind: snippet, name: none, language: json, code: 'null', ports: {out: {name: show}}}
- {kind: snippet, name: keep, language: json, code: 'null', ports: {out: {name: plain}}}
- {kind: respond, name: show, missing: 404}
- {kind: respond, name: plain, header: {X-A: b}}
- {kind: respond, name: gone, status: 204}
- {kind: cookies, name: cookies, secure: false, ports: {out: {name: row}}}
- {kind: fork, name: job, status: 202, answer: '{"job": body.id}', ports: {out: {name: work}}}
- {kind: nop, name: work}
"""


async def test_respond_makes_responses_that_data_is_not_taken_for() -> None:
    async with running(NODES) as rt:
        port = port_of(rt)
        made = await fetch(port, "/made")
        assert (made.status, made.text) == (201, '{"method":"GET"}')
        assert made.headers["Location"] == "/made"
        assert made.headers["Cache-Control"] == "no-store"
        assert "X-None" not in made.headers
        row = await fetch(port, "/row")
        assert (row.status, row.text) == (200, '{"status":"open"}')
        lost = await fetch(port, "/none")
        assert (lost.status, lost.headers["Content-Type"]) == (404, "application/problem+json")
        assert json.loads(lost.body) == {"type": "about:blank", "title": "Not Found", "status": 404}
        null = await fetch(port, "/null")
        assert (null.status, null.text, null.headers["X-A"]) == (200, "null", "b")
        gone = await fetch(port, "/made", method="DELETE")
        assert (gone.status, gone.body) == (204, b"")
        cookie = await fetch(port, "/cookie")
        assert (cookie.status, cookie.text) == (200, '{"status":"open"}')


async def test_what_kinds_answer_themselves_are_responses_whatever_the_mode() -> None:
    async with running(NODES) as rt:
        port = port_of(rt)
        assert (await fetch(port, "/nowhere")).status == 404
        assert (await fetch(port, "/row", method="PUT")).status == 405


async def test_fork_answers_202_in_one_node() -> None:
    async with running(NODES) as rt:
        headers = {"Content-Type": "application/json"}
        reply = await fetch(port_of(rt), "/job", method="POST", headers=headers, body='{"id": 7}')
        assert (reply.status, json.loads(reply.body)) == (202, {"job": 7})
        wrong = await fetch(port_of(rt), "/job", method="POST", headers=headers, body="{}")
        assert wrong.status == 500


SHARED = """
- kind: listener
  name: listener
  port: 0
  limits: {header: 200}
  cors: {origins: ['https://a.example'], credentials: true, expose: [X-Total]}
  ports: {out: {name: router}}
- kind: router
  name: router
  routes:
    - {method: GET, path: /ok, to: ok}
    - {method: GET, path: /fails, to: fails}
    - {method: GET, path: /own, to: own}
    - {method: POST, path: /read, to: read}
- {kind: snippet, name: ok, language: text, code: ok}
- {kind: snippet, name: fails, language: cel, code: 1 / 0}
- {kind: snippet, name: read, language: cel, code: body}
- {kind: cors, name: own, origins: ['*'], ports: {out: {name: ok}}}
"""


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/ok", "", 200),
        ("GET", "/nowhere", "", 404),
        ("POST", "/ok", "", 405),
        ("GET", "/fails", "", 500),
        ("POST", "/read", "{", 400),
    ],
)
async def test_every_response_of_a_listener_has_the_headers_of_cors(
    method: str, path: str, body: str, status: int
) -> None:
    async with running(SHARED) as rt:
        headers = {"Origin": "https://a.example", "Content-Type": "application/json"}
        reply = await fetch(port_of(rt), path, method=method, headers=headers, body=body)
        assert reply.status == status
        assert reply.headers["Access-Control-Allow-Origin"] == "https://a.example"
        assert reply.headers["Access-Control-Allow-Credentials"] == "true"
        assert reply.headers["Access-Control-Expose-Headers"] == "X-Total"
        assert reply.headers["Vary"] == "Origin"
        other = await fetch(
            port_of(rt),
            path,
            method=method,
            headers={**headers, "Origin": "https://b.example"},
            body=body,
        )
        assert other.status == status
        assert "Access-Control-Allow-Origin" not in other.headers
        assert other.headers["Vary"] == "Origin"


async def test_a_listener_answers_what_browsers_ask_beforehand() -> None:
    async with running(SHARED) as rt:
        headers = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}
        reply = await fetch(port_of(rt), "/nowhere", method="OPTIONS", headers=headers)
        assert reply.status == 204
        assert "PUT" in reply.headers["Access-Control-Allow-Methods"]
        assert reply.headers["Access-Control-Allow-Origin"] == "https://a.example"


async def test_a_node_of_cors_overrules_its_listener() -> None:
    async with running(SHARED) as rt:
        reply = await fetch(port_of(rt), "/own", headers={"Origin": "https://b.example"})
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        assert "Vary" not in reply.headers


async def test_an_edited_listener_serves_its_new_policy() -> None:
    from tests.support import change

    async with running(SHARED) as rt:
        await change(rt, SHARED.replace("https://a.example", "https://b.example"))
        reply = await fetch(port_of(rt), "/ok", headers={"Origin": "https://b.example"})
        assert reply.headers["Access-Control-Allow-Origin"] == "https://b.example"


async def test_the_listener_rejects_an_origin_that_cannot_be_read() -> None:
    flow = "- {kind: listener, name: l, port: 0, cors: {origins: [nonsense/x]}}"
    async with running(flow) as rt:
        [problem] = rt.status().problems
        assert problem.path == "l.cors.origins"
