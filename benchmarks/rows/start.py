"""start: a runtime on a large namespace, beside the mere parsing of its files."""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import namespace
from benchmarks.machine import cores, launch
from benchmarks.measure import Measure, at_most, measured
from benchmarks.paths import ROOT
from benchmarks.row import AnswerMismatchError, Row, Say
from benchmarks.scale import Scale

PATIENCE = 120.0


def run(scale: Scale, say: Say) -> list[Measure]:
    """Start both in fresh processes, turn by turn."""
    files = scale.symbols // namespace.PER_FILE
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        namespace.write(folder, scale.symbols)
        taken: dict[str, list[float]] = {"ruamel": [], "heddle": []}
        for turn in range(scale.parses):
            for what, times in taken.items():
                say(f"{what}, {turn + 1} of {scale.parses}")
                times.append(_timed(what, folder, scale.symbols))
    pairs = zip(taken["ruamel"], taken["heddle"], strict=True)
    facts = {f"{what} s": round(min(times), 3) for what, times in taken.items()}
    return [
        measured(
            f"{scale.symbols:,} symbols in {files} files",
            [its / base for base, its in pairs],
            reach=at_most(1.6),
            facts=facts,
        )
    ]


def _timed(what: str, folder: Path, symbols: int) -> float:
    argv = [sys.executable, "-m", "benchmarks.starting", what, str(folder)]
    process = launch(argv, cores()[0], cwd=ROOT)
    try:
        out, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    told: dict[str, Any] = json.loads(out)
    if told["count"] != symbols:
        raise AnswerMismatchError(f"{what} found {told['count']} symbols, wanted {symbols}")
    seconds: float = told["seconds"]
    return seconds


ROW = Row(
    title="the start of a runtime on a large namespace, until every symbol is live",
    floor="ruamel.yaml's C loader parsing the same files",
    run=run,
)
