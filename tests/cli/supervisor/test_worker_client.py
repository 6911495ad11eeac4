"""A seat gets what it asked for, and waits for nobody who is gone."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from heddle.cli.settings import Settings
from heddle.cli.supervisor.ipc import Wire, WireMessage
from heddle.cli.supervisor.worker_client import WorkerClient
from heddle.cli.supervisor.worker_config import Orders

pytestmark = pytest.mark.anyio


class Supervisor:
    """The other end of the wire: it hears, and answers when it is told to."""

    def __init__(self, sock: socket.socket) -> None:
        self.asks: asyncio.Queue[WireMessage] = asyncio.Queue()
        self.wire = Wire(sock, self._heard, lambda: None)

    def _heard(self, told: WireMessage, _: list[socket.socket]) -> None:
        if told.get("ask") == "bind":
            self.asks.put_nowait(told)

    def answer(self, ask: WireMessage, sock: socket.socket) -> None:
        self.wire.send({"bind": ask["bind"], "sockets": 1}, [sock])


@asynccontextmanager
async def seated() -> AsyncIterator[tuple[WorkerClient, Supervisor]]:
    ours, its = socket.socketpair()
    supervisor = Supervisor(ours)
    orders = Orders(settings=Settings(), number=0, size=1, text=True, color=False)
    seat = WorkerClient(orders, its)
    try:
        yield seat, supervisor
    finally:
        await seat.close()
        supervisor.wire.close()


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


async def test_an_answer_that_comes_late_is_not_taken_for_another() -> None:
    async with seated() as (seat, supervisor):
        with listening() as first, listening() as second:
            given_up = asyncio.ensure_future(seat.bind("127.0.0.1", 1, "a"))
            late = await supervisor.asks.get()
            given_up.cancel()
            asked = asyncio.ensure_future(seat.bind("127.0.0.1", 2, "b"))
            ask = await supervisor.asks.get()
            supervisor.answer(late, first)
            supervisor.answer(ask, second)
            (sock,) = await asyncio.wait_for(asked, 20)
            assert sock.getsockname() == second.getsockname()
            sock.close()


async def test_two_addresses_are_asked_for_at_once() -> None:
    async with seated() as (seat, supervisor):
        with listening() as first, listening() as second:
            one = asyncio.ensure_future(seat.bind("127.0.0.1", 1, "a"))
            two = asyncio.ensure_future(seat.bind("127.0.0.1", 2, "b"))
            asks = [await supervisor.asks.get() for _ in range(2)]
            supervisor.answer(asks[1], second)
            supervisor.answer(asks[0], first)
            for asked, given in ((one, first), (two, second)):
                (sock,) = await asyncio.wait_for(asked, 20)
                assert sock.getsockname() == given.getsockname()
                sock.close()


async def test_nothing_waits_for_a_supervisor_that_is_gone() -> None:
    async with seated() as (seat, supervisor):
        asked = asyncio.ensure_future(seat.bind("127.0.0.1", 1, "a"))
        await supervisor.asks.get()
        supervisor.wire.close()
        with pytest.raises(OSError, match="gone"):
            await asyncio.wait_for(asked, 20)
        with pytest.raises(OSError, match="gone"):
            await asyncio.wait_for(seat.bind("127.0.0.1", 2, "b"), 20)


async def test_a_turn_comes_once_there_is_nobody_to_wait_for() -> None:
    async def take(seat: WorkerClient) -> None:
        async with seat.turn():
            pass

    async with seated() as (seat, supervisor):
        taking = asyncio.ensure_future(take(seat))
        await asyncio.sleep(0)
        assert not taking.done()
        supervisor.wire.close()
        await asyncio.wait_for(taking, 20)
        await asyncio.wait_for(take(seat), 20)
