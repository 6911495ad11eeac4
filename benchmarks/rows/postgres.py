"""postgres: a change in a store in PostgreSQL; how long until another runtime has it live, and the storm."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg

from benchmarks import namespace
from benchmarks.machine import environment, fastest_loop
from benchmarks.measure import Measure, at_least, at_most, measured, percentile
from benchmarks.paths import ROOT
from benchmarks.row import AnswerMismatchError, Row, Say
from benchmarks.scale import Scale
from heddle.runtime.runtime import Runtime
from heddle.specs.model.store import Put, Store
from heddle.specs.stores.contract_story import spec
from heddle.specs.stores.opener import open_store
from heddle.specs.yaml.document import read_path

WRITERS = 4
"""Who edit at once in the storm, each a leaf of his own."""


@dataclass
class Bare:
    """Two connections of psycopg: one writes a row and notifies, the other listens."""

    writer: "psycopg.AsyncConnection[tuple[object, ...]]"
    listener: "psycopg.AsyncConnection[tuple[object, ...]]"
    seconds: list[float] = field(default_factory=list)

    async def edit(self, version: int) -> None:
        """Change one row, and wait until it was heard of."""
        began = time.perf_counter()
        await self.writer.execute(
            "INSERT INTO bare (who, body) VALUES (0, %s)", [f"leaf {version}"]
        )
        await self.writer.execute("SELECT pg_notify('bare', %s)", [str(version)])
        await self.writer.commit()
        heard = [one async for one in self.listener.notifies(timeout=10, stop_after=1)]
        self.seconds.append(time.perf_counter() - began)
        if [one.payload for one in heard] != [str(version)]:
            raise AnswerMismatchError(f"the bare loop heard {heard!r}")


@dataclass
class Followed:
    """A store, and a runtime that follows it through a store of its own."""

    store: Store
    runtime: Runtime
    seconds: list[float] = field(default_factory=list)

    async def edit(self, version: int) -> None:
        """Put another version of the leaf; raise AnswerMismatchError if that is not what is live then."""
        leaf = spec("leaf", "snippet", fields={"language": "text", "code": f"leaf {version}"})
        live = asyncio.ensure_future(self.runtime.events.wait("generation live"))
        await asyncio.sleep(0)
        began = time.perf_counter()
        await self.store.apply([Put(resource=leaf)])
        await asyncio.wait_for(live, 10)
        self.seconds.append(time.perf_counter() - began)
        found = await self.runtime.send("leaf")
        if found != f"leaf {version}":
            raise AnswerMismatchError(f"an edited leaf was told to be live and answered {found!r}")


def run(scale: Scale, say: Say) -> list[Measure]:
    """Floor and subject take turns, an edit each, in a namespace of ten symbols and in a large one."""
    from tests.postgres import server

    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        return runner.run(_run(server(), scale, say))


async def _run(server: str, scale: Scale, say: Say) -> list[Measure]:
    mark = "&" if "?" in server else "?"
    schema = f"bench{uuid4().hex[:16]}"
    url = f"{server}{mark}schema={schema}"
    try:
        async with _bare(server) as bare:
            say("10 symbols start")
            async with _followed(f"{url}_small", 10) as small:
                say(f"{scale.symbols:,} symbols start")
                async with _followed(f"{url}_large", scale.symbols) as large:
                    for version in range(1, scale.edits + 1):
                        say(f"edit {version} of {scale.edits}")
                        for one in (bare, small, large):
                            await one.edit(version)
                say("the storm")
                floor = await _storm(server, scale.seconds, bare=True)
                done, stale = await _watched_storm(f"{url}_small", scale.seconds * 3, small.runtime)
            seconds = scale.seconds
            return [
                *_edits(scale, bare, small, large),
                *_storms(len(done) / (seconds * 3), len(floor) / seconds, stale),
            ]
    finally:
        async with await psycopg.AsyncConnection.connect(server, autocommit=True) as connection:
            await connection.execute("SET client_min_messages = error")
            for size in ("small", "large"):
                await connection.execute(f"DROP SCHEMA IF EXISTS {schema}_{size} CASCADE".encode())


@asynccontextmanager
async def _bare(server: str) -> AsyncIterator[Bare]:
    """Provide the floor, with a table of its own."""
    async with (
        await psycopg.AsyncConnection.connect(server) as writer,
        await psycopg.AsyncConnection.connect(server, autocommit=True) as listener,
    ):
        await writer.execute("DROP TABLE IF EXISTS bare")
        await writer.execute("CREATE TABLE bare (who integer, body text)")
        await writer.commit()
        await listener.execute("LISTEN bare")
        yield Bare(writer, listener)
        await writer.execute("DROP TABLE bare")
        await writer.commit()


@asynccontextmanager
async def _followed(url: str, symbols: int) -> AsyncIterator[Followed]:
    """Provide a runtime on a store of so many symbols; all is live when the block begins."""
    store = await open_store(url)
    try:
        with TemporaryDirectory() as folder:
            namespace.write(Path(folder), max(symbols, namespace.PER_FILE))
            specs = read_path(folder).specs
        # The front would listen, and nobody asks it here.
        kept = [one for one in specs if one.kind not in ("listener", "router")][:symbols]
        await store.apply([Put(resource=one) for one in kept])
        async with Runtime(store=url) as runtime:
            yield Followed(store, runtime)
    finally:
        await store.close()


async def _storm(url: str, seconds: float, *, bare: bool = False) -> list[tuple[int, float]]:
    """Writers in a process of their own: each revision and when it was committed."""
    argv = [sys.executable, "-m", "benchmarks.servers.storm", url, str(WRITERS), str(seconds)]
    process = await asyncio.create_subprocess_exec(
        *argv,
        *(["bare"] if bare else []),
        cwd=ROOT,
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise AnswerMismatchError(f"the writers ended with {process.returncode}")
    return [(number, when) for number, when in json.loads(said)]


async def _watched_storm(
    url: str, seconds: float, runtime: Runtime
) -> tuple[list[tuple[int, float]], list[float]]:
    """Return a storm, and how long after its commit a runtime had looked at each revision."""
    reached: list[tuple[int, float]] = []
    storm = asyncio.ensure_future(_storm(url, seconds))
    while not storm.done() or runtime.observed < max(number for number, _ in storm.result()):
        if not reached or runtime.observed > reached[-1][0]:
            reached.append((runtime.observed, time.perf_counter()))
        await asyncio.sleep(0.001)
    reached.append((runtime.observed, time.perf_counter()))
    done = storm.result()
    kept = [await runtime.send(f"writer{who}") for who in range(WRITERS)]
    if sum(int(str(each)) + 1 for each in kept) != len(done):
        raise AnswerMismatchError(f"after {len(done)} edits the writers' leaves answered {kept!r}")
    stale, at = [], 0
    for number, when in done:
        while reached[at][0] < number:
            at += 1
        stale.append(max(reached[at][1] - when, 0.0))
    return done, stale


def _edits(scale: Scale, bare: Bare, small: Followed, large: Followed) -> list[Measure]:
    sizes = {"a bare loop": bare, "10 symbols": small, f"{scale.symbols:,} symbols": large}
    facts = {
        name: {
            "p50 ms": round(percentile(one.seconds, 50) * 1e3, 1),
            "p99 ms": round(percentile(one.seconds, 99) * 1e3, 1),
        }
        for name, one in sizes.items()
    }
    return [
        measured(
            f"change → live elsewhere, p50 of {scale.symbols:,} symbols",
            [second * 1e3 for second in large.seconds],
            unit="ms",
            reach=at_most(50.0),
            facts=facts,
        ),
        measured(
            "of 10 symbols, beside the bare loop",
            [its / base for base, its in zip(bare.seconds, small.seconds, strict=True)],
            reach=at_most(5.0),
        ),
        measured(
            f"of {scale.symbols:,} symbols, beside 10",
            [its / base for base, its in zip(small.seconds, large.seconds, strict=True)],
            reach=at_most(2.0),
        ),
    ]


def _storms(edits: float, floor: float, stale: list[float]) -> list[Measure]:
    return [
        Measure(
            name=f"edits a second of {WRITERS} writers, beside bare ones",
            value=edits / floor,
            reach=at_least(0.2),
            facts={"edits a second": round(edits, 1), "bare ones": round(floor, 1)},
        ),
        Measure(
            name="staleness in that storm, p99",
            value=percentile(stale, 99) * 1e3,
            unit="ms",
            reach=at_most(250.0),
            facts={"p50 ms": round(percentile(stale, 50) * 1e3, 1), "edits": len(stale)},
        ),
    ]


ROW = Row(
    title="a change in a store in PostgreSQL goes live in another runtime; a storm of them",
    floor="a bare psycopg loop of INSERT, NOTIFY and LISTEN on the same server",
    run=run,
)
