"""Durable runs: they outlive reloads, restarts and crashes; people decide about them."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from heddle.extensions.extension import Error
from heddle.extensions.tasks.durable import NAMED
from heddle.extensions.tasks.run_stores.active_run import ActiveRun
from heddle.extensions.tasks.run_stores.contract import NoRun, RunRecord
from heddle.extensions.tasks.run_stores.runs import Runs, open_runs
from heddle.extensions.tasks.status import RunStatus
from heddle.extensions.tasks.workflow import WorkflowNode
from heddle.runtime.runtime import Runtime
from tests.extensions.tasks import durable_tasks
from tests.support import change, stored
from tests.waiting import until

ROOT = Path(__file__).parents[3]
HERE = "tests.extensions.tasks.durable_tasks"

REPORT = f"""\
- kind: workflow
  name: report
  durable: true
  inputs: {{day: {{type: string}}}}
  tasks:
    - {{name: first, run: '{HERE}:note', inputs: {{name: {{value: first}}, value: in.day}}}}
    - {{name: slow, run: '{HERE}:wait', inputs: {{name: {{value: slow}}, value: first}}}}
    - {{name: last, run: '{HERE}:note', inputs: {{name: {{value: last}}, value: slow}}}}
"""


@pytest.fixture(autouse=True)
def _fresh() -> None:
    durable_tasks.done.clear()
    durable_tasks.gates.clear()


@asynccontextmanager
async def running(place: Path, text: str = REPORT, *, drain: float = 1.0) -> AsyncIterator[Runtime]:
    """Provide a runtime of this text, whose durable runs are in a file at this place."""
    runtime = Runtime(store=stored(text), drain=drain)
    runtime.table.shared[NAMED] = str(place / "runs.sqlite")
    async with runtime:
        yield runtime


@asynccontextmanager
async def looking(place: Path) -> AsyncIterator[Runs]:
    """Provide what a command sees of the runs at this place."""
    async with open_runs(str(place / "runs.sqlite")) as runs:
        yield runs


def node_of(runtime: Runtime, name: str = "report") -> WorkflowNode:
    symbol = runtime.table.get(name)
    assert symbol is not None
    assert isinstance(symbol.node, WorkflowNode)
    return symbol.node


async def until_status(runs: Runs, *wanted: RunStatus) -> RunRecord:
    """Wait until the newest run has one of these statuses; return it."""
    async with asyncio.timeout(60):
        while True:
            found = await runs.list()
            if found and found[0].status in wanted:
                return found[0]
            await asyncio.sleep(0.01)


def story(work: Awaitable[None]) -> None:
    async def run() -> None:
        async with asyncio.timeout(120):
            await work

    asyncio.run(run())


def test_a_run_is_recorded_with_every_transition(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as runtime, looking(tmp_path) as runs:
            answer = asyncio.create_task(runtime.send("report", {"day": "monday"}))
            await until(lambda: "slow" in durable_tasks.gates)
            view = await runs.show(await runs.find_id("last"))
            assert [(each.task, each.status) for each in view.tasks] == [
                ("first", "completed"),
                ("slow", "running"),
                ("last", "pending"),
            ]
            durable_tasks.gates["slow"].set()
            assert await answer == "monday"
            run = await until_status(runs, RunStatus.COMPLETED)
            assert (run.input, run.output) == ({"day": "monday"}, "monday")
            events = await runs.events(run.id)
            assert [each.seq for each in events] == list(range(1, len(events) + 1))
            assert [(each.task, each.event) for each in events] == [
                ("", "running"),
                ("first", "running"),
                ("first", "completed"),
                ("slow", "running"),
                ("slow", "completed"),
                ("last", "running"),
                ("last", "completed"),
                ("", "completed"),
            ]

    story(work())


def test_statuses_times_and_attempts_agree_wherever_they_are_asked(tmp_path: Path) -> None:
    """Acceptance: also after a restart, and the numbers of transitions have no gap."""

    async def work() -> None:
        text = REPORT.replace(
            ":wait', inputs: {name: {value: slow}, value: first}",
            ":fail_until', retry: {attempts: 3, delay: 10ms}, inputs: {name: {value: slow}, times: {value: 2}}, after: [first]",
        )
        async with running(tmp_path, text) as runtime, looking(tmp_path) as runs:
            assert await runtime.send("report", {"day": "d"}) == "slow"
            before = await runs.show(await runs.find_id("last"))
        async with looking(tmp_path) as runs:
            view = await runs.show(before.run.id)
            events = await runs.events(before.run.id)
        assert view == before
        assert [each.seq for each in events] == list(range(1, len(events) + 1))
        slow = {each.task: each for each in view.tasks}["slow"]
        tries = [each for each in view.attempts if each.task == "slow"]
        assert (slow.attempts, slow.status) == (3, "completed")
        assert [(each.number, each.status) for each in tries] == [
            (1, "failed"),
            (2, "failed"),
            (3, "completed"),
        ]
        assert [each.event for each in events if each.task == "slow"] == [
            *["running", "retrying"] * 2,
            "running",
            "completed",
        ]
        for each in tries:
            times = {event.seq: event.at for event in events}
            assert each.began_seq is not None
            assert each.ended_seq is not None
            assert (times[each.began_seq], times[each.ended_seq]) == (each.began, each.ended)
        assert (slow.began, slow.ended) == (tries[-1].began, tries[-1].ended)
        assert tries[0].error is not None
        assert "slow fails for the 1. time" in tries[0].error.message

    story(work())


def test_a_run_goes_on_where_the_last_runtime_stopped(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as runtime:
            answer = asyncio.create_task(runtime.send("report", {"day": "monday"}))
            await until(lambda: "slow" in durable_tasks.gates)
        assert type(await answer) is Error
        async with looking(tmp_path) as runs:
            (run,) = await runs.list()
            assert (run.status, run.reason) == (RunStatus.SUSPENDED, "drained")
            view = await runs.show(run.id)
            assert [each.status for each in view.attempts] == ["completed", "interrupted"]
        durable_tasks.gates["slow"] = asyncio.Event()
        durable_tasks.gates["slow"].set()
        async with running(tmp_path), looking(tmp_path) as runs:
            run = await until_status(runs, RunStatus.COMPLETED)
            assert run.output == "monday"
            assert durable_tasks.done == ["first", "slow", "slow", "last"]
            events = await runs.events(run.id)
            assert [each.seq for each in events] == list(range(1, len(events) + 1))
            assert [each.event for each in events if not each.task] == [
                "running",
                "suspended",
                "resumed",
                "completed",
            ]

    story(work())


def test_who_waits_for_a_run_does_not_delay_the_end(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, drain=600.0) as runtime:
            answer = asyncio.create_task(runtime.send("report", {"day": "monday"}))
            await until(lambda: "slow" in durable_tasks.gates)
            service = await node_of(runtime).durable.serve()
            (active,) = service.runs.active.values()
            ending = asyncio.create_task(runtime.close())
            await until(lambda: active.journal.draining)
            durable_tasks.gates["slow"].set()
            # Both end long before the time to drain is over.
            await ending
            error = await answer
        assert isinstance(error, Error)
        assert error.code == "drained"
        assert str(active.id) in error.message
        async with looking(tmp_path) as runs:
            (run,) = await runs.list()
            assert (run.status, run.reason) == (RunStatus.SUSPENDED, "drained")

    story(work())


def test_a_run_outlives_a_reload_and_its_caller_gets_the_answer(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as runtime:
            node = node_of(runtime)
            run = await node.durable.begin({"day": "monday"})
            await until(lambda: "slow" in durable_tasks.gates)
            answer = asyncio.create_task(node.durable.answer(run))
            durable_tasks.gates.clear()
            await change(runtime, REPORT.replace("value: slow}}", "value: in.day}}"))
            await until(lambda: durable_tasks.done.count("slow") == 2)
            durable_tasks.gates["slow"].set()
            # What was completed stays; in the new Definition two tasks have no dependents.
            assert await answer == {"slow": "monday", "last": "monday"}
            assert durable_tasks.done.count("first") == 1

    story(work())


def test_runs_with_one_key_are_one_run(tmp_path: Path) -> None:
    """Acceptance: simultaneous starts with one idempotency key give one run."""

    async def work() -> None:
        text = REPORT.replace("durable: true", "idempotency_key: self.day")
        async with running(tmp_path, text) as runtime, running(tmp_path, text) as other:
            calls = [
                asyncio.create_task(each.send("report", {"day": "monday"}))
                for each in (runtime, other) * 3
            ]
            await until(lambda: "slow" in durable_tasks.gates)
            durable_tasks.gates["slow"].set()
            assert await asyncio.gather(*calls) == ["monday"] * 6
            assert await runtime.send("report", {"day": "monday"}) == "monday"
            assert durable_tasks.done == ["first", "slow", "last"]
            assert await runtime.send("report", {"day": "tuesday"}) == "tuesday"
        async with looking(tmp_path) as runs:
            assert sorted(str(each.idempotency_key) for each in await runs.list()) == [
                "monday",
                "tuesday",
            ]

    story(work())


def test_a_run_whose_key_is_null_always_begins(tmp_path: Path) -> None:
    text = REPORT.replace("durable: true", "answer: run\n  idempotency_key: self.order")
    text = text.replace("{day: {type: string}}", "{day: {type: string}, order: {default: null}}")

    async def work() -> None:
        async with running(tmp_path, text) as runtime, looking(tmp_path) as runs:
            begun = [await runtime.send("report", {"day": "d"}) for _ in range(2)]
            assert begun[0]["run"] != begun[1]["run"]
            keyed = [await runtime.send("report", {"day": "d", "order": "None"}) for _ in range(2)]
            assert keyed[0] == keyed[1]
            keys = [each.idempotency_key for each in await runs.list()]
            assert keys == ["None", None, None]

    story(work())


def test_answer_run_answers_with_the_id_at_once(tmp_path: Path) -> None:
    async def work() -> None:
        text = REPORT.replace("durable: true", "answer: run")
        async with running(tmp_path, text) as runtime, looking(tmp_path) as runs:
            answer = await runtime.send("report", {"day": "monday"})
            assert answer == {"run": str(await runs.find_id("last"))}
            await until(lambda: "slow" in durable_tasks.gates)
            durable_tasks.gates["slow"].set()
            assert (await until_status(runs, RunStatus.COMPLETED)).output == "monday"

    story(work())


def test_a_command_cancels_a_run_that_a_runtime_works_on(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as runtime, looking(tmp_path) as runs:
            answer = asyncio.create_task(runtime.send("report", {"day": "monday"}))
            await until(lambda: "slow" in durable_tasks.gates)
            run = await runs.cancel(await runs.find_id("last"), actor="ada")
            error = await answer
            assert type(error) is Error
            assert (error.code, error.message) == ("cancelled", "the run was cancelled by ada")
            run = await until_status(runs, RunStatus.CANCELLED)
            assert run.error == error
            events = await runs.events(run.id)
            assert (events[-1].event, events[-1].actor) == ("cancelled", "ada")
            assert [each.seq for each in events] == list(range(1, len(events) + 1))
            assert [each.status for each in await runs.store.attempts(run.id)] == [
                "completed",
                "cancelled",
            ]
            assert not [process for process in runtime.processes if process.origin == "report"]

    story(work())


def test_a_failed_run_is_tried_again_and_keeps_what_is_completed(tmp_path: Path) -> None:
    async def work() -> None:
        text = REPORT.replace(
            ":wait', inputs: {name: {value: slow}, value: first}",
            ":fail_until', inputs: {name: {value: slow}, times: {value: 1}}, after: [first]",
        )
        async with running(tmp_path, text) as runtime, looking(tmp_path) as runs:
            error = await runtime.send("report", {"day": "d"})
            assert type(error) is Error
            run = await until_status(runs, RunStatus.FAILED)
            view = await runs.show(run.id)
            assert [(each.task, each.status) for each in view.tasks][1:] == [
                ("slow", "failed"),
                ("last", "pending"),
            ]
            await runs.retry(run.id, actor="ada")
            run = await until_status(runs, RunStatus.COMPLETED)
            assert run.output == "slow"
            assert durable_tasks.done == ["first", "slow", "slow", "last"]
            with pytest.raises(Exception, match="is completed already"):
                await runs.retry(run.id)

    story(work())


UNSURE = REPORT.replace(
    "inputs: {name: {value: slow}", "idempotent: false, inputs: {name: {value: slow}"
)


@pytest.mark.parametrize(
    ("verb", "output"), [("retry", "monday"), ("complete", "by hand"), ("skip", None)]
)
def test_a_person_decides_about_a_task_of_unknown_outcome(
    tmp_path: Path, verb: str, output: str | None
) -> None:
    async def work() -> None:
        async with running(tmp_path, UNSURE) as runtime:
            await node_of(runtime).durable.begin({"day": "monday"})
            await until(lambda: "slow" in durable_tasks.gates)
        durable_tasks.gates["slow"] = asyncio.Event()
        durable_tasks.gates["slow"].set()
        async with running(tmp_path, UNSURE), looking(tmp_path) as runs:
            run = await until_status(runs, RunStatus.BLOCKED)
            assert "slow" in run.reason
            assert durable_tasks.done == ["first", "slow"]
            with pytest.raises(NoRun, match=r'no task "slo".*"slow"'):
                await runs.skip(run.id, "slo")
            if verb == "complete":
                await runs.complete(run.id, "slow", "by hand", actor="ada")
            else:
                await getattr(runs, verb)(run.id, "slow", actor="ada")
            run = await until_status(runs, RunStatus.COMPLETED)
            assert run.output == output
            tasks = {each.task: each for each in (await runs.show(run.id)).tasks}
            assert tasks["slow"].status == ("skipped" if verb == "skip" else "completed")
            assert tasks["last"].status == ("skipped" if verb == "skip" else "completed")
            assert durable_tasks.done.count("slow") == (2 if verb == "retry" else 1)
            events = await runs.events(run.id)
            assert [each.seq for each in events] == list(range(1, len(events) + 1))
            assert "ada" in {each.actor for each in events}

    story(work())


def test_a_run_of_a_worker_that_was_killed_is_taken_at_once(tmp_path: Path) -> None:
    """Its lease has 30 s left: the lock of its owner tells that it is gone."""
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from tests.extensions.tasks import test_durable as t, durable_tasks\n"
        "async def main():\n"
        "    async with t.running(Path(sys.argv[1])) as runtime:\n"
        "        await t.node_of(runtime).durable.begin({'day': 'monday'})\n"
        "        await t.until(lambda: 'slow' in durable_tasks.gates)\n"
        "        durable_tasks.die()\n"
        "asyncio.run(main())\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, timeout=60
    )
    assert killed.returncode == -9, killed.stderr

    async def work() -> None:
        durable_tasks.gates["slow"] = asyncio.Event()
        durable_tasks.gates["slow"].set()
        async with looking(tmp_path) as runs:
            (run,) = await runs.list()
            assert run.status == RunStatus.RUNNING
            assert run.lease is not None
            assert run.lease > time.time() + 10
            assert (await runs.show(run.id)).owner_gone
            assert await runs.holder(run.id) is None
        async with running(tmp_path), looking(tmp_path) as runs:
            assert (await until_status(runs, RunStatus.COMPLETED)).output == "monday"
            assert durable_tasks.done == ["slow", "last"]
            statuses = [each.status for each in await runs.store.attempts(run.id)]
            assert statuses == ["completed", "lost", "completed", "completed"]

    story(work())


def test_a_task_that_kills_its_worker_every_time_has_crashed(tmp_path: Path) -> None:
    text = REPORT.replace(
        ":wait', inputs: {name: {value: slow}, value: first}",
        ":die', retry: {attempts: 9}, inputs: {after: first}",
    )
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from tests.extensions.tasks import test_durable as t\n"
        "async def main():\n"
        f"    async with t.running(Path(sys.argv[1]), {text!r}) as runtime, t.looking(Path(sys.argv[1])) as runs:\n"
        "        if not await runs.list():\n"
        "            await t.node_of(runtime).durable.begin({'day': 'monday'})\n"
        "        run = await t.until_status(runs, 'failed')\n"
        "        print(run.error.code, run.error.message)\n"
        "asyncio.run(main())\n"
    )
    codes = []
    done = None
    for _ in range(4):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        codes.append(done.returncode)
    assert done is not None
    assert codes == [-9, -9, -9, 0], done.stderr
    assert done.stdout.startswith("crashed its worker died 3 times")


def test_an_output_that_cannot_be_stored_fails_its_task(tmp_path: Path) -> None:
    async def work() -> None:
        text = REPORT.replace(
            ":wait', inputs: {name: {value: slow}, value: first}", ":odd', inputs: {after: first}"
        )
        async with running(tmp_path, text) as runtime, looking(tmp_path) as runs:
            error = await runtime.send("report", {"day": "d"})
            assert type(error) is Error
            assert error.code == "unstorable"
            assert error.message.startswith(
                "rows[1].file: an object of the type object cannot be stored"
            )
            view = await runs.show(await runs.find_id("last"))
            assert [each.status for each in view.attempts] == ["completed", "failed"]

    story(work())


def test_what_a_task_prints_goes_to_its_attempt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def work() -> None:
        text = REPORT.replace(
            ":wait', inputs: {name: {value: slow}, value: first}", ":shout', inputs: {text: first}"
        )
        async with running(tmp_path, text) as runtime, looking(tmp_path) as runs:
            assert await runtime.send("report", {"day": "d"}) == "D"
            run = await runs.find_id("last")
            assert await runs.logs(run) == [("slow", 1, "shouting d\n")]
        print("afterwards")

    story(work())
    assert capsys.readouterr().out == "afterwards\n"


def test_drained_runs_wait_for_a_person_and_are_resumed(tmp_path: Path) -> None:
    """As a command does at Ctrl-C: no time to wake at, so no run controller takes it."""

    async def work() -> None:
        text = REPORT.replace("  durable: true\n", "")
        async with running(tmp_path, text) as runtime:
            durable = node_of(runtime).durable
            run = await durable.begin({"day": "monday"}, creator="ada")
            assert isinstance(run, ActiveRun)
            await until(lambda: "slow" in durable_tasks.gates)
            await durable.suspend("drained", seconds=0.0)
            assert (run.status, run.reason) == (RunStatus.SUSPENDED, "drained")
            answer = await durable.answer(run)
            assert type(answer) is Error
            assert answer.code == "suspended"
        durable_tasks.gates["slow"] = asyncio.Event()
        durable_tasks.gates["slow"].set()
        async with running(tmp_path, text) as runtime:
            durable = node_of(runtime).durable
            resumed = await durable.resume(run.id)
            assert isinstance(resumed, ActiveRun)
            assert await durable.answer(resumed) == "monday"
            assert await durable.resume(run.id) is None

    story(work())


def test_no_task_begins_once_a_run_is_drained(tmp_path: Path) -> None:
    """Also if its functions hold the event loop: between two of them a signal is heard."""

    async def work() -> None:
        tasks = [
            f"    - {{name: t{n}, run: '{HERE}:hold', after: [{f't{n - 1}' if n else ''}]}}\n"
            for n in range(40)
        ]
        text = f"- kind: workflow\n  name: report\n  tasks:\n{''.join(tasks)}"
        async with running(tmp_path, text) as runtime:
            durable = node_of(runtime).durable
            run = await durable.begin({})
            assert isinstance(run, ActiveRun)
            await until(lambda: durable_tasks.done)
            await durable.suspend("drained")
            assert run.status is RunStatus.SUSPENDED
            assert len(durable_tasks.done) < 20
            async with looking(tmp_path) as runs:
                statuses = [each.status for each in (await runs.show(run.id)).attempts]
            assert statuses == ["completed"] * len(durable_tasks.done)

    story(work())


def test_a_run_store_that_cannot_be_used_fails_runs(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path / "missing") as runtime:
            error = await runtime.send("report", {"day": "d"})
            assert type(error) is Error
            assert error.code == "run-store"
            assert "cannot be written" in error.message
            assert "cannot be written" in node_of(runtime).degraded()
            (tmp_path / "missing").mkdir()
            durable_tasks.gates["slow"] = asyncio.Event()
            durable_tasks.gates["slow"].set()
            assert await runtime.send("report", {"day": "d"}) == "d"
            assert node_of(runtime).degraded() == ""

    story(work())


def test_what_needs_a_record_is_rejected_without_one() -> None:
    text = REPORT.replace("durable: true", "durable: false\n  idempotency_key: self.day")

    async def work() -> None:
        runtime = Runtime(store=stored(text))
        async with runtime:
            problems = [str(each) for event in runtime.events.recent for each in event.problems]
            assert any("durable: false together with idempotency_key" in each for each in problems)

    story(work())
