"""A run that is begun in Python with a RunStore is recorded there, like every durable run."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from heddle import RunFailedError, RunStatus, run, task, workflow
from heddle.extensions.tasks.authoring.durable_run import AuthoredWorkload
from heddle.extensions.tasks.authoring.inline import inline_of
from heddle.extensions.tasks.run_stores import runs as store_runs
from heddle.extensions.tasks.run_stores.contract import RunStoreError
from heddle.extensions.tasks.run_stores.runs import open_runs
from tests.waiting import PATIENCE

pytestmark = pytest.mark.anyio

HERE = "tests.extensions.tasks.authoring.test_durable_run"


@task
def double(n: int) -> int:
    return n * 2


@task
async def add(n: int, more: int = 1) -> int:
    await asyncio.sleep(0)
    return n + more


@workflow
def sums(n: int) -> Any:
    return {"sum": add(double(n))}


def endless() -> tuple[Any, asyncio.Event]:
    """Return a workflow that never ends, and an event that is set when its task has begun."""
    begun = asyncio.Event()

    @task
    async def forever(n: int) -> int:
        begun.set()
        await asyncio.Event().wait()
        return n

    @workflow
    def long(n: int) -> Any:
        return forever(n)

    return long, begun


async def test_its_transitions_are_those_of_the_store(tmp_path: Path) -> None:
    address = str(tmp_path / "runs.sqlite")
    handle = await run(sums, n=4, run_store=address)
    seen = [each async for each in handle]
    assert await handle == {"sum": 9}
    assert handle.status is RunStatus.COMPLETED
    async with open_runs(address) as runs:
        assert list(await runs.events(handle.id)) == seen
        view = await runs.show(handle.id)
        assert (view.run.workflow, view.run.status) == ("sums", RunStatus.COMPLETED)
        assert view.run.output == {"sum": 9}
        assert [each.task for each in view.tasks] == ["double", "add"]
        assert list(view.run.code) == [HERE]
    assert [each.seq for each in seen] == list(range(1, len(seen) + 1))


async def test_a_second_run_with_the_same_key_is_the_first_run(tmp_path: Path) -> None:
    address = str(tmp_path / "runs.sqlite")
    first = await run(sums, n=4, run_store=address, idempotency_key="once")
    assert await first == {"sum": 9}
    second = await run(sums, n=5, run_store=address, idempotency_key="once")
    assert second.id == first.id
    assert await second == {"sum": 9}
    with pytest.raises(ValueError, match="idempotency_key needs a run_store"):
        await run(sums, n=1, idempotency_key="x")


async def test_the_key_of_the_workflow_itself_counts(tmp_path: Path) -> None:
    @workflow(idempotency_key="string(self.n)")
    def keyed(n: int, note: str = "") -> Any:
        return {"double": double(n)}

    address = str(tmp_path / "runs.sqlite")
    first = await run(keyed, n=1, run_store=address)
    assert await first == {"double": 2}
    assert (await run(keyed, n=1, note="again", run_store=address)).id == first.id
    assert (await run(keyed, n=2, run_store=address)).id != first.id
    with pytest.raises(ValueError, match="run of keyed: an idempotency_key needs a run_store"):
        await run(keyed, n=1)
    assert await asyncio.to_thread(keyed.call, n=3) == {"double": 6}


async def test_wrong_inputs_are_listed_before_anything_is_recorded(tmp_path: Path) -> None:
    address = str(tmp_path / "runs.sqlite")
    with pytest.raises(RunFailedError, match="n: "):
        await run(sums, n="many", run_store=address)
    async with open_runs(address) as runs:
        assert list(await runs.list()) == []


async def test_a_workflow_that_says_durable_needs_a_run_store(tmp_path: Path) -> None:
    @workflow(durable=True)
    def lasting(n: int) -> Any:
        return double(n)

    with pytest.raises(ValueError, match="it is durable, which needs a run_store"):
        await run(lasting, n=1)
    assert await (await run(lasting, n=2, run_store=str(tmp_path / "runs.sqlite"))) == 4
    assert lasting.call(n=3) == 6


async def test_a_failed_run_is_recorded_and_raised(tmp_path: Path) -> None:
    @task
    def fail(n: int) -> int:
        raise ValueError(f"{n} is not enough")

    @workflow
    def failing(n: int) -> Any:
        return fail(n)

    handle = await run(failing, n=4, run_store=str(tmp_path / "runs.sqlite"))
    with pytest.raises(RunFailedError, match="4 is not enough"):
        await handle
    assert handle.status is RunStatus.FAILED
    assert [each.event async for each in handle if not each.task] == ["running", "failed"]


async def test_a_cancelled_run_is_recorded_as_cancelled(tmp_path: Path) -> None:
    long, begun = endless()
    address = str(tmp_path / "runs.sqlite")
    handle = await run(long, n=1, run_store=address)
    await begun.wait()
    handle.cancel("it takes too long")
    with pytest.raises(RunFailedError, match="the run was cancelled: it takes too long"):
        await handle
    assert handle.status is RunStatus.CANCELLED
    async with open_runs(address) as runs:
        assert (await runs.get(handle.id)).status is RunStatus.CANCELLED
        # The reason is not a person.
        assert [each.actor for each in await runs.events(handle.id) if each.actor] == []


async def test_a_handle_of_a_run_that_another_worker_has_cancels_it_there(tmp_path: Path) -> None:
    long, begun = endless()
    address = str(tmp_path / "runs.sqlite")
    first = await run(long, n=1, run_store=address, idempotency_key="once")
    await begun.wait()
    second = await run(long, n=1, run_store=address, idempotency_key="once")
    assert second.id == first.id
    second.cancel()
    for handle in (first, second):
        with pytest.raises(RunFailedError, match="the run was cancelled"):
            await handle
        assert handle.status is RunStatus.CANCELLED


async def test_its_transitions_are_handed_over_when_they_are_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task waits until its reader has seen it begin, and nobody looks into the store by the clock."""
    monkeypatch.setattr(store_runs, "LOOK", 3600.0)
    seen = asyncio.Semaphore(0)

    @task
    async def step(n: int) -> int:
        await seen.acquire()
        return n + 1

    @workflow
    def long(n: int) -> Any:
        return step(step(step(n)))  # pyright: ignore[reportArgumentType] - in a workflow an Output stands for a value

    handle = await run(long, n=0, run_store=str(tmp_path / "runs.sqlite"))
    async with asyncio.timeout(PATIENCE):
        async for transition in handle:
            if transition.task and transition.event == "running":
                seen.release()
        assert await handle == 3


async def test_its_transitions_go_on_after_a_person_has_decided(tmp_path: Path) -> None:
    begun = asyncio.Event()

    @task(retry={"attempts": 2, "delay": "1h"})
    def fail(n: int) -> int:
        begun.set()
        raise ValueError(n)

    @workflow
    def long(n: int) -> Any:
        return {"sum": add(fail(n))}

    address = str(tmp_path / "runs.sqlite")
    handle = await run(long, n=1, run_store=address)
    await begun.wait()
    async with open_runs(address) as runs:
        await runs.complete(handle.id, "fail", 5, actor="ada")
        seen = [each async for each in handle]
        assert await handle == {"sum": 6}
        assert seen == list(await runs.events(handle.id))
        assert [each.actor for each in seen if each.event == "decided"] == ["ada"]


async def test_a_name_that_is_not_an_input_is_a_mistake(tmp_path: Path) -> None:
    given = {"n": 1, "mroe": 2}
    with pytest.raises(RunFailedError, match="mroe: unknown input"):
        await run(sums, inputs=given, run_store=str(tmp_path / "runs.sqlite"))
    with pytest.raises(RunFailedError, match="mroe: unknown input"):
        await (await run(sums, inputs=given))
    with pytest.raises(RunFailedError, match="mroe: unknown input"):
        await asyncio.to_thread(sums.call, **given)


async def test_a_run_store_that_cannot_be_opened_raises_at_once(tmp_path: Path) -> None:
    with pytest.raises(RunStoreError, match="nonsense"):
        await run(sums, n=1, run_store="nonsense://x")
    (tmp_path / "file").write_text("this is not a database, but text of some length")
    with pytest.raises(RunStoreError):
        await run(sums, n=1, run_store=str(tmp_path / "file"))


def test_a_task_that_must_not_run_twice_says_so_at_every_depth() -> None:
    @task(idempotent=False)
    def order(n: int) -> int:
        return n

    @workflow
    def inner(n: int) -> Any:
        return {"order": order(n)}

    @workflow
    def outer(n: int) -> Any:
        return {"inner": inner(n=n), "sum": add(double(n))}

    compiled = inline_of(outer)
    workload = AuthoredWorkload(compiled, compiled.wiring)
    assert [
        workload.is_idempotent(path) for path in ("double", "inner/order", "inner#3/order", "x/y")
    ] == [
        True,
        False,
        False,
        True,
    ]


def test_a_loop_that_ends_suspends_the_run_and_it_can_be_resumed(tmp_path: Path) -> None:
    address = str(tmp_path / "runs.sqlite")
    begun = asyncio.Event()

    @task
    async def pause(n: int) -> int:
        begun.set()
        await asyncio.Event().wait()
        return n

    @workflow
    def paused(n: int) -> Any:
        return pause(double(n))

    async def leave() -> Any:
        handle = await run(paused, n=1, run_store=address)
        await begun.wait()
        return handle.id

    async def look(id_: Any) -> tuple[Any, dict[str, str]]:
        async with open_runs(address) as runs:
            view = await runs.show(id_)
            return view.run.status, {each.task: str(each.status) for each in view.tasks}

    status, tasks = asyncio.run(look(asyncio.run(leave())))
    assert status is RunStatus.SUSPENDED
    assert tasks["double"] == "completed"
    assert tasks["pause"] != "completed"
