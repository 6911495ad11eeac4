"""Against: the rows of another revision and of this one, in turns in one run, and their ratio.

Each revision runs its own rows against its own floors, so what has changed on the machine between
two turns touches both sides of a row. A ratio of 1.05 means that this revision is 5 % worse.
"""

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias

from benchmarks.measure import Measure, at_most, measured
from benchmarks.paths import ROOT
from benchmarks.row import Row, Say

WORSE: Final = 1.05
"""How much worse than the other revision a row may be."""

Figures: TypeAlias = dict[tuple[str, str], tuple[float, str, bool]]
"""By row and measure: its value, which side is better, and whether something disturbed it."""


def against(
    revision: str, rows: Sequence[str], *, quick: bool, pairs: int, say: Say
) -> dict[str, tuple[Row, list[Measure]]]:
    """Return, for each row that both have, how many times worse this revision is than the other."""
    with _checked_out(revision) as other:
        both: list[tuple[Figures, Figures]] = []
        for number in range(1, pairs + 1):
            say(f"pair {number} of {pairs}: {revision}")
            theirs = _run(other, rows, quick)
            say(f"pair {number} of {pairs}: this revision")
            both.append((theirs, _run(ROOT, rows, quick)))
    return compared(revision, both)


def compared(
    revision: str, both: Sequence[tuple[Figures, Figures]]
) -> dict[str, tuple[Row, list[Measure]]]:
    """Return the median of the pairs for each line that every run has."""
    found: dict[str, tuple[Row, list[Measure]]] = {}
    keys = [key for key in both[0][0] if all(key in side for pair in both for side in pair)]
    for row, name in keys:
        ratios: list[float] = []
        disturbed = False
        for theirs, ours in both:
            base, side, first = theirs[row, name]
            value, _, second = ours[row, name]
            disturbed = disturbed or first or second
            better, worse = (value, base) if side == "≥" else (base, value)
            if better > 0:
                ratios.append(worse / better)
        if not ratios:
            continue
        shown = found.setdefault(row, (Row(title=row, floor=revision, run=_nothing), []))
        shown[1].append(measured(name, ratios, reach=at_most(WORSE), disturbed=disturbed))
    return found


def _nothing(_scale: Any, _say: Say) -> Sequence[Measure]:
    return ()


def _run(tree: Path, rows: Sequence[str], quick: bool) -> Figures:
    """Run the rows of a tree in processes of their own; what is broken there is left out."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        argv = [sys.executable, "-m", "benchmarks", *rows, "--json", str(file)]
        describe(tree, Path(folder))
        # The tree comes before the one that is installed, and so do its extensions.
        paths = os.pathsep.join((folder, str(tree), str(tree / "src")))
        done = subprocess.run(
            [*argv, "--quick"] if quick else argv,
            cwd=tree,
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=False,
        )
        if not file.exists():
            raise RuntimeError(f"{tree}: nothing was measured: {done.stderr[-2000:]}")
        return figures(json.loads(file.read_text()))


def describe(tree: Path, folder: Path) -> None:
    """Write the metadata that an installed package has: which extensions this tree has."""
    project = tomllib.loads((tree / "pyproject.toml").read_text())["project"]
    # The name of the folder counts: of two that are alike, the first is taken.
    place = folder / f"{project['name'].replace('-', '_')}-0.dist-info"
    place.mkdir()
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0\n")
    points = project.get("entry-points", {})
    lines = (
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in points.items()
    )
    (place / "entry_points.txt").write_text("\n".join(lines))


def figures(told: Mapping[str, Any]) -> Figures:
    """Return what a run has measured, by row and measure. Without a reach, more is better: a rate."""
    found: Figures = {}
    for row in told["rows"]:
        for one in row["measures"]:
            side = str(one.get("reach", "≥")).partition(" ")[0]
            found[row["row"], one["name"]] = one["value"], side, bool(one.get("disturbed"))
    return found


@contextmanager
def _checked_out(revision: str) -> Iterator[Path]:
    """Provide a working tree of a revision, gone afterwards; raise RuntimeError if there is none."""
    with TemporaryDirectory(prefix="heddle-against-") as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--detach", str(tree), revision)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*args: str) -> None:
    done = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"git {args[0]} {args[1]}: {done.stderr.strip()}")
