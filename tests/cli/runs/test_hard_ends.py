"""Runs whose tasks end their program, or hold it up when it is to end."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.runs.support import Desk, without_heddle
from tests.cli.support import PATIENCE

WORK = """\
import os, time

def die() -> int:
    os.kill(os.getpid(), 9)
    return 1

def hold() -> int:
    time.sleep(60)
    return 1

def hold_item(x: int) -> int:
    return hold()
"""


def begin(desk: Desk, *words: str | Path) -> "subprocess.Popen[str]":
    """Begin a command in a process of its own."""
    desk.write("hard_work.py", WORK)
    code = "from heddle.cli.__main__ import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        cwd=desk.folder,
        env={**without_heddle(), "XDG_STATE_HOME": str(desk.folder / "home")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_run_whose_only_task_crashes_every_time_fails(desk: Desk) -> None:
    desk.write(
        "die.yaml",
        "- {kind: workflow, name: die, tasks: [{name: a, run: 'hard_work:die'}]}\n",
    )
    for words in (["run", "die.yaml"], ["runs", "resume", "--last"], ["runs", "resume", "--last"]):
        with begin(desk, *words) as process:
            assert process.wait(PATIENCE) == -signal.SIGKILL
    with begin(desk, "runs", "resume", "--last") as process:
        assert process.wait(PATIENCE) == 1
    shown = desk.get("runs", "show", "--last")
    assert (shown["status"], shown["error"]["code"]) == ("failed", "crashed")


@pytest.mark.parametrize(
    "task",
    [
        "{name: a, run: 'hard_work:hold'}",
        "{name: a, do: {kind: workflow, tasks: [{name: b, run: 'hard_work:hold'}]}}",
        "{name: a, for_each: x, inputs: {x: {value: [1, 2]}}, run: 'hard_work:hold_item'}",
    ],
    ids=["task", "nested", "items"],
)
def test_a_function_that_outlasts_the_drain_time_suspends_the_run(desk: Desk, task: str) -> None:
    desk.write("hold.yaml", f"- {{kind: workflow, name: hold, tasks: [{task}]}}\n")
    with begin(desk, "run", "hold.yaml", "--drain", "0.1") as process:
        assert process.stderr is not None
        assert any(line.startswith("running") for line in process.stderr)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
    shown = desk.get("runs", "show", "--last", "--items")
    assert shown["status"] == "suspended"
    events = desk.do("runs", "events", "--last", "--json").stdout
    assert '"event":"interrupted"' in events
    assert '"event":"failed"' not in events
