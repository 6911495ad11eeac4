"""The tour of tasks: its commands print what the page shows, in the order in which a reader types them."""

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.support import heddle
from tests.docs.fences import ROOT, fences
from tests.docs.test_blocks import settled

TOUR = ROOT / "docs" / "tasks" / "tour.md"

_VARYING = (
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "<run>"),
    (re.compile(r" *\b\d+\.\d+ s\b"), " <time>"),
)


def steady(text: str) -> list[str]:
    """Return the lines of a text without ids and times, in order: they differ from run to run.

    Standard output and standard error are read apart, so the order of lines does not count.
    """
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return sorted({line.rstrip() for line in text.splitlines() if line.strip()})


def test_the_tour_of_tasks_is_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    count = 0
    with settled(TOUR, tmp_path, monkeypatch):
        for block in fences(TOUR):
            if "tour" not in block.words:
                continue
            for part in re.split(r"^\$ ", block.code, flags=re.MULTILINE)[1:]:
                line, _, shown = part.partition("\n")
                result = heddle(*shlex.split(line)[1:])
                assert steady(result.stdout + "\n" + result.stderr) == steady(shown), line
                count += 1
    assert count >= 7
