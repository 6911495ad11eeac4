"""An Upgrade is the answer that takes a connection over: from then on a guest speaks on it."""

import asyncio
from math import inf
from typing import TYPE_CHECKING, Protocol

from heddle.extensions.net.http.door import local_address

if TYPE_CHECKING:
    from heddle.extensions.net.http.door import Address


class Keeper(Protocol):
    """The counter of the connections of a server, as its guests see it."""

    def leave(self, connection: "Guest") -> None:
        """Let a connection go."""
        ...


class Guest(asyncio.Protocol):
    """Speaks on a connection that was an HTTP connection; the server still counts it as its own.

    `take` is called once, when everything that was answered before is written; the guest writes
    the 101 itself. It is retired when the server drains, and cut when the time for that is over.
    Where nobody waits for the answer any more, `drop` is called instead.
    """

    transport: asyncio.Transport
    _shared: Keeper

    deadline = inf
    busy = False

    def take(self, transport: asyncio.Transport, shared: Keeper, rest: bytes) -> None:
        """Take the connection; `rest` came behind the request."""
        self.transport = transport
        self._shared = shared
        self.begin()
        if rest:
            self.data_received(rest)

    def local(self) -> "Address | None":
        """Return the address that the other side has connected to; None if it is not known."""
        return local_address(self.transport)

    def begin(self) -> None:
        """Say the first word."""

    def drop(self) -> None:
        """Drop an upgrade that will never begin."""

    def retire(self) -> None:
        """Come to an end soon."""
        self.cut()

    def cut(self) -> None:
        """End at once."""
        self.transport.abort()

    async def aclose(self) -> None:
        """Come to an end: whoever let it in does so no longer."""
        if hasattr(self, "transport"):
            self.retire()
        else:
            self.drop()

    def expire(self) -> None:
        """Do nothing: a guest keeps its own time."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone."""
        self._shared.leave(self)


class Upgrade:
    """The answer. It goes through a flow like any payload, and means something to a listener only."""

    __slots__ = ("guest",)

    def __init__(self, guest: Guest) -> None:
        self.guest = guest

    def __repr__(self) -> str:
        return f"Upgrade({type(self.guest).__name__})"
