"""heddle runs: what it shows of runs, and what people decide about them."""

import json
import textwrap

import pytest

from tests.cli.runs.support import GREET, RATIO, Desk, id_in

FETCH = """\
- kind: workflow
  name: fetch
  on_error: finish
  inputs: {words: {type: array}}
  tasks:
    - name: lengths
      inputs: {word: in.words}
      for_each: {over: word, on_error: skip}
      do: {kind: snippet, language: python, code: 'len(payload["word"])'}
    - name: sum
      inputs: {lengths: lengths}
      do: {kind: snippet, language: python, code: 'sum(payload["lengths"])'}
"""


def begin(desk: Desk, *words: str) -> str:
    """Run a workflow, and return the id of the run."""
    run: str = desk.get("run", *words)["id"]
    return run


def test_runs_are_listed_newest_first(desk: Desk) -> None:
    desk.write("flows.yaml", GREET + RATIO)
    assert desk.do("runs", "list").stdout == "no runs yet: begin one with heddle run\n"
    first = begin(desk, "ratio", "count=5")
    second = begin(desk, "ratio", "count=0")
    third = begin(desk, "greet", "who=Ada")
    listed = desk.get("runs", "list")
    assert [run["id"] for run in listed] == [third, second, first]
    assert [run["status"] for run in listed] == ["completed", "failed", "completed"]
    assert [run["id"] for run in desk.get("runs", "list", "--status", "failed")] == [second]
    assert [run["id"] for run in desk.get("runs", "list", "--workflow", "greet")] == [third]
    assert [run["id"] for run in desk.get("runs", "list", "--limit", "1")] == [third]
    assert desk.get("runs", "list", "--since", "1h") == listed
    rows = desk.do("runs", "list").stdout.splitlines()
    assert rows[0].split()[:3] == ["ID", "WORKFLOW", "STATUS"]
    assert rows[1].split()[:3] == [third[-8:], "greet", "completed"]


def test_a_run_is_named_by_any_unique_part_of_its_id(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO)
    run = begin(desk, "ratio.yaml", "count=5")
    for text in (run, run[-8:], run[-6:], run[9:20]):
        assert desk.get("runs", "show", text)["id"] == run
    begin(desk, "ratio.yaml", "count=5")
    assert desk.get("runs", "show", "--last")["id"] != run
    several = desk.do("runs", "show", run[:6])
    assert several.exit_code == 1
    assert run in several.stderr
    short = desk.do("runs", "show", run[-5:])
    assert "at least 6 digits" in short.stderr


def test_an_unknown_run_is_told_with_those_that_are_there(desk: Desk) -> None:
    assert "there is no run yet" in desk.do("runs", "show", "--last").stderr
    desk.write("ratio.yaml", RATIO)
    run = begin(desk, "ratio.yaml", "count=5")
    wrong = ("0" if run[-1] != "0" else "1").join((run[-8:-1], ""))
    result = desk.do("runs", "show", wrong)
    assert result.exit_code == 1
    assert f'Did you mean "{run[-8:]}"?' in result.stderr
    assert f"The newest runs: {run[-8:]} (ratio, completed)" in result.stderr
    assert json.loads(desk.do("runs", "show", wrong, "--json").stdout)["ok"] is False


def test_a_run_has_to_be_named(desk: Desk) -> None:
    assert desk.do("runs", "show").exit_code == 2
    assert desk.do("runs", "show", "12345678", "--last").exit_code == 2


def test_a_run_is_shown_with_its_tasks_and_the_critical_path(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO)
    begin(desk, "ratio.yaml", "count=5")
    shown = desk.get("runs", "show", "--last")
    assert [(task["task"], task["status"], task["attempts"]) for task in shown["tasks"]] == [
        ("double", "completed", 1),
        ("divide", "completed", 1),
        ("text", "completed", 1),
    ]
    assert shown["tasks"][1]["place"].endswith("ratio.yaml:8")
    assert all(task["seconds"] >= 0 for task in shown["tasks"])
    assert shown["critical_path"]["tasks"] == ["double", "divide", "text"]
    assert (shown["inputs"], shown["outputs"]) == ({"count": 5}, "10")
    text = desk.do("runs", "show", "--last").stdout
    assert "critical path: double → divide → text" in text


def test_a_failure_is_shown_with_its_line_and_what_it_stops(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO)
    begin(desk, "ratio.yaml", "count=0")
    shown = desk.get("runs", "show", "--last")
    assert shown["status"] == "failed"
    double, divide, text = shown["tasks"]
    assert (double["status"], divide["status"]) == ("completed", "failed")
    assert text["status"] in ("skipped", "pending", "cancelled")
    assert "zero" in divide["error"]["message"]
    page = desk.do("runs", "show", "--last").stdout
    assert "ratio.yaml:8: ratio/divide: " in page
    assert "heddle runs retry" in page.splitlines()[-1]


def test_items_are_counted_and_shown_if_they_failed(desk: Desk) -> None:
    desk.write("fetch.yaml", FETCH)
    assert desk.get("run", "fetch.yaml", 'words=["a", "bcd", 7]')["outputs"] == 4
    page = desk.do("runs", "show", "--last").stdout
    assert "2 of 3 inside completed" in page
    assert "lengths#2" in page
    assert "lengths#0" not in page
    assert "lengths#0" in desk.do("runs", "show", "--last", "--items").stdout


def test_secrets_in_payloads_are_hidden(desk: Desk) -> None:
    desk.write("greet.yaml", GREET)
    begin(desk, "greet.yaml", "who=Ada", 'more={"password": "hunter2"}')
    assert "hunter2" not in desk.do("runs", "show", "--last", "--payloads").stdout
    assert "hunter2" not in desk.do("runs", "show", "--last", "--json").stdout
    assert "Ada" in desk.do("runs", "show", "--last", "--payloads").stdout


def test_events_have_no_gap(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO)
    begin(desk, "ratio.yaml", "count=5")
    result = desk.do("runs", "events", "--last", "--json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["event"] for event in events if event.get("task") == "divide"] == [
        "running",
        "completed",
    ]
    assert "task" not in events[-1]
    after = desk.do("runs", "events", "--last", "--after", "3").stdout.splitlines()
    assert after[0].split()[0] == "4"
    followed = desk.do("runs", "events", "--last", "--follow").stdout
    assert followed == desk.do("runs", "events", "--last").stdout


def test_what_tasks_print_and_log_is_in_the_logs_of_the_run(desk: Desk) -> None:
    desk.write(
        "chatty_of_test.py",
        textwrap.dedent("""\
            import logging

            def speak(word: str) -> str:
                print("spoken:", word)
                logging.getLogger("choir").warning("that was loud")
                return word
        """),
    )
    desk.write(
        "chatty.yaml",
        textwrap.dedent("""\
            - kind: workflow
              name: chatty
              tasks:
                - {name: first, run: 'chatty_of_test:speak', inputs: {word: {value: one}}}
                - {name: second, run: 'chatty_of_test:speak', inputs: {word: first}}
        """),
    )
    result = desk.do("run", "chatty.yaml")
    assert result.exit_code == 0
    assert "spoken" not in result.output
    logs = desk.get("runs", "logs", "--last")
    assert [(each["task"], each["attempt"]) for each in logs] == [("first", 1), ("second", 1)]
    assert logs[0]["text"].splitlines() == ["spoken: one", "warning choir: that was loud"]
    assert [each["task"] for each in desk.get("runs", "logs", "--last", "second")] == ["second"]
    assert "first:\n  spoken: one\n" in desk.do("runs", "logs", "--last").stdout
    wrong = desk.do("runs", "logs", "--last", "secnd")
    assert wrong.exit_code == 1
    assert 'Did you mean "second"?' in wrong.stderr


def test_a_failed_run_goes_on_once_its_cause_is_gone(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO)
    failed = begin(desk, "ratio.yaml", "count=0")
    desk.write("ratio.yaml", RATIO.replace("100 / self.by", "100 / (self.by + 1)"))
    result = desk.do("runs", "retry", "--last", "--resume")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == "100"
    shown = desk.get("runs", "show", failed)
    assert {task["task"]: task["attempts"] for task in shown["tasks"]} == {
        "double": 1,
        "divide": 2,
        "text": 1,
    }


def test_a_task_can_be_completed_by_hand(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO)
    begin(desk, "ratio.yaml", "count=0")
    decided = desk.do("runs", "complete", "--last", "divide", "--output", "7")
    assert decided.exit_code == 0
    command = decided.stderr.splitlines()[-1].split()
    assert command[:3] == ["heddle", "runs", "resume"]
    resumed = desk.do(*command[1:])
    assert (resumed.exit_code, json.loads(resumed.stdout)) == (0, "7")
    with_actor = [event for event in _events(desk) if event.get("actor")]
    assert "divide" in {event.get("task") for event in with_actor}


def test_a_task_can_be_skipped_and_its_dependents_with_it(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO)
    begin(desk, "ratio.yaml", "count=0")
    desk.do("runs", "skip", "--last", "divide", "--resume")
    tasks = {task["task"]: task for task in desk.get("runs", "show", "--last")["tasks"]}
    assert tasks["divide"]["status"] == "skipped"
    assert tasks["text"]["status"] == "skipped"


def test_a_decision_names_a_task_of_the_run(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO)
    begin(desk, "ratio.yaml", "count=0")
    assert desk.do("runs", "skip", "--last").exit_code == 2
    wrong = desk.do("runs", "skip", "--last", "divid")
    assert wrong.exit_code == 1
    assert 'Did you mean "divide"?' in wrong.stderr
    assert desk.do("runs", "complete", "--last", "divide", "--output", "{").exit_code == 2


def test_a_run_that_has_ended_is_not_resumed_or_cancelled(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO)
    begin(desk, "ratio.yaml", "count=5")
    resumed = desk.do("runs", "resume", "--last")
    assert (resumed.exit_code, json.loads(resumed.stdout)) == (0, "10")
    assert "it is completed" in resumed.stderr
    cancelled = desk.do("runs", "cancel", "--last")
    assert cancelled.exit_code == 1
    assert "is completed already" in cancelled.stderr


def test_old_runs_are_pruned(desk: Desk) -> None:
    desk.write("ratio.yaml", RATIO)
    begin(desk, "ratio.yaml", "count=5")
    begin(desk, "ratio.yaml", "count=0")
    assert desk.get("runs", "prune", "--older", "1h") == {"removed": 0}
    assert desk.do("runs", "prune", "--older", "1ms").stdout == "removed 2 runs\n"
    assert desk.get("runs", "list") == []
    assert desk.do("runs", "prune").exit_code == 2


def test_runs_are_found_from_where_they_were_begun(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write("flows/ratio.yaml", RATIO)
    begin(desk, "flows/ratio.yaml", "count=5")
    assert len(desk.get("runs", "list")) == 1
    elsewhere = desk.folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert desk.get("runs", "list") == []
    assert len(desk.get("runs", "list", "--runs", "../flows/.heddle")) == 1
    missing = desk.do("runs", "list", "--runs", "nowhere.sqlite")
    assert missing.exit_code == 1
    assert "there is no RunStore" in missing.stderr


def test_an_unknown_command_of_runs_is_told_with_the_nearest(desk: Desk) -> None:
    result = desk.do("runs", "resum")
    assert result.exit_code == 2
    assert 'Did you mean "resume"?' in result.stderr
    assert id_in("run 1234abcd, recorded in x") == "1234abcd"


def _events(desk: Desk) -> list[dict[str, object]]:
    lines = desk.do("runs", "events", "--last", "--json").stdout.splitlines()
    return [json.loads(line) for line in lines]
