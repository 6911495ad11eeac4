"""Writers that are cancelled or killed at any moment: what is published, kept and recorded stays one."""

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from heddle.schemas.errors import HeddleError
from heddle.specs.model.index import Key, key_of
from heddle.specs.model.revision import Note
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Delete, Put, Resource
from heddle.specs.stores.contract_story import spec
from heddle.specs.stores.folder.store import FolderStore
from heddle.specs.stores.folder.writer_lock import WriterLock
from tests.specs.stores.folder.failing_calls import check_sound, leftovers
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio

MANY = 20
"""More changes than are made on the event loop."""

CHILD = """
import asyncio, random, sys
from tests.specs.stores.folder.test_campaign import apply_for_ever
asyncio.run(apply_for_ever(sys.argv[1], int(sys.argv[2])))
"""


def change_set(group: str, version: int, size: int) -> list[Put | Delete]:
    """Return the changes of one group, each in a file of its own: they are of one version, or all gone."""
    specs = [
        spec(
            f"{group}-{number}",
            fields={"v": version},
            annotations={"heddle/file": f"{group}-{number}.yaml"},
        )
        for number in range(size)
    ]
    return [Put(resource=each) for each in specs]


async def apply_for_ever(path: str, seed: int) -> None:
    """Apply change sets of three files until this process is killed."""
    store = FolderStore(path)
    await store.open()
    print("ready", flush=True)
    version = seed * 1_000_000
    while True:
        version += 1
        await store.apply(change_set("shared", version, 3), Note("child", str(version)))


HALF = """
import asyncio, os, sys
from tests.specs.stores.folder import test_campaign

replace, calls = os.replace, []

def end(*args, **options):
    calls.append(args)
    if len(calls) == 2:
        os._exit(9)
    replace(*args, **options)

os.replace = end
asyncio.run(test_campaign.apply_for_ever(sys.argv[1], 1))
"""


class Follower:
    """What somebody knows who reads only what is published as changed."""

    def __init__(self, store: FolderStore) -> None:
        self.known: dict[Key, Resource] = {}
        self._store = store

    async def follow(self) -> None:
        """Read what changed, for ever."""
        async for changes in self._store.watch():
            ids = changes.specs
            now = {each.id: each for each in await self._store.specs(ids=ids)}
            for id_ in ids:
                self.known.pop((Spec, id_), None)
                if id_ in now:
                    self.known[Spec, id_] = now[id_]

    async def knows_all(self) -> bool:
        """Return whether it knows what there is."""
        return self.known == {key_of(each): each for each in await self._store.specs()}


@asynccontextmanager
async def followed(path: Path) -> AsyncIterator[tuple[FolderStore, Follower]]:
    """Provide an open store and who follows it."""
    store = FolderStore(path)
    await store.open()
    follower = Follower(store)
    task = asyncio.ensure_future(follower.follow())
    await asyncio.sleep(0)
    try:
        yield store, follower
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()


async def applied(store: FolderStore, changes: list[Put | Delete], message: str) -> None:
    try:
        await store.apply(changes, Note("ada", message))
    except HeddleError as error:
        # Another process may have written the file in between.
        assert "changed by somebody else" in str(error)  # noqa: PT017 - any other is a fault


@pytest.mark.parametrize("seed", range(3))
async def test_writers_that_are_cancelled_at_any_moment_lose_nothing(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    async with followed(tmp_path) as (store, follower):
        for turn in range(12):
            size = chance.choice([1, 3, MANY])
            writers = [
                asyncio.ensure_future(
                    applied(store, change_set(f"g{each}", turn, size), "cancelled")
                )
                for each in range(2)
            ]
            reader = asyncio.ensure_future(store.history())
            tasks: list[asyncio.Future[Any]] = [*writers, reader]
            for _ in range(chance.randrange(40)):
                await asyncio.sleep(chance.choice([0, 0, 0.001]))
            for task in tasks:
                if chance.random() < 0.7:
                    task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert not [each for each in done if isinstance(each, Exception)]
        await until(follower.knows_all)
        held = await check_sound(tmp_path, store)
        assert not leftovers(tmp_path)
        await until(follower.knows_all)
        assert follower.known == held


async def test_processes_that_are_killed_at_any_moment_leave_whole_change_sets(
    tmp_path: Path,
) -> None:
    chance = random.Random(7)
    async with followed(tmp_path) as (store, follower):
        for turn in range(5):
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                CHILD,
                str(tmp_path),
                str(turn + 1),
                stdout=asyncio.subprocess.PIPE,
            )
            assert child.stdout is not None
            assert await child.stdout.readline() == b"ready\n"
            for _ in range(chance.randrange(1, 4)):
                await applied(store, change_set("ours", turn, 3), f"ours {turn}")
                await asyncio.sleep(chance.random() * 0.03)
            child.send_signal(signal.SIGKILL)
            await child.wait()
            # Whoever opens or watches it finishes what is left.
            held = await check_sound(tmp_path)
            for group in ("shared", "ours"):
                versions = [
                    getattr(each, "fields", {})["v"]
                    for each in held.values()
                    if str(each.name).startswith(group)
                ]
                assert len(set(versions)) <= 1
                assert len(versions) in (0, 3)
            await until(follower.knows_all)
        held = await check_sound(tmp_path, store)
        messages = {each.author for each in await store.history(limit=10_000)}
        assert messages <= {"ada", "child"}
        await until(follower.knows_all)
        assert follower.known == held


async def test_who_watches_finishes_what_another_process_left(tmp_path: Path) -> None:
    """One of three files is in its place when the process ends: nobody else has to write first."""
    async with followed(tmp_path) as (store, follower):
        await store.apply(change_set("shared", 1, 3), Note("ada", "before"))
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", HALF, str(tmp_path))
        assert await child.wait() == 9
        await until(lambda: not leftovers(tmp_path))
        await until(follower.knows_all)
        held = {getattr(each, "fields", {})["v"] for each in follower.known.values()}
        assert held == {1_000_001}
        (last, _) = await store.history()
        assert (last.author, len(last.turns)) == ("child", 3)
        await check_sound(tmp_path, store)


async def test_writer_that_begins_again_at_once_does_not_keep_others_out(tmp_path: Path) -> None:
    """Two that write for ever have their turns: neither waits for more than some of the other's."""
    path = str(tmp_path / "lock")
    order: list[int] = []

    async def write(number: int) -> None:
        lock = WriterLock(path)
        while len(order) < 60:
            assert await lock.take(PATIENCE)
            order.append(number)
            await asyncio.sleep(0.003)
            lock.release()

    await asyncio.gather(*(write(number) for number in range(2)))
    assert min(order.count(number) for number in range(2)) > 20
