"""command: what a person waits for at the command line, beside Python itself."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.machine import environment
from benchmarks.measure import Measure, at_most, measured
from benchmarks.paths import EXAMPLES
from benchmarks.row import AnswerMismatchError, Row, Say
from benchmarks.scale import Scale
from benchmarks.server import HEDDLE, fetched, free_port, wait_until


def nothing() -> float:
    """Python, started to do nothing."""
    return _ran([sys.executable, "-c", "pass"])


def help_page() -> float:
    """`heddle --help`."""
    return _ran([*HEDDLE, "--help"], "Usage: heddle")


def first_answer() -> float:
    """`heddle start examples/ping.yaml`, until a client that asks all the time has its answer."""
    port = free_port()
    argv = [*HEDDLE, "start", os.fspath(EXAMPLES / "ping.yaml"), "-e", f"PORT={port}"]
    began = time.perf_counter()
    process = subprocess.Popen(argv, env=environment(), stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: fetched(port, "/ping") == (200, "pong"), "the first answer", process)
        return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(10.0)


def run(scale: Scale, say: Say) -> list[Measure]:
    """Return all three take turns; the first turn only warms the disk's cache and the bytecode."""
    subjects: dict[str, Callable[[], float]] = {
        "python -c pass": nothing,
        "heddle --help": help_page,
        "first answer after heddle start": first_answer,
    }
    taken: dict[str, list[float]] = {name: [] for name in subjects}
    for turn in range(scale.launches + 1):
        for name, subject in subjects.items():
            say(f"{name}, {turn} of {scale.launches}")
            seconds = subject()
            if turn:
                taken[name].append(seconds)
    floor = taken.pop("python -c pass")
    reaches = (at_most(8.0), at_most(30.0))
    return [
        measured(
            name,
            [its / base for base, its in zip(floor, times, strict=True)],
            reach=reach,
            facts={"floor ms": _ms(floor), "subject ms": _ms(times)},
            reason=REASON if reach.bound > 10 else "",
        )
        for (name, times), reach in zip(taken.items(), reaches, strict=True)
    ]


REASON = (
    "Python alone imports almost nothing; until the first answer the loop, the YAML reader, the server and "
    "every kind of the flow are imported, and the file is read, checked and watched."
)


def _ran(argv: list[str], wanted: str = "") -> float:
    began = time.perf_counter()
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    if done.returncode or wanted not in done.stdout:
        raise AnswerMismatchError(
            f"{' '.join(argv)} ended with {done.returncode}: {done.stderr.strip()}"
        )
    return took


def _ms(times: list[float]) -> float:
    return round(min(times) * 1e3, 1)


ROW = Row(
    title="what a person waits for at the command line",
    floor="python -c pass, of the same interpreter",
    run=run,
)
