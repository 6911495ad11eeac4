"""What a person decides about a task holds for all that the task holds, until something else is decided."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from heddle.extensions.extension import Error
from heddle.extensions.tasks.status import RunStatus
from tests.extensions.tasks import durable_tasks
from tests.extensions.tasks.test_durable import (
    HERE,
    REPORT,
    looking,
    node_of,
    running,
    story,
    until_status,
)
from tests.waiting import until

ITEMS = f"""\
- kind: workflow
  name: report
  durable: true
  inputs: {{names: {{type: array}}}}
  tasks:
    - {{name: page, run: '{HERE}:WORK', for_each: {{over: name, on_error: POLICY}}, inputs: {{name: in.names}}}}
"""
FAILING = ITEMS.replace("WORK", "fail_until").replace(
    "name: in.names}", "name: in.names, times: {value: 1}}"
)
INSIDE = f"""\
- kind: workflow
  name: report
  durable: true
  inputs: {{names: {{type: array}}}}
  tasks:
    - name: page
      do:
        kind: workflow
        tasks:
          - {{name: load, run: '{HERE}:fail_until', inputs: {{name: {{value: a}}, times: {{value: 1}}}}}}
"""


@pytest.fixture(autouse=True)
def _fresh() -> None:
    durable_tasks.done.clear()
    durable_tasks.gates.clear()


@pytest.mark.parametrize(
    ("text", "task", "output"),
    [
        (FAILING.replace("POLICY", "fail"), "page", ["a"]),
        (FAILING.replace("POLICY", "fail"), "page#0", ["a"]),
        (FAILING.replace("POLICY", "fail"), "", ["a"]),
        (INSIDE, "page", "a"),
        (INSIDE, "page/load", "a"),
        (INSIDE, "", "a"),
    ],
)
def test_a_retry_is_one_of_all_that_the_task_holds(
    tmp_path: Path, text: str, task: str, output: Any
) -> None:
    async def work() -> None:
        async with running(tmp_path, text) as runtime, looking(tmp_path) as runs:
            assert type(await runtime.send("report", {"names": ["a"]})) is Error
            run = await until_status(runs, RunStatus.FAILED)
        async with looking(tmp_path) as runs:
            await runs.retry(run.id, task)
            statuses = {each.task: each.status for each in (await runs.show(run.id)).tasks}
            assert set(statuses.values()) == {"pending"}
        async with running(tmp_path, text), looking(tmp_path) as runs:
            run = await until_status(runs, RunStatus.COMPLETED, RunStatus.FAILED)
            assert (run.status, run.output) == (RunStatus.COMPLETED, output)
            assert durable_tasks.done == ["a", "a"]

    story(work())


@pytest.mark.parametrize(
    ("policy", "output"), [("fail", [None, "b"]), ("keep", [None, "b"]), ("skip", ["b"])]
)
def test_an_item_that_a_person_skips_is_not_worked_on_again(
    tmp_path: Path, policy: str, output: list[Any]
) -> None:
    text = ITEMS.replace("WORK', ", "wait', idempotent: false, ").replace("POLICY", policy)
    text = text.replace("{name: in.names}", "{name: in.names, value: {value: b}}")

    async def work() -> None:
        durable_tasks.gates["b"] = asyncio.Event()
        durable_tasks.gates["b"].set()
        async with running(tmp_path, text, drain=0.1) as runtime, looking(tmp_path) as runs:
            run = await node_of(runtime).durable.begin({"names": ["a", "b"]})

            async def is_half_done() -> bool:
                attempts = await runs.store.attempts(run.id)
                return {each.status for each in attempts} == {"running", "completed"}

            await until(is_half_done)
        async with running(tmp_path, text), looking(tmp_path) as runs:
            await until_status(runs, RunStatus.BLOCKED)
            await runs.skip(run.id, "page#0", actor="ada")
            assert (await until_status(runs, RunStatus.COMPLETED)).output == output
            assert sorted(durable_tasks.done) == ["a", "b"]

    story(work())


def test_the_retry_of_an_item_waits_in_the_next_runtime_too(
    tmp_path: Path,
) -> None:
    text = ITEMS.replace("WORK', ", "fail_or_wait', retry: {attempts: 2, delay: 1h}, ")
    text = text.replace("POLICY", "fail")

    async def work() -> None:
        async with running(tmp_path, text, drain=0.1) as runtime:
            run = await node_of(runtime).durable.begin({"names": ["a", "b"]})
            await until(lambda: sorted(durable_tasks.done) == ["a", "b"])
        durable_tasks.gates.clear()
        async with running(tmp_path, text, drain=0.1), looking(tmp_path) as runs:
            await until(lambda: durable_tasks.done.count("b") == 2)
            assert durable_tasks.done.count("a") == 1
            durable_tasks.gates["b"].set()
            tasks = {each.task: each for each in (await runs.show(run.id)).tasks}
            assert tasks["page#0"].status == "pending"
            assert tasks["page#0"].due is not None
            await runs.cancel(run.id)

    story(work())


UNSURE = REPORT.replace(
    "inputs: {name: {value: slow}", "idempotent: false, inputs: {name: {value: slow}"
)


@pytest.mark.parametrize(
    ("decisions", "output", "calls"),
    [
        (("skip", "retry"), "monday", 2),
        (("skip", "retry slow"), "monday", 2),
        (("skip", "complete"), "by hand", 1),
        (("complete", "skip"), None, 1),
        (("retry", "skip"), None, 1),
        (("skip", "complete", "skip"), None, 1),
    ],
)
def test_the_last_decision_about_a_task_holds(
    tmp_path: Path, decisions: tuple[str, ...], output: str | None, calls: int
) -> None:
    async def work() -> None:
        async with running(tmp_path, UNSURE, drain=0.1) as runtime:
            run = await node_of(runtime).durable.begin({"day": "monday"})
            await until(lambda: "slow" in durable_tasks.gates)
        durable_tasks.gates["slow"] = asyncio.Event()
        durable_tasks.gates["slow"].set()
        async with looking(tmp_path) as runs:
            for decision in decisions:
                if decision == "complete":
                    await runs.complete(run.id, "slow", "by hand", actor="ada")
                elif decision == "skip":
                    await runs.skip(run.id, "slow", actor="ada")
                else:
                    await runs.retry(run.id, decision.partition(" ")[2], actor="ada")
        async with running(tmp_path, UNSURE), looking(tmp_path) as runs:
            assert (await until_status(runs, RunStatus.COMPLETED)).output == output
            assert durable_tasks.done.count("slow") == calls
            slow = next(each for each in (await runs.show(run.id)).tasks if each.task == "slow")
            assert slow.status == ("completed" if output else "skipped")
            assert slow.reason == ("" if output else "by ada")

    story(work())


def test_a_skip_by_a_person_stays_if_another_task_is_retried(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, UNSURE, drain=0.1) as runtime:
            run = await node_of(runtime).durable.begin({"day": "monday"})
            await until(lambda: "slow" in durable_tasks.gates)
        async with looking(tmp_path) as runs:
            await runs.skip(run.id, "slow", actor="ada")
            await runs.retry(run.id, "last", actor="bob")
        async with running(tmp_path, UNSURE), looking(tmp_path) as runs:
            await until_status(runs, RunStatus.COMPLETED)
            skips = [each for each in await runs.events(run.id) if each.event == "skipped"]
            assert [(each.task, each.actor) for each in skips] == [("slow", "ada"), ("last", "")]

    story(work())
