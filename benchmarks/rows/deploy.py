"""deploy: a node on the path is changed again and again under full load, and nobody notices."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import namespace
from benchmarks.driver import Driver, driver
from benchmarks.measure import Measure, at_most, measured
from benchmarks.row import Row, Say, WrongAnswer
from benchmarks.scale import Scale
from benchmarks.server import Heddle, heddle

REQUEST = "GET /leaf HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

ROUND = 20
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

    def round(self, count: int) -> dict[str, Any]:
        """So many deploys, one right after the other."""
        self._load.do("start", "leaf", into="deploys")
        for _ in range(count):
            self.deploy()
        return self._load.do("stop", "leaf")


def run(scale: Scale, say: Say) -> list[Measure]:
    """A file is saved, its change goes live, it is answered: and at once the next."""
    with TemporaryDirectory() as temporary:
        path = Path(temporary, "flow.yaml")
        path.write_text(namespace.FRONT + namespace.leaf(0))
        with heddle(path) as server, driver() as load:
            load.open("leaf", server, scale.connections, REQUEST, "leaf {version}")
            deploys = Deploys(load, server, path)
            load.drive("leaf", scale.seconds, "warm")
            rounds = []
            while deploys.version < scale.deploys:
                say(f"deploy {deploys.version} of {scale.deploys}")
                count = min(ROUND, scale.deploys - deploys.version)
                changing = deploys.round(count)
                steady = load.drive("leaf", changing["seconds"], "steady")
                rounds.append((steady, changing))
            whole = {name: load.do("summary", into=name) for name in ("steady", "deploys")}
    return _measures(scale.deploys, rounds, whole)


def _measures(
    count: int,
    rounds: list[tuple[dict[str, Any], dict[str, Any]]],
    whole: dict[str, dict[str, Any]],
) -> list[Measure]:
    steady, changing = whole["steady"], whole["deploys"]
    wrong = {what: steady[what] + changing[what] for what in ("failed", "hung", "reset")}
    if steady["failed"] or not steady["answers"]:
        raise WrongAnswer(f"without any deploy: {steady['first']}")
    facts = {
        "answers": changing["answers"],
        "deploys a second": round(count / changing["seconds"], 1),
        **wrong,
        "first": changing["first"],
        **{
            name: {
                "requests a second": round(one["rate"]),
                "p50 ms": round(one["p50"], 2),
                "p99 ms": round(one["p99"], 2),
                "max ms": round(one["max"], 2),
            }
            for name, one in whole.items()
        },
    }
    return [
        Measure(
            name=f"{count} deploys: answers failed, hung or reset",
            value=float(sum(wrong.values())),
            unit="",
            reach=at_most(0.0),
            facts=facts,
        ),
        measured(
            "p99, beside that without deploys",
            [its["p99"] / base["p99"] for base, its in rounds],
            reach=at_most(2.0),
        ),
        measured(
            "requests a second, likewise",
            [its["rate"] / base["rate"] for base, its in rounds],
        ),
    ]


ROW = Row(
    title="deploys at full load on keep-alive connections, the changed node on the path",
    floor="the same load without deploys",
    run=run,
)
