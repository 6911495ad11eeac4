"""Many runtimes on one store in PostgreSQL: one truth, whatever falls over."""

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from heddle.runtime.runtime import Runtime
from heddle.schemas.errors import ConflictError
from heddle.specs.model.report import Report
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Change, Delete, Put
from heddle.specs.stores.contract_story import spec
from heddle.specs.stores.postgres.store import PostgresStore
from tests.journeys.follower import live
from tests.specs.stores.postgres.databases import OwnServer, fresh, in_schema, opened
from tests.waiting import until

pytestmark = pytest.mark.anyio

PATIENCE = 60.0


def text(name: str, code: str) -> Spec:
    """Return a node that answers with this text."""
    return spec(name, "snippet", fields={"language": "text", "code": code})


class Follower:
    """A runtime in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def live(self) -> dict[str, str]:
        """Return what is live in it."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"look\n")
        said: dict[str, str] = json.loads(await self.line())
        return said

    async def line(self) -> bytes:
        """Return the next line that it says."""
        assert self.process.stdout is not None
        return await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)


@asynccontextmanager
async def following(url: str) -> AsyncIterator[Follower]:
    """Provide a runtime in a process of its own that follows the store; it is gone when the block ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.journeys.follower", url),
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        one = Follower(process)
        assert await one.line() == b"ready\n"
        yield one
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Storm:
    """Writers that change the same specs at once, and the model of what that must come to.

    Pairs are put together and must never be seen apart; singles come and go; the counter goes up by
    one for each that reads it and puts it back unchanged by others; some edits are wrong.
    """

    def __init__(self, stores: Sequence[PostgresStore], seed: int) -> None:
        self.stores = stores
        self.random = random.Random(seed)
        self.done: list[tuple[int, list[Change]]] = []
        self.counted = 0

    async def begin(self) -> None:
        """Store one node that nobody changes."""
        await self._apply(self.stores[0], [Put(resource=text("steady", "here"))])

    async def rage(self, edits: int) -> None:
        """So many edits by each writer, all writers at once."""
        await asyncio.gather(*(self._write(store, edits) for store in self.stores))

    async def _write(self, store: PostgresStore, edits: int) -> None:
        for _ in range(edits):
            what = self.random.choice(["pair", "pair", "single", "drop", "count", "wrong"])
            number, code = self.random.randrange(4), f"{self.random.getrandbits(40):x}"
            if what == "pair":
                names = (f"left{number}", f"right{number}")
                await self._apply(store, [Put(resource=text(name, code)) for name in names])
            elif what == "single":
                await self._apply(store, [Put(resource=text(f"single{number}", code))])
            elif what == "drop":
                await self._drop(store, f"single{number}")
            elif what == "wrong":
                await self._apply(
                    store, [Put(resource=spec("wrong", "snipet", fields={"c": code}))]
                )
            else:
                await self._count(store)

    async def _apply(self, store: PostgresStore, changes: list[Change]) -> None:
        put = await store.apply(changes)
        self.done.append((put[0].revision, changes))

    async def _drop(self, store: PostgresStore, name: str) -> None:
        gone = spec(name).id
        found = await store.specs(ids=[gone])
        if not found:
            return
        marker = text("dropped", f"{name} {self.random.getrandbits(40):x}")
        try:
            changes: list[Change] = [
                Delete(type=Spec, id=gone, revision=found[0].revision),
                Put(resource=marker),
            ]
            await self._apply(store, changes)
        except ConflictError:
            return

    async def _count(self, store: PostgresStore) -> None:
        while True:
            found = await store.specs(ids=[spec("counter").id])
            number = int(found[0].fields["code"]) + 1 if found else 1
            put = Put(
                resource=text("counter", str(number)), revision=found[0].revision if found else 0
            )
            try:
                await self._apply(store, [put])
            except ConflictError:
                continue
            self.counted += 1
            return

    def model(self) -> dict[str, str]:
        """Return what must be live in the end: the edits in the order of their revisions."""
        held: dict[str, str] = {}
        numbered = [f"{what}{n}" for what in ("left", "right", "single") for n in range(4)]
        ids = {spec(name).id: name for name in ("steady", "counter", "dropped", "wrong", *numbered)}
        for _, changes in sorted(self.done, key=lambda each: each[0]):
            for change in changes:
                if isinstance(change, Delete):
                    held.pop(ids[change.id], None)
                else:
                    assert isinstance(change.resource, Spec)
                    if change.resource.kind == "snippet":
                        held[ids[change.resource.id]] = change.resource.fields["code"]
        return held


async def agreed(storm: Storm, runtimes: Sequence[Runtime], followers: Sequence[Follower]) -> None:
    """Wait until every runtime shows what the model says; it fails if one never does."""
    model = storm.model()
    assert model.get("counter", "0") == str(storm.counted)
    kept = {
        each.name: each.fields["code"]
        for each in await storm.stores[0].specs("default")
        if each.kind == "snippet"
    }
    assert kept == model
    for rt in runtimes:
        await until(lambda rt=rt: _shows(live(rt), model))  # type: ignore[misc]
    for one in followers:
        await until(lambda one=one: _shows(one.live(), model))  # type: ignore[misc]


async def _shows(looking: Awaitable[dict[str, str]], model: dict[str, str]) -> bool:
    return await looking == model


async def test_a_change_is_live_in_every_other_runtime() -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh())
        runtimes = [await stack.enter_async_context(Runtime(store=url)) for _ in range(3)]
        far = await stack.enter_async_context(following(url))
        for code in ("one", "two"):
            await runtimes[0].store.apply([Put(resource=text("pong", code))])
            for rt in runtimes:
                await until(lambda rt=rt, code=code: _shows(live(rt), {"pong": code}))  # type: ignore[misc]
            await until(lambda code=code: _shows(far.live(), {"pong": code}))  # type: ignore[misc]


@pytest.mark.parametrize("seed", [1, 2])
async def test_ten_runtimes_agree_with_the_model_after_a_storm(seed: int) -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh(wait=60))
        followers = [await stack.enter_async_context(following(url)) for _ in range(2)]
        runtimes = [await stack.enter_async_context(Runtime(store=url)) for _ in range(8)]
        stores = [await stack.enter_async_context(opened(url)) for _ in range(4)]
        storm = Storm(stores, seed)
        raging = asyncio.ensure_future(storm.rage(12))
        while not raging.done():
            for rt in runtimes:
                await live(rt)
            await asyncio.sleep(0.01)
        await raging
        await agreed(storm, runtimes, followers)
        for rt in runtimes:
            assert {problem.code for problem in rt.status().problems} <= {"unknown-kind"}


async def test_a_killed_runtime_takes_nothing_with_it() -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh(wait=60))
        doomed = await stack.enter_async_context(following(url))
        rt = await stack.enter_async_context(Runtime(store=url))
        stores = [await stack.enter_async_context(opened(url)) for _ in range(2)]
        report = Report(
            runtime="doomed", namespace="default", seen=time.time(), interval=0.05, observed=1
        )
        await stores[0].report(report)
        storm = Storm(stores, 3)
        raging = asyncio.ensure_future(storm.rage(10))
        doomed.process.kill()
        await doomed.process.wait()
        await raging
        heir = await stack.enter_async_context(following(url))
        await agreed(storm, [rt], [heir])

        async def gone() -> bool:
            return "doomed" not in {each.runtime for each in await stores[0].reports()}

        await until(gone)


async def restarts(times: int, edits: int, mode: str) -> None:
    """Write in a storm to a server that falls and comes back; what runs goes on serving."""
    with OwnServer.running() as database:
        async with AsyncExitStack() as stack:
            url = in_schema(database.url, "flows", wait=120)
            stores = [await stack.enter_async_context(opened(url)) for _ in range(3)]
            followers = [await stack.enter_async_context(following(url))]
            runtimes = [await stack.enter_async_context(Runtime(store=url)) for _ in range(3)]
            storm = Storm(stores, 4)
            await storm.begin()
            for _ in range(times):
                raging = asyncio.ensure_future(storm.rage(edits))
                done = len(storm.done)
                await until(lambda done=done: _more(storm, done))  # type: ignore[misc]
                lost = [asyncio.ensure_future(rt.events.wait("watch failed")) for rt in runtimes]
                await asyncio.to_thread(database.stop, mode)
                await asyncio.wait_for(asyncio.gather(*lost), PATIENCE)
                for rt in runtimes:
                    assert await rt.send("steady") == "here"
                assert (await followers[0].live())["steady"] == "here"
                await asyncio.to_thread(database.start)
                await raging
                await agreed(storm, runtimes, followers)
            assert len(await stores[0].history(limit=100_000)) == await stores[0].newest()


async def _more(storm: Storm, done: int) -> bool:
    return len(storm.done) > done + 5


async def test_a_server_that_crashes_in_the_storm_costs_nothing() -> None:
    await restarts(1, 8, "immediate")


@pytest.mark.campaign
@pytest.mark.parametrize("mode", ["immediate", "fast"])
async def test_a_server_that_falls_again_and_again_costs_nothing(mode: str) -> None:
    await restarts(4, 10, mode)
