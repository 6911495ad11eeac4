"""Whatever the shape of a graph, and whatever waits: the outputs are those of plain Python, and nothing is left."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from heddle.extensions.extension import Error
from tests.extensions.tasks.work import AT, problems, run, workflow
from tests.support import running

WORKS = {
    "plain": f"run: '{AT}:count_up'",
    "waits": f"run: '{AT}:count_up_later'",
    "python": "do: {kind: snippet, language: python, code: '1 + max(payload.values(), default=0)'}",
    "process": f"do: {{kind: task, run: '{AT}:count_up_later', timeout: 1m}}",
    "limited": f"timeout: 1m, run: '{AT}:count_up_later'",
    "tried": f"retry: 2, run: '{AT}:count_up'",
    "nested": (
        "do: {kind: workflow, inputs: {i0: {default: 0}, i1: {default: 0}, i2: {default: 0}}, tasks: "
        f"[{{name: n, run: '{AT}:count_up_later', inputs: {{a: in.i0, b: in.i1, c: in.i2}}}}]}}"
    ),
}
BROKEN = f"run: '{AT}:fail_always'"


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[str, list[int], str]]:
    """Draw tasks: how each does its work, which earlier ones it reads, and its priority."""
    count = draw(st.integers(1, 12))
    return [
        (
            draw(st.sampled_from(sorted(WORKS))),
            sorted(draw(st.sets(st.integers(0, number - 1), max_size=3))) if number else [],
            draw(st.sampled_from(["low", "medium", "high"])),
        )
        for number in range(count)
    ]


def written(
    graph: list[tuple[str, list[int], str]], broken: frozenset[int] = frozenset(), **fields: Any
) -> str:
    """Return a graph as a workflow whose outputs are those of all tasks."""
    lines = []
    for number, (work, reads, priority) in enumerate(graph):
        inputs = ", ".join(f"i{place}: t{read}" for place, read in enumerate(reads))
        how = BROKEN if number in broken else WORKS[work]
        lines.append(f"- {{name: t{number}, priority: {priority}, inputs: {{{inputs}}}, {how}}}")
    outputs = ", ".join(f"o{number}: t{number}" for number in range(len(graph)))
    return workflow("\n".join(lines), outputs=f"{{{outputs}}}", **fields)


async def outcome(flow: str) -> tuple[Any, int]:
    """Run a workflow; return its answer, and how many tasks and processes are left of it."""
    async with running(flow) as rt:
        assert not problems(rt)
        before = asyncio.all_tasks()
        async with asyncio.timeout(30):
            answer = await run(rt, "w")
        left = {task for task in asyncio.all_tasks() - before if not task.done()}
        return answer, len(left) + len(rt.table.wiring.processes)


@settings(max_examples=40)
@given(graph=graphs(), most=st.none() | st.integers(1, 3))
def test_outputs_are_those_of_plain_python(
    graph: list[tuple[str, list[int], str]], most: int | None
) -> None:
    expected: list[int] = []
    for _, reads, _ in graph:
        expected.append(1 + max((expected[read] for read in reads), default=0))
    limit: dict[str, Any] = {} if most is None else {"max_parallel": most}
    answer, left = asyncio.run(outcome(written(graph, **limit)))
    assert answer == {f"o{number}": value for number, value in enumerate(expected)}
    assert not left


@settings(max_examples=40)
@given(graph=graphs(), data=st.data(), policy=st.sampled_from(["stop", "finish"]))
def test_a_failure_reaches_the_answer_and_leaves_nothing(
    graph: list[tuple[str, list[int], str]], data: st.DataObject, policy: str
) -> None:
    broken = data.draw(st.frozensets(st.integers(0, len(graph) - 1), min_size=1, max_size=3))
    answer, left = asyncio.run(outcome(written(graph, broken, on_error=policy)))
    assert isinstance(answer, Error)
    failed = {error.symbol for error in answer.errors or (answer,)}
    assert failed <= {f"w/t{number}" for number in broken}
    assert not left
    if policy == "finish":
        reached: set[int] = set()
        for number, (_, reads, _) in enumerate(graph):
            if reached.isdisjoint(reads) and broken.isdisjoint(reads):
                continue
            reached.add(number)
        assert failed == {f"w/t{number}" for number in broken - reached}
