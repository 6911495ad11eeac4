"""Helps that many stories need: a running runtime of some YAML, and a plain HTTP client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from heddle.extensions.net.listener import ListenerNode
from heddle.runtime.runtime import Runtime
from heddle.specs.model.store import Put
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.yaml.document import read_text


def stored(*texts: str) -> MemoryStore:
    """Return a memory store that holds what these texts say; a Problem in one fails the test."""
    resources = []
    for text in texts:
        reading = read_text(text, file="flow.yaml")
        assert not reading.problems, [str(problem) for problem in reading.problems]
        resources += [*reading.specs, *reading.values]
    return MemoryStore(resources)


@asynccontextmanager
async def running(*texts: str, **options: Any) -> AsyncIterator[Runtime]:
    """Provide a runtime of what these texts say."""
    async with Runtime(store=stored(*texts), **options) as rt:
        yield rt


async def change(rt: Runtime, text: str) -> None:
    """Apply what a text says, and wait until it is live or rejected."""
    reading = read_text(text, file="flow.yaml")
    assert not reading.problems, [str(problem) for problem in reading.problems]
    told = asyncio.ensure_future(rt.events.wait("generation live", "change rejected"))
    await asyncio.sleep(0)
    await rt.store.apply([Put(resource=one) for one in (*reading.specs, *reading.values)])
    async with asyncio.timeout(60):
        await told


def port_of(rt: Runtime, name: str = "listener") -> int:
    """Return the port that a listener of this runtime listens on."""
    symbol = rt.table.get(name)
    assert symbol is not None
    assert isinstance(symbol.node, ListenerNode)
    assert symbol.node.address is not None
    return symbol.node.address[1]


def degraded(rt: Runtime, name: str) -> str:
    """Return what keeps a symbol from doing all that it should; empty if nothing does."""
    (found,) = (one for one in rt.status().symbols if one.name == name)
    (told,) = (one for one in found.conditions if one.type == "Degraded")
    return told.message if told.status else ""


class Reply(NamedTuple):
    """An HTTP response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


async def fetch(
    port: int,
    path: str = "/",
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes | str = b"",
) -> Reply:
    """Send one request on a connection of its own; return the whole response."""
    data = body.encode() if isinstance(body, str) else body
    sent = {"Host": "localhost", "Connection": "close", **(headers or {})}
    if data:
        sent.setdefault("Content-Length", str(len(data)))
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + data)
        async with asyncio.timeout(60):
            raw = await reader.read()
    finally:
        writer.close()
    return parsed(raw)


def parsed(raw: bytes) -> Reply:
    """Return a response out of its bytes."""
    top, _, body = raw.partition(b"\r\n\r\n")
    lines = top.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    if headers.get("Transfer-Encoding") == "chunked":
        whole = b""
        while body:
            size, _, body = body.partition(b"\r\n")
            whole, body = whole + body[: int(size, 16)], body[int(size, 16) + 2 :]
        body = whole
    return Reply(int(lines[0].split()[1]), headers, body)
