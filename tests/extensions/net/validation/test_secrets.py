"""validate: a secret in a schema is for those who wrote it, and never for those who send."""

import asyncio
import json
from pathlib import Path

import pytest

from heddle.specs.model.mask import MASK
from tests.support import fetch, port_of, running

pytestmark = pytest.mark.anyio

SECRET = "hunter2-of-the-loom"

VALUE = f"{{name: key, secret: true, data: {SECRET}}}\n---\n"
FLOW = (
    VALUE
    + """
- {kind: listener, name: listener, port: 0, ports: {out: {name: check}}}
- kind: validate
  name: check
  env: {KEY: {name: key}}
  body: %s
"""
)


@pytest.mark.parametrize(
    "schema",
    [
        "{properties: {a: {const: '{{ .KEY }}'}}}",
        "{properties: {a: {enum: [x, '{{ .KEY }}']}}}",
        "{properties: {a: {type: integer, default: '{{ .KEY }}', title: '{{ .KEY }}'}}}",
        "{properties: {a: {pattern: '^{{ .KEY }}$'}}}",
        "{properties: {a: {anyOf: [{const: '{{ .KEY }}'}, {type: integer}]}}}",
        "{properties: {a: {$ref: '#/$defs/k'}}, $defs: {k: {const: 'Bearer {{ .KEY }}'}}}",
        "{required: ['{{ .KEY }}']}",
        "{properties: {'{{ .KEY }}': {}}, additionalProperties: false}",
    ],
)
async def test_a_secret_of_a_schema_is_masked_in_mistakes(schema: str) -> None:
    async with running(FLOW % schema) as rt:
        assert not rt.status().problems
        sent = {"Content-Type": "application/json"}
        reply = await fetch(port_of(rt), "/", method="POST", headers=sent, body='{"a": "b"}')
        assert reply.status == 422
        assert SECRET not in reply.text
        assert MASK in reply.text


async def test_a_guess_of_a_secret_is_shown_as_it_was_sent() -> None:
    async with running(FLOW % "{properties: {a: {type: integer}}, title: '{{ .KEY }}'}") as rt:
        sent = {"Content-Type": "application/json"}
        body = json.dumps({"a": SECRET})
        reply = await fetch(port_of(rt), "/", method="POST", headers=sent, body=body)
        assert json.loads(reply.body)["problems"][0]["found"] == f'the text "{SECRET}"'


async def test_a_secret_stays_masked_after_a_file_is_saved(tmp_path: Path) -> None:
    (tmp_path / "part.json").write_text("{}")
    schema = (
        f"{{$ref: part.json, properties: {{a: {{const: '{{{{ .KEY }}}}'}}}}}}\n  root: '{tmp_path}'"
    )
    async with running(FLOW % schema) as rt:
        seen = asyncio.ensure_future(rt.events.wait("schema changed"))
        await asyncio.sleep(0)
        (tmp_path / "part.json").write_text('{"type": "object"}')
        async with asyncio.timeout(60):
            await seen
        sent = {"Content-Type": "application/json"}
        reply = await fetch(port_of(rt), "/", method="POST", headers=sent, body='{"a": "b"}')
        assert reply.status == 422
        assert SECRET not in reply.text
