"""Writers that edit a store in PostgreSQL as fast as they can, or bare ones that do no more than notify.

    python -m benchmarks.servers.storm URL WRITERS SECONDS [bare]

It prints a line of JSON: `[[revision, when it was committed], …]`, in the seconds of time.perf_counter.
"""

import asyncio
import json
import sys
import time
from typing import TypeAlias

import psycopg

from benchmarks.machine import fastest_loop
from heddle.specs.model.store import Put
from heddle.specs.stores.contract_story import spec
from heddle.specs.stores.opener import open_store
from heddle.specs.stores.postgres.address import read_address

Done: TypeAlias = tuple[int, float]
"""A revision, and when it was committed."""


async def edit(url: str, who: int, begin: asyncio.Barrier, seconds: float) -> list[Done]:
    """Write on a connection of its own, to a leaf of its own."""
    store = await open_store(url)
    done: list[Done] = []
    try:
        end = await _begin(begin) + seconds
        while time.perf_counter() < end:
            fields = {"language": "text", "code": str(len(done))}
            (put,) = await store.apply(
                [Put(resource=spec(f"writer{who}", "snippet", fields=fields))]
            )
            done.append((put.revision, time.perf_counter()))
    finally:
        await store.close()
    return done


async def notify(url: str, who: int, begin: asyncio.Barrier, seconds: float) -> list[Done]:
    """Write without Heddle: a row and a notification in one transaction."""
    done: list[Done] = []
    conninfo = read_address(url).conninfo
    async with await psycopg.AsyncConnection.connect(conninfo) as connection:
        end = await _begin(begin) + seconds
        while time.perf_counter() < end:
            await connection.execute(
                "INSERT INTO bare (who, body) VALUES (%s, %s)", [who, f"leaf {len(done)}"]
            )
            await connection.execute("SELECT pg_notify('bare', %s)", [str(len(done))])
            await connection.commit()
            done.append((len(done), time.perf_counter()))
    return done


async def _begin(begin: asyncio.Barrier) -> float:
    """Wait until every writer is connected; when that was."""
    await begin.wait()
    return time.perf_counter()


async def main(url: str, writers: int, seconds: float, bare: bool) -> None:
    """Run all writers at once."""
    write, begin = notify if bare else edit, asyncio.Barrier(writers)
    done = await asyncio.gather(*(write(url, who, begin, seconds) for who in range(writers)))
    print(json.dumps(sorted(one for each in done for one in each)), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), "bare" in sys.argv[4:]))
