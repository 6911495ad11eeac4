"""heddle run: what it takes, what it prints, and how it ends."""

import json
import textwrap

import pytest

from tests.cli.runs.support import GREET, RATIO, Desk, id_in


def test_a_file_is_run_and_its_answer_printed(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO)
    result = desk.do("run", "ratio.yaml", "count=5")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == "10"
    lines = result.stderr.splitlines()
    assert lines[0] == 'the workflow "ratio" of the file ratio.yaml'
    assert lines[1].endswith(", recorded in .heddle/runs.sqlite")
    assert [line.split()[:2] for line in lines[2:5]] == [
        ["running", "double"],
        ["completed", "double"],
        ["running", "divide"],
    ]


@pytest.mark.parametrize("missing", ["flows/ratoi", "flows/ratoi:double", "ratoi.yaml"])
def test_a_missing_path_is_named_and_the_store_stays_unread(desk: Desk, missing: str) -> None:
    desk.write("broken.yaml", "- {name: nothing}\n")
    result = desk.do("run", missing)
    assert result.exit_code == 1
    place = missing.partition(":")[0]
    assert result.stderr.startswith(f"error: {place}: there is no such file or folder")


def test_json_is_one_object(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO)
    result = desk.do("run", "ratio.yaml", "count=5", "--json")
    shown = json.loads(result.stdout)
    assert len(shown.pop("id")) == 36
    assert shown == {"workflow": "ratio", "status": "completed", "outputs": "10"}
    assert result.stderr == ""


def test_values_have_the_declared_types(desk: Desk) -> None:
    desk.write("greet.yaml", GREET)
    words = ["who=7", "times=3", "loud=true", 'names=["a", 1]', 'more={"a": 2}']
    assert desk.get("run", "greet.yaml", *words)["outputs"] == {
        "who": "7",
        "times": 3,
        "loud": True,
        "names": ["a", 1],
        "more": {"a": 2},
    }


def test_inputs_come_from_a_file_and_the_command_line_comes_over_it(desk: Desk) -> None:
    desk.write("greet.yaml", GREET)
    desk.write("in.json", '{"who": "Ada", "times": 2}')
    outputs = desk.get("run", "greet.yaml", "--input", "in.json", "times=5")["outputs"]
    assert (outputs["who"], outputs["times"]) == ("Ada", 5)
    piped = desk.do("run", "greet.yaml", "--input", "-", "--json", stdin='{"who": "Eve"}')
    assert json.loads(piped.stdout)["outputs"]["who"] == "Eve"


@pytest.mark.parametrize(
    ("content", "reason"),
    [("[1]", "expected: a map of the inputs"), ("{", "is not JSON"), (None, "No such file")],
)
def test_a_wrong_input_file_is_named(desk: Desk, content: str | None, reason: str) -> None:
    desk.write("greet.yaml", GREET)
    if content is not None:
        desk.write("in.json", content)
    result = desk.do("run", "greet.yaml", "--input", "in.json")
    assert result.exit_code == 1
    assert "in.json" in result.stderr
    assert reason in result.stderr


def test_every_mistake_in_the_inputs_is_told_by_path(desk: Desk) -> None:
    desk.write("greet.yaml", GREET)
    result = desk.do("run", "greet.yaml", "times=many", "names=7", 'more={"a": "x"}', "whom=Ada")
    assert result.exit_code == 1
    told = result.stderr
    for line in (
        "who: missing (expected: string)",
        "times: ",
        "names: ",
        "more.a: ",
        'whom: unknown input (expected: "who")',
    ):
        assert line in told
    assert desk.get("runs", "list") == []


def test_a_word_that_is_not_a_value_is_a_usage_error(desk: Desk) -> None:
    desk.write("greet.yaml", GREET)
    result = desk.do("run", "greet.yaml", "Ada")
    assert result.exit_code == 2
    assert '"Ada" is not KEY=VALUE' in result.stderr
    assert desk.do("run", "greet.yaml", "who=a", "who=b").exit_code == 2


def test_a_task_of_a_workflow_inside_another_has_its_own_line(desk: Desk) -> None:
    desk.write(
        "nested.yaml",
        """\
- kind: workflow
  name: nested
  on_error: finish
  tasks:
    - name: outer
      for_each: x
      inputs: {x: {value: [1]}}
      do:
        kind: workflow
        inputs: {x: {}}
        tasks:
          - name: good
            do: {kind: snippet, language: text, code: here}
          - name: inner
            do: {kind: snippet, language: python, code: 1 / 0}
    - name: other
      do: {kind: throw}
      fallback:
        - name: spare
          do: {kind: snippet, language: python, code: 1 / 0}
""",
    )
    result = desk.do("run", "nested.yaml")
    assert result.exit_code == 1
    assert "nested.yaml:14: nested/outer/inner: " in result.stderr
    assert "nested.yaml:19: nested/other|spare: " in result.stderr
    shown = desk.get("runs", "show", "--last")
    assert [one["place"].rpartition(":")[2] for one in shown["error"]["errors"]] == ["14", "19"]


def test_a_workflow_that_does_not_compile_runs_nothing(desk: Desk) -> None:
    desk.write("bad.yaml", RATIO.replace("ratio: divide", "ratio: divid"))
    result = desk.do("run", "bad.yaml", "count=5")
    assert result.exit_code == 1
    assert "bad.yaml:12" in result.stderr
    assert 'Did you mean "divide"?' in result.stderr
    assert desk.get("runs", "list") == []


def test_without_a_target_the_only_workflow_runs(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO)
    assert desk.get("run", "count=5")["outputs"] == "10"
    desk.write("greet.yaml", GREET)
    several = desk.do("run", "count=5")
    assert several.exit_code == 2
    assert several.stderr.splitlines()[1:] == ["  greet", "  ratio"]


def test_a_place_without_a_workflow_is_told(desk: Desk) -> None:
    desk.write("none.yaml", "- {kind: snippet, name: a, language: text, code: a}\n")
    result = desk.do("run")
    assert result.exit_code == 1
    assert "holds no workflow" in result.stderr


def test_a_file_comes_before_a_name_and_a_name_before_a_module(desk: Desk) -> None:
    desk.write("flows.yaml", GREET + RATIO)
    by_name = desk.do("run", "ratio", "count=5")
    assert by_name.stderr.startswith('the workflow "ratio" of the folder .\n')
    desk.write("ratio", RATIO.replace("count * 2", "count * 4"))
    by_file = desk.do("run", "ratio", "count=5")
    assert by_file.stderr.startswith('the workflow "ratio" of the file ratio\n')
    assert (json.loads(by_name.stdout), json.loads(by_file.stdout)) == ("10", "5")


def test_one_of_several_workflows_of_a_file_is_named_behind_a_colon(desk: Desk) -> None:
    desk.write("flows.yaml", GREET + RATIO)
    assert desk.get("run", "flows.yaml:ratio", "count=5")["outputs"] == "10"
    wrong = desk.do("run", "flows.yaml:ration", "count=5")
    assert wrong.exit_code == 1
    assert 'has no workflow "ration" (it has: greet, ratio). Did you mean "ratio"?' in wrong.stderr
    assert desk.do("run", "flows.yaml", "count=5").exit_code == 2


def test_an_unknown_name_is_told_with_the_nearest(desk: Desk) -> None:
    desk.write("flows.yaml", GREET + RATIO)
    result = desk.do("run", "ration")
    assert result.exit_code == 1
    assert 'Did you mean "ratio"?' in result.stderr


def test_functions_stand_beside_the_specs(desk: Desk) -> None:
    desk.write("there/sums_of_test.py", "def add(a: int, b: int) -> int:\n    return a + b\n")
    desk.write(
        "there/sum.yaml",
        textwrap.dedent("""\
            - kind: workflow
              name: sum
              inputs: {a: {type: integer}, b: {type: integer}}
              tasks:
                - {name: add, run: 'sums_of_test:add', inputs: {a: in.a, b: in.b}}
        """),
    )
    assert desk.get("run", "there", "a=1", "b=2")["outputs"] == 3
    assert desk.do("check", "there").exit_code == 0


def test_a_workflow_of_a_module_runs(desk: Desk) -> None:
    desk.write(
        "desk_flows.py",
        textwrap.dedent("""\
            from heddle import task, workflow

            @task
            def double(n: int) -> int:
                return 2 * n

            @workflow(inputs={"n": int})
            def twice(n):
                return double(double(n))
        """),
    )
    result = desk.do("run", "desk_flows:twice", "n=5")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == 20
    assert result.stderr.startswith('the workflow "twice" of the module desk_flows\n')
    wrong = desk.do("run", "desk_flows:twise")
    assert 'Did you mean "twice"?' in wrong.stderr
    assert desk.do("run", "no_such_module:twice").exit_code == 1


def test_listeners_and_timers_beside_a_workflow_do_not_begin(desk: Desk) -> None:
    desk.write(
        "ratio.yaml",
        RATIO
        + textwrap.dedent("""\
            - {kind: listener, name: web, port: 1, ports: {out: [{name: ratio, port: in}]}}
            - {kind: timer, name: tick, every: 1ms, ports: {out: [{name: ratio, port: in}]}}
        """),
    )
    assert desk.get("run", "ratio.yaml", "count=5")["outputs"] == "10"
    assert len(desk.get("runs", "list")) == 1


def test_a_failed_run_names_the_task_and_its_line(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO)
    result = desk.do("run", "ratio.yaml", "count=0")
    assert result.exit_code == 1
    assert result.stdout == ""
    failed = next(line for line in result.stderr.splitlines() if line.startswith("failed: "))
    assert failed.startswith("failed: ratio.yaml:8: ratio/divide: ")
    run = id_in(result.stderr)
    assert f"heddle runs retry {run} --resume" in result.stderr
    shown = desk.get("run", "ratio.yaml", "count=0")
    assert shown["error"]["place"] == "ratio.yaml:8"


def test_a_run_store_is_named_on_the_command_line(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO)
    nowhere = desk.do("run", "ratio.yaml", "count=5", "--runs", "kept/")
    assert nowhere.exit_code == 1
    assert "kept" in nowhere.stderr
    (desk.folder / "kept").mkdir()
    desk.do("run", "ratio.yaml", "count=5", "--runs", "kept/")
    assert (desk.folder / "kept" / "runs.sqlite").exists()
    assert not (desk.folder / ".heddle" / "runs.sqlite").exists()
    assert [run["workflow"] for run in desk.get("runs", "list", "--runs", "kept/")] == ["ratio"]


def test_a_run_store_of_the_specs_keeps_their_runs(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO + "- {kind: run-store, name: main, url: spec.sqlite}\n")
    assert desk.get("run", "ratio.yaml", "count=5")["status"] == "completed"
    assert (desk.folder / "spec.sqlite").exists()
    assert desk.get("runs", "show", "--last")["store"] == "spec.sqlite"


def test_the_settings_name_the_run_store(desk: Desk) -> None:
    desk.write("heddle.toml", '[runs]\nstore = "ours.sqlite"\n')
    desk.write("flows/ratio.yaml", RATIO)
    desk.do("run", "flows", "count=5")
    assert (desk.folder / "ours.sqlite").exists()


def test_a_second_run_with_one_idempotency_key_is_the_first(desk: Desk) -> None:
    desk.write(
        "ratio.yaml", RATIO.replace("  tasks:", "  idempotency_key: string(count)\n  tasks:", 1)
    )
    first = desk.get("run", "ratio.yaml", "count=5")
    again = desk.get("run", "ratio.yaml", "count=5")
    other = desk.get("run", "ratio.yaml", "count=10")
    assert first == again
    assert other["id"] != first["id"]
