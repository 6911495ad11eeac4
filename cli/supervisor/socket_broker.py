"""A Broker opens the sockets that several workers accept from, and keeps each for as long as one needs it.

The socket outlives every single worker: clients that connect while one is replaced wait in its queue,
and none is rejected.
"""

import asyncio
import socket
from collections.abc import Hashable, Sequence
from typing import TypeAlias

Address: TypeAlias = tuple[str, int, str]
"""Host, port, and for port 0 whose free port it is."""

Place: TypeAlias = tuple[int, str, int]
"""The address of one socket: address family, host and port."""


class Broker:
    """The sockets of one namespace: by where they are bound, and by the addresses that they stand for."""

    def __init__(self) -> None:
        self._sockets: dict[Place, socket.socket] = {}
        self._places: dict[Address, tuple[Place, ...]] = {}
        self._holders: dict[Address, set[Hashable]] = {}
        self._opening = asyncio.Lock()

    async def bind(
        self,
        holder: Hashable,
        host: str,
        port: int,
        owner: str,
        beside: Sequence[Place] = (),
    ) -> Sequence[socket.socket]:
        """Return the sockets of an address, opened for the first holder; raise OSError if it cannot be had.

        `beside` are places that the holder is about to leave: the address may take over what is
        bound there, and overlap with it.
        """
        address = _address(host, port, owner)
        async with self._opening:
            if address not in self._places:
                self._places[address] = await self._open(host, port, beside)
        self._holders.setdefault(address, set()).add(holder)
        return [self._sockets[place] for place in self._places[address]]

    async def _open(self, host: str, port: int, beside: Sequence[Place]) -> tuple[Place, ...]:
        """Bind what is not bound yet; all places of the address."""
        from heddle.extensions.net.http.door import address_of, covers
        from heddle.extensions.net.http.server import bind, places

        own = {place: self._sockets[place] for place in beside if place in self._sockets}
        requested = [place.at(port) for place in await places(host, port)] if own else []
        # What is bound inside the new address already keeps its queue, and what waits there.
        kept = [entry for entry in own if any(covers(where, entry) for where in requested)]
        made = {address_of(sock): sock for sock in await bind(host, port, own)}
        for sock in made.values():
            # One mode for all processes that will have it.
            sock.setblocking(False)
        self._sockets.update(made)
        return (*made, *kept)

    def release(self, holder: Hashable, host: str, port: int, owner: str) -> None:
        """Release a socket for this holder; the last one closes it."""
        address = _address(host, port, owner)
        self._holders.get(address, set()).discard(holder)
        self._close_unheld(address)

    def lost(self, holder: Hashable) -> None:
        """Forget a holder that is gone. Its sockets stay open: its successor will ask for them."""
        for holders in self._holders.values():
            holders.discard(holder)

    def sweep(self) -> None:
        """Close what nobody holds; called once all are there that should be."""
        for address in list(self._places):
            self._close_unheld(address)

    def close(self) -> None:
        """Close everything."""
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()
        self._places.clear()

    def _close_unheld(self, address: Address) -> None:
        if self._holders.get(address):
            return
        self._holders.pop(address, None)
        gone = self._places.pop(address, ())
        used = {place for places in self._places.values() for place in places}
        for place in gone:
            if place not in used:
                self._sockets.pop(place).close()


def _address(host: str, port: int, owner: str) -> Address:
    return host, port, "" if port else owner
