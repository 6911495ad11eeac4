"""What a change replaces is freed at once: its generation and its node, without the garbage collector."""

import asyncio
import copy
import gc
import json
from collections.abc import Iterator
from weakref import ref

import pytest

from heddle.runtime.flow.node import Node
from heddle.runtime.flow.wiring import Wiring
from heddle.runtime.runtime import Runtime
from tests.extensions.test_every_reload import KINDS, alone
from tests.support import change, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Yield no garbage collection, so that only counts of references free anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


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
        async with asyncio.timeout(5):
            # Nodes close in their own time; the last of them is still in place.
            while any(one() is not None for one in (*nodes, *wirings)):  # noqa: ASYNC110 - nobody announces it
                await asyncio.sleep(0.01)
