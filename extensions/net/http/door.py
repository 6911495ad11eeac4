"""A Door is one listening socket, and the server that gets its connections.

A door can change its server while clients connect: what waits in its queue waits a moment longer, and
no connection is refused. That is how a listener hands over its address, whatever else of it changes.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol, TypeAlias

from heddle.extensions.net.http.accepting import ConnectionFactory, begin
from heddle.extensions.net.http.tls import Certificate
from heddle.runtime.flow.tasks import Tasks

_BACKLOG: Final = 2048
_ACCEPTS: Final = 64
"""How many connections a loop accepts at a time, before everybody else has had a turn."""


Address: TypeAlias = tuple[int, str, int]
"""Address family, host and port of a socket."""

_ANY: Final = ("0.0.0.0", "::")


def address_of(sock: socket.socket) -> Address:
    """Return where a socket is bound."""
    name = sock.getsockname()
    return (int(sock.family), name, 0) if isinstance(name, str) else (int(sock.family), *name[:2])


def local_address(transport: asyncio.BaseTransport) -> Address | None:
    """Return where the other side of a connection has connected to; None if it is not known."""
    sock = transport.get_extra_info("socket")
    try:
        return address_of(sock) if sock is not None else None
    except OSError:
        return None


def covers(wide: Address, narrow: Address) -> bool:
    """Return whether every connection to `narrow` is one to `wide` too."""
    same = wide[0] == narrow[0] and wide[2] == narrow[2]
    return same and (wide[1] == narrow[1] or wide[1] in _ANY)


def overlap(first: Address, other: Address) -> bool:
    """Return whether the kernel binds only one of both, unless both sockets allow the other."""
    return covers(first, other) or covers(other, first)


def allow_beside(sockets: Iterable[socket.socket]) -> None:
    """Let sockets of this process be bound beside each other at overlapping addresses."""
    for sock in sockets:
        if hasattr(socket, "SO_REUSEPORT"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


class Claim:
    """A right to sockets that several processes have in common; released after its last door."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release = release
        self._doors = 0

    def enter(self) -> None:
        """Count one door more."""
        self._doors += 1

    def leave(self) -> None:
        """Count one door less; release the claim after the last."""
        self._doors -= 1
        if not self._doors:
            self._release()


class DoorOwner(Protocol):
    """The server that a door belongs to."""

    @property
    def certificate(self) -> Certificate | None:
        """Return the certificate that it speaks TLS with; None if it does not."""
        ...

    def connection(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        ...

    def report_shortage(self) -> None:
        """Report that no file descriptors are left for connections."""
        ...

    def give(self, door: "Door") -> None:
        """Leave a door to another server."""
        ...

    @property
    def tasks(self) -> Tasks:
        """The tasks that run beside the requests; the server waits for them when it drains."""
        ...


class Door:
    """One socket. `shared` with other processes: connections are accepted one at a time."""

    def __init__(
        self, sock: socket.socket, *, shared: bool = False, claim: Claim | None = None
    ) -> None:
        self.sock = sock
        self.address = address_of(sock)
        self.shared = shared
        self.claim: Claim | None = None
        self.claim_by(claim)
        self.promised = False
        """Whether another server gets it once a change is made."""
        self._owner: DoorOwner | None = None
        self._listener: asyncio.Server | ConnectionFactory | None = None

    @property
    def owner(self) -> DoorOwner | None:
        """The server that gets its connections; None before it listens."""
        return self._owner

    def claim_by(self, claim: Claim | None) -> None:
        """Keep the socket by another claim than before."""
        before, self.claim = self.claim, claim
        if claim is not None:
            claim.enter()
        if before is not None:
            before.leave()

    async def turn(self, owner: DoorOwner) -> None:
        """Give connections to this server from now on; begin to listen if it does not yet."""
        before, self._owner = self._owner, owner
        if isinstance(self._listener, ConnectionFactory):
            self._set_tls(self._listener, owner)
            return
        if self._listener is not None:
            if before is not None and before.certificate is None and owner.certificate is None:
                return
            # The loop closes the socket of its listener, so the next one gets a duplicate.
            fresh = self.sock.dup()
            self._listener.close()
            self.sock.close()
            self.sock = fresh
        self.sock.setblocking(False)
        self._listener = await self._listen(owner)

    async def _listen(self, owner: DoorOwner) -> asyncio.Server | ConnectionFactory:
        if self.shared:
            self.sock.listen(_BACKLOG)
            accepting = ConnectionFactory(self.sock, self._connect, self._report_shortage)
            self._set_tls(accepting, owner)
            accepting.open()
            return accepting
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            self._connect, sock=self.sock, backlog=_ACCEPTS, **tls_of(owner)
        )
        # The loop takes its backlog for both: how many may wait, and how many are accepted in a row.
        self.sock.listen(_BACKLOG)
        return server

    def _connect(self) -> asyncio.Protocol:
        if self._owner is None:
            raise ConnectionAbortedError("the door is closed")
        return self._owner.connection()

    def _report_shortage(self) -> None:
        if self._owner is not None:
            self._owner.report_shortage()

    @staticmethod
    def _set_tls(accepting: ConnectionFactory, owner: DoorOwner) -> None:
        certificate = owner.certificate
        accepting.tls = certificate.listening if certificate is not None else None
        accepting.handshake_timeout = (
            certificate.tls.handshake_timeout if certificate is not None else None
        )

    def close(self, heir: Callable[[Address], DoorOwner | None] | None = None) -> None:
        """Listen no more. `heir` says which server gets the connections that still wait, by address."""
        if heir is not None and self._listener is not None:
            self._leave_waiting(heir)
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self.sock.close()
        self.claim_by(None)

    def _leave_waiting(self, heir: Callable[[Address], DoorOwner | None]) -> None:
        """Accept what waits in the queue: the kernel would reset it when the socket is closed."""
        for _ in range(_BACKLOG):
            try:
                connection, _peer = self.sock.accept()
            except OSError:
                return
            connection.setblocking(False)
            owner = heir(address_of(connection))
            if owner is None:
                connection.close()
            else:
                owner.tasks.start(begin(connection, owner.connection, tls_of(owner)))


def tls_of(owner: DoorOwner) -> dict[str, Any]:
    """Return what the loop is told of TLS: nothing if the server does not speak it."""
    certificate = owner.certificate
    if certificate is None:
        return {}
    return {
        "ssl": certificate.listening,
        "ssl_handshake_timeout": certificate.tls.handshake_timeout,
    }


def covered(doors: Iterable[Door], address: Address) -> bool:
    """Return whether one of these doors is for connections to this address."""
    return any(covers(door.address, address) for door in doors)
