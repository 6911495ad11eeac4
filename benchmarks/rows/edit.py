"""edit: a leaf is edited by hand and saved; how long until it is live, in small and in large."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import namespace
from benchmarks.measure import Measure, at_most, measured, percentile
from benchmarks.row import AnswerMismatchError, Row, Say
from benchmarks.scale import Scale
from benchmarks.server import Heddle, Log, fetched, heddle, talker

REST = 0.05
"""Seconds between two edits, in which the runtime comes to rest."""


FEW = 10
"""The symbols of the smallest namespace."""


def save(path: Path, version: int) -> float:
    """Save another version of the leaf; returns when that began."""
    text = namespace.edited(path, version)
    began = time.perf_counter()
    if version % 2:
        path.write_text(text)
    else:
        # The other way in which editors save.
        beside = path.with_name(".saved")
        beside.write_text(text)
        beside.replace(path)
    return began


@dataclass
class Watched:
    """A bare file watch, the file it watches, and what each edit took until it was read."""

    log: Log
    path: Path
    seconds: list[float] = field(default_factory=list)

    def edit(self, version: int) -> None:
        """Save another version of the leaf, and wait until the watch has read it."""
        began = save(self.path, version)
        self.seconds.append(self.until(version) - began)

    def until(self, version: int) -> float:
        """Wait until the watch has read that version: when it was told."""
        while True:
            heard, line = self.log.line()
            if line.strip() == f"leaf {version}":
                return heard


@dataclass
class Edited:
    """A namespace that runs, its file with the leaf, and what each edit took."""

    server: Heddle
    path: Path
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def edit(self, version: int) -> None:
        """Save another version of the leaf; raise AnswerMismatchError if that is not what is answered then."""
        before = self.server.cpu()
        began = save(self.path, version)
        heard, _ = self.server.until("generation live")
        found = fetched(self.server.port, "/leaf")
        if found != (200, f"leaf {version}"):
            raise AnswerMismatchError(f"a saved leaf was told to be live and answered {found!r}")
        self.seconds.append(heard - began)
        time.sleep(REST)
        self.cpu.append(self.server.cpu() - before)


def run(scale: Scale, say: Say) -> list[Measure]:
    """Return the file that is edited is of the same size in all but the smallest: a hundred symbols."""
    sizes = (FEW, namespace.PER_FILE, scale.symbols)
    with ExitStack() as stack:

        def written(symbols: int) -> Path:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            return namespace.write(folder, symbols)

        say("the watch starts")
        bare = stack.enter_context(_bare(written(namespace.PER_FILE)))
        running = []
        for symbols in sizes:
            say(f"{symbols:,} symbols start")
            path = written(symbols)
            running.append(Edited(stack.enter_context(heddle(path.parent)), path))
        for version in range(1, scale.edits + 1):
            say(f"edit {version} of {scale.edits}")
            for one in (bare, *running):
                one.edit(version)
    return _measures(sizes, bare, running)


@contextmanager
def _bare(path: Path) -> Iterator[Watched]:
    """Provide the floor; it watches when the block begins."""
    with talker("watch", str(path)) as log:
        watched = Watched(log, path)
        watched.until(0)
        yield watched


def _measures(sizes: tuple[int, ...], bare: Watched, running: list[Edited]) -> list[Measure]:
    _, small, large = running
    facts = {"a bare file watch": _times(bare.seconds)}
    for symbols, one in zip(sizes, running, strict=True):
        cpu = round(percentile(one.cpu, 50) * 1e3, 2)
        facts[f"{symbols:,} symbols"] = {**_times(one.seconds), "CPU ms": cpu}
    return [
        measured(
            f"save → live, p50 of {sizes[-1]:,} symbols",
            [second * 1e3 for second in large.seconds],
            unit="ms",
            reach=at_most(150.0),
            facts=facts,
        ),
        measured(
            "the same, beside a bare file watch",
            _beside(large.seconds, bare.seconds),
            reach=at_most(8.0),
        ),
        measured(
            f"the same, beside {sizes[1]:,} symbols",
            _beside(large.seconds, small.seconds),
            reach=at_most(1.25),
        ),
        measured(
            f"the same, beside {sizes[0]:,} symbols", _beside(large.seconds, running[0].seconds)
        ),
        measured("processor time of an edit, likewise", _beside(large.cpu, small.cpu)),
    ]


def _times(seconds: list[float]) -> dict[str, float]:
    return {f"p{rank} ms": round(percentile(seconds, rank) * 1e3, 1) for rank in (50, 99)}


def _beside(its: list[float], floor: list[float]) -> list[float]:
    return [one / base for one, base in zip(its, floor, strict=True) if base]


ROW = Row(
    title="one leaf of a large namespace is edited and saved",
    floor="a bare file watch that reads the file; the same edit in a small namespace",
    run=run,
)
