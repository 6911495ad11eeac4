"""The order of a run is that of its list and its priorities: the same in each program, whatever its size."""

import asyncio
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from heddle.extensions.tasks.graph.outline import outline_of_definition
from heddle.extensions.tasks.run_stores.runs import open_runs
from heddle.extensions.tasks.status import RunStatus
from tests.extensions.tasks.test_durable import node_of, running, story

PROGRAM = """
import asyncio, sys
from tests.extensions.tasks.work import forget, run, workflow
from tests.support import running

TASKS = '''
- {name: zeta, run: '$:note', inputs: {x: {value: 1}}}
- {name: alpha, run: '$:note', inputs: {x: {value: 1}}}
- {name: urgent, run: '$:note', priority: high, inputs: {x: {value: 1}}}
- {name: slow, run: '$:sleep', inputs: {seconds: {value: 0.01}, x: alpha}}
- {name: code, run: '$:note', inputs: {x: {code: 'zeta.x + alpha.x + urgent.x'}}}
- {name: bad, run: '$:fail', inputs: {message: {value: broken}}, on_error: finish}
- {name: skipped, run: '$:note', when: 'false', inputs: {x: zeta}}
- {name: after, run: '$:note', after: [skipped, zeta, urgent], join: settled}
- {name: mended, run: '$:note', inputs: {error: bad.error.message, y: alpha, x: zeta}}
- {name: items, run: '$:note', for_each: x, inputs: {x: {value: [3, 1, 2]}}}
'''

async def main():
    seen = []
    async with running(workflow(TASKS)) as runtime:
        symbol = runtime.table.get('w')
        from heddle.extensions.tasks.scheduler.context import RUN, RunContext, RunRoot
        from heddle.extensions.tasks.scheduler.watched_journal import WatchedJournal
        from heddle.specs.model.names import new_id
        id_ = new_id()
        take = lambda each: seen.append((each.seq, each.event, each.task, each.number))
        journal = WatchedJournal(lambda: id_, (take,), lambda error: seen.append(error))
        node = symbol.node
        process = node.start()
        answer = node.execute(process, {}, journal, id_)
        from heddle.runtime.flow.finish import finish
        print(await finish(process, answer))
    for each in seen:
        print(*each)

asyncio.run(main())
"""

MANY = 10_000


def test_the_order_is_the_same_whatever_the_seed_of_hashes() -> None:
    outputs = {
        seed: subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=False,
        )
        for seed in ("0", "1", "4711")
    }
    assert {each.stderr for each in outputs.values()} == {""}
    [text] = {each.stdout for each in outputs.values()}
    lines = text.splitlines()
    begun = [line.split()[2] for line in lines[1:] if line.split()[1] == "running"]
    # By priority, then by the list.
    assert begun[begun.index("urgent") :][:3] == ["urgent", "zeta", "alpha"]


def test_a_workflow_of_10_000_tasks_is_run_recorded_and_shown(tmp_path: Path) -> None:
    here = "tests.extensions.tasks.work"
    lines = [f"    - {{name: t0, run: '{here}:double', inputs: {{x: {{value: 0}}}}}}"]
    lines += [
        f"    - {{name: t{number}, run: '{here}:double', inputs: {{x: t{(number - 1) // 10}}}}}"
        for number in range(1, MANY)
    ]
    text = "- kind: workflow\n  name: report\n  durable: true\n  tasks:\n" + "\n".join(lines)
    text += f"\n  outputs: {{last: t{MANY - 1}}}\n"

    async def work() -> None:
        async with running(tmp_path, text) as runtime:
            node = node_of(runtime)
            run = await node.durable.begin({})
            assert await node.durable.answer(run) == {"last": 0}
            tracemalloc.start()
            again = await node.durable.begin({})
            assert await node.durable.answer(again) == {"last": 0}
            kept, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            # A run that has ended leaves next to nothing behind: 100 bytes for a task would be a leak.
            assert kept < MANY * 100
            assert len(asyncio.all_tasks()) < 20
        async with open_runs(str(tmp_path / "runs.sqlite")) as runs:
            view = await runs.show(run.id)
            assert view.run.status is RunStatus.COMPLETED
            assert {each.status for each in view.tasks} == {"completed"}
            assert len(view.tasks) == len(view.attempts) == MANY
            events = await runs.events(run.id)
            assert [each.seq for each in events] == list(range(1, 2 * MANY + 3))
            assert view.run.definition is not None
            definition = await runs.store.definition(view.run.definition)
            assert definition is not None
            outline = outline_of_definition(definition.specs, "report")
            assert len(outline.names) == MANY

    story(work())


@pytest.mark.parametrize("durable", ["true", "false"])
def test_a_chain_of_2_000_tasks_is_no_deeper_than_one(tmp_path: Path, durable: str) -> None:
    """Nothing of a run recurses along its tasks."""
    here = "tests.extensions.tasks.work"
    lines = [f"    - {{name: t0, run: '{here}:double_later', inputs: {{x: {{value: 0}}}}}}"]
    lines += [
        f"    - {{name: t{number}, run: '{here}:double_later', inputs: {{x: t{number - 1}}}}}"
        for number in range(1, 2000)
    ]
    text = f"- kind: workflow\n  name: report\n  durable: {durable}\n  tasks:\n" + "\n".join(lines)

    async def work() -> None:
        async with running(tmp_path, text) as runtime:
            assert await runtime.send("report", {}) == 0

    story(work())
