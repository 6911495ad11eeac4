"""A Seat is a worker's place in its team: it asks the supervisor for sockets and for its turn."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from heddle.cli.supervisor.ipc import Wire, WireMessage
from heddle.cli.supervisor.worker_config import Orders
from heddle.runtime.assembly.team import Team

_LAST_WORDS = 2.0
"""Seconds that the supervisor has to take what is still to be said."""


class WorkerClient(Team):
    """This worker's end of the wire. `ended` is set once the supervisor is gone."""

    def __init__(self, orders: Orders, sock: socket.socket) -> None:
        self.number = orders.number
        self.size = orders.size
        self.orders = orders
        self.ended = asyncio.Event()
        self._wire = Wire(sock, self._on_message, self._alone)
        self._pending: dict[int, asyncio.Future[tuple[WireMessage, list[socket.socket]]]] = {}
        self._bind = 0
        self._turns: dict[int, asyncio.Event] = {}
        self._turn = 0
        self.noted: Callable[[], None] = lambda: None
        """Called when the supervisor says what is wrong with the others."""
        self._state: Callable[[], dict[str, Any]] = dict
        self._beating = asyncio.ensure_future(self._beat())

    def ready(self, state: Callable[[], dict[str, Any]]) -> None:
        """Tell that all is live, and from now on again and again the state that there is."""
        self._state = state
        self._wire.send({"say": "ready", **state()})

    def blocked(self, where: str) -> None:
        """Tell what holds the event loop; another thread than that of the loop may call this."""
        self._wire.send({"say": "blocked", "where": where})

    async def close(self) -> None:
        """Say the last words, and let go of the wire."""
        self._beating.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                await self._wire.sent()
        self._wire.close()

    # --- the team ---

    async def bind(
        self, host: str, port: int, owner: str, beside: Sequence[tuple[int, str, int]] = ()
    ) -> Sequence[socket.socket]:
        """Sockets that all workers accept from; raise OSError if they cannot be had."""
        if self.ended.is_set():
            raise _gone()
        self._bind += 1
        number = self._bind
        future: asyncio.Future[tuple[WireMessage, list[socket.socket]]]
        future = self._pending[number] = asyncio.get_running_loop().create_future()
        data = {
            "ask": "bind",
            "bind": number,
            "host": host,
            "port": port,
            "owner": owner,
            "beside": [list(entry) for entry in beside],
        }
        self._wire.send(data)
        try:
            answer, sockets = await future
        finally:
            del self._pending[number]
        if "failed" in answer:
            raise OSError(answer["number"], answer["failed"])
        return sockets

    def release(self, host: str, port: int, owner: str) -> None:
        """Accept no more from what was bound like this."""
        self._wire.send({"say": "release", "host": host, "port": port, "owner": owner})

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until no other worker changes, and let none begin to until this is over."""
        self._turn += 1
        number = self._turn
        mine = self._turns[number] = asyncio.Event()
        self._wire.send({"ask": "turn", "turn": number})
        if self.ended.is_set():
            mine.set()
        try:
            await mine.wait()
            yield
        finally:
            del self._turns[number]
            self._wire.send({"say": "done", "turn": number})

    # --- the log ---

    def write(self, text: str) -> int:
        """Return a line of the log, for the supervisor to write."""
        self._wire.send({"log": text})
        return len(text)

    def flush(self) -> None:
        """Do nothing: the text is on its way already."""

    # --- the wire ---

    def _on_message(self, data: WireMessage, sockets: list[socket.socket]) -> None:
        if "turn" in data:
            mine = self._turns.get(data["turn"])
            if mine is not None:
                mine.set()
            return
        if "note" in data:
            self.failure = data["note"]
            self.noted()
            return
        future = self._pending.get(data.get("bind", 0))
        if future is not None and not future.done():
            future.set_result((data, sockets))
            return
        for sock in sockets:
            # Whoever asked for them waits no more.
            sock.close()

    def _alone(self) -> None:
        """Answer everybody who waits: the supervisor is gone, so nobody has to wait for a turn."""
        self.ended.set()
        for mine in self._turns.values():
            mine.set()
        for future in self._pending.values():
            if not future.done():
                future.set_exception(_gone())

    async def _beat(self) -> None:
        """Tell again and again that the loop turns."""
        while True:
            self._wire.send({"say": "beat", **self._state()})
            await asyncio.sleep(self.orders.beat)


def _gone() -> OSError:
    return OSError(errno.EPIPE, "the supervisor is gone")
