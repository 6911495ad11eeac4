"""What is wrong with a workflow is reported together, each at its line, before anything runs."""

from typing import Any

import pytest

from heddle.schemas.problem import Problem
from tests.extensions.tasks.work import problems, workflow
from tests.support import running

pytestmark = pytest.mark.anyio


async def wrong(tasks: str, **fields: Any) -> list[Problem]:
    """Return the Problems of a workflow."""
    async with running(workflow(tasks, **fields)) as rt:
        return sorted(problems(rt), key=lambda one: (one.place.line, one.place.column))


async def only(tasks: str, **fields: Any) -> Problem:
    """Return the only Problem of a workflow."""
    (one,) = await wrong(tasks, **fields)
    return one


async def test_five_mistakes_are_five_problems_at_their_lines_all_at_once() -> None:
    tasks = """
- {name: rows, run: '$:numbers'}
- {name: person, run: 'tests.extensions.tasks.graph.typed:person'}
- {name: a, run: '$:double', inputs: {x: row}}
- {name: b, run: '$:double', inputs: {x: person.ag}}
- {name: c, run: '$:double', inputs: {x: rows}}
- {name: d, run: '$:add', inputs: {a: {value: 1}}}
- {name: e, run: '$:note', inputs: {x: f}}
- {name: f, run: '$:note', inputs: {x: e}}
"""
    found = await wrong(tasks)
    assert [(one.code, one.place.line) for one in found] == [
        ("unknown-task", 6),
        ("unknown-output", 7),
        ("type", 8),
        ("missing-input", 9),
        ("cycle", 10),
    ]
    texts = [str(one) for one in found]
    assert texts[0].endswith(
        'there is no task "row" (there is: rows, person, a, b, c, d, e, f). Did you mean "rows"?'
    )
    assert texts[1].endswith('"person" has no output "ag" (it has: name, age). Did you mean "age"?')
    assert (found[2].found, found[2].expected) == ("array of integer goes to c.x", "integer")
    assert texts[3].endswith(
        '"d" lacks the input "b" (expected: integer). Add b: and where it comes from under inputs.'
    )
    assert "the tasks wait for each other: e → f → e" in texts[4]


async def test_mistakes_of_the_specs_in_do_are_reported_with_them() -> None:
    tasks = """
- {name: a, do: {kind: snippet, language: cel, code: 1 +}, inputs: {x: nobody}}
- {name: b, do: {kind: nothing}}
"""
    assert [one.code for one in await wrong(tasks)] == ["code", "unknown-task", "unknown-kind"]


async def test_a_task_that_reads_itself_is_a_cycle() -> None:
    one = await only("- {name: a, run: '$:note', inputs: {x: a}}")
    assert one.code == "cycle"
    assert "a → a" in one.found


async def test_an_input_that_a_function_does_not_have_names_the_nearest() -> None:
    found = await wrong("- {name: a, run: '$:double', inputs: {y: {value: 1}, x: {value: 1}}}")
    assert [one.code for one in found] == ["unknown-input"]
    assert found[0].path == "w.tasks[0].inputs.y"


async def test_an_input_of_the_workflow_is_declared() -> None:
    one = await only(
        "- {name: a, run: '$:double', inputs: {x: in.dya}}", inputs="{day: {type: integer}}"
    )
    assert (one.code, one.hint) == ("unknown-input", 'Did you mean "day"?')


async def test_the_type_of_an_input_is_compared_too() -> None:
    one = await only(
        "- {name: a, run: '$:double', inputs: {x: in.day}}", inputs="{day: {type: string}}"
    )
    assert (one.code, one.found, one.expected) == ("type", "string goes to a.x", "integer")


async def test_a_value_that_stands_there_is_compared() -> None:
    one = await only("- {name: a, run: '$:double', inputs: {x: {value: two}}}")
    assert (one.code, one.found, one.path) == (
        "type",
        '"two" goes to a.x',
        "w.tasks[0].inputs.x.value",
    )


async def test_a_transform_says_what_it_makes() -> None:
    good = "- {name: t, run: '$:name_it', inputs: {name: {value: x}}}\n"
    fits = good + "- {name: a, run: '$:name_it', inputs: {name: {from: t, through: [uppercase]}}}"
    assert await wrong(fits) == []
    bad = good + "- {name: a, run: '$:double', inputs: {x: {from: t, through: [uppercase]}}}"
    assert [one.code for one in await wrong(bad)] == ["type"]
    worse = (
        "- {name: n, run: '$:numbers'}\n"
        "- {name: a, run: '$:name_it', inputs: {name: {from: n, through: [uppercase]}}}"
    )
    one = await only(worse)
    assert one.found == "array of integer goes to the transform uppercase"


async def test_for_each_needs_a_list_and_compares_its_items() -> None:
    one = await only(
        "- {name: n, run: '$:add', inputs: {a: {value: 1}, b: {value: 2}}}\n"
        "- {name: a, run: '$:double', inputs: {x: n}, for_each: x}"
    )
    assert (one.code, one.expected) == ("type", "array")
    assert (
        await wrong(
            "- {name: n, run: '$:numbers'}\n- {name: a, run: '$:double', inputs: {x: n}, for_each: x}\n"
            "- {name: t, run: '$:total', inputs: {values: a}}"
        )
        == []
    )
    one = await only(
        "- {name: n, run: '$:numbers'}\n- {name: a, run: '$:name_it', inputs: {name: n}, for_each: name}"
    )
    assert (one.found, one.expected) == ("integer goes to a.name", "string")


async def test_a_workflow_inside_says_what_it_takes_and_gives() -> None:
    inner = (
        "do: {kind: workflow, inputs: {x: {type: integer}}, outputs: {y: t}, "
        "tasks: [{name: t, run: '$:double', inputs: {x: in.x}}]}"
    )
    found = await wrong(
        f"- {{name: a, inputs: {{z: {{value: 1}}}}, {inner}}}\n- {{name: b, run: '$:note', inputs: {{x: a.z}}}}"
    )
    assert sorted(one.code for one in found) == ["missing-input", "unknown-input", "unknown-output"]


@pytest.mark.parametrize(
    ("code", "reference", "found"),
    [
        ("'text' + self.y", "a", "string goes to b.x"),
        ("{'n': size(self.y)}", "a", "object with n goes to b.x"),
        ("{'n': size(self.y)}", "a.n", None),
        ("{'n': self.y}", "a.n", None),
        ("self.y", "a.anything", None),
        ("self.y ? 1 : 'x'", "a", None),
    ],
)
async def test_the_code_of_a_snippet_has_a_type(
    code: str, reference: str, found: str | None
) -> None:
    problems = await wrong(
        "- {name: a, inputs: {y: {value: z}}, do: {kind: snippet, language: cel, "
        f'code: "{code}"}}}}\n'
        f"- {{name: b, run: '$:double', inputs: {{x: {reference}}}}}"
    )
    assert [one.found for one in problems] == ([] if found is None else [found])


async def test_a_part_that_a_snippet_cannot_have_is_an_unknown_output() -> None:
    one = await only(
        "- {name: a, do: {kind: snippet, language: json, code: '{\"n\": 1}'}}\n"
        "- {name: b, run: '$:double', inputs: {x: a.m}}"
    )
    assert one.code == "unknown-output"


async def test_a_function_that_is_not_there_says_why() -> None:
    tasks = """
- {name: a, run: '$:doubel', inputs: {x: {value: 1}}}
- {name: b, run: 'no_such_module:f'}
- {name: c, run: nothing}
- {name: d, uses: shop.total}
"""
    found = await wrong(tasks)
    assert [one.code for one in found] == ["unknown-function"] * 4
    assert found[0].hint.startswith('Did you mean "double')
    assert 'there is no module "no_such_module"' in found[1].found


@pytest.mark.parametrize(
    ("task", "code", "path"),
    [
        ("{name: in, run: '$:numbers'}", "name", "tasks[0].name"),
        ("{name: a b, run: '$:numbers'}", "name", "tasks[0].name"),
        ("{name: a}", "missing", "tasks[0]"),
        ("{name: a, run: '$:numbers', do: {kind: nop}}", "missing", "tasks[0].run"),
        (
            "{name: a, run: '$:numbers', inputs: {count: '1x'}}",
            "reference",
            "tasks[0].inputs.count",
        ),
        ("{name: a, run: '$:numbers', inputs: {count: 1}}", "type", "tasks[0].inputs.count"),
        (
            "{name: a, run: '$:numbers', inputs: {count: {from: in, through: [upper]}}}",
            "unknown-transform",
            "tasks[0].inputs.count.through[0]",
        ),
        ("{name: a, run: '$:numbers', for_each: count}", "unknown-input", "tasks[0].for_each"),
        ("{name: a, run: '$:numbers', join: 2}", "range", "tasks[0].join"),
        ("{name: a, run: '$:numbers', after: [b]}", "unknown-task", "tasks[0].after[0]"),
        ("{name: a, run: '$:numbers', queue: slow}", "unknown-field", "tasks[0].queue"),
        ("{name: a, do: {kind: nop, ports: {out: [{name: a}]}}}", "ports", "tasks[0].do.ports"),
        (
            "{name: a, run: '$:numbers', inputs: {count: run.day}}",
            "unknown-output",
            "tasks[0].inputs.count",
        ),
    ],
)
async def test_what_cannot_be_is_a_problem_at_its_field(task: str, code: str, path: str) -> None:
    found = await wrong(f"- {task}")
    assert (code, f"w.{path}") in [(one.code, one.path) for one in found], [str(o) for o in found]


async def test_all_code_that_does_not_compile_is_reported_whatever_else_is_wrong() -> None:
    tasks = """
- {name: a, run: '$:note', when: self., inputs: {x: {value: 1}}, retry: {attempts: 2, when: self.}}
- {name: b, run: '$:note', inputs: {x: {code: 1 +}, y: {from: a, through: [{code: self.}]}}}
"""
    outputs = "{x: {code: 1 +}, y: {from: a, through: [{code: self.}]}}"
    places = [
        "w.outputs.x",
        "w.outputs.y.through[0]",
        "w.tasks[0].when",
        "w.tasks[0].retry.when",
        "w.tasks[1].inputs.x",
        "w.tasks[1].inputs.y.through[0]",
    ]
    found = await wrong(tasks, outputs=outputs)
    assert [one.code for one in found] == ["code"] * 6
    for one, place in zip(sorted(found, key=lambda each: each.path), sorted(places), strict=True):
        assert one.path.startswith(place)
    more = await wrong(tasks + "- {name: b, run: '$:note'}\n", outputs=outputs)
    assert sorted(one.code for one in more) == ["code"] * 6 + ["duplicate-name"]


@pytest.mark.parametrize(
    ("field", "expected", "path"),
    [
        ("{type: integer, default: one}", "integer", "default"),
        ("{type: integer, default: true}", "integer", "default"),
        ("{type: array, default: {}}", "array", "default"),
        (
            "{schema: {type: array, items: {type: integer}}, default: [1, b]}",
            "integer",
            "default[1]",
        ),
        ("{schema: {type: strin}}", "a JSON Schema", "schema"),
    ],
)
async def test_a_default_that_does_not_fit_its_input_is_a_problem(
    field: str, expected: str, path: str
) -> None:
    one = await only("- {name: a, run: '$:numbers'}", inputs=f"{{n: {field}}}")
    assert (one.path, one.expected) == (f"w.inputs.n.{path}", expected)


@pytest.mark.parametrize(
    "field",
    [
        "{type: integer, default: null}",
        "{type: number, default: 1}",
        "{type: boolean, default: false}",
        "{default: one}",
        "{schema: {type: integer}, default: null}",
    ],
)
async def test_a_default_may_be_null_or_fit(field: str) -> None:
    assert not await wrong("- {name: a, run: '$:numbers'}", inputs=f"{{n: {field}}}")


async def test_two_tasks_of_one_name_are_a_problem() -> None:
    one = await only("- {name: a, run: '$:numbers'}\n- {name: a, run: '$:numbers'}")
    assert (one.code, one.path) == ("duplicate-name", "w.tasks[1].name")


async def test_output_and_error_of_one_task_cannot_both_be_needed() -> None:
    one = await only(
        "- {name: a, run: '$:numbers'}\n- {name: b, run: '$:note', inputs: {x: a, e: a.error}}"
    )
    assert one.code == "join"


async def test_unknown_outputs_of_the_workflow_are_problems() -> None:
    found = await wrong("- {name: a, run: '$:numbers'}", outputs="{x: b, y: a.z, z: in.q}")
    assert sorted(one.code for one in found) == ["unknown-input", "unknown-output", "unknown-task"]


async def test_a_bad_edit_keeps_the_workflow_that_runs() -> None:
    from tests.extensions.tasks.work import run
    from tests.support import change

    good = workflow("- {name: a, run: '$:double', inputs: {x: {value: 2}}}")
    async with running(good) as rt:
        await change(rt, good.replace("value: 2", "value: two"))
        assert await run(rt, "w") == 4
