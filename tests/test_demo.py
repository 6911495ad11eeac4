"""The demo answers with a line of its own, as its page shows."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
def test_the_demo_answers_a_whole_line(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    subprocess.run(["make", "demo/ping.yaml"], cwd=tmp_path, check=True, capture_output=True)
    lines = (tmp_path / "demo" / "ping.yaml").read_text("utf-8").splitlines()
    assert lines[-1] == '  code: "pong\\n"'
    assert lines[:-1] == (ROOT / "examples" / "ping.yaml").read_text("utf-8").splitlines()[:-1]
