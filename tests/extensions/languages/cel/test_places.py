"""Errors of a run name file, line and field; bare types leave as their names; keys are quoted."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from heddle.extensions.languages.cel.compiler import compile_condition, compile_program
from heddle.extensions.languages.cel.errors import EvaluationError
from heddle.runtime.flow.errors import Error
from heddle.runtime.runtime import Runtime
from tests.support import running

anyio = pytest.mark.anyio

FLOW = """\
- kind: sql
  name: read
  source: ':memory:'
  statement: SELECT :id
  args: "{'id': self.id}"
- kind: snippet
  name: block
  language: cel
  code: |
    // a comment
    self.a +
      self.b.c
- kind: if
  name: choice
  when: {language: cel, code: self.n > 1}
- kind: snippet
  name: walk
  language: cel
  code: size(lists.range(60000).map(x, x)) / self.zero
"""


async def failure(rt: Runtime, name: str, payload: Any) -> str:
    """Return the message of the Error that a node answers."""
    answer = await rt.send(name, payload)
    assert isinstance(answer, Error)
    return answer.message


@anyio
async def test_an_error_names_file_line_node_and_field(tmp_path: Path) -> None:
    file = tmp_path / "api.yaml"
    file.write_text(FLOW)
    async with Runtime(store=file) as rt:
        said = await failure(rt, "read", {"ids": 1})
        assert "api.yaml:5 read.args: no such key" in said
        assert "api.yaml:12 block.code: no such key" in await failure(
            rt, "block", {"a": 1, "b": {}}
        )
        assert "api.yaml:15 choice.when.code: no such overload" in await failure(
            rt, "choice", {"n": "x"}
        )
        # More elements than are walked on the spot: it fails in a worker, and says the same.
        assert "api.yaml:19 walk.code: division by zero" in await failure(rt, "walk", {"zero": 0})


@anyio
async def test_the_log_does_not_name_the_node_twice() -> None:
    flow = "- {kind: timer, name: t, interval: 10ms, ports: {out: {name: a}}}\n"
    flow += "- {kind: snippet, name: a, language: cel, code: self.nope}\n"
    told: asyncio.Queue[str] = asyncio.Queue()
    async with running(flow) as rt:
        rt.events.listen(
            lambda event: told.put_nowait(event.reason) if event.event == "tick failed" else None
        )
        reason = await asyncio.wait_for(told.get(), 30)
    assert "a.code: unknown name" in reason or "a.code: no such key" in reason
    assert not reason.endswith(" at a")


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("int", "int"),
        ("[int, string]", ["int", "string"]),
        ("{'a': {'b': map}}", {"a": {"b": "map"}}),
        ("true ? list : 1", "list"),
        ("[1].map(x, null_type)", ["null_type"]),
        ("dyn(bytes)", "bytes"),
        (".int", "int"),
        ("google.protobuf.Timestamp", "google.protobuf.Timestamp"),
    ],
)
def test_a_bare_type_leaves_as_its_name(code: str, result: Any) -> None:
    assert compile_program(code)({}) == result


def test_a_key_of_the_payload_goes_before_a_type() -> None:
    assert compile_program("[int, int == 7]")({"int": 7}) == [7, True]
    assert compile_condition("type(1) == int")({}) is True


@pytest.mark.parametrize(
    ("code", "payload"),
    [
        ("{id: self.id}", {"ident": 1}),
        ("{id: self.id}", 7),
        ("{id: self.id}", {"id": {"a": 1}}),
        ("{'a': 1, id: 2}", {"id": None}),
        ("{self: 1, id: 2}", {}),
    ],
)
def test_a_key_without_quotes_gets_a_hint(code: str, payload: Any) -> None:
    with pytest.raises(EvaluationError) as caught:
        compile_program(code)(payload)
    assert "A key without quotes is an expression. Try: {'" in caught.value.message


def test_a_key_may_be_computed() -> None:
    assert compile_program("{id: 1, a.b: 2}")({"id": "x", "a": {"b": "y"}}) == {"x": 1, "y": 2}
    assert compile_program("['q'].map(k, {k: 1})")({}) == [{"q": 1}]


def test_json_text_that_would_be_too_long_is_never_made() -> None:
    payload = {"long": "x" * 100_000}
    program = compile_program("size(string(lists.range(1000).map(i, long)))")
    with pytest.raises(EvaluationError, match="more than 10,000,000"):
        program(payload)
    assert compile_program("size(string([long, long]))")(payload) == 200_007


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("string({'a': [1, 2.5, null, true, 'é']})", '{"a":[1,2.5,null,true,"é"]}'),
        ("string([1u, duration('1s'), int])", '[1,"1s","int"]'),
        ("string([b'x'])", '["eA=="]'),
        ("'?' + string(query)", '?{"a":["1"]}'),
    ],
)
def test_lists_and_maps_are_json_text(code: str, text: str) -> None:
    assert compile_program(code)({"query": {"a": ["1"]}}) == text
