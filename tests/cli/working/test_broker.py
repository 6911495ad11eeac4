"""A broker keeps a socket for as long as anybody needs it, and no longer."""

import socket

import pytest

from heddle.cli.working.broker import Broker
from heddle.extensions.net.http.door import address_of

pytestmark = pytest.mark.anyio


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


async def bound(broker: Broker, holder: str, owner: str = "a", port: int = 0) -> int:
    (sock,) = await broker.bind(holder, "127.0.0.1", port, owner)
    sock.listen()
    found: int = sock.getsockname()[1]
    return found


async def test_all_who_ask_get_the_same_sockets() -> None:
    broker = Broker()
    assert await bound(broker, "one") == await bound(broker, "two")
    assert await bound(broker, "one", "b") != await bound(broker, "one")
    broker.close()


async def test_the_last_one_to_let_go_closes_it() -> None:
    broker = Broker()
    port = await bound(broker, "one")
    await bound(broker, "two")
    broker.release("one", "127.0.0.1", 0, "a")
    assert listens(port)
    broker.release("two", "127.0.0.1", 0, "a")
    assert not listens(port)
    broker.release("two", "127.0.0.1", 0, "a")
    broker.close()


async def test_what_a_lost_worker_held_waits_for_its_successor() -> None:
    broker = Broker()
    port = await bound(broker, "one")
    broker.lost("one")
    assert listens(port)
    assert await bound(broker, "two") == port
    broker.lost("two")
    broker.sweep()
    assert not listens(port)
    broker.close()


async def test_an_address_that_is_taken_is_told_to_each_who_asks() -> None:
    broker = Broker()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for holder in ("one", "two"):
            with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
                await broker.bind(holder, "127.0.0.1", port, "a")
    await bound(broker, "one", port=port)
    broker.close()


async def test_an_address_takes_over_what_is_bound_inside_it_and_beside_it() -> None:
    broker = Broker()
    (narrow,) = await broker.bind("one", "127.0.0.1", 0, "a")
    narrow.listen()
    port = narrow.getsockname()[1]
    with pytest.raises(OSError, match="in use"):
        await broker.bind("one", "0.0.0.0", port, "a")
    await broker.bind("one", "127.0.0.1", 0, "a")
    wide = await broker.bind("one", "0.0.0.0", port, "a", [address_of(narrow)])
    assert [sock.getsockname()[0] for sock in wide] == ["0.0.0.0", "127.0.0.1"]
    wide[0].listen()
    # The name under which it was bound first is given up, and the socket stays.
    broker.release("one", "127.0.0.1", 0, "a")
    assert listens(port)
    assert narrow.fileno() >= 0
    places = [address_of(sock) for sock in wide]
    assert await broker.bind("one", "127.0.0.1", port, "a", places) == [narrow]
    broker.release("one", "0.0.0.0", port, "a")
    assert wide[0].fileno() < 0
    assert listens(port)
    broker.close()
    assert not listens(port)
