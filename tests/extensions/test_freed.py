"""What a change replaces is freed at once: its generation and its node, without the garbage collector."""

import asyncio
import copy
import gc
import json
from collections.abc import Iterator
from typing import Any
from weakref import ref

import pytest

from heddle.runtime.assembly.extension import registry
from heddle.runtime.assembly.scheme import Scheme
from heddle.runtime.flow.node import Node, dissolve
from heddle.runtime.flow.wiring import Wiring
from heddle.runtime.runtime import Runtime
from heddle.specs.model.spec import Spec
from heddle.specs.yaml.document import read_text
from tests.extensions.test_every_reload import KINDS, alone
from tests.support import change, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Switch garbage collection off, so that only counts of references free anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def freed(*things: "ref[Any]") -> None:
    """Wait until they are; nodes close in their own time."""
    async with asyncio.timeout(5):
        while any(one() is not None for one in things):  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.01)


def node_of(rt: Runtime, name: str) -> "ref[Node]":
    symbol = rt.table.get(name)
    assert symbol is not None
    return ref(symbol.node)


def changed(specs: list[dict[str, object]], number: int, turn: int) -> str:
    """Return the Specs with one changed: its node is made anew."""
    again = copy.deepcopy(specs)
    if KINDS[str(again[number]["kind"])].ins:
        again[number]["timeout"] = f"{50 + turn}s"
    else:
        again[number]["env"] = {"UNUSED": {"data": turn}}
    return json.dumps(again)


@pytest.mark.parametrize("name", KINDS)
async def test_a_replaced_node_and_its_generation_are_freed_at_once(
    name: str, uncollected: None
) -> None:
    specs = alone(KINDS[name].example)
    number = next(index for index, one in enumerate(specs) if one["kind"] == name)
    async with running(json.dumps(specs), drain=0.2) as rt:
        nodes, wirings = [], list[ref[Wiring]]()
        for turn in range(4):
            nodes.append(node_of(rt, specs[number]["name"]))
            wirings.append(ref(rt.table.wiring))
            await change(rt, changed(specs, number, turn))
        # The last of them is still in place.
        await freed(*nodes, *wirings)


DURABLE = """
- kind: workflow
  name: it
  durable: memory
  env: {TURN: {data: %d}}
  tasks:
  - name: text
    do: {kind: snippet, language: cel, code: "'Hello'"}
"""


async def test_a_replaced_node_of_durable_runs_is_freed_at_once(uncollected: None) -> None:
    async with running(DURABLE % 0, drain=0.2) as rt:
        first = node_of(rt, "it")
        await change(rt, DURABLE % 1)
        await freed(first)


WAITING = """
- {kind: pipe, name: it, env: {TURN: {data: %d}}, ports: {"out[0]": {name: missing, port: in}}}
"""


async def test_a_replaced_node_that_never_began_is_freed_at_once(uncollected: None) -> None:
    async with running(WAITING % 0, drain=0.2) as rt:
        first = node_of(rt, "it")
        await change(rt, WAITING % 1)
        await freed(first)


UNBOUND = {"cookies", "follow"}
"""Kinds whose examples have a blank that is not filled yet when nothing is bound."""


@pytest.mark.parametrize("name", KINDS)
def test_a_node_that_never_begins_is_freed_at_once(name: str, uncollected: None) -> None:
    for spec in read_text(json.dumps(alone(KINDS[name].example))).specs:
        if spec.kind in UNBOUND:
            continue
        registry().scheme.compile(spec)  # what is imported and kept for it
        gc.collect()
        node = registry().scheme.compile(spec)
        made = ref(node)
        dissolve(node)
        del node
        assert made() is None


async def test_a_node_of_a_rejected_change_is_freed_at_once(
    uncollected: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ref[Node]] = []
    compiling = Scheme.compile

    def compiled(scheme: Scheme, spec: Spec) -> Node:
        node = compiling(scheme, spec)
        made.append(ref(node))
        return node

    monkeypatch.setattr(Scheme, "compile", compiled)
    async with running(drain=0.2) as rt:
        await change(rt, "- {kind: pipe, name: it, ports: {'out[0]': {name: it, port: nope}}}")
        assert rt.table.get("it") is None
        assert made
        await freed(*made)


MISTAKES = [
    '- {kind: throw, name: it, code: x, message: "{{ MISSING }} {{ OTHER | upper }}"}',
    '- {kind: throw, name: it, code: x, message: "{{ OTHER + MISSING }}", env: {OTHER: {data: []}}}',
    "- {kind: sleep, name: it, duration: [1]}",
    "- {kind: sleep, name: it, duration: nine}",
    "- {kind: http, name: it, headers: {a: [[]]}, retry: {times: x}}",
    "- {kind: nonsense, name: it}",
    "- {kind: workflow, name: it, tasks: [{name: a, run: 'x:y', inputs: {a: b.c.d, b: in.x}}]}",
    "- {kind: snippet, name: it, language: cel, code: 'self.'}",
    "- {kind: snippet, name: it, language: jsonata, code: '(('}",
    "- {kind: snippet, name: it, language: python, code: 'def ('}",
    "- {kind: snippet, name: it, language: javascript, code: '(('}",
]
"""Specs that are rejected, each at another place."""


@pytest.mark.parametrize("text", MISTAKES)
async def test_what_a_rejected_spec_leaves_is_freed_at_once(text: str, uncollected: None) -> None:
    def flow(turn: int) -> str:
        return f"{text}\n- {{kind: pipe, name: other, env: {{TURN: {{data: {turn}}}}}}}"

    async with running(flow(0), drain=0.2) as rt:
        await change(rt, flow(1))  # what is imported for it
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            await change(rt, flow(2))
            gc.collect()
            ours = [one for one in gc.garbage if isinstance(one, BaseException | Node | Spec)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
        assert ours == []


@pytest.mark.parametrize(
    "text",
    ["- {a: 1, b: [x, y]}\n", "- &a {x: 1}\n- *a\n", '[{"a": 1}]'],
)
def test_a_text_that_was_read_is_freed_at_once(text: str, uncollected: None) -> None:
    read_text(text)  # what is imported for it
    gc.collect()
    read_text(text)
    assert gc.collect() == 0
