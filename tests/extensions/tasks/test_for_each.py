"""for_each works on the items of a list: in order, at the same time, and never past its limits."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.extensions.extension import Error
from tests.extensions.tasks.work import AT, Journey, forget, plain_run, problems, run, workflow
from tests.support import running

pytestmark = pytest.mark.anyio


@pytest.fixture
def journey() -> Journey:
    """Give what the functions of this test do."""
    return forget()


LIST = "{x: {type: array}}"


async def answer(tasks: str, payload: Any = None, **fields: Any) -> Any:
    """Run a workflow once."""
    async with running(workflow(tasks, **fields)) as rt:
        assert not problems(rt)
        async with asyncio.timeout(60):
            return await run(rt, "w", payload)


@pytest.mark.parametrize("name", ["double", "double_later"])
async def test_each_item_has_its_result_in_order(name: str) -> None:
    tasks = f"- {{name: a, run: '$:{name}', inputs: {{x: in.x}}, for_each: x}}"
    assert await answer(tasks, {"x": [3, 1, 2]}, inputs=LIST) == [6, 2, 4]
    assert await answer(tasks, {"x": []}, inputs=LIST) == []


async def test_plain_items_are_one_plain_call() -> None:
    tasks = "- {name: a, run: '$:double', inputs: {x: in.x}, for_each: x}"
    async with running(workflow(tasks, inputs=LIST)) as rt:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(None, plain_run, rt, "w", {"x": list(range(1000))})
    assert found == [number * 2 for number in range(1000)]


async def test_what_is_not_a_list_fails_the_task() -> None:
    tasks = "- {name: a, run: '$:double', inputs: {x: in.x}, for_each: x}"
    error = await answer(tasks, {"x": 3}, inputs="{x: {}}")
    assert isinstance(error, Error)
    assert error.message == "for_each of a works on a list, and x is the number 3"


async def test_lists_go_together_item_by_item_or_each_with_each() -> None:
    inputs = "{a: {type: array}, b: {type: array}}"
    tasks = "- {name: s, run: '$:add', inputs: {a: in.a, b: in.b}, for_each: HOW}"
    zipped = tasks.replace("HOW", "[a, b]")
    assert await answer(zipped, {"a": [1, 2], "b": [10, 20]}, inputs=inputs) == [11, 22]
    every = tasks.replace("HOW", "{over: [a, b], how: product}")
    assert await answer(every, {"a": [1, 2], "b": [10, 20]}, inputs=inputs) == [11, 21, 12, 22]
    error = await answer(zipped, {"a": [1, 2], "b": [10]}, inputs=inputs)
    assert isinstance(error, Error)
    assert (error.code, error.message) == (
        "length",
        "the lists are not of equal length: a has 2, b has 1",
    )


async def test_more_items_than_the_limit_are_an_error_and_never_cut() -> None:
    tasks = "- {name: a, run: '$:note', inputs: {x: in.x}, for_each: {over: x, limit: 3}}"
    journey = forget()
    error = await answer(tasks, {"x": [1, 2, 3, 4]}, inputs=LIST)
    assert isinstance(error, Error)
    assert error.code == "limit"
    assert journey.log == []


@pytest.mark.parametrize("work", ["run: '$:fail_on'", "do: {kind: task, run: '$:fail_on'}"])
@pytest.mark.parametrize(
    ("on_error", "expected"),
    [
        ("skip", [1, 3]),
        (
            "keep",
            [
                1,
                {"error": {"code": "failed", "message": "not 2", "data": None, "symbol": "w/a"}},
                3,
            ],
        ),
    ],
)
async def test_a_failed_item_does_not_shift_the_others(
    work: str, on_error: str, expected: Any
) -> None:
    tasks = (
        f"- {{name: a, {work}, inputs: {{x: in.x}}, for_each: {{over: x, on_error: {on_error}}}}}"
    )
    assert await answer(tasks, {"x": [1, 2, 3]}, inputs=LIST) == expected


async def test_an_item_that_fails_fails_the_task_and_stops_the_others(journey: Journey) -> None:
    tasks = """
- name: a
  inputs: {x: in.x}
  for_each: {over: x, concurrency: 3}
  do:
    kind: workflow
    inputs: {x: {type: integer}}
    tasks:
      - {name: ok, run: '$:fail_on', inputs: {x: in.x}}
      - {name: wait, run: '$:hang', inputs: {x: ok}}
"""
    error = await answer(tasks, {"x": [1, 3, 2, 4]}, inputs=LIST)
    assert isinstance(error, Error)
    assert error.message == "not 2"
    assert sorted(journey.cancelled) == [1, 3]


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ("for_each: {over: x, concurrency: 4}", 4),
        ("for_each: x", 20),
    ],
)
async def test_no_more_items_than_allowed_are_under_way(
    journey: Journey, fields: str, limit: int
) -> None:
    tasks = f"- {{name: a, run: '$:count_inside', inputs: {{x: in.x}}, {fields}}}"
    assert await answer(tasks, {"x": list(range(20))}, inputs=LIST) == list(range(20))
    assert journey.most == limit


async def test_max_parallel_counts_items_and_nested_tasks_and_never_deadlocks(
    journey: Journey,
) -> None:
    tasks = """
- name: a
  inputs: {x: in.x}
  for_each: x
  do:
    kind: workflow
    inputs: {x: {type: integer}}
    tasks:
      - {name: one, run: '$:count_inside', inputs: {x: in.x}}
      - {name: two, run: '$:count_inside', inputs: {x: in.x}}
      - name: three
        inputs: {x: {value: [1, 2, 3]}}
        for_each: {over: x, concurrency: 2}
        run: $:count_inside
    outputs: {one: one, three: three}
- {name: b, run: '$:count_inside', inputs: {x: {value: b}}}
"""
    found = await answer(tasks, {"x": [1, 2, 3, 4]}, inputs=LIST, max_parallel=3)
    assert [one["one"] for one in found["a"]] == [1, 2, 3, 4]
    assert all(one["three"] == [1, 2, 3] for one in found["a"])
    assert journey.most <= 3


async def test_results_in_the_order_of_completion(journey: Journey) -> None:
    tasks = """
- name: a
  run: $:sleep
  inputs: {seconds: in.x, x: in.x}
  for_each: {over: [seconds, x], order: completion}
"""
    assert await answer(tasks, {"x": [0.03, 0.001]}, inputs=LIST) == [0.001, 0.03]


async def test_batches_are_lists_with_a_result_for_each_item(journey: Journey) -> None:
    tasks = """
- name: a
  inputs: {x: in.x}
  for_each: {over: x, batch: 2}
  do: {kind: snippet, language: python, code: '[one * 10 for one in payload["x"]]'}
"""
    assert await answer(tasks, {"x": [1, 2, 3]}, inputs=LIST) == [10, 20, 30]
    short = tasks.replace('for one in payload["x"]', 'for one in payload["x"][:1]')
    error = await answer(short, {"x": [1, 2, 3]}, inputs=LIST)
    assert isinstance(error, Error)
    assert error.message == "a answered a list of 1 for a batch of 2 items"


@pytest.mark.parametrize("wrong", ["[0]", "None", "5"])
async def test_an_answer_that_does_not_fit_its_batch_shifts_no_other_result(wrong: str) -> None:
    tasks = f"""
- name: a
  inputs: {{x: in.x}}
  for_each: {{over: x, batch: 2, on_error: keep}}
  do:
    kind: snippet
    language: python
    code: '{wrong} if 3 in payload["x"] else [one * 10 for one in payload["x"]]'
"""
    results = await answer(tasks, {"x": [1, 2, 3, 4, 5]}, inputs=LIST)
    assert [results[0], results[1], results[4]] == [10, 20, 50]
    assert [results[unit]["error"]["code"] for unit in (2, 3)] == ["batch", "batch"]


async def test_lists_that_do_not_go_together_name_their_task() -> None:
    each = "for_each: [a, b]"
    tasks = f"- {{name: t, run: '$:add', {each}, inputs: {{a: {{value: [1]}}, b: {{value: []}}}}}}"
    error = await answer(tasks)
    assert isinstance(error, Error)
    assert (error.code, error.symbol) == ("length", "w/t")


async def test_lists_of_results_are_put_together() -> None:
    tasks = "- {name: a, run: '$:numbers', inputs: {count: in.x}, for_each: {over: count, flatten: true}}"
    assert await answer(tasks, {"x": [1, 3]}, inputs=LIST) == [0, 0, 1, 2]


async def test_items_are_tried_again_and_have_limits_of_their_own(journey: Journey) -> None:
    tasks = """
- {name: a, run: '$:flaky_later', inputs: {good: in.x}, for_each: {over: good, concurrency: 1}, retry: 5}
"""
    assert await answer(tasks, {"x": [2, 3]}, inputs=LIST) == ["attempt 2", "attempt 3"]
    late = """
- name: a
  run: $:sleep
  inputs: {seconds: in.x, x: in.x}
  for_each: {over: [seconds, x], on_error: skip}
  timeout: 50ms
"""
    assert await answer(late, {"x": [0.001, 5, 0.002]}, inputs=LIST) == [0.001, 0.002]


async def test_a_dependent_reads_a_field_of_every_result() -> None:
    tasks = """
- name: page
  inputs: {x: in.x}
  for_each: x
  do:
    kind: workflow
    inputs: {x: {type: integer}}
    tasks: [{name: a, run: '$:double', inputs: {x: in.x}}]
    outputs: {words: a}
- {name: sum, run: '$:total', inputs: {values: page.words}}
- {name: first, run: '$:double', inputs: {x: 'page[0].words'}}
"""
    assert await answer(tasks, {"x": [1, 2]}, inputs=LIST) == {"sum": 6, "first": 4}


async def test_broadcast_gives_each_item_the_whole_value() -> None:
    tasks = """
- name: a
  run: $:note
  inputs: {x: in.x, all: {from: in.x, broadcast: true}}
  for_each: x
"""
    assert await answer(tasks, {"x": [1, 2]}, inputs=LIST) == [
        {"x": 1, "all": [1, 2]},
        {"x": 2, "all": [1, 2]},
    ]


@given(
    items=st.lists(st.integers(0, 9), max_size=30),
    bad=st.integers(0, 9),
    concurrency=st.integers(1, 7),
)
def test_what_comes_out_does_not_depend_on_how_items_are_worked_on(
    items: list[int], bad: int, concurrency: int
) -> None:
    async def both() -> tuple[Any, Any]:
        each = f"for_each: {{over: x, on_error: skip, concurrency: {concurrency}}}"
        tasks = f"- {{name: a, run: '{AT}:fail_on', inputs: {{x: in.x, bad: in.bad}}, {each}}}"
        waiting = tasks.replace(
            "run: '",
            "do: {kind: workflow, inputs: {x: {}, bad: {}}, tasks: [{name: w, run: '"
            + AT
            + ":double_later', inputs: {x: {value: 1}}}, {name: r, after: [w], run: '",
        ).replace(
            "inputs: {x: in.x, bad: in.bad}, for_each",
            "inputs: {x: in.x, bad: in.bad}}], outputs: {r: r}}, inputs: {x: in.x, bad: in.bad}, for_each",
        )
        inputs = "{x: {type: array}, bad: {type: integer}}"
        payload = {"x": items, "bad": bad}
        plain = await answer(tasks, payload, inputs=inputs)
        later = await answer(waiting, payload, inputs=inputs)
        return plain, [one["r"] for one in later]

    expected = [item for item in items if item != bad]
    assert asyncio.run(both()) == (expected, expected)
