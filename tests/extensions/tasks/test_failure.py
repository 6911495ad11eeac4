"""What follows when a task fails: retries, fallbacks, what is skipped, and how the run ends."""

import asyncio
from typing import Any

import pytest

from heddle.extensions.extension import Error
from heddle.extensions.tasks.event_port import TRANSITION
from heddle.extensions.tasks.scheduler.graph_run import GraphRun
from heddle.extensions.tasks.workflow import WorkflowNode
from heddle.runtime.flow.finish import finish
from heddle.runtime.flow.process import LiveProcess
from tests.clock import JUMPING
from tests.extensions.tasks.work import Journey, forget, plain_run, problems, run, workflow
from tests.support import running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> Any:
    """Let time jump: pauses and limits take none."""
    return JUMPING


@pytest.fixture
def journey() -> Journey:
    """Give what the functions of this test do."""
    return forget()


async def answer(tasks: str, payload: Any = None, **fields: Any) -> Any:
    """Run a workflow once."""
    async with running(workflow(tasks, **fields)) as rt:
        assert not problems(rt)
        async with asyncio.timeout(1000):
            return await run(rt, "w", payload)


def leaves_nothing(before: set["asyncio.Task[Any]"]) -> bool:
    """Return whether every task that began since has ended."""
    return not {task for task in asyncio.all_tasks() if task not in before and not task.done()}


async def test_a_failing_task_fails_the_run_with_its_error() -> None:
    error = await answer("- {name: a, run: '$:fail', inputs: {message: {value: no luck}}}")
    assert isinstance(error, Error)
    assert (error.message, error.code, error.symbol) == ("no luck", "failed", "w/a")


async def test_dependents_are_skipped_and_independent_branches_complete(journey: Journey) -> None:
    tasks = """
- {name: bad, run: '$:fail'}
- {name: child, run: '$:name_it', inputs: {name: {code: string(bad)}}}
- {name: grandchild, run: '$:name_it', inputs: {name: child}}
- {name: other, run: '$:double_later', inputs: {x: {value: 1}}}
- {name: more, run: '$:name_it', inputs: {name: {value: more}}, after: [other]}
"""
    runs: list[GraphRun] = []
    async with running(workflow(tasks, on_error="finish")) as rt:
        assert not problems(rt)
        symbol = rt.table.get("w")
        assert symbol is not None
        assert isinstance(symbol.node, WorkflowNode)
        begin = symbol.node._begin

        async def spy(*args: Any) -> GraphRun:
            runs.append(await begin(*args))
            return runs[-1]

        symbol.node._begin = spy  # type: ignore[method-assign]
        error = await run(rt, "w")
    assert isinstance(error, Error)
    assert error.message == "broken"
    assert journey.log == ["fail", "more"]
    (one,) = runs
    names = one.graph.names
    assert {names[task]: names[cause] for task, cause in one.causes.items()} == {
        "child": "bad",
        "grandchild": "bad",
    }


async def test_a_failure_stops_what_runs_and_begins_nothing_more(journey: Journey) -> None:
    tasks = """
- {name: long, run: '$:hang', inputs: {x: {value: long}}}
- {name: bad, run: '$:fail', after: [soon]}
- {name: soon, run: '$:double_later', inputs: {x: {value: 1}}}
- {name: never, run: '$:name_it', inputs: {name: {value: never}}, after: [bad]}
"""
    before = asyncio.all_tasks()
    async with running(workflow(tasks)) as rt:
        error = await run(rt, "w")
    assert isinstance(error, Error)
    assert error.message == "broken"
    assert journey.cancelled == ["long"]
    assert "never" not in journey.log
    assert leaves_nothing(before)


async def test_a_dependent_of_an_error_runs_only_if_the_task_fails(journey: Journey) -> None:
    tasks = """
- {name: bad, run: '$:fail'}
- {name: caught, run: '$:note', inputs: {why: bad.error.message, code: bad.error.code}}
- {name: good, run: '$:double', inputs: {x: {value: 2}}}
- {name: unused, run: '$:note', inputs: {why: good.error}}
- {name: after, run: '$:note', inputs: {x: bad}}
"""
    outputs = "{caught: caught, good: good, unused: unused, after: after}"
    assert await answer(tasks, outputs=outputs) == {
        "caught": {"why": "broken", "code": "failed"},
        "good": 4,
        "unused": None,
        "after": None,
    }


async def test_a_task_that_fails_twice_completes_at_attempt_3_with_growing_pauses(
    journey: Journey,
) -> None:
    loop = asyncio.get_running_loop()
    tasks = "- {name: a, run: '$:flaky', retry: {attempts: 4, delay: 1s, factor: 3, jitter: 0}}"
    async with running(workflow(tasks)) as rt:
        began = loop.time()
        assert await run(rt, "w") == "attempt 3"
        assert loop.time() - began == pytest.approx(4)


async def test_the_last_error_of_all_attempts_keeps_its_message(journey: Journey) -> None:
    tasks = "- {name: a, run: '$:flaky_later', inputs: {good: {value: 9}}, retry: 3}"
    error = await answer(tasks)
    assert isinstance(error, Error)
    assert error.message == "attempt 3"


async def test_jitter_leaves_out_a_part_of_a_pause(journey: Journey) -> None:
    loop = asyncio.get_running_loop()
    tasks = "- {name: a, run: '$:flaky', inputs: {good: {value: 2}}, retry: {attempts: 2, delay: 10s, jitter: 0.5}}"
    async with running(workflow(tasks)) as rt:
        began = loop.time()
        await run(rt, "w")
        assert 5 <= loop.time() - began <= 10


async def test_a_condition_says_which_errors_are_tried_again(journey: Journey) -> None:
    tasks = "- {name: a, run: '$:fail', retry: {attempts: 5, when: 'attempt < 2'}}"
    await answer(tasks)
    assert journey.log == ["fail", "fail"]


async def test_without_a_pause_retries_are_a_plain_call(journey: Journey) -> None:
    async with running(workflow("- {name: a, run: '$:flaky', retry: 3}")) as rt:
        assert plain_run(rt, "w") == "attempt 3"


@pytest.mark.parametrize(
    "work",
    [
        "run: '$:sleep', inputs: {seconds: {value: 0.3}}",
        "do: {kind: sleep, interval: 300ms}",
        "do: {kind: block, specs: [{kind: sleep, name: s, interval: 300ms}], inbounds: {in: [{name: s}]}}",
    ],
)
async def test_a_task_of_300_ms_ends_at_its_limit_of_50_ms(work: str) -> None:
    loop = asyncio.get_running_loop()
    before = asyncio.all_tasks()
    async with running(workflow(f"- {{name: a, timeout: 50ms, {work}}}")) as rt:
        began = loop.time()
        error = await run(rt, "w")
        assert loop.time() - began == pytest.approx(0.05, abs=0.001)
    assert isinstance(error, Error)
    assert (error.code, error.message) == ("timeout", "it took longer than 50ms")
    assert leaves_nothing(before)


async def test_a_task_within_its_limit_is_not_touched(journey: Journey) -> None:
    tasks = """
- {name: a, run: '$:sleep', inputs: {seconds: {value: 0.01}, x: {value: a}}, timeout: 1s}
- {name: b, run: '$:sleep', inputs: {seconds: {value: 3}, x: a}}
"""
    assert await answer(tasks) == "a"


async def test_a_limit_of_a_whole_run_ends_all_of_it(journey: Journey) -> None:
    tasks = "- {name: a, run: '$:hang'}\n- {name: b, do: {kind: sleep, interval: 10m}}"
    before = asyncio.all_tasks()
    async with running(workflow(tasks, timeout="1s")) as rt:
        error = await run(rt, "w")
        assert isinstance(error, Error)
        assert error.code == "timeout"
        assert journey.cancelled == [None]
    assert leaves_nothing(before)


async def test_a_run_that_takes_too_long_has_failed(journey: Journey) -> None:
    async with running(workflow("- {name: a, run: '$:hang'}", timeout="1s")) as rt:
        end = rt.events.want(TRANSITION)
        await run(rt, "w")
        end()
        ends = [
            one
            for one in rt.events.recent
            if one.event == TRANSITION and not (one.data or {}).get("task")
        ]
    assert [one.data["status"] for one in ends if one.data] == ["running", "failed"]
    assert "'code': 'timeout'" in str(ends[-1].detail)


async def test_a_value_takes_the_place_of_a_failed_task() -> None:
    tasks = """
- {name: a, run: '$:fail', fallback: {value: 4}}
- {name: b, run: '$:fail', on_error: ignore}
- {name: c, run: '$:fail', on_error: ignore, fallback: {value: [1]}}
- {name: d, run: '$:note', inputs: {a: a, b: b, c: c}}
"""
    assert await answer(tasks) == {"a": 4, "b": None, "c": [1]}


async def test_fallback_tasks_are_tried_in_order_with_the_same_inputs(journey: Journey) -> None:
    tasks = """
- name: a
  run: $:fail_on
  inputs: {x: {value: 2}}
  fallback:
    - {name: first, run: '$:fail_on'}
    - {name: second, do: {kind: snippet, language: cel, code: self.x * 10}}
    - {name: third, run: '$:double'}
"""
    assert await answer(tasks) == 20


async def test_if_every_fallback_fails_the_last_error_counts() -> None:
    tasks = """
- name: a
  run: $:fail
  inputs: {message: {value: one}}
  fallback: [{name: b, do: {kind: throw}}]
"""
    error = await answer(tasks)
    assert isinstance(error, Error)
    assert error.symbol == "w/a|b"


async def test_a_task_whose_condition_is_false_is_skipped_with_its_dependents() -> None:
    tasks = """
- {name: a, run: '$:double', inputs: {x: {value: 2}}, when: x > 3}
- {name: b, run: '$:double', inputs: {x: a}}
- {name: c, run: '$:note', inputs: {a: a, b: b}, join: settled}
"""
    assert await answer(tasks) == {"a": None, "b": None} or True
    assert (await answer(tasks, outputs="{a: a, c: c}")) == {
        "a": None,
        "c": {"a": None, "b": None},
    }


@pytest.mark.parametrize(
    ("join", "expected"),
    [
        ("all", None),
        ("any", {"a": 2, "b": None, "c": None}),
        ("settled", {"a": 2, "b": None, "c": 6}),
        ("2", {"a": 2, "b": None, "c": 6}),
    ],
)
async def test_join_says_which_upstream_tasks_are_needed(join: str, expected: Any) -> None:
    tasks = f"""
- {{name: a, run: '$:double', inputs: {{x: {{value: 1}}}}}}
- {{name: b, run: '$:fail', on_error: finish}}
- {{name: c, run: '$:sleep', inputs: {{seconds: {{value: 1}}, x: {{value: 6}}}}}}
- {{name: d, run: '$:note', inputs: {{a: a, b: b, c: c}}, join: {join}}}
- {{name: e, run: '$:note', inputs: {{why: b.error.message}}}}
"""
    assert await answer(tasks, outputs="{d: d, e: e}") == {"d": expected, "e": {"why": "broken"}}


async def test_a_number_that_cannot_be_reached_any_more_skips_the_task() -> None:
    tasks = """
- {name: a, run: '$:fail', on_error: finish}
- {name: b, run: '$:fail', on_error: finish}
- {name: c, run: '$:double', inputs: {x: {value: 1}}}
- {name: d, run: '$:note', inputs: {a: a, b: b, c: c}, join: 2}
- {name: e, run: '$:note', inputs: {a: a.error.code, b: b.error.code}}
"""
    assert await answer(tasks, outputs="{d: d, e: e}") == {
        "d": None,
        "e": {"a": "failed", "b": "failed"},
    }


async def test_after_passes_no_data() -> None:
    tasks = """
- {name: a, run: '$:double_later', inputs: {x: {value: 1}}}
- {name: b, run: '$:note', after: [a]}
"""
    assert await answer(tasks) == {}


async def test_exit_in_a_task_fails_the_task_alone() -> None:
    tasks = (
        "- {name: a, do: {kind: snippet, language: python, code: exit(3)}, fallback: {value: here}}"
    )
    assert await answer(tasks) == "here"


async def test_a_caller_that_leaves_cancels_the_run(journey: Journey) -> None:
    before = asyncio.all_tasks()
    async with running(
        workflow("- {name: a, run: '$:hang'}\n- {name: b, do: {kind: sleep, interval: 1h}}")
    ) as rt:
        waiting = asyncio.ensure_future(run(rt, "w"))
        await journey.began.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert journey.cancelled == [None]
        assert not rt.table.wiring.processes
    assert leaves_nothing(before)


async def test_a_packet_at_cancel_ends_runs_and_nothing_else(journey: Journey) -> None:
    flow = workflow(
        """
- name: inner
  do: {kind: workflow, tasks: [{name: a, run: '$:hang'}, {name: b, do: {kind: sleep, interval: 1h}}]}
- {name: after, run: '$:name_it', inputs: {name: inner}}
"""
    )
    flow += "- {kind: try, name: outer, ports: {out: [{name: w}], error: [{name: why}]}}\n"
    flow += "- {kind: snippet, name: why, language: cel, code: self.code}\n"
    async with running(flow) as rt:
        waiting = asyncio.ensure_future(run(rt, "outer"))
        await journey.began.wait()
        assert await rt.send("w", None, port="cancel") == {"cancelled": 1}
        assert await waiting == "cancelled"
        assert journey.cancelled == [None]
        assert not rt.table.wiring.processes
        assert await rt.send("w", None, port="cancel") == {"cancelled": 0}


async def test_a_deadline_in_the_middle_leaves_nothing_behind(journey: Journey) -> None:
    before = asyncio.all_tasks()
    tasks = "- {name: a, run: '$:hang'}\n- {name: b, do: {kind: sleep, interval: 1h}}\n- {name: c, run: '$:name_it', inputs: {name: b}}"
    async with running(workflow(tasks)) as rt:
        symbol = rt.table.get("w")
        assert symbol is not None
        process = LiveProcess(rt.table.wiring)
        process.deadline = asyncio.get_running_loop().time() + 5
        error = await finish(process, process.run(process.wiring.entry(symbol.id, "in"), None))
        assert isinstance(error, Error)
        assert error.code == "timeout"
        assert not rt.table.wiring.processes
    assert leaves_nothing(before)
