"""A folder of specs is edited at random, well and badly, while clients hammer what it serves.

A model says what must be live: a valid edit, at once; a broken one, never. Every answer during an
edit is that of before or after it, and none is lost.
"""

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from heddle.runtime.runtime import Runtime
from tests.support import fetch, port_of

pytestmark = pytest.mark.anyio

LEAVES = 12
CLIENTS = 8

FRONT = """
- kind: listener
  name: listener
  port: 0
  ports: {{out: {{name: router, port: in}}}}
- kind: router
  name: router
  routes: [{routes}]
  ports:
{ports}
"""


def front(order: list[int]) -> str:
    """Return the listener and its router, with the routes in this order."""
    routes = ", ".join(
        f"{{method: GET, path: /{leaf}, port: 'out[{at}]'}}" for at, leaf in enumerate(order)
    )
    ports = "\n".join(
        f"    out[{at}]: [{{name: leaf{leaf}, port: in}}]" for at, leaf in enumerate(order)
    )
    return FRONT.format(routes=routes, ports=ports)


def leaf_text(leaf: int, version: int) -> str:
    """Return one leaf, which answers its number and its version."""
    return f"# leaf {leaf}\nkind: snippet\nname: leaf{leaf}\nlanguage: text\ncode: '{leaf}:{version}'\n"


class World:
    """The folder, the runtime that follows it, and the model of what is live."""

    def __init__(self, folder: Path, rt: Runtime, chance: random.Random) -> None:
        self.folder = folder
        self.rt = rt
        self.chance = chance
        self.live = dict.fromkeys(range(LEAVES), 0)
        self.written = dict.fromkeys(range(LEAVES), 0)

    def file(self, leaf: int) -> Path:
        """Return the file of a leaf."""
        return self.folder / f"leaf{leaf}.yaml"

    async def expect(self, event: str, act: Callable[[], object]) -> None:
        """Do something to the folder, and wait for what the runtime says of it."""
        # A save may be seen half done, and rejected: what counts for a good one is that it goes live.
        wanted = (event,) if event == "generation live" else ("generation live", "change rejected")
        told = asyncio.ensure_future(self.rt.events.wait(*wanted))
        await asyncio.sleep(0)
        act()
        async with asyncio.timeout(60):
            found = await told
        assert found.event == event, (found.reason, [str(one) for one in found.problems])

    # -- edits -----------------------------------------------------------------------------------

    async def good(self, leaf: int) -> None:
        """Save a valid edit in one of the ways in which editors save."""
        version = self.written[leaf] = self.written[leaf] + 1
        text, file = leaf_text(leaf, version), self.file(leaf)

        def in_place() -> None:
            file.write_text(text)

        def by_rename() -> None:
            temporary = file.with_suffix(".tmp")
            temporary.write_text(text)
            temporary.replace(file)

        def by_backup() -> None:
            if file.exists():
                file.rename(file.with_name(file.name + "~"))
            file.write_text(text)

        await self.expect("generation live", self.chance.choice([in_place, by_rename, by_backup]))
        self.live[leaf] = version

    async def broken(self, leaf: int) -> None:
        """Save an edit with a mistake in it, and then the file as it was."""
        good = leaf_text(leaf, self.live[leaf])
        bad = self.chance.choice(
            [
                good.replace("code:", "coed:"),
                good.replace("snippet", "snipet"),
                good.replace("text", "txet"),
                good + "\tbroken: [",
                good.replace("name:", "name: [1"),
                good[: len(good) // 2] + ": :",
                good + "ports: {outt: {name: router, port: in}}\n",
                good + "ports: {out: {name: router, port: inn}}\n",
            ]
        )
        await self.expect("change rejected", lambda: self.file(leaf).write_text(bad))
        await self.check(leaf)
        # Mended: nothing is different from what runs, so there is nothing to wait for but the store.
        await self.good(leaf)

    async def deleted(self, leaf: int) -> None:
        """Delete a leaf that is linked: it goes on, and comes back with another version."""
        await self.expect("change rejected", lambda: self.file(leaf).unlink())
        await self.check(leaf)
        await self.good(leaf)

    async def rerouted(self, _leaf: int) -> None:
        """Swap the routes: the router is rebuilt, the listener stays."""
        order = list(range(LEAVES))
        self.chance.shuffle(order)
        listener = self.rt.table.get("listener")
        text = front(order)
        if text != (self.folder / "front.yaml").read_text():
            await self.expect(
                "generation live", lambda: (self.folder / "front.yaml").write_text(text)
            )
        assert self.rt.table.get("listener") is listener

    async def check(self, leaf: int) -> None:
        """Check that what is served is what the model says."""
        reply = await fetch(port_of(self.rt), f"/{leaf}")
        assert (reply.status, reply.text) == (200, f"{leaf}:{self.live[leaf]}")


async def hammer(world: World, port: int, stop: asyncio.Event, chance: random.Random) -> int:
    """Run one client on one connection: every answer is right for the time it was given in."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    asked = 0
    while not stop.is_set():
        leaf = chance.randrange(LEAVES)
        earliest = world.live[leaf]
        writer.write(f"GET /{leaf} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        async with asyncio.timeout(60):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
            body = (await reader.readexactly(length)).decode()
        assert head.startswith("HTTP/1.1 200 "), (head, body)
        which, version = body.split(":")
        assert int(which) == leaf
        assert earliest <= int(version) <= world.written[leaf]
        asked += 1
    writer.close()
    return asked


@pytest.mark.parametrize(
    ("seed", "edits"),
    [(1, 40), (2, 40), pytest.param(3, 1000, marks=pytest.mark.campaign)],
)
async def test_random_edits_under_load_lose_no_request_and_serve_what_is_valid(
    tmp_path: Path, seed: int, edits: int
) -> None:
    chance = random.Random(seed)
    (tmp_path / "front.yaml").write_text(front(list(range(LEAVES))))
    for leaf in range(LEAVES):
        (tmp_path / f"leaf{leaf}.yaml").write_text(leaf_text(leaf, 0))
    async with Runtime(store=os.fspath(tmp_path)) as rt:
        world = World(tmp_path, rt, chance)
        port, stop = port_of(rt), asyncio.Event()
        clients = [
            asyncio.ensure_future(hammer(world, port, stop, random.Random(seed * 100 + number)))
            for number in range(CLIENTS)
        ]
        for _ in range(edits):
            leaf = chance.randrange(LEAVES)
            edit = chance.choices(
                [world.good, world.broken, world.deleted, world.rerouted], [6, 3, 1, 1]
            )[0]
            await edit(leaf)
            await world.check(leaf)
            assert not any(client.done() for client in clients), [
                client.exception() for client in clients if client.done()
            ]
        stop.set()
        asked = await asyncio.gather(*clients)
        assert min(asked) > 0
        for leaf in range(LEAVES):
            await world.check(leaf)
        assert not rt.status().problems
