"""A workflow: what its tasks are given, when they begin, and what comes out."""

import asyncio
from typing import Any

import pytest

from heddle.extensions.extension import Error
from heddle.runtime.flow.machine import PendingAnswer
from tests.extensions.tasks.work import (
    Journey,
    forget,
    plain_run,
    problems,
    run,
    workflow,
)
from tests.support import change, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def journey() -> Journey:
    """Give what the functions of this test do."""
    return forget()


async def answer(tasks: str, payload: Any = None, **fields: Any) -> Any:
    """Run a workflow once."""
    async with running(workflow(tasks, **fields)) as rt:
        assert not problems(rt)
        return await run(rt, "w", payload)


async def test_a_task_begins_when_its_inputs_are_there() -> None:
    tasks = """
- {name: sum, run: '$:add', inputs: {a: one, b: two}}
- {name: one, run: '$:double', inputs: {x: in.x}}
- {name: two, run: '$:double_later', inputs: {x: one}}
"""
    assert await answer(tasks, {"x": 3}, inputs="{x: {type: integer}}") == 18


async def test_plain_functions_are_one_plain_call_without_an_event_loop() -> None:
    tasks = """
- {name: one, run: '$:double', inputs: {x: {value: 4}}}
- {name: two, run: '$:add', inputs: {a: one, b: one}}
"""
    async with running(workflow(tasks)) as rt:
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(None, plain_run, rt, "w")
    assert answer == 16


async def test_only_what_waits_is_pending() -> None:
    tasks = "- {name: two, run: '$:double_later', inputs: {x: {value: 4}}}"
    async with running(workflow(tasks)) as rt:
        assert type(plain_run(rt, "w")) is PendingAnswer


async def test_an_input_takes_a_part_of_an_output() -> None:
    tasks = """
- {name: data, run: '$:note', inputs: {rows: {value: [{net: 1}, {net: 5}]}, more: {value: {a-b: [7]}}}}
- {name: sum, run: '$:add', inputs: {a: 'data.rows[-1].net', b: 'data.more["a-b"][0]'}}
"""
    assert await answer(tasks) == 12


async def test_a_part_that_is_not_there_fails_the_dependent() -> None:
    tasks = """
- {name: data, run: '$:note', inputs: {rows: {value: []}}}
- {name: sum, run: '$:double', inputs: {x: data.lines}}
"""
    error = await answer(tasks)
    assert isinstance(error, Error)
    assert (error.code, error.message) == (
        "missing",
        'data.lines: there is no "lines": the value has rows',
    )


async def test_code_reads_the_tasks_that_it_names() -> None:
    tasks = """
- {name: a, run: '$:double', inputs: {x: {value: 2}}}
- {name: b, run: '$:double_later', inputs: {x: {value: 3}}}
- {name: c, run: '$:double', inputs: {x: {language: cel, code: a + b}}}
"""
    assert await answer(tasks) == 20


async def test_transforms_change_a_value_on_its_way() -> None:
    tasks = """
- {name: a, run: '$:note', inputs: {names: {value: [ada, grace]}}}
- name: b
  run: $:note
  inputs:
    last: {from: a.names, through: [{id: index, index: -1}, uppercase, {id: truncate, max: 3}]}
    code: {from: a.names, through: [{language: cel, code: self.size()}, numberToString]}
"""
    assert await answer(tasks) == {"last": "GRA", "code": "2"}


@pytest.mark.parametrize(
    "through",
    [
        "[uppercase, {id: truncate, max: 2}]",
        "[uppercase, {language: cel, code: 'self.substring(0, 2)'}]",
    ],
)
async def test_transforms_change_whatever_a_reference_names(through: str) -> None:
    """They change an output, an error, an input and a value of the run, in inputs and in outputs."""
    tasks = """
- {name: a, run: '$:note', inputs: {x: {value: ab}}}
- {name: bad, run: '$:fail', inputs: {message: {value: ef}}, on_error: finish}
- name: b
  run: $:note
  inputs:
    task: {from: a.x, through: THROUGH}
    error: {from: bad.error.message, through: THROUGH}
    input: {from: in.x, through: THROUGH}
    id: {from: run.id, through: THROUGH}
    token: {from: run.token, through: THROUGH}
"""
    outputs = """
    b: b
    task: {from: a.x, through: THROUGH}
    error: {from: bad.error.message, through: THROUGH}
    input: {from: in.x, through: THROUGH}
    id: {from: run.id, through: THROUGH}
    token: {from: run.token, through: THROUGH}"""
    given = await answer(
        tasks.replace("THROUGH", through),
        {"x": "cd"},
        inputs="{x: {type: string}}",
        outputs=outputs.replace("THROUGH", through),
    )
    for values in (given.pop("b"), given):
        assert (values["task"], values["error"], values["input"]) == ("AB", "EF", "CD")
        assert {len(value) for value in values.values()} == {2}


async def test_a_value_that_never_comes_is_null_and_coalesce_gives_another() -> None:
    through = "[uppercase, {id: coalesce, defaultValue: none}, uppercase]"
    tasks = f"""
- {{name: a, run: '$:note', when: 'false', inputs: {{x: {{value: ab}}}}}}
- name: b
  run: $:note
  join: settled
  inputs:
    plain: a.x
    upper: {{from: a.x, through: [uppercase]}}
    task: {{from: a.x, through: {through}}}
    error: {{from: a.error.message, through: {through}}}
    input: {{from: in.x, through: {through}}}
"""
    outputs = f"""{{b: b, plain: a.x, upper: {{from: a.x, through: [uppercase]}}, task: {{from: a.x, through: {through}}},
      error: {{from: a.error.message, through: {through}}}, input: {{from: in.x, through: {through}}}}}"""
    given = await answer(tasks, {}, inputs="{x: {type: string, required: false}}", outputs=outputs)
    assert given.pop("b") == given
    assert given == {"plain": None, "upper": None, "task": "NONE", "error": "NONE", "input": "NONE"}


async def test_outputs_name_values_of_tasks_inputs_and_the_run() -> None:
    tasks = "- {name: a, run: '$:double', inputs: {x: in.x}}"
    outputs = "{twice: a, x: in.x, more: {value: [1]}, sum: {code: a + 1}, run: run.id}"
    given = await answer(tasks, {"x": 2}, inputs="{x: {type: integer}}", outputs=outputs)
    assert {key: given[key] for key in ("twice", "x", "more", "sum")} == {
        "twice": 4,
        "x": 2,
        "more": [1],
        "sum": 5,
    }
    assert len(given["run"]) == 36


async def test_without_outputs_the_last_tasks_are_the_output() -> None:
    one = "- {name: a, run: '$:double', inputs: {x: {value: 1}}}"
    assert await answer(one) == 2
    two = (
        f"{one}\n- {{name: b, run: '$:double', inputs: {{x: a}}}}\n- {{name: c, run: '$:numbers'}}"
    )
    assert await answer(two) == {"b": 4, "c": [0, 1, 2]}


async def test_the_record_keeps_the_order_of_the_inputs_whatever_ends_first() -> None:
    tasks = """
- {name: slow, run: '$:sleep', inputs: {seconds: {value: 0.01}, x: {value: 1}}}
- {name: quick, run: '$:double', inputs: {x: {value: 1}}}
- {name: both, run: '$:note', inputs: {slow: slow, quick: quick}}
"""
    assert list(await answer(tasks)) == ["slow", "quick"]


async def test_tasks_of_a_higher_priority_begin_first(journey: Journey) -> None:
    tasks = """
- {name: a, run: '$:name_it', inputs: {name: {value: a}}, priority: low}
- {name: b, run: '$:name_it', inputs: {name: {value: b}}}
- {name: c, run: '$:name_it', inputs: {name: {value: c}}, priority: critical}
- {name: d, run: '$:name_it', inputs: {name: {value: d}}}
- {name: e, run: '$:name_it', inputs: {name: {value: e}}, priority: 7}
"""
    await answer(tasks)
    assert journey.log == ["e", "c", "b", "d", "a"]


async def test_a_sole_input_called_in_is_sent_alone() -> None:
    tasks = """
- {name: a, do: {kind: snippet, language: cel, code: self + 1}, inputs: {in: in.x}}
- {name: b, run: '$:double', inputs: {in: a}}
"""
    assert await answer(tasks, {"x": 2}, inputs="{x: {type: integer}}") == 6


async def test_the_work_of_a_task_is_a_spec_of_any_kind() -> None:
    tasks = """
- name: a
  inputs: {x: in.x}
  do:
    kind: block
    specs:
      - {kind: snippet, name: first, language: cel, code: self.x * 2, ports: {out: [{name: last}]}}
      - {kind: snippet, name: last, language: python, code: '{"y": payload}'}
    inbounds: {in: [{name: first}]}
    outbounds: {out: [{name: last}]}
- {name: b, do: {kind: snippet, language: cel, code: '"y is " + string(self.y)'}, inputs: {y: a.y}}
"""
    assert await answer(tasks, {"x": 2}, inputs="{x: {type: integer}}") == "y is 4"


async def test_a_generator_gives_the_list_of_what_it_yields() -> None:
    tasks = """
- {name: a, run: '$:pieces', inputs: {count: {value: 3}}}
- {name: b, run: '$:pieces_later', inputs: {count: {value: 2}}}
"""
    assert await answer(tasks) == {"a": [0, 1, 2], "b": [0, 1]}


async def test_a_result_of_another_type_than_the_hint_fails_with_both() -> None:
    error = await answer("- {name: a, run: '$:wrong_type'}")
    assert isinstance(error, Error)
    assert (error.code, error.data) == ("type", {"found": "str", "expected": "integer"})


async def test_inputs_are_filled_in_converted_and_checked_together() -> None:
    tasks = "- {name: a, run: '$:note', inputs: {x: in.x, y: in.y, z: in.z}}"
    inputs = "{x: {type: integer}, y: {type: string, default: why}, z: {schema: {enum: [1, 2]}}}"
    assert await answer(tasks, {"x": "7", "z": 2}, inputs=inputs) == {"x": 7, "y": "why", "z": 2}
    error = await answer(tasks, {"y": [], "z": 3}, inputs=inputs)
    assert isinstance(error, Error)
    assert error.code == "invalid"
    assert [one["path"] for one in error.data] == ["x", "y", "z"]


async def test_a_packet_that_is_no_map_is_the_only_input() -> None:
    tasks = "- {name: a, run: '$:double', inputs: {x: in.x}}"
    assert await answer(tasks, 5, inputs="{x: {type: integer}}") == 10


async def test_a_workflow_is_a_node_that_others_send_to() -> None:
    flow = (
        workflow(
            "- {name: a, run: '$:double_later', inputs: {x: in.x}}",
            inputs="{x: {type: integer}}",
            ports="{out: [{name: after}]}",
        )
        + "- {kind: snippet, name: after, language: cel, code: self + 1}\n"
        + "- {kind: for, name: each, concurrency: 2, ports: {'out[0]': {name: w}}}\n"
        + workflow(
            "- {name: a, do: {kind: call, target: w}, inputs: {in: in.x}}",
            name="v",
            inputs="{x: {type: integer}}",
        )
    )
    async with running(flow) as rt:
        assert not problems(rt)
        assert await run(rt, "w", {"x": 2}) == 5
        assert await run(rt, "each", [1, 2, 3]) == [3, 5, 7]
        assert await run(rt, "v", 4) == 9


async def test_its_failure_goes_to_its_error_port() -> None:
    flow = workflow("- {name: a, run: '$:fail'}", ports="{error: [{name: caught}]}")
    flow += "- {kind: snippet, name: caught, language: cel, code: self.message}\n"
    async with running(flow) as rt:
        assert await run(rt, "w") == "broken"


async def test_a_workflow_inside_belongs_to_the_same_run() -> None:
    tasks = """
- name: inner
  inputs: {x: in.x}
  do:
    kind: workflow
    inputs: {x: {type: integer}}
    tasks:
      - {name: a, run: '$:double_later', inputs: {x: in.x}}
      - {name: b, run: '$:note', inputs: {x: a, run: run.id}}
    outputs: {x: b.x, run: b.run}
- {name: c, run: '$:note', inputs: {inner: inner, run: run.id}}
"""
    given = await answer(tasks, {"x": 2}, inputs="{x: {type: integer}}")
    assert given["inner"]["x"] == 4
    assert given["inner"]["run"] == given["run"]


async def test_a_workflow_is_written_once_and_used_with_params() -> None:
    flow = """
- kind: workflow
  name: template
  params: {by: {type: integer}, label: {type: string, default: none}}
  inputs: {x: {type: integer}}
  max_parallel: '{{ by }}'
  tasks:
    - {name: a, do: {kind: snippet, language: cel, code: 'self.x * {{ by }}'}, inputs: {x: in.x}}
    - {name: b, do: {kind: snippet, language: text, code: '{{ label }}'}}
  outputs: {a: a, b: b}
- {kind: workflow, name: tripled, uses: template, with: {by: 3}}
- kind: workflow
  name: outer
  tasks:
    - {name: t, do: {kind: workflow, uses: template, with: {by: 5, label: five}}, inputs: {x: {value: 2}}}
"""
    async with running(flow) as rt:
        assert not problems(rt)
        assert await run(rt, "tripled", 4) == {"a": 12, "b": "none"}
        assert await run(rt, "outer") == {"a": 10, "b": "five"}


async def test_two_runs_at_once_share_nothing() -> None:
    tasks = """
- {name: a, run: '$:double_later', inputs: {x: in.x}}
- {name: b, run: '$:note', inputs: {x: in.x, twice: a, run: run.id, token: run.token}}
"""
    async with running(workflow(tasks, inputs="{x: {type: integer}}")) as rt:
        one, two = await asyncio.gather(run(rt, "w", 1), run(rt, "w", 2))
    assert (one["x"], one["twice"], two["x"], two["twice"]) == (1, 2, 2, 4)
    assert one["run"] != two["run"]
    assert one["token"] != two["token"]


async def test_a_run_goes_on_with_its_generation_when_a_task_changes() -> None:
    before = workflow("- {name: a, run: '$:wait_for_gate', inputs: {x: {value: 1}}}")
    after = before.replace("value: 1", "value: 2")
    journey = forget()
    async with running(before) as rt:
        first = asyncio.ensure_future(run(rt, "w"))
        await journey.began.wait()
        await change(rt, after)
        journey.gate.set()
        assert (await first, await run(rt, "w")) == (1, 2)
