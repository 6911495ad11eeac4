"""Servers come and go; clients do not notice."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from heddle.extensions.net.http.exchange import Exchange
from heddle.extensions.net.http.server import Server
from heddle.runtime.flow.stream import ByteStream
from tests.extensions.net.http.wire import GET, Wire, answering, get, post, serve
from tests.waiting import until

pytestmark = pytest.mark.anyio


async def test_handover_rejects_no_connection_under_load() -> None:
    server = Server(answering("0"))
    await server.start("127.0.0.1", 0)
    host, port = server.address
    stop = asyncio.Event()
    bodies: list[bytes] = []

    async def client() -> None:
        while not stop.is_set():
            wire = Wire(*await asyncio.open_connection(host, port))
            bodies.append((await wire.ask(get("Connection: close"))).body)
            await wire.close()

    clients = [asyncio.ensure_future(client()) for _ in range(8)]
    for generation in range(1, 11):
        before = len(bodies)
        await until(lambda before=before: len(bodies) > before + 20)
        successor = Server(answering(str(generation)))
        sockets = server.detach()
        # Nobody accepts for a while; whoever connects now waits.
        await asyncio.sleep(0)
        await successor.start(sockets=sockets)
        assert successor.address == (host, port)
        await server.drain(5)
        server = successor
    stop.set()
    await asyncio.gather(*clients)
    await server.drain(5)
    assert set(bodies) >= {b"0", b"5", b"9"}


async def test_open_connections_stay_with_their_server() -> None:
    async with serve(answering("old")) as house:
        wire = await house.wire()
        assert (await wire.ask(GET)).body == b"old"
        successor = Server(answering("new"))
        await successor.start(sockets=house.server.detach())
        assert (await wire.ask(GET)).body == b"old"
        new = Wire(*await asyncio.open_connection(*successor.address))
        assert (await new.ask(GET)).body == b"new"
        await new.close()
        await successor.drain(1)


async def test_address_is_free_again_after_a_drain() -> None:
    server = Server(answering("x"))
    await server.start("127.0.0.1", 0)
    host, port = server.address
    await server.drain(1)
    with pytest.raises(RuntimeError, match="does not listen"):
        _ = server.address
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, port)
    again = Server(answering("y"))
    await again.start(host, port)
    await again.drain(1)


async def test_server_is_started_once() -> None:
    async with serve(answering("x")) as house:
        with pytest.raises(RuntimeError, match="was started already"):
            await house.server.start("127.0.0.1", 0)


async def test_drain_closes_idle_connections_at_once() -> None:
    server = Server(answering("x"))
    await server.start("127.0.0.1", 0)
    wire = Wire(*await asyncio.open_connection(*server.address))
    await wire.ask(GET)
    async with asyncio.timeout(60):
        await server.drain(60)
    assert await wire.closed()
    await wire.close()


async def test_drain_lets_requests_in_flight_finish() -> None:
    kept: list[Exchange] = []
    server = Server(kept.append)
    await server.start("127.0.0.1", 0)
    wire = Wire(*await asyncio.open_connection(*server.address))
    half = Wire(*await asyncio.open_connection(*server.address))
    await wire.send(GET)
    await half.send(post(b"body")[:-2])
    await until(lambda: server.snapshot().busy == 2)
    draining = asyncio.ensure_future(server.drain(60))
    await until(lambda: server.snapshot().draining)
    kept[0].reply("finished")
    reply = await wire.reply()
    assert (reply.body, reply.one("connection")) == (b"finished", "close")
    await half.send(b"dy")
    await until(lambda: len(kept) == 2)
    kept[1].reply("too")
    assert (await half.reply()).body == b"too"
    await asyncio.wait_for(draining, 60)
    assert server.snapshot().connections == 0
    await wire.close()
    await half.close()


async def test_drain_cuts_at_its_deadline() -> None:
    hung = asyncio.Event()
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"z"
            await asyncio.sleep(0.01)

    async def close() -> None:
        closed.set()

    def handler(exchange: Exchange) -> None:
        exchange.on_hangup = hung.set
        if exchange.request.path_text == "/stream":
            exchange.reply(ByteStream(endless(), close=close))

    server = Server(handler)
    await server.start("127.0.0.1", 0)
    wires = [Wire(*await asyncio.open_connection(*server.address)) for _ in range(2)]
    await wires[0].send(GET)
    await wires[1].send(get(path="/stream"))
    await wires[1].reader.readuntil(b"1\r\nz\r\n")
    await until(lambda: server.snapshot().busy == 2)
    await asyncio.wait_for(server.drain(0.05), 60)
    assert hung.is_set()
    assert closed.is_set()
    assert server.snapshot().connections == 0
    for wire in wires:
        await wire.close()


async def test_client_just_let_in_is_still_served_while_draining() -> None:
    server = Server(answering("x"))
    await server.start("127.0.0.1", 0)
    wire = Wire(*await asyncio.open_connection(*server.address))
    await until(lambda: server.snapshot().connections == 1)
    draining = asyncio.ensure_future(server.drain(60))
    await until(lambda: server.snapshot().draining)
    assert (await wire.ask(GET)).one("connection") == "close"
    await asyncio.wait_for(draining, 60)
    await wire.close()
