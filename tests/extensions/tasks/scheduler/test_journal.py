"""A journal that keeps: turns, what is recorded, and what a run takes over from earlier."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any
from uuid import uuid4

import pytest

from heddle.extensions.extension import Answer, Error
from heddle.extensions.tasks.scheduler.journal import DRAINED, Recorded, RunJournal, UnstorableError
from heddle.extensions.tasks.status import AttemptStatus, TaskStatus
from heddle.extensions.tasks.workflow import WorkflowNode
from heddle.runtime.flow.finish import finish, settle
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.runtime import Runtime
from tests.extensions.tasks.work import Journey, forget, workflow
from tests.support import running

pytestmark = pytest.mark.anyio


@pytest.fixture
def journey() -> Journey:
    """Give what the functions of this test do."""
    return forget()


class Notebook(RunJournal):
    """Keeps what is reported, turn by turn. With `waits`, a commit takes a turn of the loop."""

    keeps = True

    def __init__(self, recorded: Mapping[str, Recorded] | None = None, waits: bool = False) -> None:
        self.recorded = recorded or {}
        self.waits = waits
        self.turns: list[list[str]] = []
        self.turn: list[str] = []
        self.outputs: dict[str, Any] = {}
        self.unstorable = ""

    def begin(self, path: str, number: int) -> None:
        self.turn.append(f"+{path}:{number}")

    def end(
        self,
        path: str,
        number: int,
        status: AttemptStatus,
        answer: Answer = None,
        *,
        due: float | None = None,
        by: str = "",
    ) -> bool:
        if path == self.unstorable and status is AttemptStatus.COMPLETED:
            raise UnstorableError(path, "nothing can keep it")
        mark = {"completed": "-", "failed": "!", "cancelled": "x", "interrupted": "i"}[status]
        again = "" if due is None else "~"
        self.turn.append(f"{mark}{path}:{number}{again}{f' by {by}' if by else ''}")
        self.outputs[path] = answer
        return False

    def settle(
        self,
        path: str,
        status: TaskStatus,
        answer: Answer = None,
        *,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        self.turn.append(f"={path} {status}")

    def commit(self) -> Awaitable[None] | None:
        if self.turn:
            self.turns.append(self.turn)
            self.turn = []
        return asyncio.sleep(0) if self.waits else None

    @property
    def all(self) -> list[str]:
        """Everything that was reported, in order."""
        return [one for turn in (*self.turns, self.turn) for one in turn]


def begin(rt: Runtime, journal: RunJournal, record: Any = None) -> tuple[LiveProcess, Any]:
    """Begin a run of `w` with a journal."""
    symbol = rt.table.get("w")
    assert symbol is not None
    assert isinstance(symbol.node, WorkflowNode)
    process = symbol.node.start()
    assert isinstance(process, LiveProcess)
    return process, symbol.node.execute(process, record, journal, uuid4())


async def kept(tasks: str, journal: RunJournal, record: Any = None, **fields: Any) -> Any:
    """Run a workflow with a journal."""
    async with running(workflow(tasks, **fields)) as rt:
        assert not rt.status().problems
        process, answer = begin(rt, journal, record)
        async with asyncio.timeout(30):
            return await finish(process, answer)


FAN = """
- {name: a, run: '$:numbers'}
- {name: b, run: '$:WORK', inputs: {x: {value: 1}}, after: [a]}
- {name: c, run: '$:WORK', inputs: {x: {value: 2}}, after: [a]}
- {name: d, run: '$:add', inputs: {a: b, b: c}}
"""


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("work", ["double", "double_later"])
async def test_a_fan_takes_three_turns_and_what_is_read_was_committed(
    work: str, waits: bool
) -> None:
    journal = Notebook(waits=waits)
    assert await kept(FAN.replace("WORK", work), journal) == 6
    assert journal.turns == [["+a:1"], ["-a:1", "+b:1", "+c:1"], ["-b:1", "-c:1", "+d:1"]]
    assert journal.turn == ["-d:1"]


async def test_what_was_completed_is_taken_over_and_not_done_again(journey: Journey) -> None:
    tasks = """
- {name: a, run: '$:name_it', inputs: {name: {value: a}}}
- {name: b, run: '$:name_it', inputs: {name: a}}
- {name: c, run: '$:name_it', inputs: {name: b}}
"""
    recorded = {
        "a": Recorded(status=TaskStatus.COMPLETED, output="kept", attempts=1),
        "b": Recorded(status=TaskStatus.PENDING, attempts=2, tries=1),
    }
    journal = Notebook(recorded)
    assert await kept(tasks, journal) == "kept"
    assert journey.log == ["kept", "kept"]
    assert journal.all == ["+b:3", "-b:3", "+c:1", "-c:1"]


async def test_tries_before_count(journey: Journey) -> None:
    recorded = {"a": Recorded(status=TaskStatus.PENDING, attempts=5, tries=2)}
    journal = Notebook(recorded)
    error = await kept("- {name: a, run: '$:fail', retry: 3}", journal)
    assert isinstance(error, Error)
    assert journal.all == ["+a:6", "!a:6"]


async def test_each_try_is_an_attempt(journey: Journey) -> None:
    journal = Notebook()
    assert await kept("- {name: a, run: '$:flaky', retry: {attempts: 3, delay: 1ms}}", journal)
    assert journal.all == ["+a:1", "!a:1~", "+a:2", "!a:2~", "+a:3", "-a:3"]


async def test_skips_and_fallbacks_are_recorded(journey: Journey) -> None:
    tasks = """
- {name: a, run: '$:fail', fallback: [{name: spare, run: '$:numbers'}]}
- {name: b, run: '$:double', inputs: {x: {value: 1}}, when: 'false'}
- {name: c, run: '$:double', inputs: {x: b}}
"""
    journal = Notebook()
    await kept(tasks.replace("'$:fail'", "'$:fail_with_count'"), journal) if False else None
    assert await kept(tasks, journal, outputs="{c: c}") == {"c": None}
    assert sorted(journal.all) == sorted(
        ["+a:1", "!a:1~", "+a:2", "-a:2 by spare", "=b skipped", "=c skipped"]
    )


async def test_items_and_nested_tasks_have_paths_of_their_own() -> None:
    tasks = """
- name: page
  inputs: {x: in.x}
  for_each: x
  do:
    kind: workflow
    inputs: {x: {type: integer}}
    tasks: [{name: words, run: '$:double', inputs: {x: in.x}}]
- {name: each, run: '$:double_later', inputs: {x: page}, for_each: x}
"""
    journal = Notebook()
    assert await kept(tasks, journal, {"x": [1, 2]}, inputs="{x: {type: array}}") == [4, 8]
    assert set(journal.all) >= {
        "+page#0/words:1",
        "-page#1/words:1",
        "=page completed",
        "+each#0:1",
        "-each#1:1",
        "=each completed",
    }
    again = Notebook(
        {
            "page#0/words": Recorded(status=TaskStatus.COMPLETED, output=20, attempts=1),
            "each#1": Recorded(status=TaskStatus.COMPLETED, output=7, attempts=1),
        }
    )
    assert await kept(tasks, again, {"x": [1, 2]}, inputs="{x: {type: array}}") == [40, 7]
    assert not {"+page#0/words:1", "+each#1:1"} & set(again.all)


async def test_an_output_that_cannot_be_kept_fails_the_task(journey: Journey) -> None:
    journal = Notebook()
    journal.unstorable = "a"
    error = await kept("- {name: a, run: '$:numbers', retry: 3}", journal)
    assert isinstance(error, Error)
    assert (error.code, error.message) == ("unstorable", "nothing can keep it")
    assert journal.all == ["+a:1", "!a:1"]


@pytest.mark.parametrize(("code", "mark"), [(DRAINED, "i"), ("cancelled", "x")])
async def test_what_runs_when_the_process_is_cancelled_is_reported(
    journey: Journey, code: str, mark: str
) -> None:
    tasks = "- {name: a, run: '$:hang'}\n- {name: b, do: {kind: sleep, interval: 1h}}"
    journal = Notebook()
    async with running(workflow(tasks)) as rt:
        process, answer = begin(rt, journal)
        waiting = asyncio.ensure_future(settle(answer))
        await journey.began.wait()
        reason = Error("enough", code=code)
        process.cancel(reason)
        assert await waiting is reason
        process.end(reason)
    # The code of b was not called yet: it had no effect, however the run goes on.
    assert sorted(journal.all) == sorted(["+a:1", "+b:1", f"{mark}a:1", "xb:1"])


async def test_a_draining_run_begins_nothing_more(journey: Journey) -> None:
    tasks = """
- {name: a, run: '$:wait_for_gate', inputs: {x: {value: 1}}}
- {name: b, run: '$:name_it', inputs: {name: {value: b}}, after: [a]}
"""
    journal = Notebook()
    async with running(workflow(tasks)) as rt:
        process, answer = begin(rt, journal)
        waiting = asyncio.ensure_future(settle(answer))
        await journey.began.wait()
        journal.draining = True
        journey.gate.set()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not waiting.done()
        assert journal.all == ["+a:1", "-a:1"]
        process.cancel(Error("enough", code=DRAINED))
        answer = await waiting
        assert isinstance(answer, Error)
        assert answer.code == DRAINED
        process.end(answer)


async def test_no_more_attempts_begin_in_a_turn_than_the_limit_allows(journey: Journey) -> None:
    tasks = "\n".join(
        f"- {{name: t{n}, run: '$:count_inside', inputs: {{x: {{value: {n}}}}}}}" for n in range(7)
    )
    journal = Notebook()
    await kept(tasks, journal, max_parallel=2, outputs="{x: t0}")
    begun = [sum(one.startswith("+") for one in turn) for turn in journal.turns]
    assert max(begun) <= 2
    assert sum(begun) == 7
    assert journey.most == 2
