"""edit: a leaf is edited by hand and saved; how long until it is live, in small and in large."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import namespace
from benchmarks.measure import Measure, at_most, measured, percentile
from benchmarks.row import Row, Say, WrongAnswer
from benchmarks.scale import Scale
from benchmarks.server import Heddle, fetched, heddle

REST = 0.05
"""Seconds between two edits, in which the runtime comes to rest."""


@dataclass
class Edited:
    """A namespace that runs, its file with the leaf, and what each edit took."""

    server: Heddle
    path: Path
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def edit(self, version: int) -> None:
        """Save another version of the leaf; WrongAnswer where that is not what is answered then."""
        text = namespace.edited(self.path, version)
        before = self.server.cpu()
        began = time.perf_counter()
        if version % 2:
            self.path.write_text(text)
        else:
            # The other way in which editors save.
            beside = self.path.with_name(".saved")
            beside.write_text(text)
            beside.replace(self.path)
        heard, _ = self.server.until("generation live")
        found = fetched(self.server.port, "/leaf")
        if found != (200, f"leaf {version}"):
            raise WrongAnswer(f"a saved leaf was told to be live and answered {found!r}")
        self.seconds.append(heard - began)
        time.sleep(REST)
        self.cpu.append(self.server.cpu() - before)


def run(scale: Scale, say: Say) -> list[Measure]:
    """The file that is edited is of the same size in both: a hundred symbols."""
    sizes = (namespace.PER_FILE, scale.symbols)
    with ExitStack() as stack:
        running = []
        for symbols in sizes:
            say(f"{symbols:,} symbols start")
            folder = Path(stack.enter_context(TemporaryDirectory()))
            path = namespace.write(folder, symbols)
            running.append(Edited(stack.enter_context(heddle(folder)), path))
        for version in range(1, scale.edits + 1):
            say(f"edit {version} of {scale.edits}")
            for one in running:
                one.edit(version)
    small, large = running
    return _measures(sizes, small, large)


def _measures(sizes: tuple[int, int], small: Edited, large: Edited) -> list[Measure]:
    taken = [second * 1e3 for second in large.seconds]
    facts = {
        f"{symbols:,} symbols": {
            "p50 ms": round(percentile(one.seconds, 50) * 1e3, 1),
            "p99 ms": round(percentile(one.seconds, 99) * 1e3, 1),
            "CPU ms": round(percentile(one.cpu, 50) * 1e3, 2),
        }
        for symbols, one in zip(sizes, (small, large), strict=True)
    }
    times = zip(small.seconds, large.seconds, strict=True)
    works = zip(small.cpu, large.cpu, strict=True)
    return [
        measured(
            f"save → live, p50 of {sizes[1]:,} symbols",
            taken,
            unit="ms",
            reach=at_most(150.0),
            facts=facts,
        ),
        measured(
            f"the same, beside {sizes[0]:,} symbols",
            [its / base for base, its in times],
            reach=at_most(1.25),
        ),
        measured(
            "processor time of an edit, likewise", [its / base for base, its in works if base]
        ),
    ]


ROW = Row(
    title="one leaf of a large namespace is edited and saved",
    floor="the same edit in a namespace of one file",
    run=run,
)
