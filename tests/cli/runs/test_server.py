"""heddle run --server: a run in the runtime behind an API, followed from here."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.runs.support import GREET, RATIO, Desk, id_in, without_heddle
from tests.cli.support import PATIENCE, started

SLOW = """\
- kind: workflow
  name: slow
  tasks:
    - name: wait
      do: {kind: sleep, interval: 1h}
"""


@pytest.fixture
def server(desk: Desk) -> Iterator[str]:
    """Return the address of an API beside a runtime with three workflows."""
    desk.write("flows/flows.yaml", GREET + RATIO + SLOW)
    words = ("flows", "--system", "127.0.0.1:0", "--log-format", "json")
    with started(*words, cwd=desk.folder) as running:
        url: str = running.until("listening")["data"]["url"]
        running.until("runtime started")
        yield url


def test_a_run_behind_an_api_is_followed_to_its_answer(desk: Desk, server: str) -> None:
    result = desk.do("run", "ratio", "count=5", "--server", server)
    assert (result.exit_code, result.stdout) == (0, '"10"\n'), result.output
    assert "completed  divide" in result.stderr
    run = id_in(result.stderr)
    assert desk.get("runs", "show", run, "--runs", "flows/.heddle")["status"] == "completed"
    answer = desk.get("run", "greet", "who=Ada", "times=2", "--server", server)
    assert answer["outputs"]["times"] == 2


def test_a_run_that_fails_behind_an_api_says_where(desk: Desk, server: str) -> None:
    result = desk.do("run", "ratio", "count=0", "--server", server)
    assert result.exit_code == 1
    assert "failed: ratio/divide: " in result.stderr
    answer = desk.get("run", "ratio", "count=0", "--server", server)
    assert (answer["status"], answer["error"]["symbol"]) == ("failed", "ratio/divide")


def test_wrong_inputs_and_names_are_rejected_by_the_api(desk: Desk, server: str) -> None:
    result = desk.do("run", "greet", "times=x", "foo=1", "--server", server)
    assert result.exit_code == 1
    for mistake in ("who: missing", 'times: the text "x"', "foo: unknown input"):
        assert mistake in result.stderr
    assert 'Did you mean "ratio"?' in desk.do("run", "ration", "--server", server).stderr
    assert desk.do("run", "greet", "--server", server, "--runs", "x.sqlite").exit_code == 2
    several = desk.do("run", "--server", server)
    assert several.exit_code == 2
    assert several.stderr.splitlines()[1:] == ["  greet", "  ratio", "  slow"]


def test_ctrl_c_ends_the_following_and_not_the_run(desk: Desk, server: str) -> None:
    code = "from heddle.cli.__main__ import main; main()"
    following = subprocess.Popen(
        [sys.executable, "-c", code, "run", "slow", "--server", server],
        cwd=desk.folder,
        env=without_heddle(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert following.stderr is not None
    lines = iter(following.stderr.readline, "")
    assert any(line.startswith("running") for line in lines)
    following.send_signal(signal.SIGINT)
    assert following.wait(PATIENCE) == 130
    assert "goes on behind" in following.stderr.read()
    following.stderr.close()
    listed = desk.do("runs", "list", "--runs", str(Path("flows/.heddle")), "--json").stdout
    assert [run["status"] for run in json.loads(listed)] == ["running"]
