"""put: a spec is put over the API, and applied; what that costs the server in small and in large."""

import asyncio
import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg

from benchmarks import namespace
from benchmarks.measure import Measure, at_most, measured
from benchmarks.row import AnswerMismatchError, Row, Say
from benchmarks.scale import Scale
from benchmarks.server import Heddle, free_port, heddle
from heddle.runtime.assembly.extension import registry
from heddle.runtime.changes.apply import apply_into
from heddle.specs.model.store import Put
from heddle.specs.stores.contract_story import spec
from heddle.specs.stores.opener import open_store
from heddle.specs.stores.remote.store import RemoteStore
from heddle.specs.yaml.document import read_path

FEW = 10
"""The symbols of the small namespace, and of each file in both."""

BATCH = 20
"""Changes that are made in a row, and measured together."""

REST = 0.4
"""Seconds after a batch in which what follows from it is done: reports, what was accepted."""

BAR = 1.3


@dataclass
class Served:
    """A namespace that runs with the API beside it, and what one change cost in each round."""

    server: Heddle
    port: int
    version: int = 0
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def measure(self, name: str, work: Callable[["Served"], None]) -> None:
        """Make a batch of changes; note the processor time of the server for each."""
        before = self.server.cpu()
        work(self)
        time.sleep(REST)
        self.cpu.setdefault(name, []).append((self.server.cpu() - before) / BATCH)

    def code(self) -> str:
        """Return what the leaf says next."""
        self.version += 1
        return f"leaf {self.version}"


def put(served: Served) -> None:
    """Put the leaf again and again, on one connection."""
    client = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    for _ in range(BATCH):
        code = served.code()
        body = json.dumps({"kind": "snippet", "language": "text", "code": code})
        path = "/v1/namespaces/default/specs/leaf"
        client.request("PUT", path, body, {"Content-Type": "application/json"})
        response = client.getresponse()
        told = json.loads(response.read())
        if response.status != 200 or told["code"] != code:
            raise AnswerMismatchError(f"a spec that was put was answered {response.status}: {told}")
    client.close()


def apply(served: Served) -> None:
    """Apply the leaf again and again, as `heddle apply --server` does."""

    async def story() -> None:
        store = RemoteStore(f"http://127.0.0.1:{served.port}")
        await store.open()
        kinds = registry()
        for _ in range(BATCH):
            leaf = spec("leaf", "snippet", fields={"language": "text", "code": served.code()})
            applied = await apply_into(store, [leaf], kinds)
            if not applied.revision:
                raise AnswerMismatchError(f"a spec that was applied came to {applied}")
        await store.close()

    asyncio.run(story())


def run(scale: Scale, say: Say) -> list[Measure]:
    """Measure both stores, each with a small and a large namespace that take turns."""
    found: list[Measure] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        settings = folder / "settings.toml"
        # The limit of requests is not what is measured.
        settings.write_text("[system]\nrate = 1000000000\n")
        for kind in ("folder", "PostgreSQL"):
            pair: list[Served] = []
            for symbols in (FEW, scale.symbols):
                say(f"{symbols:,} symbols in a store of the kind {kind} start")
                beside = Path(stack.enter_context(TemporaryDirectory()))
                namespace.write(beside, symbols, FEW)
                url = str(beside)
                if kind == "PostgreSQL":
                    url = stack.enter_context(_database(beside))
                pair.append(stack.enter_context(_served(url, settings)))
            # What is done once, such as the index of mentions, is not what a change costs.
            for one in pair:
                put(one)
                apply(one)
            for number in range(max(scale.rounds // 2, 1)):
                say(f"{kind}, round {number + 1}")
                for one in pair:
                    one.measure("a PUT over the API", put)
                    one.measure("an apply", apply)
            found += _measures(kind, scale.symbols, *pair)
    return found


@contextmanager
def _served(url: str, settings: Path) -> Iterator[Served]:
    port = free_port()
    more = ("--system", f"127.0.0.1:{port}", "--config", str(settings))
    with heddle(url, *more) as server:
        yield Served(server, port)


@contextmanager
def _database(folder: Path) -> Iterator[str]:
    """Provide a store in PostgreSQL that holds what the files of a folder say."""
    from tests.postgres import server

    where = server()
    schema = f"bench{uuid4().hex[:16]}"
    url = f"{where}{'&' if '?' in where else '?'}schema={schema}"

    async def fill() -> None:
        store = await open_store(url)
        await store.apply([Put(resource=one) for one in read_path(folder).specs])
        await store.close()

    try:
        asyncio.run(fill())
        yield url
    finally:
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute("SET client_min_messages = error")
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())


def _measures(kind: str, symbols: int, small: Served, large: Served) -> Iterator[Measure]:
    for name, few in small.cpu.items():
        many = large.cpu[name]
        facts = {
            f"{count:,} symbols": {"CPU ms": round(min(cpu) * 1e3, 2)}
            for count, cpu in ((FEW, few), (symbols, many))
        }
        # The least that it took: what neighbours on the machine add comes on top.
        yield measured(
            f"{name}, {kind}: server CPU at {symbols:,} symbols, beside {FEW}",
            [min(many) / min(few)],
            reach=at_most(BAR),
            facts=facts,
        )


ROW = Row(
    title="one spec is put and applied in a large namespace, with a runtime that follows",
    floor="the same change in a namespace of 10 symbols, in a file of the same size",
    run=run,
)
