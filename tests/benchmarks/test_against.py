"""Two revisions are compared line by line: how many times worse this one is."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from benchmarks.against import compared, describe, figures
from benchmarks.paths import ROOT

TOLD = {
    "rows": [
        {
            "row": "ping",
            "measures": [
                {"name": "requests a second", "value": 2.0, "reach": "≥ 1.5"},
                {"name": "p99", "value": 0.5, "reach": "≤ 1", "disturbed": True},
            ],
        }
    ]
}


def test_the_figures_of_a_run_are_read_with_their_better_side() -> None:
    assert figures(TOLD) == {
        ("ping", "requests a second"): (2.0, "≥", False),
        ("ping", "p99"): (0.5, "≤", True),
    }


def test_fewer_requests_and_longer_times_are_worse() -> None:
    theirs = {("ping", "rate"): (2.0, "≥", False), ("ping", "p99"): (1.0, "≤", False)}
    ours = {("ping", "rate"): (1.0, "≥", False), ("ping", "p99"): (3.0, "≤", True)}
    _, (rate, tail) = compared("REV", [(theirs, ours)])["ping"]
    assert (rate.value, tail.value) == (2.0, 3.0)
    assert (rate.ok, tail.disturbed) == (False, True)


def test_a_line_that_only_one_of_them_has_is_left_out() -> None:
    assert compared("REV", [({("new", "it"): (1.0, "≤", False)}, {})]) == {}


def test_a_tree_is_run_with_its_own_extensions_only(tmp_path: Path) -> None:
    tree, folder = tmp_path / "tree", tmp_path / "folder"
    tree.mkdir()
    folder.mkdir()
    name = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"]
    (tree / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\n[project.entry-points."heddle.extensions"]\nonly = "a.b:register"\n'
    )
    describe(tree, folder)
    shown = "from importlib.metadata import entry_points as e; print(*e(group='heddle.extensions'))"
    env = {**os.environ, "PYTHONPATH": str(folder)}
    output = subprocess.check_output([sys.executable, "-c", shown], env=env, text=True)
    assert output.count("EntryPoint(") == 1
    assert "a.b:register" in output
