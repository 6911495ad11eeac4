"""A request is a map like any other, whichever kind it is given to, though it is read only on demand."""

import json
from pathlib import Path
from typing import Any

import pytest

from heddle.runtime.runtime import Runtime
from tests.support import fetch, port_of, running

pytestmark = pytest.mark.anyio

FRONT = """
- {kind: listener, name: listener, port: 0, ports: {out: {name: kind}, error: {name: told}}}
- {kind: snippet, name: told, language: cel, code: "{'status': 599, 'body': string(self)}"}
- {kind: snippet, name: done, language: text, code: done}
"""

TO_DONE = "ports: {out: {name: done}}"

KINDS = {
    "a python worker": "{kind: snippet, language: python, isolation: process, code: \"{'body': payload['path']}\"}",
    "a javascript worker": "{kind: snippet, language: javascript, isolation: process, code: '({body: payload.path})'}",
    "javascript": "{kind: snippet, language: javascript, code: '({body: payload.path})'}",
    "jsonata": "{kind: snippet, language: jsonata, code: '{\"body\": path}'}",
    "jinja": "{kind: snippet, language: jinja, code: '{% set all = payload|tojson %}{{ path }}'}",
    "cache": f"{{kind: cache, {TO_DONE}}}",
    "dedupe": f"{{kind: dedupe, {TO_DONE}}}",
    "throttle": f"{{kind: throttle, count: 1, key: self, {TO_DONE}}}",
    "log": f"{{kind: log, {TO_DONE}}}",
    "print": f"{{kind: print, format: json, {TO_DONE}}}",
    "csv": f"{{kind: csv, op: format, {TO_DONE}}}",
    "jsonl": f"{{kind: jsonl, op: format, {TO_DONE}}}",
    "store": f"{{kind: store, op: set, key: path, value: self, {TO_DONE}}}",
    "a store in a database": f"{{kind: store, op: set, key: path, value: self, source: ':memory:', {TO_DONE}}}",
    "sql": f"{{kind: sql, source: ':memory:', statement: 'SELECT :path, :header', {TO_DONE}}}",
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_kind_takes_a_request_as_it_comes(kind: str) -> None:
    async with running(f"{FRONT}- {KINDS[kind].replace('{kind', '{name: kind, kind', 1)}\n") as rt:
        assert not [str(problem) for problem in rt.status().problems]
        text = {"Content-Type": "text/plain"}
        reply = await fetch(port_of(rt), "/orders?n=1", method="POST", headers=text, body="text")
    assert (reply.status, reply.text) in ((200, "done"), (200, "/orders"))


async def test_a_request_is_written_as_json(tmp_path: Path) -> None:
    flow = f"{FRONT}- {{kind: file, name: kind, op: write, root: {tmp_path}, format: json, path: x.json}}"
    async with running(flow) as rt:
        assert (await fetch(port_of(rt), "/orders?n=1")).status == 200
    found = json.loads((tmp_path / "x.json").read_text())
    assert (found["path"], found["query"]) == ("/orders", {"n": ["1"]})


async def test_a_request_is_thrown_as_data() -> None:
    async with running(f"{FRONT}- {{kind: throw, name: kind}}") as rt:
        reply = await fetch(port_of(rt), "/orders")
    assert (reply.status, json.loads(reply.text)["path"]) == (599, "/orders")


async def test_a_request_in_the_log_is_told_whole() -> None:
    async with running(f"{FRONT}- {{kind: log, name: kind, {TO_DONE}}}") as rt:
        await fetch(port_of(rt), "/orders")
        [data] = logged(rt)
    assert data["path"] == "/orders"


def logged(rt: Runtime) -> list[Any]:
    return [event.data["payload"] for event in rt.events.recent if event.event == "packet"]


async def test_a_request_says_which_file_to_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("found")
    async with running(f"{FRONT}- {{kind: file, name: kind, root: {tmp_path}}}") as rt:
        assert (await fetch(port_of(rt), "/a.txt")).text == "found"
        assert (await fetch(port_of(rt), "/b.txt")).status == 599
