"""Workflows in Python run: as a plain call, on an event loop, and as a run with a handle."""

import asyncio
import sys
import threading
from typing import Any

import msgspec
import pytest

from heddle import (
    HeddleError,
    RunFailedError,
    RunStatus,
    SpecError,
    Workflow,
    run,
    task,
    workflow,
)

pytestmark = pytest.mark.anyio


class Total(msgspec.Struct):
    euros: float


@task
def load(day: str) -> list[float]:
    return [1.0, 2.5]


@task
def total(rows: list[float]) -> Total:
    return Total(sum(rows))


@task
def text(euros: float, day: str) -> str:
    return f"{day}: {euros}"


@task
async def pause(value: float) -> float:
    await asyncio.sleep(0)
    return value


@workflow(inputs={"day": str})
def report(day: Any) -> Any:
    return text(euros=total(load(day)).euros, day=day)


@workflow
def slow(day: str) -> Any:
    return text(euros=pause(total(load(day)).euros), day=day)  # pyright: ignore[reportArgumentType] - in a workflow an Output stands for a value


def test_a_workflow_that_does_not_wait_is_called_without_an_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def reject(*_: Any, **__: Any) -> Any:
        raise AssertionError("an event loop is begun")

    monkeypatch.setattr(asyncio, "run", reject)
    monkeypatch.setattr(asyncio, "new_event_loop", reject)
    assert report.call(day="today") == "today: 3.5"
    assert report(day="today") == "today: 3.5"


def test_a_workflow_that_waits_is_called_on_its_own_event_loop() -> None:
    assert slow.call(day="today") == "today: 3.5"


async def test_on_an_event_loop_only_what_does_not_wait_can_be_called() -> None:
    assert report.call(day="today") == "today: 3.5"
    with pytest.raises(RuntimeError, match=r"use `await run\(slow, …\)`"):
        slow.call(day="today")


def test_simultaneous_calls_share_no_state() -> None:
    made = workflow(name="made", inputs={"day": str})(
        lambda day: text(euros=total(load(day)).euros, day=day)
    )
    answers: dict[int, str] = {}

    def work(number: int) -> None:
        answers[number] = made.call(day=str(number))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: f"{number}: 3.5" for number in range(20)}


def test_a_workflow_that_has_grown_is_compiled_again() -> None:
    made = Workflow("grows", inputs={"day": str})
    rows = made.add(load, {"day": made.inputs[0].output})
    assert made.call(day="x") == [1.0, 2.5]
    made.add(total, {"rows": rows.output})
    assert made.call(day="x") == {"euros": 3.5}


def test_workflows_in_workflows_are_part_of_the_same_call() -> None:
    @workflow
    def both(day: str) -> Any:
        return {"a": report(day=day), "b": slow(day=day)}

    assert both.call(day="x") == {"a": "x: 3.5", "b": "x: 3.5"}


def test_a_body_that_returns_a_single_part_answers_with_it() -> None:
    @workflow
    def part(day: str) -> Any:
        sums = total(load(day))
        text(euros=sums.euros, day=day)
        return sums.euros

    @workflow
    def around(day: str) -> Any:
        return text(euros=part(day=day), day=day)

    assert part.call(day="x") == 3.5
    assert around.call(day="x") == "x: 3.5"


def test_specs_that_have_to_be_opened_are_opened(tmp_path: Any) -> None:
    read = task(
        name="read",
        inputs={"in": str},
        do={"kind": "sql", "source": str(tmp_path / "a.db"), "statement": "SELECT 1 + 1 AS two"},
    )
    made = Workflow("opens")
    made.add(read)
    assert made.call() == [{"two": 2}]


def test_what_goes_wrong_is_raised_with_its_error() -> None:
    @task
    def fail(day: str) -> str:
        raise ValueError(f"no data for {day}")

    @workflow
    def failing(day: str) -> Any:
        return fail(day)

    with pytest.raises(RunFailedError, match="no data for monday") as raised:
        failing.call(day="monday")
    assert raised.value.error.symbol == "failing/fail"
    with pytest.raises(RunFailedError, match=r"day: missing \(expected: string\)"):
        failing.call()


def test_what_takes_an_error_runs_only_if_the_task_has_failed() -> None:
    @task
    def check(n: int) -> int:
        if n < 0:
            raise ValueError("below zero")
        return n

    @task
    def explain(error: dict[str, Any]) -> str:
        return f"sorry: {error['message']}"

    @workflow
    def careful(n: int) -> Any:
        checked = check(n)
        return {"n": checked, "why": explain(checked.error)}  # type: ignore[attr-defined]

    assert careful.call(n=1) == {"n": 1, "why": None}
    assert careful.call(n=-1) == {"n": None, "why": "sorry: below zero"}


def test_a_mistake_is_found_before_anything_runs() -> None:
    calls = []

    @task
    def note(n: int) -> int:
        calls.append(n)
        return n

    made = Workflow("wrong", inputs={"day": str})
    day = made.inputs[0].output
    made.add(note, {"n": day}, name="first")
    made.add(note, name="second")
    with pytest.raises(SpecError) as raised:
        made.call(day="x")
    problems = raised.value.problems
    assert [problem.path.partition("]")[0] for problem in problems] == [
        "wrong.tasks[0",
        "wrong.tasks[1",
    ]
    assert {problem.place.file for problem in problems} == {__file__}
    assert problems[0].place.line < problems[1].place.line
    assert calls == []


async def test_a_handle_gives_transitions_status_and_answer() -> None:
    handle = await run(slow, day="today")
    assert handle.status is RunStatus.RUNNING
    seen = [(each.seq, each.task, each.event) async for each in handle]
    assert [number for number, _, _ in seen] == list(range(1, len(seen) + 1))
    assert seen[0][1:] == ("", "running")
    assert seen[-1][1:] == ("", "completed")
    assert [task for _, task, event in seen if event == "completed"] == [
        "load",
        "total",
        "pause",
        "text",
        "",
    ]
    assert await handle == "today: 3.5"
    assert handle.status is RunStatus.COMPLETED
    assert [each.seq async for each in handle] == [number for number, _, _ in seen]
    assert str(handle.id)[-8:] in repr(handle)


async def test_two_runs_at_the_same_time_have_their_own_transitions() -> None:
    first, second = await run(slow, day="a"), await run(slow, inputs={"day": "b"})
    assert await asyncio.gather(first, second) == ["a: 3.5", "b: 3.5"]
    assert first.id != second.id
    assert {each.run async for each in first} == {first.id}


async def test_a_cancelled_run_stops_what_is_running() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    @task
    async def forever(day: str) -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return day

    @workflow
    def long(day: str) -> Any:
        return forever(day)

    handle = await run(long, day="x")
    await begun.wait()
    handle.cancel("enough")
    with pytest.raises(RunFailedError, match="enough") as raised:
        await handle
    assert raised.value.error.code == "cancelled"
    await ended.wait()
    assert handle.status is RunStatus.CANCELLED
    assert [each.event async for each in handle][-1] == "cancelled"
    before = await run(long, day="x")
    before.cancel()
    with pytest.raises(RunFailedError, match="cancelled"):
        await before


async def test_who_leaves_does_not_end_a_run() -> None:
    go = asyncio.Event()

    @task
    async def wait() -> str:
        await go.wait()
        return "done"

    @workflow
    def waiting() -> Any:
        return wait()

    handle = await run(waiting)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(handle.result(), 0.01)
    go.set()
    assert await handle == "done"


async def test_a_run_of_a_workflow_that_cannot_work_raises_at_once() -> None:
    made = Workflow("empty")
    with pytest.raises(HeddleError, match="no tasks"):
        await run(made)


def test_the_front_door_gives_the_names_of_tasks_without_loading_a_runtime() -> None:
    import subprocess

    code = (
        "import sys; from heddle import task, workflow, Workflow\n"
        "print([m for m in sys.modules if m in ('networkx', 'jsonschema', 'heddle.runtime.runtime')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
