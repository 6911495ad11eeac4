"""A socket that several servers accept from: each gets some, and none is rejected when one leaves."""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from heddle.extensions.net.http.server import Server, bind
from heddle.extensions.net.http.tls import TLS
from tests.extensions.net.http.test_tls import Authority
from tests.extensions.net.http.wire import GET, Wire, answering

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def pair(tls: TLS | None = None) -> AsyncIterator[tuple[dict[str, Server], int]]:
    """Two servers at one address, as two workers are."""
    [sock] = await bind("127.0.0.1", 0)
    servers: dict[str, Server] = {}
    for name in ("one", "two"):
        servers[name] = Server(answering(name), tls=tls)
        await servers[name].start(sockets=[sock.dup()], shared=True)
    port: int = sock.getsockname()[1]
    try:
        yield servers, port
    finally:
        sock.close()
        for server in servers.values():
            await server.drain(1.0)


async def who(port: int, trusting: ssl.SSLContext | None = None) -> str:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1",
        port,
        ssl=trusting,
        server_hostname="localhost" if trusting else None,
    )
    wire = Wire(reader, writer)
    answer = (await wire.ask(GET)).body.decode()
    writer.close()
    return answer


async def test_who_leaves_lets_the_others_go_on_and_says_so_once() -> None:
    async with pair() as (servers, port):
        closed: list[str] = []
        servers["one"].on_closed = lambda: closed.append("one")
        assert set(Counter([await who(port) for _ in range(20)])) <= {"one", "two"}
        await servers["one"].drain(1.0)
        await servers["one"].drain(1.0)
        assert closed == ["one"]
        assert {await who(port) for _ in range(10)} == {"two"}


async def test_a_burst_of_clients_is_shared() -> None:
    async with pair() as (servers, port):
        await asyncio.gather(*(who(port) for _ in range(200)))
        counts = [server.snapshot().requests for server in servers.values()]
        assert sum(counts) == 200
        assert min(counts) > 0, counts


async def test_tls_is_spoken_on_shared_sockets_and_noise_is_closed() -> None:
    authority = Authority()
    async with pair(authority.tls()) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(60):
            await reader.read()  # to the end: it is closed
        writer.close()
        assert await who(port, authority.trusting) in ("one", "two")


async def test_clients_wait_in_the_queue_while_nobody_accepts() -> None:
    [sock] = await bind("127.0.0.1", 0)
    port: int = sock.getsockname()[1]
    first = Server(answering("first"))
    await first.start(sockets=[sock.dup()], shared=True)
    await first.drain(1.0)
    with socket.create_connection(("127.0.0.1", port)) as waiting:
        waiting.setblocking(False)
        waiting.sendall(GET)
        second = Server(answering("second"))
        await second.start(sockets=[sock.dup()], shared=True)
        async with asyncio.timeout(60):
            came = await asyncio.get_running_loop().sock_recv(waiting, 4096)
    assert came.endswith(b"second")
    sock.close()
    await second.drain(1.0)
