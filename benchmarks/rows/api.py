"""api: the API of the system namespace is asked for a spec, and applies a change of it."""

import asyncio
import http.client
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.driver import Driver, driver
from benchmarks.measure import Measure, at_least, at_most, measured, percentile
from benchmarks.paths import EXAMPLES
from benchmarks.row import AnswerMismatchError, Row, Say
from benchmarks.scale import Scale
from benchmarks.server import Heddle, heddle
from heddle.specs.model.names import named_id
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Put
from heddle.specs.stores.folder.store import FolderStore

PING = "GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
PATH = "/v1/namespaces/default/specs/pong"
GET = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

# The limit of requests is not what is measured.
SETTINGS = '[system]\nlisten = "127.0.0.1:0"\nrate = 1000000000\n'


def run(scale: Scale, say: Say) -> list[Measure]:
    """Measure both on a folder with the ping flow: the API runs alone, nobody follows it."""
    with TemporaryDirectory() as folder, TemporaryDirectory() as beside:
        for one in (folder, beside):
            Path(one, "ping.yaml").write_bytes((EXAMPLES / "ping.yaml").read_bytes())
        settings = Path(folder, "settings.toml")
        settings.write_text(SETTINGS)
        with (
            heddle(EXAMPLES / "ping.yaml") as floor,
            heddle(folder, "-n", "system", "--config", str(settings)) as api,
        ):
            got = _get(floor, api, scale, say)
            say("changes are applied")
            return [got, _apply(api, Path(beside), scale)]


def _get(floor: Heddle, api: Heddle, scale: Scale, say: Say) -> Measure:
    """Return a spec is asked for, beside a constant."""
    with driver() as load:
        load.open("floor", floor, scale.connections, PING, "pong")
        load.open("api", api, scale.connections, GET, _entry("pong"))
        for name in ("floor", "api"):
            _drive(load, name, scale.seconds)
        rounds: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for number in range(scale.rounds):
            rounds.append(
                (_drive(load, "floor", scale.seconds), _drive(load, "api", scale.seconds))
            )
            say(f"round {number + 1}: {rounds[-1][1]['rate']:,.0f} specs a second")
    rate = measured("", [its["rate"] for _, its in rounds]).value
    p99 = measured("", [its["p99"] for _, its in rounds]).value
    return measured(
        "specs that are got a second, of the constants",
        [its["rate"] / base["rate"] for base, its in rounds],
        reach=at_least(0.1),
        facts={"api": {"a second": round(rate), "p99 ms": round(p99, 2)}},
    )


def _drive(load: Driver, name: str, seconds: float) -> dict[str, Any]:
    told = load.drive(name, seconds)
    wrong = {what: told[what] for what in ("failed", "hung", "reset") if told[what]}
    if wrong:
        raise AnswerMismatchError(f"{name}: {wrong}; {told['first']}")
    return told


def _apply(api: Heddle, beside: Path, scale: Scale) -> Measure:
    """Return a spec is replaced, one change after the other, beside the store that does nothing else."""
    client = http.client.HTTPConnection("127.0.0.1", api.port, timeout=30)
    store = FolderStore(str(beside))
    pairs: list[tuple[float, float]] = []
    with asyncio.Runner() as runner:
        runner.run(store.open())
        for number in range(scale.edits):
            code = f"pong {number}"
            base = _timed(lambda code=code: runner.run(_put(store, code)))
            pairs.append((base, _timed(lambda code=code: _asked(client, code))))
        runner.run(store.close())
    client.close()
    taken = [its * 1e3 for _, its in pairs]
    return measured(
        "a change that is applied, of the bare write",
        [its / base for base, its in pairs],
        reach=at_most(3.0),
        facts={
            "api": {"p50 ms": round(percentile(taken, 50), 2)},
            "store": {"p50 ms": round(percentile([base * 1e3 for base, _ in pairs], 50), 2)},
        },
    )


def _timed(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


async def _put(store: FolderStore, code: str) -> None:
    id_ = named_id("spec", "default", "pong")
    fields = {"language": "text", "code": code}
    await store.apply([Put(resource=Spec(id=id_, kind="snippet", name="pong", fields=fields))])


def _asked(client: http.client.HTTPConnection, code: str) -> None:
    body = json.dumps({"kind": "snippet", "language": "text", "code": code})
    client.request("PUT", PATH, body, {"Content-Type": "application/json"})
    response = client.getresponse()
    found = json.loads(response.read())
    if response.status != 200 or found != _entry(code):
        raise AnswerMismatchError(f"a change was answered {response.status}: {found}")


def _entry(code: str) -> dict[str, Any]:
    return {
        "id": str(named_id("spec", "default", "pong")),
        "kind": "snippet",
        "namespace": "default",
        "name": "pong",
        "language": "text",
        "code": code,
    }


ROW = Row(
    title="the API of the system namespace on a folder: a spec is got, a change is applied",
    floor="the ping flow behind the same listener; the bare write of the folder store",
    run=run,
)
