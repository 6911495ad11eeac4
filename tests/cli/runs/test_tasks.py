"""heddle tasks and heddle graph: workflows, without running them and as a run of them stands."""

import pytest

from tests.cli.runs.support import GREET, RATIO, Desk


def test_workflows_are_listed_with_their_tasks(desk: Desk) -> None:
    desk.write("flows.yaml", GREET + RATIO)
    assert desk.get("tasks", "list")[1] == {
        "workflow": "ratio",
        "inputs": ["count"],
        "tasks": ["double", "divide", "text"],
        "place": "flows.yaml:13",
    }
    assert "ratio" in desk.do("tasks", "list", "flows.yaml").stdout
    desk.write("none/none.yaml", "- {kind: snippet, name: a, language: text, code: a}\n")
    assert desk.do("tasks", "list", "none").stdout == "no workflows\n"


@pytest.mark.parametrize(
    ("line", "durable", "why"),
    [
        ("", False, "in memory"),
        ("  durable: true\n", True, "durable: true"),
        ("  durable: false\n", False, "durable: false"),
        ("  durable: main\n", True, '"main"'),
        ("  answer: run\n", True, "answer: run"),
        ("  idempotency_key: string(count)\n", True, "idempotency_key"),
    ],
)
def test_a_workflow_says_whether_it_is_durable_and_why(
    desk: Desk, line: str, durable: bool, why: str
) -> None:
    desk.write("ratio.yaml", RATIO.replace("  tasks:\n", f"{line}  tasks:\n"))
    shown = desk.get("tasks", "show", "ratio.yaml")
    assert shown["durable"] is durable
    assert why in shown["why"]
    assert shown["tasks"][1] == {"name": "divide", "work": "snippet", "after": ["double"]}
    assert shown["inputs"] == {"count": "integer"}
    assert (
        f"durable: {'yes' if durable else 'no'}: " in desk.do("tasks", "show", "ratio.yaml").stdout
    )


def test_levels_and_the_critical_path(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO)
    assert desk.get("tasks", "levels", "ratio.yaml") == [["double"], ["divide"], ["text"]]
    assert desk.do("tasks", "levels").stdout == "  1  double\n  2  divide\n  3  text\n"
    desk.do("run", "ratio.yaml", "count=5")
    path = desk.get("tasks", "critical", "--last")
    assert [task["task"] for task in path["tasks"]] == ["double", "divide", "text"]
    assert desk.do("tasks", "critical", "--last").stdout.splitlines()[0].endswith("double")


def test_several_workflows_have_to_be_named(desk: Desk) -> None:
    desk.write("flows.yaml", GREET + RATIO)
    result = desk.do("tasks", "show")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[1:] == ["  greet", "  ratio"]


def test_a_workflow_is_drawn_with_its_tasks(desk: Desk) -> None:
    desk.write("flows.yaml", GREET + RATIO)
    drawn = desk.get("graph", "flows.yaml:ratio")
    assert [node["name"] for node in drawn["nodes"]] == ["double", "divide", "text"]
    assert {(link["from"], link["to"], link["in"]) for link in drawn["links"]} == {
        ("default/double", "default/divide", "by"),
        ("default/divide", "default/text", "ratio"),
    }
    by_name = desk.do("graph", "ratio", "--format", "dot").stdout
    assert by_name.startswith("digraph")
    assert desk.do("graph", "ration").exit_code == 1
    assert desk.do("graph").exit_code == 2


def test_a_run_is_drawn_with_the_status_of_each_task(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO)
    desk.do("run", "ratio.yaml", "count=0")
    kinds = {node["name"]: node["kind"] for node in desk.get("graph", "ratio", "--last")["nodes"]}
    assert kinds["double"].startswith("completed, ")
    assert kinds["divide"].startswith("failed")
    assert desk.get("graph", "--last")["nodes"]
    desk.do("graph", "--last", "-o", "run.svg")
    assert "failed" in (desk.folder / "run.svg").read_text()
    desk.write("greet.yaml", GREET)
    assert "and not of greet" in desk.do("graph", "greet", "--last").stderr
