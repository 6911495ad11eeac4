"""heddle check --watch: each save is checked, and what it has changed is shown."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heddle.cli.views.check_watch import changes
from tests.cli.support import PATIENCE, PING, Started, heddle, started

BAD = PING.replace("name: pong, port: in", "name: pong, port: inn")


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """Return a file of specs without problems."""
    path = tmp_path / "flow.yaml"
    path.write_text(PING)
    return path


@pytest.fixture
def watch(flow: Path) -> Iterator[Started]:
    """Return a watch of that file, past its first report."""
    with started("flow.yaml", "--watch", cwd=flow.parent, command="check") as run:
        assert run.line() == "no problems: 3 specs and 0 values in 1 file\n"
        assert run.line().startswith("left open")
        yield run


def until(run: Started, part: str) -> list[str]:
    """Return the lines up to one with this part."""
    lines = [run.line()]
    while part not in lines[-1]:
        lines.append(run.line())
    return lines


def test_a_save_shows_new_problems_and_then_that_they_are_gone(flow: Path, watch: Started) -> None:
    flow.write_text(BAD)
    lines = until(watch, " new, ")
    assert 'error[unknown-port]: "pong" has no port "inn"' in lines[0]
    assert "  1 new, 0 gone  1 error" in lines[-1]
    flow.write_text(PING)
    lines = until(watch, " new, ")
    assert [line.partition(" ")[0] for line in lines[:-1]] == ["gone:"]
    assert "  0 new, 1 gone  no problems: 3 specs" in lines[-1]


def test_a_problem_that_only_moved_is_not_shown_again(flow: Path, watch: Started) -> None:
    flow.write_text(BAD)
    until(watch, " new, ")
    flow.write_text("# A line more.\n" + BAD)
    [line] = until(watch, "no change")
    assert "  no change  1 error: 3 specs" in line


def test_a_file_that_an_editor_replaces_is_still_followed(flow: Path, watch: Started) -> None:
    for text, part in ((BAD, "1 new, 0 gone"), (PING, "0 new, 1 gone")):
        (flow.parent / "flow.tmp").write_text(text)
        (flow.parent / "flow.tmp").replace(flow)
        assert part in until(watch, " new, ")[-1]


def test_ctrl_c_ends_it_with_the_exit_code_of_the_last_check(flow: Path, watch: Started) -> None:
    assert watch.stop(signal.SIGINT) == 0
    flow.write_text(BAD)
    with started("flow.yaml", "--watch", cwd=flow.parent, command="check") as run:
        until(run, "1 error")
        assert run.stop(signal.SIGINT) == 1
        assert run.errors() == ""


def test_a_file_that_comes_into_a_watched_folder_is_checked(flow: Path) -> None:
    with started(".", "--watch", "--json", cwd=flow.parent, command="check") as run:
        assert json.loads(run.line())["files"] == ["flow.yaml"]
        (flow.parent / "more.yaml").write_text("- {kind: nop, nme: x}\n")
        result = json.loads(run.line())
        assert (result["ok"], result["files"]) == (False, ["flow.yaml", "more.yaml"])
        assert "unknown-field" in [problem["code"] for problem in result["problems"]]


def test_a_terminal_is_cleared_and_keeps_what_is_still_wrong(flow: Path) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    flow.write_text(BAD)
    command = ["heddle", "check", "flow.yaml", "--watch"]
    code = f"import sys; sys.argv = {command}; from heddle.cli.__main__ import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=flow.parent,
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"},
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
    )
    os.close(theirs)

    def read_until(part: str) -> str:
        text = ""
        while part not in text:
            text += os.read(ours, 4096).decode()
        return text

    try:
        assert "\x1b[2J" in read_until("left open")
        flow.write_text(BAD + "- {kind: nop, nme: x}\n")
        text = read_until("left open")
        report = text.rpartition("\x1b[2J")[2]
        assert report.index("unknown-field") < report.index("still: flow.yaml:")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 1
    finally:
        process.kill()
        process.wait(PATIENCE)
        os.close(ours)


def test_standard_input_cannot_be_watched() -> None:
    result = heddle("check", "-", "--watch", stdin=PING)
    assert result.exit_code == 2
    assert "--watch needs files" in result.stderr


def test_a_change_while_files_are_read_is_seen(flow: Path) -> None:
    rounds = changes([str(flow)])
    next(rounds)
    flow.write_text(BAD)
    # It returns, though nothing changes while it looks.
    assert next(rounds) is None
