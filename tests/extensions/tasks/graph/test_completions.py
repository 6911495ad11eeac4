"""Editors complete the inputs of the functions that tasks run, and references to tasks."""

from pathlib import Path
from typing import Annotated, Any

import jsonschema
import msgspec
import pytest

from heddle.extensions.tasks.fields import WorkflowFields
from heddle.extensions.tasks.functions import register_function, unregister_function
from heddle.extensions.tasks.workflow import WORKFLOW as KIND
from heddle.schemas.export import complete, file_schema
from heddle.schemas.schema import Schema
from tests.cli.support import heddle

HERE = "tests.extensions.tasks.graph.test_completions"

WORKFLOW: Schema[WorkflowFields] = KIND.schema


class Sums(msgspec.Struct):
    euros: float
    count: int


def total(
    rows: Annotated[list[float], msgspec.Meta(description="What was sold.")], limit: int = 10
) -> Sums:
    return Sums(sum(rows[:limit]), len(rows))


def anything(**inputs: Any) -> int:
    return len(inputs)


def flow(*tasks: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "workflow",
        "name": "w",
        "inputs": {"day": {"type": "string"}},
        "tasks": list(tasks),
    }


TOTAL = {"name": "sum", "run": f"{HERE}:total", "inputs": {"rows": {"value": [1.0]}}}
NESTED = {"name": "inner", "do": flow({"name": "deep", "run": f"{HERE}:anything"})}


def schema_for(*flows: dict[str, Any]) -> dict[str, Any]:
    """Return what an editor of a file with these workflows is given."""
    return file_schema([WORKFLOW], completions=complete([WORKFLOW], {"workflow": flows}))


def test_an_input_that_a_function_does_not_have_is_marked() -> None:
    editor = jsonschema.Draft7Validator(schema_for(flow(TOTAL, NESTED)))
    jsonschema.Draft7Validator.check_schema(editor.schema)
    assert editor.is_valid(flow(TOTAL, NESTED))
    assert not editor.is_valid(flow({**TOTAL, "inputs": {"lines": "load"}}))
    assert editor.is_valid(flow({**TOTAL, "run": "other:function", "inputs": {"lines": "load"}}))
    assert editor.is_valid(flow({"name": "b", "run": f"{HERE}:anything", "inputs": {"x": "sum"}}))


def test_inputs_outputs_and_functions_are_described() -> None:
    text = str(schema_for(flow(TOTAL, NESTED)))
    assert "array of number, required. What was sold." in text
    assert "total(rows: array of number, limit: integer) -> Sums" in text
    for reference in ("in.day", "sum.euros", "sum.count", "inner", "deep"):
        assert f"'{reference}'" in text


def test_registered_functions_are_known_without_files() -> None:
    register_function("tests.completions.total", total)
    try:
        editor = jsonschema.Draft7Validator(schema_for())
    finally:
        unregister_function("tests.completions.total")
    task = {"name": "a", "uses": "tests.completions.total", "inputs": {"rows": "load"}}
    assert editor.is_valid(flow(task))
    assert not editor.is_valid(flow({**task, "inputs": {"row": "load"}}))


@pytest.mark.parametrize("target", ["no_such_module:f", f"{HERE}:no_such_function"])
def test_what_cannot_be_imported_is_left_out_and_named(target: str) -> None:
    found = complete([WORKFLOW], {"workflow": [flow({"name": "a", "run": target})]})
    (text,) = found.left_out
    assert text.startswith(f"{target}: ")


def test_odd_workflows_complete_nothing() -> None:
    for odd in ({}, {"tasks": 5}, {"tasks": [5, {"name": 3, "run": []}]}, {"inputs": []}):
        assert complete([WORKFLOW], {"workflow": [odd]}).left_out == ()


def test_the_command_completes_the_files_that_it_is_given(tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(
        f"{{kind: workflow, name: w, tasks: [{{name: sum, run: '{HERE}:total'}}, {{name: x, run: 'gone:f'}}]}}"
    )
    result = heddle("schema", "--files", tmp_path)
    assert result.exit_code == 0
    assert "total(rows: array of number" in result.stdout
    assert "left out: gone:f: there is no module" in result.stderr
    assert heddle("schema", "workflow", "--files", tmp_path).exit_code == 2
