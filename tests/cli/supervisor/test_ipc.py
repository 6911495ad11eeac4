"""A wire carries lines and sockets in order, however much there is of them."""

import asyncio
import os
import socket
from typing import Any

import pytest

from heddle.cli.supervisor.ipc import Wire, WireMessage

pytestmark = pytest.mark.anyio


class End:
    """One end of a wire, and what it heard."""

    def __init__(self, sock: socket.socket) -> None:
        self.heard: asyncio.Queue[tuple[WireMessage, list[socket.socket]]] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.wire = Wire(sock, lambda *told: self.heard.put_nowait(told), self.gone.set)

    async def next(self) -> tuple[WireMessage, list[socket.socket]]:
        return await asyncio.wait_for(self.heard.get(), 20)


@pytest.fixture
async def ends() -> Any:
    first, second = (End(sock) for sock in socket.socketpair())
    yield first, second
    first.wire.close()
    second.wire.close()


async def test_lines_come_in_order_both_ways(ends: tuple[End, End]) -> None:
    first, second = ends
    for number in range(5):
        first.wire.send({"number": number})
        second.wire.send({"back": number})
    assert [(await second.next())[0]["number"] for _ in range(5)] == [0, 1, 2, 3, 4]
    assert [(await first.next())[0]["back"] for _ in range(5)] == [0, 1, 2, 3, 4]


async def test_a_line_larger_than_every_buffer_comes_whole(ends: tuple[End, End]) -> None:
    first, second = ends
    large = "x" * 3_000_000
    first.wire.send({"log": large})
    first.wire.send({"last": True})
    assert (await second.next())[0]["log"] == large
    assert (await second.next())[0] == {"last": True}
    await asyncio.wait_for(first.wire.sent(), 20)


async def test_sockets_come_with_their_line_and_still_work(ends: tuple[End, End]) -> None:
    first, second = ends
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [sock.getsockname()[1] for sock in listening]
    first.wire.send({"log": "before " * 50_000})
    first.wire.send({"sockets": 2}, listening[:2])
    first.wire.send({"sockets": 1}, listening[2:])
    for sock in listening:
        sock.close()
    assert (await second.next())[1] == []
    came = (await second.next())[1] + (await second.next())[1]
    assert [sock.getsockname()[1] for sock in came] == ports
    with socket.create_connection(("127.0.0.1", ports[2])):
        connection, _ = came[2].accept()
        connection.close()
    for sock in came:
        sock.close()


async def test_sending_a_socket_does_not_change_its_mode(
    ends: tuple[End, End],
) -> None:
    first, second = ends
    listening = socket.create_server(("127.0.0.1", 0))
    shared = socket.socket(fileno=os.dup(listening.fileno()))
    os.set_blocking(listening.fileno(), False)
    for _ in range(2):
        # The one that sends does not know of the mode: another process has set it.
        first.wire.send({"sockets": 1}, [shared])
        ((received,),) = [(await second.next())[1]]
        assert not os.get_blocking(listening.fileno())
        assert not os.get_blocking(received.fileno())
        received.close()
    shared.close()
    listening.close()


async def test_who_is_left_alone_is_told(ends: tuple[End, End]) -> None:
    first, second = ends
    first.wire.send({"last": "words"})
    first.wire.close()
    assert (await second.next())[0] == {"last": "words"}
    await asyncio.wait_for(second.gone.wait(), 20)
    second.wire.send({"into": "the void"})
    await asyncio.wait_for(second.wire.sent(), 20)
