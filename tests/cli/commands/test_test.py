"""heddle test: what passed, what failed, what did not run, for people, programs and CI services."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from heddle.cli.views.test_watch import Contents
from tests.cli.support import heddle, ran, ran_json

MAIN = "from heddle.cli.__main__ import main; main()"
FLOW = """\
- {kind: snippet, name: pong, language: text, code: pong}
- kind: test
  name: good
  ports:
    out[0]: [{name: pong, port: in}]
    out[1]: [{name: is_pong, port: in}]
- {kind: assert, name: is_pong, expect: self == 'pong'}
"""
BAD = """\
- kind: test
  name: bad
  ports:
    out[0]: [{name: pong, port: in}]
    out[1]: [{name: is_ping, port: in}]
- {kind: assert, name: is_ping, expect: self == 'ping'}
"""
LATE = """\
- kind: test
  name: late
  ports:
    out[0]: [{name: nobody, port: in}]
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of its own, with flows in `flows`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "good.yaml").write_text(FLOW)
    return tmp_path


def test_passing_tests_are_listed_and_counted_and_the_exit_code_is_0() -> None:
    lines = ran("test", "flows").splitlines()
    assert lines[0].startswith("PASS  default/good  0.")
    assert lines[-1].startswith("1 passed in ")


def test_a_failing_test_says_where_and_why_and_exit_code_is_1(here: Path) -> None:
    (here / "flows" / "bad.yaml").write_text(BAD)
    result = heddle("test", "flows")
    assert result.exit_code == 1
    assert "FAIL  default/bad" in result.stdout
    wanted = "bad.yaml:1:3: is_ping: expected self == 'ping', found \"pong\""
    assert wanted in result.stdout
    assert "1 passed, 1 failed in " in result.stdout


def test_a_test_that_is_not_active_says_why_and_fails_the_run(here: Path) -> None:
    (here / "flows" / "late.yaml").write_text(LATE)
    result = heddle("test", "flows")
    assert result.exit_code == 1
    assert "----  default/late  not run" in result.stdout
    assert 'waits for "nobody"' in result.stdout
    assert "1 passed, 1 not run in " in result.stdout


def test_a_spec_with_a_problem_is_shown_and_fails_the_run(here: Path) -> None:
    (here / "flows" / "wrong.yaml").write_text("- {kind: snippet, name: s, language: cel}\n")
    result = heddle("test", "flows")
    assert result.exit_code == 1
    assert "PASS  default/good" in result.stdout
    assert "wrong.yaml:1" in result.stderr
    assert "1 passed, 1 problem in " in result.stdout


def test_a_regex_chooses_among_the_tests(here: Path) -> None:
    (here / "flows" / "bad.yaml").write_text(BAD)
    assert "1 passed in " in ran("test", "^default/g..d$", "flows")


def test_a_regex_that_is_found_nowhere_names_the_tests_that_there_are() -> None:
    result = heddle("test", "goood", "flows")
    assert result.exit_code == 1
    assert 'no test matches "goood" (there are: default/good)' in result.stderr


def test_a_missing_file_is_named_before_anything_begins(here: Path) -> None:
    (here / "store.yaml").write_text("- {kind: file, name: in, op: watch, path: gone}\n")
    result = heddle("test", "nothere.yaml")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: nothere.yaml: there is no such file or folder")


def test_a_regex_that_is_none_is_a_usage_error() -> None:
    result = heddle("test", "(", "flows")
    assert result.exit_code == 2
    assert "is not a regular expression" in result.stderr


def test_no_tests_at_all_is_no_failure(here: Path) -> None:
    (here / "flows" / "good.yaml").write_text("- {kind: nop, name: n}\n")
    assert ran("test", "flows").startswith("0 passed in ")


def test_json_tells_every_test(here: Path) -> None:
    (here / "flows" / "bad.yaml").write_text(BAD)
    (here / "flows" / "late.yaml").write_text(LATE)
    told = ran_json("test", "flows")
    assert (told["ok"], told["passed"], told["failed"], told["not_run"]) == (False, 1, 1, 1)
    assert [(one["name"], one["result"]) for one in told["tests"]] == [
        ("default/bad", "failed"),
        ("default/good", "passed"),
        ("default/late", "not run"),
    ]
    assert "expected self == 'ping'" in told["tests"][0]["message"]
    assert "message" not in told["tests"][1]


def test_junit_has_every_test_with_its_time_and_its_failure(here: Path) -> None:
    (here / "flows" / "bad.yaml").write_text(BAD.replace("'ping'", r'"\x07"'))
    (here / "flows" / "late.yaml").write_text(LATE)
    heddle("test", "flows", "--junit", "out/results.xml")
    suite = ElementTree.parse(here / "out" / "results.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    bad, good, late = suite
    assert (bad.get("classname"), bad.get("name"), bad.get("line")) == ("default", "bad", "1")
    assert "expected self ==" in (bad[0].get("message") or "")
    assert len(good) == 0
    assert late[0].tag == "error"
    assert float(good.get("time") or "-1") >= 0


def test_specs_from_standard_input_are_tested() -> None:
    result = heddle("test", "--from-specs", "-", stdin=FLOW)
    assert result.exit_code == 0
    assert "PASS  default/good" in result.stdout


def test_blanks_are_filled_from_the_command_line(here: Path) -> None:
    (here / "flows" / "good.yaml").write_text(
        FLOW.replace("code: pong", "code: '{{ .WORD }}', env: {WORD: {data: '{{ .WORD }}'}}")
    )
    assert "1 passed" in ran("test", "flows", "-e", "WORD=pong")
    assert heddle("test", "flows", "-e", "WORD=ping").exit_code == 1


def test_a_flow_that_never_answers_fails_at_the_timeout(here: Path) -> None:
    (here / "flows" / "good.yaml").write_text(
        "- {kind: sleep, name: s, interval: 1h}\n"
        "- {kind: test, name: t, ports: {out: [{name: s, port: in}]}}\n"
    )
    result = heddle("test", "flows", "--timeout", "0.05")
    assert result.exit_code == 1
    assert "expected an answer within 0.05 s, found none" in result.stdout


def test_a_flow_that_never_gives_control_back_ends_run_with_its_name(here: Path) -> None:
    (here / "flows" / "stuck.yaml").write_text(
        "- {kind: hog, name: hog}\n- {kind: test, name: t, ports: {out: [{name: hog, port: in}]}}\n"
    )
    (here / "hogs_for_tests.py").write_text(
        "from typing import Any\n"
        "from heddle.extensions.extension import node\n"
        "@node('hog')\n"
        "def hog(payload: Any) -> Any:\n"
        "    while True: pass\n"
        "def register(extension):\n"
        "    extension.kind(hog)\n"
    )
    (here / "heddle.toml").write_text('extensions = ["hogs_for_tests"]\n')
    args = ["test", "flows", "--timeout", "0.05", "--junit", "results.xml"]
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *args], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert "PASS  default/good" in done.stdout
    assert "FAIL  default/t" in done.stdout
    assert "it never gave control back" in done.stdout
    assert "1 passed, 1 failed in " in done.stdout
    assert (here / "results.xml").is_file()


TASKS = """\
- kind: workflow
  name: eight
  tasks: [{name: a, run: 'nested_work:eight'}]
- kind: test
  name: gives_eight
  ports:
    out[0]: [{name: eight, port: in}]
    out[1]: [{name: is_eight, port: in}]
- {kind: assert, name: is_eight, expect: self == 8}
"""


@pytest.mark.parametrize("from_specs", [False, True])
def test_modules_beside_nested_specs_are_imported(here: Path, from_specs: bool) -> None:
    nested = here / "flows" / "shop" / "deep"
    nested.mkdir(parents=True)
    (nested / "flow.yaml").write_text(TASKS)
    (nested / "nested_work.py").write_text("def eight() -> int:\n    return 8\n")
    given = ["--from-specs", nested / "flow.yaml"] if from_specs else ["eight", "flows"]
    # A process of its own: what one command made importable stays so.
    for words in (["test", *given], ["check", "flows"]):
        done = subprocess.run(
            [sys.executable, "-c", MAIN, *map(str, words)],
            cwd=here,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_update_writes_the_golden_files_that_are_compared_then(here: Path) -> None:
    golden = "- {kind: test, name: t, send: 1, expect: {golden: t.json}, ports: {out: pong}}\n"
    (here / "flows" / "golden.yaml").write_text(golden)
    result = heddle("test", "t$", "flows")
    assert result.exit_code == 1
    assert "golden/t.json (hint: heddle test --update writes it)" in result.stdout
    assert heddle("test", "--update", "t$", "flows").exit_code == 0
    assert (here / "flows" / "golden" / "t.json").read_text() == '"pong"\n'
    assert heddle("test", "t$", "flows").exit_code == 0


@pytest.mark.parametrize("folder", ["flows", ".work/flows"])
def test_watch_runs_the_tests_again_after_each_save(folder: str, here: Path) -> None:
    if not (here / folder).exists():
        (here / folder).parent.mkdir()
        (here / "flows").rename(here / folder)
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "test", "--watch", folder],
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    try:
        assert any(line.startswith("1 passed in ") for line in lines)
        (here / folder / "bad.yaml").write_text(BAD)
        assert any("a file has changed" in line for line in lines)
        assert any(line.startswith("1 passed, 1 failed in ") for line in lines)
        (here / folder / "bad.yaml").unlink()
        assert any(line.startswith("1 passed in ") for line in lines)
        assert any(line.startswith("waiting for a save") for line in lines)
        shutil.move(here / folder, here / "away")
        assert any(line.startswith("waiting for a save") for line in lines)
        # As a branch that is checked out does it: another folder of that name.
        shutil.copytree(here / "away", here / folder)
        assert any(line.startswith("1 passed in ") for line in lines)
        assert any(line.startswith("waiting for a save") for line in lines)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.stdout.close()


def test_a_file_that_is_written_as_it_was_is_not_a_change(here: Path) -> None:
    golden = here / "flows" / "golden" / "t.json"
    golden.parent.mkdir()
    golden.write_text("1")
    contents = Contents([here])
    golden.write_text("1")
    assert not contents.differ([golden])
    golden.write_text("2")
    assert contents.differ([golden])
    assert not contents.differ([golden])
    golden.unlink()
    assert contents.differ([golden])


def test_watch_needs_files() -> None:
    result = heddle("test", "--watch", "--from-specs", "-")
    assert result.exit_code == 2
    assert "--watch needs files or a folder (found: -)" in result.output
