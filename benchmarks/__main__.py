"""python -m benchmarks: measure, print a table, keep the figures.

python -m benchmarks                     every row, about twelve minutes
python -m benchmarks --quick             every row, about four minutes
python -m benchmarks ping deploy         these rows
python -m benchmarks --json out.json     write the figures there as well
python -m benchmarks --against REV ping  this revision beside another, in turns
"""

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.against import against
from benchmarks.machine import described
from benchmarks.measure import Measure
from benchmarks.paths import RESULTS
from benchmarks.report import data, reasons, table
from benchmarks.row import Row
from benchmarks.rows import NAMES, row
from benchmarks.scale import FULL, QUICK, Scale


def main(argv: list[str] | None = None) -> int:
    """Measure; 0 if everything measured did what it should, however fast, and 1 otherwise."""
    options = _options(argv)
    if options.against:
        return _against(options)
    scale = QUICK if options.quick else FULL
    began = time.time()
    done: dict[str, tuple[Row, list[Measure]]] = {}
    broken: dict[str, str] = {}
    for name in options.rows or NAMES:
        found = row(name)
        print(f"{name}: {found.title}\n    beside {found.floor}", file=sys.stderr, flush=True)
        try:
            done[name] = found, _measured(found, scale)
        except Exception as error:
            broken[name] = f"{type(error).__name__}: {error}"
            print(f"\r\033[K    {broken[name]}", file=sys.stderr, flush=True)
    print(table(done))
    if why := reasons(done):
        print(f"\nWhat may be more than ten times its floor, and why:\n{why}")
    told = {
        "at": datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - began, 1),
        "scale": scale.name,
        "machine": described(),
        "rows": data(done),
        "broken": broken,
    }
    for path in _keep(told, options.json):
        print(f"figures: {path}", file=sys.stderr)
    for name, why in broken.items():
        print(f"{name} is broken: {why}", file=sys.stderr)
    return 1 if broken else 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure Heddle against floors in the same run."
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument(
        "--against", metavar="REV", help="compare with a revision of the repository"
    )
    parser.add_argument(
        "--pairs", type=int, default=3, help="how often each of the two is measured (3)"
    )
    options = parser.parse_args(argv)
    for name in options.rows:
        if name not in NAMES:
            parser.error(f'there is no row "{name}" (there are: {", ".join(NAMES)})')
    return options


def _against(options: argparse.Namespace) -> int:
    """Compare two revisions; 1 if a row is worse than it may be, and nothing disturbed it."""
    done = against(
        options.against,
        options.rows or NAMES,
        quick=options.quick,
        pairs=max(options.pairs, 1),
        say=lambda what: print(what, file=sys.stderr, flush=True),
    )
    print(table(done))
    if options.json is not None:
        options.json.write_text(json.dumps(data(done), indent=2, ensure_ascii=False) + "\n")
    measures = [one for _, many in done.values() for one in many]
    return 1 if any(one.ok is False and not one.disturbed for one in measures) else 0


def _measured(found: Row, scale: Scale) -> list[Measure]:
    """Run one row, and tell what it is at."""
    live = sys.stderr.isatty()
    began = time.monotonic()

    def say(what: str) -> None:
        if live:
            print(f"\r\033[K    {what}", end="", file=sys.stderr, flush=True)

    measures = list(found.run(scale, say))
    took = time.monotonic() - began
    clear = "\r\033[K" if live else ""
    print(f"{clear}    {took:.1f} s", file=sys.stderr, flush=True)
    return measures


def _keep(told: dict[str, Any], beside: Path | None) -> list[Path]:
    """Write the figures, and the machine they are of."""
    RESULTS.mkdir(exist_ok=True)
    paths = [RESULTS / f"{told['at'][:19].replace(':', '')}-{told['scale']}.json"]
    if beside is not None:
        paths.append(beside)
    for path in paths:
        path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    return paths


if __name__ == "__main__":
    sys.exit(main())
