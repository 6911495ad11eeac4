"""Runs that are killed, stopped and resumed: what is recorded is not done again."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runs.support import without_heddle
from tests.examples.promises import EXAMPLES

PATIENCE = 60.0
"""Seconds until something that has to come counts as missing."""

STEPS = """\
- kind: workflow
  name: steps
  inputs: {folder: {type: string}}
  tasks:
    - {name: numbers, inputs: {folder: in.folder}, run: 'steps_of_journey:numbers'}
    - name: work
      for_each: {over: number, concurrency: 2}
      inputs: {number: numbers, folder: {from: in.folder, broadcast: true}}
      run: steps_of_journey:work
    - {name: sum, inputs: {results: work}, run: 'steps_of_journey:add'}
"""

FUNCTIONS = """\
import asyncio
from pathlib import Path


def note(folder: str, line: str) -> None:
    with (Path(folder) / "effects").open("a") as file:
        file.write(line + "\\n")


def numbers(folder: str) -> list[int]:
    note(folder, "numbers")
    return list(range(10))


async def work(number: int, folder: str) -> int:
    note(folder, f"begin {number}")
    # It stays here until the test lets the number pass.
    while not (Path(folder) / f"pass-{number}").exists() and not (Path(folder) / "pass").exists():
        await asyncio.sleep(0.01)
    note(folder, f"end {number}")
    return number


def add(results: list[int]) -> int:
    return sum(results)
"""


class Place:
    """A folder with a workflow, the commands in it, and what its tasks have done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {**without_heddle(), "XDG_STATE_HOME": str(folder / "home")}

    def effects(self) -> Counter[str]:
        """Return how often the tasks did what."""
        path = self.folder / "effects"
        return Counter(path.read_text().splitlines() if path.exists() else [])

    def let_pass(self, *numbers: int) -> None:
        """Let the tasks of these numbers end; all of them without a number."""
        for name in [f"pass-{number}" for number in numbers] or ["pass"]:
            (self.folder / name).touch()

    @contextmanager
    def begun(self, *words: str) -> "Iterator[subprocess.Popen[str]]":
        """Begin a command in a process of its own; it is gone when the block ends."""
        process = subprocess.Popen(
            [sys.executable, "-m", "heddle.cli", *words],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate(timeout=PATIENCE)

    def do(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "heddle.cli", *words],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def get(self, *words: str) -> Any:
        """Return the JSON of a command."""
        return json.loads(self.do(*words, "--json").stdout)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return a folder with the workflow."""
    (tmp_path / "steps.yaml").write_text(STEPS)
    (tmp_path / "steps_of_journey.py").write_text(textwrap.dedent(FUNCTIONS))
    return Place(tmp_path)


def until(fits: Callable[[], bool]) -> None:
    """Wait until something is true of files that other processes write."""
    end = time.monotonic() + PATIENCE
    while not fits():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def recorded(place: Place, count: int) -> bool:
    """Return whether so many items are recorded as completed."""
    shown = place.do("runs", "show", "--last", "--json")
    if shown.returncode:
        return False
    tasks = json.loads(shown.stdout)["tasks"]
    return sum("#" in task["task"] and task["status"] == "completed" for task in tasks) >= count


def test_a_killed_run_goes_on_where_it_stopped(place: Place) -> None:
    place.let_pass(0, 1, 2, 3)
    with place.begun("run", "steps.yaml", "folder=.") as run:
        until(lambda: recorded(place, 4))
        run.send_signal(signal.SIGKILL)
        run.wait(PATIENCE)
    done = [line for line in place.effects() if line.startswith("end")]
    assert len(done) == 4
    assert [each["status"] for each in place.get("runs", "list")] == ["running"]

    place.let_pass()
    resumed = place.do("runs", "resume", "--last")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout) == 45

    effects = place.effects()
    assert effects["numbers"] == 1
    assert {line: effects[line] for line in done} == dict.fromkeys(done, 1)
    assert {effects[f"end {number}"] for number in range(10)} == {1}
    shown = place.get("runs", "show", "--last")
    assert shown["status"] == "completed"
    attempts = {task["task"]: task["attempts"] for task in shown["tasks"]}
    # Two were under way: they are tried again, and nothing else is.
    assert sorted(attempts[f"work#{number}"] for number in range(10)) == [1] * 8 + [2] * 2
    events = place.do("runs", "events", "--last", "--json").stdout.splitlines()
    numbers = [json.loads(line)["seq"] for line in events]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_suspends_a_run_and_the_last_line_resumes_it(
    place: Place, number: int, code: int
) -> None:
    place.let_pass(0, 1)
    with place.begun("run", "steps.yaml", "folder=.", "--drain", "0.1") as run:
        until(lambda: place.effects()["begin 3"] == 1)
        run.send_signal(number)
        out, err = run.communicate(timeout=PATIENCE)
    assert (run.returncode, out) == (code, "")
    command = err.splitlines()[-1].split()
    assert command[:3] == ["heddle", "runs", "resume"]
    [listed] = place.get("runs", "list")
    assert (listed["status"], listed["reason"]) == ("suspended", "drained")

    place.let_pass()
    resumed = place.do(*command[1:])
    assert (resumed.returncode, json.loads(resumed.stdout)) == (0, 45)
    effects = place.effects()
    assert {effects[f"end {item}"] for item in range(10)} == {1}
    assert effects["numbers"] == 1


def test_running_tasks_get_the_drain_time_to_end(place: Place) -> None:
    with place.begun("run", "steps.yaml", "folder=.", "--drain", "60") as run:
        until(lambda: place.effects()["begin 1"] == 1)
        run.send_signal(signal.SIGINT)
        place.let_pass()
        _, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 130, err
    effects = place.effects()
    begun = [line for line in effects if line.startswith("begin")]
    assert len(begun) == sum(line.startswith("end") for line in effects) < 10


def test_a_cancelled_run_ends_its_command_with_the_canceller(place: Place) -> None:
    place.env["HEDDLE_AUTHOR"] = "ada"
    with place.begun("run", "steps.yaml", "folder=.") as run:
        until(lambda: place.effects()["begin 1"] == 1)
        cancelled = place.do("runs", "cancel", "--last")
        assert cancelled.returncode == 0, cancelled.stderr
        out, err = run.communicate(timeout=PATIENCE)
    assert (run.returncode, out) == (1, "")
    assert "cancelled by ada" in err.splitlines()[-1]
    assert place.do("runs", "resume", "--last").returncode == 1


def test_a_command_goes_on_with_its_run_after_a_person_has_decided(place: Place) -> None:
    steps = place.folder / "steps.yaml"
    steps.write_text(
        """\
- kind: workflow
  name: steps
  inputs: {folder: {type: string}}
  tasks:
    - {name: first, run: 'steps_of_journey:fail', retry: {attempts: 9, delay: 1h, max_delay: 1h}}
    - {name: work, inputs: {number: first, folder: in.folder}, run: 'steps_of_journey:work'}
"""
    )
    functions = place.folder / "steps_of_journey.py"
    functions.write_text(functions.read_text() + "\n\ndef fail() -> int:\n    raise ValueError\n")
    with place.begun("run", "steps.yaml", "folder=.") as run:
        assert run.stderr is not None
        until(lambda: "retrying" in run.stderr.readline())  # type: ignore[union-attr]
        decided = place.do("runs", "complete", "--last", "first", "--output", "7")
        assert decided.returncode == 0, decided.stderr
        until(lambda: place.effects()["begin 7"] == 1)
        place.let_pass()
        out, err = run.communicate(timeout=PATIENCE)
    assert (run.returncode, json.loads(out)) == (0, 7), err
    assert "completed  work" in err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_terminal_is_as_it_was_after_a_run_whatever_ends_that(
    place: Place, number: signal.Signals
) -> None:
    """A program that is killed cannot show the cursor again: it must not hide it."""
    ours, theirs = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-m", "heddle.cli", "run", "steps.yaml", "folder=.", "--drain", "0.1"],
        cwd=place.folder,
        env={**place.env, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while b" of 3 tasks" not in shown or not place.effects()["begin 1"]:
            assert select.select([ours], [], [], PATIENCE)[0], shown
            shown += os.read(ours, 65536)
        run.send_signal(number)
        run.communicate(timeout=PATIENCE)
        with suppress(OSError):
            while select.select([ours], [], [], PATIENCE)[0] and (more := os.read(ours, 65536)):
                shown += more
    finally:
        run.kill()
        run.communicate(timeout=PATIENCE)
        os.close(ours)
    hidden, shown_again = shown.count(b"\x1b[?25l"), shown.count(b"\x1b[?25h")
    assert hidden <= shown_again
    if number == signal.SIGINT:
        assert b"heddle runs resume" in shown.splitlines()[-1]


def test_a_run_that_a_worker_has_is_waited_for_and_not_taken(place: Place) -> None:
    with place.begun("run", "steps.yaml", "folder=.") as run:
        until(lambda: place.effects()["begin 1"] == 1)
        with place.begun("runs", "resume", "--last") as waiting:
            assert waiting.stderr is not None
            waiting.stderr.readline()
            assert "has the run for at least" in waiting.stderr.readline()
            place.let_pass()
            out, _ = run.communicate(timeout=PATIENCE)
            assert json.loads(out) == 45
            assert waiting.wait(PATIENCE) == 0
    assert {place.effects()[f"begin {number}"] for number in range(10)} == {1}


def test_a_run_of_unknown_outcome_waits_for_a_person(place: Place) -> None:
    steps = place.folder / "steps.yaml"
    steps.write_text(
        STEPS.replace("name: work\n", "name: work\n      idempotent: false\n")
        .replace("      for_each: {over: number, concurrency: 2}\n", "")
        .replace(
            "{number: numbers, folder: {from: in.folder, broadcast: true}}",
            "{number: 'numbers[3]', folder: in.folder}",
        )
        .replace(
            "run: 'steps_of_journey:add'", "do: {kind: snippet, language: cel, code: self.results}"
        )
    )
    with place.begun("run", "steps.yaml", "folder=.") as run:
        until(lambda: place.effects()["begin 3"] == 1)
        os.kill(run.pid, signal.SIGKILL)
        run.wait(PATIENCE)
    place.let_pass()
    blocked = place.do("runs", "resume", "--last")
    assert blocked.returncode == 5
    assert "a person decides" in blocked.stderr
    assert place.effects()["begin 3"] == 1
    decided = place.do("runs", "complete", "--last", "work", "--output", "7", "--resume")
    assert (decided.returncode, json.loads(decided.stdout)) == (0, 7)
    assert place.effects()["begin 3"] == 1


def test_the_demo_of_the_readme_goes_on_after_kill_9(tmp_path: Path) -> None:
    example = tmp_path / "examples" / "tasks" / "report"
    shutil.copytree(EXAMPLES / "tasks" / "report", example)
    place = Place(tmp_path)
    with place.begun("run", "examples/tasks/report", "day=2026-11-30", "pause=0.5") as run:
        until(lambda: recorded(place, 2))
        run.send_signal(signal.SIGKILL)
        run.wait(PATIENCE)
    before = place.get("runs", "show", "--last")
    done = {task["task"] for task in before["tasks"] if task["status"] == "completed"}
    resumed = place.do("runs", "resume", "--last")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["text"] == "2026-11-30: 115 orders, 2300 euros, snow"
    shown = place.get("runs", "show", "--last")
    assert {task["attempts"] for task in shown["tasks"] if task["task"] in done - {"sales"}} == {1}
    assert shown["critical_path"]["tasks"] == ["shops", "sales", "total", "text"]
    logs = place.get("runs", "logs", "--last")
    asked = Counter(line for each in logs for line in each["text"].splitlines())
    # The two that were asked at that moment may have been asked twice.
    assert len(asked) == 6
    assert sum(asked.values()) <= 8
