"""A Broker opens the sockets that several workers accept from, and keeps each for as long as one needs it.

The socket outlives every single worker: clients that connect while one is replaced wait in its queue,
and none is refused.
"""

import asyncio
import socket
from collections.abc import Hashable, Sequence
from typing import TypeAlias

Address: TypeAlias = tuple[str, int, str]
"""Host, port, and for port 0 whose free port it is."""


class Broker:
    """The sockets of one namespace, by address."""

    def __init__(self) -> None:
        self._sockets: dict[Address, Sequence[socket.socket]] = {}
        self._holders: dict[Address, set[Hashable]] = {}
        self._opening = asyncio.Lock()

    async def bind(
        self, holder: Hashable, host: str, port: int, owner: str
    ) -> Sequence[socket.socket]:
        """The sockets of an address, opened for whoever asks first; OSError where they cannot be had."""
        from heddle.extensions.net.http.server import bind

        address = _address(host, port, owner)
        async with self._opening:
            if address not in self._sockets:
                self._sockets[address] = await bind(host, port)
        self._holders.setdefault(address, set()).add(holder)
        return self._sockets[address]

    def release(self, holder: Hashable, host: str, port: int, owner: str) -> None:
        """This holder needs it no more; after the last one it is closed."""
        address = _address(host, port, owner)
        self._holders.get(address, set()).discard(holder)
        self._close_unheld(address)

    def lost(self, holder: Hashable) -> None:
        """A holder is gone. What it held stays open: who comes in its place will ask for it."""
        for holders in self._holders.values():
            holders.discard(holder)

    def sweep(self) -> None:
        """Close what nobody holds; called once all are there that should be."""
        for address in list(self._sockets):
            self._close_unheld(address)

    def close(self) -> None:
        """Close everything."""
        for sockets in self._sockets.values():
            for sock in sockets:
                sock.close()
        self._sockets.clear()

    def _close_unheld(self, address: Address) -> None:
        if not self._holders.get(address):
            self._holders.pop(address, None)
            for sock in self._sockets.pop(address, ()):
                sock.close()


def _address(host: str, port: int, owner: str) -> Address:
    return host, port, "" if port else owner
