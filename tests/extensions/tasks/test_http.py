"""Workflows behind a listener: what the client sent wrongly is the client's fault, and nothing else is."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from heddle.extensions.tasks.durable import NAMED
from heddle.runtime.runtime import Runtime
from heddle.specs.model.mask import MASK
from tests.extensions.tasks.work import problems, workflow
from tests.holding import held
from tests.support import fetch, port_of, stored

pytestmark = pytest.mark.anyio

INPUTS = "{day: {type: integer}, tags: {schema: {type: array, items: {type: string}}}}"
WRONG = {"day": "soon", "tags": ["a", 1]}


def behind(flow: str) -> str:
    """Return a listener whose JSON bodies go to the workflow `w` of this text."""
    return f"""\
- {{kind: listener, name: listener, port: 0, ports: {{out: [{{name: body, port: in}}]}}}}
- kind: snippet
  name: body
  language: cel
  code: self.body
  ports: {{out: [{{name: w, port: in}}]}}
{flow}"""


@asynccontextmanager
async def serving(flow: str, place: Path) -> AsyncIterator[Runtime]:
    """Provide a runtime of this workflow; its durable runs are in a file at this place."""
    runtime = Runtime(store=stored(behind(flow)))
    runtime.table.shared[NAMED] = str(place / "runs.sqlite")
    async with runtime:
        assert not problems(runtime)
        yield runtime


async def post(runtime: Runtime, body: Any) -> Any:
    """Send this as JSON."""
    return await fetch(
        port_of(runtime),
        method="POST",
        headers={"Content-Type": "application/json"},
        body=json.dumps(body),
    )


@pytest.mark.parametrize("durable", ["false", "true"])
async def test_inputs_that_do_not_fit_are_a_422(durable: str, tmp_path: Path) -> None:
    flow = workflow("- {name: a, run: '$:numbers'}", inputs=INPUTS, durable=durable)
    async with serving(flow, tmp_path) as runtime:
        reply = await post(runtime, WRONG)
        assert reply.status == 422
        assert reply.headers["Content-Type"] == "application/problem+json"
        document = json.loads(reply.body)
        assert document["status"] == 422
        assert document["type"] == "urn:heddle:problem:invalid"
        assert {each["path"] for each in document["problems"]} == {"day", "tags[1]"}
        assert all(each["found"] and each["expected"] for each in document["problems"])
        assert (await post(runtime, {"day": 1, "tags": ["a"]})).status == 200


INNER = "{kind: workflow, inputs: {n: {type: integer}}, tasks: [{name: i, run: '$:numbers'}]}"


@pytest.mark.parametrize(
    "work",
    [
        INNER,
        f"{{kind: block, inbounds: {{in: [{{name: i, port: in}}]}}, specs: [{INNER.replace('kind: workflow', 'kind: workflow, name: i')}]}}",
    ],
)
@pytest.mark.parametrize("durable", ["false", "true"])
async def test_wrong_inputs_of_a_task_are_a_500(work: str, durable: str, tmp_path: Path) -> None:
    task = f"""- {{name: a, do: {work}, inputs: {{n: {{code: "'secret-of-' + 'ours'"}}}}}}"""
    other = "- {name: b, run: '$:fail'}"
    for tasks in (task, f"{task}\n{other}"):
        flow = workflow(tasks, durable=durable, on_error="finish")
        async with serving(flow, tmp_path) as runtime:
            reply = await post(runtime, {})
            assert reply.status == 500
            assert b"secret-of-ours" not in reply.body
            assert b"integer" not in reply.body


async def test_a_secret_of_a_schema_is_masked_in_mistakes(tmp_path: Path) -> None:
    flow = workflow(
        "- {name: a, run: '$:numbers'}",
        inputs="{day: {schema: {enum: [1, '{{ .KEY }}']}}}",
        env="{KEY: {name: key}}",
    )
    value = "\n---\n{name: key, secret: true, data: hunter2-of-the-loom}\n"
    async with serving(flow + value, tmp_path) as runtime:
        reply = await post(runtime, {"day": 2})
        assert reply.status == 422
        assert "hunter2" not in reply.text
        assert MASK in reply.text


async def test_an_expression_of_an_input_takes_linear_time(tmp_path: Path) -> None:
    flow = workflow("- {name: a, run: '$:numbers'}", inputs="{day: {schema: {pattern: '^(a+)+$'}}}")
    async with serving(flow, tmp_path) as runtime:
        begun = process_time()
        reply = await post(runtime, {"day": "a" * 35 + "!"})
        assert reply.status == 422
        assert process_time() - begun < 1.5


@pytest.mark.parametrize("durable", ["false", "true"])
async def test_mistakes_in_inputs_are_listed_beside_other_work(
    durable: str, tmp_path: Path
) -> None:
    schema = "{type: array, items: {type: integer, minimum: 0, maximum: 9}}"
    inputs = f"{{day: {{schema: {schema}}}}}"
    flow = workflow("- {name: a, run: '$:numbers'}", inputs=inputs, durable=durable)
    async with serving(flow, tmp_path) as runtime:
        reply, longest = await held(post(runtime, {"day": [*([1] * 40_000), "x"]}))
        assert [each["path"] for each in json.loads(reply.body)["problems"]] == ["day[40000]"]
        assert longest < 0.15
