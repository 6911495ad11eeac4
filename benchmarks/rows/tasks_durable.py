"""tasks_durable: a workflow of a thousand tasks that is recorded in SQLite, and one that goes on half way."""

import asyncio
import gc
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any
from uuid import UUID

from benchmarks.measure import Measure, at_most, measured
from benchmarks.row import AnswerMismatchError, Row, Say
from benchmarks.scale import Scale
from heddle.extensions.tasks.durable import NAMED
from heddle.extensions.tasks.run_stores.active_run import ActiveRun
from heddle.extensions.tasks.workflow import WorkflowNode
from heddle.runtime.runtime import Runtime
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.yaml.document import read_text

Shape = Mapping[int, Sequence[int]]
"""The tasks by number, and those that each of them reads."""

stopping: list[ActiveRun] = []
"""The run that is to stop half way."""

left = [0]
"""How many tasks are called until then; 0 if nothing is to stop."""


def plain(**inputs: int) -> int:
    """Do the work of a task: one more than its largest input. Stop the run if it is time."""
    if left[0]:
        left[0] -= 1
        if not left[0]:
            stopping[0].journal.draining = True
            asyncio.get_running_loop().create_task(stopping.pop().drain(0.0))
    return 1 + max(inputs.values(), default=0)


def shapes(count: int) -> dict[str, Shape]:
    """Return a chain and a fan of so many tasks."""
    return {
        "chain": {n: [n - 1] if n else [] for n in range(count)},
        "fan": {
            **{n: [0] if n else [] for n in range(count - 1)},
            count - 1: list(range(1, count - 1)),
        },
    }


def written(shape: Shape) -> str:
    """Return a durable workflow of this shape as YAML."""
    tasks = "".join(
        f"    - {{name: t{n}, run: 'benchmarks.rows.tasks_durable:plain', "
        f"inputs: {{{', '.join(f'i{u}: t{u}' for u in ups)}}}}}\n"
        for n, ups in shape.items()
    )
    last = len(shape) - 1
    return f"- kind: workflow\n  name: w\n  durable: true\n  outputs: {{out: t{last}}}\n  tasks:\n{tasks}"


async def task_each(shape: Shape) -> int:
    """Do the work of all tasks with an asyncio task for each."""
    tasks: dict[int, asyncio.Task[int]] = {}

    async def work(ups: Sequence[int]) -> int:
        return plain(**{f"i{up}": await tasks[up] for up in ups})

    for number, ups in shape.items():
        tasks[number] = asyncio.create_task(work(ups))
    return (await asyncio.gather(*tasks.values()))[-1]


def run(scale: Scale, say: Say) -> list[Measure]:
    """Measure chain and fan, from their beginning and from half way."""
    return asyncio.run(_measured(scale, say))


async def _measured(scale: Scale, say: Say) -> list[Measure]:
    count = min(1000, scale.items)
    rounds = max(5, scale.samples // 3)
    measures: list[Measure] = []
    every = shapes(count)
    for name, bound in (("chain", 6.0), ("fan", 1.2)):
        say(f"{name} of {count} tasks")
        measures += await _shape(name, every[name], rounds, bound)
    return measures


async def _shape(name: str, shape: Shape, rounds: int, bound: float) -> list[Measure]:
    reading = read_text(written(shape))
    with tempfile.TemporaryDirectory() as folder:
        runtime = Runtime(store=MemoryStore(reading.specs), watch=False)
        runtime.table.shared[NAMED] = str(Path(folder) / "runs.sqlite")
        async with runtime:
            expected = await task_each(shape)
            await runtime.send("w", {})
            # As `heddle start` does: what was loaded is not looked at again.
            gc.collect()
            gc.freeze()
            try:
                whole = await _whole(name, shape, rounds, runtime, expected, bound)
                return [whole, await _resume(name, shape, rounds, runtime, expected)]
            finally:
                gc.unfreeze()


async def _spend(work: Callable[[], Awaitable[Any]]) -> tuple[float, Any]:
    """Return the CPU time of some work in ms, with all threads, and its answer."""
    gc.collect()
    began = process_time()
    answer = await work()
    return (process_time() - began) * 1000, answer


async def _whole(
    name: str, shape: Shape, rounds: int, runtime: Runtime, expected: Any, bound: float
) -> Measure:
    """Measure whole runs beside the floor, in turn."""
    ratios, floors, runs = [], [], []
    for _ in range(rounds):
        low, _answer = await _spend(lambda: task_each(shape))
        high, answer = await _spend(lambda: runtime.send("w", {}))
        if answer != expected:
            raise AnswerMismatchError(f"{name}: {str(answer)[:200]} instead of {expected}")
        ratios.append(high / low)
        floors.append(low)
        runs.append(high)
    facts = {
        "floor µs": round(min(floors) / len(shape) * 1000, 2),
        "task µs": round(min(runs) / len(shape) * 1000, 2),
        "ratio of the best": round(min(runs) / min(floors), 2),
    }
    title = f"{name}, recorded in SQLite, × an asyncio task each"
    return measured(title, ratios, reach=at_most(bound), facts=facts)


async def _resume(name: str, shape: Shape, rounds: int, runtime: Runtime, expected: Any) -> Measure:
    """Measure the other half of a run whose first half is recorded."""
    symbol = runtime.table.get("w")
    if symbol is None or not isinstance(symbol.node, WorkflowNode):
        raise AnswerMismatchError("there is no workflow w")
    durable = symbol.node.durable
    values, halves, wholes = [], [], []

    async def go_on(run: UUID) -> Any:
        active = await durable.resume(run)
        return await durable.answer(active) if isinstance(active, ActiveRun) else active

    for _ in range(rounds):
        whole, _answer = await _spend(lambda: runtime.send("w", {}))
        active = await durable.begin({})
        if not isinstance(active, ActiveRun):
            raise AnswerMismatchError("the run did not begin")
        stopping.append(active)
        left[0] = len(shape) // 2
        await active.wait()
        half, answer = await _spend(partial(go_on, active.id))
        if answer != expected:
            raise AnswerMismatchError(f"{name}: {str(answer)[:200]} instead of {expected}")
        # A chain may take 0.6 of the whole run and 3 ms, a fan 3 ms.
        values.append(half - 0.6 * whole if name == "chain" else half)
        halves.append(half)
        wholes.append(whole)
    beyond = ", beyond 0.6 of the whole" if name == "chain" else ""
    facts = {"half ms": round(min(halves), 2), "whole ms": round(min(wholes), 2)}
    title = f"the other half of a {name}{beyond}"
    return measured(title, values, unit="ms", reach=at_most(3.0), facts=facts)


ROW = Row(
    title="a workflow of a thousand tasks, durable",
    floor="an asyncio task for each of the same functions, in memory",
    run=run,
)
