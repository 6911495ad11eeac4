"""A workflow of any shape gives what the same functions give when Python calls them one by one."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heddle import Workflow, run, task, workflow_of_spec
from heddle.extensions.tasks.authoring.task import Task

pytestmark = pytest.mark.anyio


@task
def add(a: int = 0, b: int = 0, c: int = 0) -> int:
    return a + 3 * b + 7 * c


@task
async def later(a: int = 0, b: int = 0) -> int:
    await asyncio.sleep(0)
    return 2 * a - b


@task
async def at_once(a: int = 1) -> int:
    return a + 1


@task
def pair(a: int = 0, b: int = 1) -> dict[str, Any]:
    return {"sum": a + b, "parts": [a, b]}


WORK: dict[str, Task[..., Any]] = {each.name: each for each in (add, later, at_once, pair)}

STEP = st.tuples(
    st.sampled_from(sorted(WORK)),
    st.lists(st.integers(0, 40), max_size=3),
    st.booleans(),
)
"""One task: which function, where its inputs come from (counted backwards), whether it comes after."""


def plain(name: str, inputs: list[int]) -> Any:
    """Call a function of a task as Python does."""
    answer = WORK[name](*inputs)
    return asyncio.run(answer) if asyncio.iscoroutine(answer) else answer


def build(steps: list[Any]) -> tuple[Workflow, dict[str, Any]]:
    """Return a workflow of these steps, and what its outputs have to be for the input 5."""
    made = Workflow("random", inputs={"n": int})
    sources = [(made.inputs[0].output, 5)]
    expected: dict[str, Any] = {}
    calls: list[Any] = []
    for number, (name, picks, ordered) in enumerate(steps):
        names = [each.name for each in WORK[name].inputs][: len(picks)]
        chosen = [sources[pick % len(sources)] for pick in picks[: len(names)]]
        inputs = {key: output for key, (output, _) in zip(names, chosen, strict=True)}
        after = [calls[picks[0] % len(calls)]] if ordered and picks and calls else []
        call = made.add(WORK[name], inputs, name=f"t{number}", after=after)
        calls.append(call)
        value = plain(name, [value for _, value in chosen])
        made.output(f"o{number}", call)
        expected[f"o{number}"] = value
        if name == "pair":
            sources += [
                (call.output["sum"], value["sum"]),
                (call.output["parts"][1], value["parts"][1]),
            ]
        else:
            sources.append((call.output, value))
    return made, expected


@given(st.lists(STEP, min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_a_call_gives_what_python_gives(steps: list[Any]) -> None:
    made, expected = build(steps)
    assert made.call(n=5) == expected
    again = workflow_of_spec(made.specs()[0])
    assert again.call(n=5) == expected


@pytest.mark.parametrize("address", [None, "memory://"])
async def test_a_run_gives_what_python_gives(address: str | None) -> None:
    steps = [
        ("add", [0, 0], False),
        ("later", [1], False),
        ("pair", [2, 1], True),
        ("at_once", [3], False),
        ("add", [4, 3, 2], True),
        ("later", [5, 6], False),
    ]
    made, expected = await asyncio.to_thread(build, steps)
    handles = [await run(made, n=5, run_store=address) for _ in range(3)]
    assert await asyncio.gather(*handles) == [expected] * 3
