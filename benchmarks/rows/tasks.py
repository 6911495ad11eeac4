"""tasks: a workflow of a thousand tasks, beside a plain loop and an asyncio task for each of them."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import process_time
from typing import Any

from benchmarks.measure import Measure, Reach, at_most, measured
from benchmarks.row import AnswerMismatchError, Row, Say
from benchmarks.scale import Scale
from heddle.runtime.assembly.kind import node
from heddle.runtime.flow.finish import finish
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.runtime import Runtime
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.yaml.document import read_text

Shape = Mapping[int, Sequence[int]]
"""The tasks by number, and those that each of them reads."""


def plain(**inputs: int) -> int:
    """Do the work of a task: one more than its largest input."""
    return 1 + max(inputs.values(), default=0)


async def suspending(**inputs: int) -> int:
    """Do the same, a turn of the loop later."""
    await asyncio.sleep(0)
    return 1 + max(inputs.values(), default=0)


def double(x: int) -> int:
    """Do the work of an item."""
    return x * 2


@node("bench-later", summary="Does the same as a node of its own kind, in a process of its own.")
async def later(payload: dict[str, int]) -> int:
    """Do the same."""
    await asyncio.sleep(0)
    return 1 + max(payload.values(), default=0)


def shapes(count: int) -> dict[str, Shape]:
    """Return the shapes of the graphs, each with about so many tasks."""
    side = int(count**0.5)
    return {
        "chain": {n: [n - 1] if n else [] for n in range(count)},
        "fan": {
            **{n: [0] if n else [] for n in range(count - 1)},
            count - 1: list(range(1, count - 1)),
        },
        "grid": {
            row * side + column: [
                *([(row - 1) * side + column] if row else []),
                *([row * side + column - 1] if column else []),
            ]
            for row in range(side)
            for column in range(side)
        },
        "independent": {n: [] for n in range(count)},
    }


def written(name: str, shape: Shape, work: str, more: str = "") -> str:
    """Return a workflow of this shape as YAML."""
    tasks = "".join(
        f"    - {{name: t{n}, {work}, inputs: {{{', '.join(f'i{u}: t{u}' for u in ups)}}}}}\n"
        for n, ups in shape.items()
    )
    last = len(shape) - 1
    return f"- kind: workflow\n  name: {name}\n{more}  outputs: {{out: t{last}}}\n  tasks:\n{tasks}"


def loop_over(shape: Shape) -> int:
    """Do the work of all tasks in a plain loop."""
    done: dict[int, int] = {}
    for number, ups in shape.items():
        done[number] = plain(**{f"i{up}": done[up] for up in ups})
    return done[len(shape) - 1]


async def task_each(shape: Shape) -> int:
    """Do the work of all tasks with an asyncio task for each."""
    tasks: dict[int, asyncio.Task[int]] = {}

    async def work(ups: Sequence[int]) -> int:
        return plain(**{f"i{up}": await tasks[up] for up in ups})

    for number, ups in shape.items():
        tasks[number] = asyncio.create_task(work(ups))
    return (await asyncio.gather(*tasks.values()))[-1]


async def suspending_each(shape: Shape) -> int:
    """Do the same with functions that suspend."""
    tasks: dict[int, asyncio.Task[int]] = {}

    async def work(ups: Sequence[int]) -> int:
        return await suspending(**{f"i{up}": await tasks[up] for up in ups})

    for number, ups in shape.items():
        tasks[number] = asyncio.create_task(work(ups))
    return (await asyncio.gather(*tasks.values()))[-1]


async def run_workflow(rt: Runtime, name: str, payload: Any = None) -> Any:
    """Run a workflow once."""
    symbol = rt.table.get(name)
    if symbol is None:
        raise AnswerMismatchError(f"there is no workflow {name}")
    process = LiveProcess(rt.table.wiring)
    return await finish(process, process.run(process.wiring.entry(symbol.id, "in"), payload))


async def spend(work: Callable[[], Awaitable[Any]]) -> tuple[float, Any]:
    """Return the CPU time of some work in seconds, and its answer."""
    gc.collect()
    began = process_time()
    answer = await work()
    return process_time() - began, answer


async def compare(
    name: str,
    floor: Callable[[], Awaitable[Any]],
    subject: Callable[[], Awaitable[Any]],
    expected: Any,
    rounds: int,
    tasks: int,
    reach: Reach | None,
) -> Measure:
    """Measure the subject beside the floor, in turn."""
    ratios, least = [], [1e9, 1e9]
    for _ in range(rounds):
        low, base = await spend(floor)
        high, answer = await spend(subject)
        if answer != expected or base is None:
            raise AnswerMismatchError(f"{name}: {str(answer)[:200]} instead of {expected}")
        ratios.append(high / low)
        least = [min(least[0], low), min(least[1], high)]
    facts = {
        "floor µs": round(least[0] / tasks * 1e6, 3),
        "task µs": round(least[1] / tasks * 1e6, 3),
    }
    return measured(name, ratios, reach=reach, facts=facts)


def _later(fn: Callable[[], Any]) -> Callable[[], Awaitable[Any]]:
    async def call() -> Any:
        return fn()

    return call


def run(scale: Scale, say: Say) -> list[Measure]:
    """Measure graphs of several shapes, items, and the load of a large workflow."""
    return asyncio.run(_measured(scale, say))


async def _measured(scale: Scale, say: Say) -> list[Measure]:
    count = min(1000, scale.items)
    rounds = max(2, scale.samples // 4)
    found: list[Measure] = []
    for name, shape in shapes(count).items():
        say(f"{name} of {len(shape)} tasks")
        found += await _shape(name, shape, rounds)
    say("for_each")
    found.append(await _items(min(100_000, scale.items * 10), rounds))
    say("load")
    found += await _load(count, max(2, rounds // 3))
    return found


async def _shape(name: str, shape: Shape, rounds: int) -> list[Measure]:
    """Measure plain functions, and functions that wait in three ways."""
    functions = "run: 'benchmarks.rows.tasks:plain'"
    waiting = "run: 'benchmarks.rows.tasks:suspending'"
    limit = "  max_parallel: 50\n"
    text = (
        written("plain", shape, functions)
        + written("limited", shape, waiting, limit)
        + written("all", shape, waiting)
        + written("process", shape, "do: {kind: bench-later}", limit)
    )
    expected = loop_over(shape)
    size = len(shape)
    reading = read_text(text)
    async with Runtime(store=MemoryStore(reading.specs), extensions=[later]) as rt:

        def subject(workflow: str) -> Callable[[], Awaitable[Any]]:
            return lambda: run_workflow(rt, workflow)

        async def line(
            what: str, floor: Callable[[], Awaitable[Any]], workflow: str, bound: float
        ) -> Measure:
            return await compare(
                f"{name}: {what}", floor, subject(workflow), expected, rounds, size, at_most(bound)
            )

        each = lambda: task_each(shape)  # noqa: E731 - three short floors beside each other
        later_each = lambda: suspending_each(shape)  # noqa: E731
        loop = _later(lambda: loop_over(shape))
        return [
            await line("plain functions, × an asyncio task each", each, "plain", 0.5),
            await line("plain functions, × a plain loop", loop, "plain", 7.0),
            await line("waiting, 50 at a time", later_each, "limited", 0.6),
            await line("waiting, 50 at a time, a process each", later_each, "process", 1.5),
            await line("waiting, all at once", later_each, "all", 2.0),
        ]


async def _items(count: int, rounds: int) -> Measure:
    """Measure `for_each` over a long list of plain calls."""
    text = """\
- kind: workflow
  name: items
  inputs: {x: {type: array}}
  tasks: [{name: a, run: 'benchmarks.rows.tasks:double', inputs: {x: in.x}, for_each: {over: x, limit: 1000000}}]
"""
    values = list(range(count))
    reading = read_text(text)
    async with Runtime(store=MemoryStore(reading.specs)) as rt:
        return await compare(
            f"for_each over {count:,} plain calls, × a loop of them",
            _later(lambda: [double(value) for value in values]),
            lambda: run_workflow(rt, "items", {"x": values}),
            [double(value) for value in values],
            rounds,
            count,
            at_most(3.0),
        )


async def _load(count: int, rounds: int) -> list[Measure]:
    """Measure the load of a workflow, from text to ready, beside as many snippets; and its first run."""
    links = "".join(
        f"- {{kind: snippet, name: s{n}, language: cel, code: self + 1, ports: {{out: [{{name: s{n + 1}}}]}}}}\n"
        for n in range(count - 1)
    )
    snippets = f"{links}- {{kind: snippet, name: s{count - 1}, language: cel, code: self + 1}}\n"
    workflow = written("w", shapes(count)["chain"], "run: 'benchmarks.rows.tasks:plain'")
    ratios, first = [], []
    for _ in range(rounds):
        low, _rt = await spend(lambda: _loaded(snippets))
        high, times = await spend(lambda: _loaded(workflow, "w"))
        ratios.append((high - sum(times)) / low)
        first.append((times[0] - min(times[1:])) * 1000)
    return [
        measured(
            f"load of a workflow of {count:,} tasks, × {count:,} snippets",
            ratios,
            reach=at_most(1.2),
        ),
        measured(
            "its first run takes longer than the next by", first, unit="ms", reach=at_most(15)
        ),
    ]


async def _loaded(text: str, name: str = "") -> list[float]:
    """Load what a text says, and run a workflow of it three times; return the times of that."""
    times = []
    async with Runtime(store=MemoryStore(read_text(text).specs)) as rt:
        for _ in range(3 if name else 0):
            began = process_time()
            await run_workflow(rt, name)
            times.append(process_time() - began)
    return times


ROW = Row(
    title="a workflow of a thousand tasks",
    floor="the same functions in a loop; an asyncio task for each of them",
    run=run,
)
