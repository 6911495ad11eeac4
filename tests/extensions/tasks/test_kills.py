"""Kill -9 at any moment loses nothing that is recorded, and every run ends."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.extensions.tasks.kill_worker import SIZE

ROOT = Path(__file__).parents[3]
KILLS = 9
"""For each of the four shapes: 36 kills in all."""


@pytest.mark.parametrize("shape", ["chain", "fan", "grid", "items"])
def test_a_run_that_is_killed_again_and_again_ends(tmp_path: Path, shape: str) -> None:
    module = "tests.extensions.tasks.kill_worker"
    done = subprocess.run(
        [sys.executable, "-m", module, str(tmp_path), shape, str(KILLS), "7"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    rounds: list[dict[str, Any]] = json.loads(done.stdout)
    assert sum(each["kills"] for each in rounds) == KILLS
    for each in rounds:
        check_round(each)


def check_round(state: dict[str, Any]) -> None:
    """Check one run after its kills."""
    assert (state["status"], state["runs"], state["check"]) == ("completed", 1, "ok")
    # Runs that ended long ago are removed meanwhile: each is whole, or gone with all that it had.
    assert (state["old"]["damaged"], state["old"]["stray"]) == (0, 0)
    # Each task has one completed attempt, and the numbers of the transitions have no gap.
    assert len(state["completed"]) == len(set(state["completed"])) == SIZE
    assert state["numbers"] == list(range(1, len(state["numbers"]) + 1))
    # In the database of the RunStore: exactly once, and only there. Elsewhere: at least once, and at
    # most once more for each kill.
    assert len(state["rows"]) == len(set(state["rows"])) == SIZE // 2
    assert len(set(state["lines"])) == SIZE // 2
    times = Counter(state["lines"])
    assert max(times.values()) <= 1 + state["kills"]
    assert len(state["lines"]) <= SIZE // 2 + state["kills"] * AT_ONCE


AT_ONCE = 3
"""Tasks with an effect elsewhere that a worker may be at, at the moment of a kill."""
