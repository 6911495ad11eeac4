"""deploy: a node on the path is changed again and again under full load, and nobody notices."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from benchmarks import namespace
from benchmarks.driver import Driver, driver
from benchmarks.duel import busy
from benchmarks.measure import Measure, at_most, measured
from benchmarks.row import AnswerMismatchError, Row, Say
from benchmarks.scale import Scale
from benchmarks.server import Heddle, heddle

REQUEST = "GET /leaf HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

Told: TypeAlias = dict[str, Any]
Rounds: TypeAlias = list[tuple[Told, Told]]
"""What each round came to, without deploys and with them; `share` is that of the core."""

Whole: TypeAlias = dict[str, Told]
"""What all rounds together came to: `steady`, and `deploys`."""

ROUND = 10
"""Deploys in one round; rounds with and without take turns."""


class Deploys:
    """A flow that is changed by saving its file, under load all the while."""

    def __init__(self, load: Driver, server: Heddle, path: Path) -> None:
        self._load = load
        self._server = server
        self._path = path
        self.version = 0

    def deploy(self) -> None:
        """Save the next version, and wait until it was answered for the first time."""
        self.version += 1
        self._path.write_text(namespace.edited(self._path, self.version))
        self._server.until("generation live")
        self._load.do("await", "leaf", version=self.version)

    def round(self, count: int) -> tuple[Told, Told]:
        """Return the load without deploys, and as long with so many, one right after the other."""
        before = self._server.cpu()
        self._load.do("start", "leaf", into="deploys")
        for _ in range(count):
            self.deploy()
        changing = self._load.do("stop", "leaf")
        between = self._server.cpu()
        steady = self._load.drive("leaf", changing["seconds"], "steady")
        changing["share"] = (between - before) / changing["seconds"]
        steady["share"] = (self._server.cpu() - between) / steady["seconds"]
        return steady, changing


def run(scale: Scale, say: Say) -> list[Measure]:
    """Return a file is saved, its change goes live, it is answered: and at once the next."""
    measures = []
    with TemporaryDirectory() as temporary:
        path = Path(temporary, "flow.yaml")
        path.write_text(namespace.FRONT + namespace.leaf(0))
        measures += _measures(scale, *_deployed(path, path, scale, say))
    with TemporaryDirectory() as temporary:
        path = namespace.write(Path(temporary), scale.symbols)
        # What is saved is as small as before: only the namespace around it is not.
        path.write_text(namespace.FRONT + namespace.leaf(0))
        rounds, whole = _deployed(path.parent, path, scale, say)
        _, p99, *_ = _measures(scale, rounds, whole)
        where = f"the same p99 among {scale.symbols:,} symbols"
        measures.append(replace(p99, name=where, reach=None, facts=_facts(whole)))
    return measures


def _deployed(store: Path, path: Path, scale: Scale, say: Say) -> tuple[Rounds, Whole]:
    """Return all deploys of one store, in rounds that take turns with rounds without any."""
    with heddle(store) as server, driver() as load:
        load.open("leaf", server, scale.connections, REQUEST, "leaf {version}")
        deploys = Deploys(load, server, path)
        load.drive("leaf", scale.seconds, "warm")
        rounds = []
        while deploys.version < scale.deploys:
            say(f"deploy {deploys.version} of {scale.deploys}")
            rounds.append(deploys.round(min(ROUND, scale.deploys - deploys.version)))
        return rounds, {name: load.do("summary", into=name) for name in ("steady", "deploys")}


def _measures(scale: Scale, rounds: Rounds, whole: Whole) -> list[Measure]:
    steady = whole["steady"]
    if steady["failed"] or not steady["answers"]:
        raise AnswerMismatchError(f"without any deploy: {steady['first'] or 'no answer'}")
    clean = [one for one in rounds if busy(*(told["share"] for told in one))]
    disturbed = len(clean) < len(rounds) // 3
    counted = rounds if disturbed else clean or rounds
    wrong = sum(one[what] for one in whole.values() for what in ("failed", "hung", "reset"))
    return [
        Measure(
            name=f"{scale.deploys} deploys: answers failed, hung or reset",
            value=wrong,
            unit="",
            reach=at_most(0.0),
            facts=_facts(whole),
        ),
        measured(
            "p99, beside that without deploys",
            [its["p99"] / base["p99"] for base, its in counted],
            reach=at_most(2.0),
            disturbed=disturbed,
        ),
        measured(
            "requests a second, likewise",
            [its["rate"] / base["rate"] for base, its in counted],
        ),
    ]


def _facts(whole: Whole) -> dict[str, Any]:
    """Return what was answered, with deploys and without."""
    names = {"rate": "requests a second", "p50": "p50 ms", "p99": "p99 ms", "max": "max ms"}
    kept = ("answers", "failed", "hung", "reset", "first")
    return {
        name: {key: one[key] for key in kept}
        | {shown: round(one[key], 2) for key, shown in names.items()}
        for name, one in whole.items()
    }


ROW = Row(
    title="deploys at full load on keep-alive connections, the changed node on the path",
    floor="the same load without deploys",
    run=run,
)
