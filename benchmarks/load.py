"""The load: a program that keeps connections busy and looks at every single response.

It is told what to do in lines of JSON on standard input, and answers each with one line:

    {"do": "open", "target": "a", "port": 8000, "connections": 64, "request": …, "expect": …}
    {"do": "open", …, "upgrade": "/chat", "request": "hello", "expect": "hello"}    WebSockets
    {"do": "start", "target": "a", "into": "steady"}    drive: each answer sends the next request
    {"do": "stop", "target": "a"}                       what this drive came to
    {"do": "await", "target": "a", "version": 7}        once an answer of that version has come
    {"do": "summary", "into": "steady"}                 all drives of that name together
    {"do": "close", "target": "a"}

A response is right when its status is 200 and its body is the one expected. If that holds
`{version}`, it has a number in that place, and a request that was sent after an answer of some
version had come is never answered with an older one. A message of a WebSocket is right when it is
the one expected.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any, cast

from benchmarks.machine import allow_many_files, fastest_loop
from benchmarks.measure import percentile
from benchmarks.response import Echoed, Expected, ResponseMismatchError, frame

PATIENCE = 10.0
"""Seconds after which an answer that has not come counts as hung."""

UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
"""How a connection asks to become a WebSocket; it offers no compression."""

KNOWN = 64
"""How many responses that were looked at are remembered, byte by byte."""


class Tally:
    """What one drive, or several under one name, came to."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.cpu = 0.0
        self.taken: list[float] = []
        self.failed = 0
        self.hung = 0
        self.reset = 0
        self.first = ""

    def add(self, other: "Tally") -> None:
        """Count another in."""
        self.seconds += other.seconds
        self.cpu += other.cpu
        self.taken += other.taken
        self.failed += other.failed
        self.hung += other.hung
        self.reset += other.reset
        self.first = self.first or other.first

    def data(self) -> dict[str, Any]:
        """As it is told: times in milliseconds, `cpu` the load's own share of a core."""
        count = len(self.taken)
        return {
            "seconds": self.seconds,
            "answers": count,
            "rate": count / self.seconds if self.seconds else 0.0,
            "cpu": self.cpu / self.seconds if self.seconds else 0.0,
            "p50": percentile(self.taken, 50) * 1e3 if count else None,
            "p99": percentile(self.taken, 99) * 1e3 if count else None,
            "max": max(self.taken) * 1e3 if count else None,
            "failed": self.failed,
            "hung": self.hung,
            "reset": self.reset,
            "first": self.first,
        }


class Target:
    """One server: its connections, the request they send, and what is right."""

    def __init__(
        self, port: int, request: bytes, expected: Expected | Echoed, upgrade: str = ""
    ) -> None:
        self.port = port
        self.request = request
        self.expected = expected
        self.upgrade = upgrade
        self.clients: set[Client] = set()
        self.known: dict[bytes, int] = {}
        self.newest = 0
        self.driving = False
        self.tally = Tally()
        self.into = ""
        self.began = (0.0, 0.0)
        self.idle = asyncio.Event()
        self.wanted: tuple[int, asyncio.Future[None]] | None = None

    async def open(self, connections: int) -> None:
        """Connect; raise ConnectionError if nobody listens."""
        for _ in range(connections):
            await self.connect()

    async def connect(self) -> "Client":
        """Open one more connection."""
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: Client(self), "127.0.0.1", self.port)
        if self.upgrade:
            async with asyncio.timeout(PATIENCE):
                await client.switch(self.upgrade)
        return client

    def start(self, into: str) -> None:
        """Send the first request of every connection."""
        self.tally, self.into = Tally(), into
        self.began = perf_counter(), process_time()
        self.driving = True
        for client in tuple(self.clients):
            client.ask()

    async def stop(self) -> Tally:
        """Send no more, wait for what is on its way, and tell what it came to."""
        tally = self.tally
        self.driving = False
        tally.seconds = perf_counter() - self.began[0]
        tally.cpu = process_time() - self.began[1]
        tally.taken = tally.taken[:]
        late = Tally()
        self.tally = late
        try:
            async with asyncio.timeout(PATIENCE):
                await self._quiet()
        except TimeoutError:
            tally.hung += sum(client.waiting for client in self.clients)
        # Answers that came after the end count as answers, right or wrong, not as throughput.
        tally.failed += late.failed
        tally.reset += late.reset
        tally.first = tally.first or late.first
        return tally

    async def _quiet(self) -> None:
        while any(client.waiting for client in self.clients):
            self.idle.clear()
            await self.idle.wait()

    def version(self, data: bytes) -> int:
        """Look at a response that was not seen before; ResponseMismatchError says what is not right about it."""
        version = self.expected.version(data)
        if len(self.known) >= KNOWN:
            self.known.clear()
        self.known[data] = version
        return version

    def newer(self, version: int) -> None:
        """Take an answer of a version that was not seen before."""
        self.newest = version
        if self.wanted is not None and version >= self.wanted[0]:
            _, found = self.wanted
            self.wanted = None
            if not found.done():
                found.set_result(None)

    async def reached(self, version: int) -> int:
        """Wait for the first answer of this version, or a newer one; the newest there is."""
        if self.newest < version:
            found: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.wanted = version, found
            async with asyncio.timeout(PATIENCE):
                await found
        return self.newest

    def close(self) -> None:
        """Hang up."""
        for client in tuple(self.clients):
            client.hang_up()


class Client(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._known = target.known
        self._partial = b""
        self._least = 0
        self._sent = 0.0
        self._closing = False
        self._switched: asyncio.Future[None] | None = None
        self._write: Callable[[bytes], None]
        self._transport: asyncio.Transport
        self.waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        self._write = self._transport.write
        self._target.clients.add(self)

    async def switch(self, path: str) -> None:
        """Become a WebSocket; raise ConnectionError if the server will not."""
        self._switched = asyncio.get_running_loop().create_future()
        self._write(UPGRADE.format(path=path).encode())
        await self._switched
        self._switched = None

    def ask(self) -> None:
        """Send the request."""
        self._least = self._target.newest
        self.waiting = True
        self._sent = perf_counter()
        self._write(self._target.request)

    def data_received(self, data: bytes) -> None:
        now = perf_counter()
        if self._switched is not None:
            self._switch(data)
            return
        target = self._target
        version = self._known.get(data)
        if version is None or self._partial:
            version = self._look(data)
            if version is None:
                return
        if version < self._least:
            self._wrong(f"version {version} came after version {self._least} had come already")
        elif version > target.newest:
            target.newer(version)
        target.tally.taken.append(now - self._sent)
        if target.driving:
            self._least = target.newest
            self._sent = now
            self._write(target.request)
        else:
            self.waiting = False
            target.idle.set()

    def _switch(self, data: bytes) -> None:
        assert self._switched is not None
        self._partial += data
        head, end, rest = self._partial.partition(b"\r\n\r\n")
        if not end or self._switched.done():
            return
        self._partial = b""
        if head.startswith(b"HTTP/1.1 101 ") and not rest:
            self._switched.set_result(None)
        else:
            self._switched.set_exception(ConnectionError(f"found {head[:60]!r}, expected a 101"))

    def _look(self, data: bytes) -> int | None:
        """Return the version of a response that was not seen before; None while it is not complete."""
        data = self._partial + data
        try:
            complete = self._target.expected.whole(data)
            self._partial = b"" if complete else data
            return self._target.version(data) if complete else None
        except ResponseMismatchError as wrong:
            self._partial = b""
            self._wrong(str(wrong))
            return self._least

    def _wrong(self, why: str) -> None:
        tally = self._target.tally
        tally.failed += 1
        tally.first = tally.first or why

    def connection_lost(self, exc: Exception | None) -> None:
        target = self._target
        target.clients.discard(self)
        if self._closing:
            return
        target.tally.reset += 1
        target.tally.first = target.tally.first or f"the connection was closed: {exc}"
        self.waiting = False
        target.idle.set()
        if target.driving:
            again = asyncio.ensure_future(target.connect())
            again.add_done_callback(_ask)

    def hang_up(self) -> None:
        """Close this end."""
        self._closing = True
        self._transport.abort()


def _ask(connected: "asyncio.Task[Client]") -> None:
    if not connected.cancelled() and connected.exception() is None:
        connected.result().ask()


class Load:
    """Does what it is told, until nobody tells it anything more."""

    def __init__(self) -> None:
        self._targets: dict[str, Target] = {}
        self._tallies: dict[str, Tally] = {}

    async def run(self) -> None:
        """Read commands and answer each."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            try:
                told = await self._do(json.loads(line))
            except Exception as error:
                told = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(told), flush=True)

    async def _do(self, command: dict[str, Any]) -> dict[str, Any]:
        do = command["do"]
        if do == "summary":
            return self._tallies[command["into"]].data()
        if do == "open":
            target = _target(command)
            self._targets[command["target"]] = target
            await target.open(command["connections"])
            return {}
        target = self._targets[command["target"]]
        if do == "start":
            target.start(command["into"])
        elif do == "stop":
            tally = await target.stop()
            self._tallies.setdefault(target.into, Tally()).add(tally)
            return tally.data()
        elif do == "await":
            return {"newest": await target.reached(command["version"])}
        elif do == "close":
            target.close()
        return {}


def _target(command: dict[str, Any]) -> Target:
    """Return the server of an `open`, and what is said to it."""
    port, request, expect = command["port"], command["request"], command["expect"]
    upgrade = command.get("upgrade", "")
    if upgrade:
        return Target(port, frame(request, masked=True), Echoed(expect), upgrade)
    return Target(port, request.encode(), Expected(expect))


def main() -> None:
    """Run it."""
    allow_many_files()
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(Load().run())


if __name__ == "__main__":
    main()
