"""A Server listens on sockets and hands every HTTP request to one handler, both of them changeable."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from heddle.extensions.net.http.connection import HttpConnection
from heddle.extensions.net.http.door import Address, Claim, Door, allow_beside, covered, overlap
from heddle.extensions.net.http.limits import HttpLimits
from heddle.extensions.net.http.request import address_text
from heddle.extensions.net.http.shared import (
    CorsLines,
    Handler,
    Report,
    ServerShared,
    Tenant,
    log_report,
)
from heddle.extensions.net.http.tls import TLS, Certificate
from heddle.runtime.flow.tasks import Tasks
from heddle.specs.files.spare import is_passing


class ServerSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A server at one moment: `busy` counts requests in flight, the last two count since the start."""

    name: str
    addresses: tuple[str, ...]
    tls: bool
    draining: bool
    connections: int
    busy: int
    requests: int
    rejected: int


class Server:
    """An HTTP/1.1 server in the running loop.

    `handler(exchange)` is called for every request, on the loop, and must not block. It is called
    when the body is there, or with `stream_body` when the head is, the body being a ByteStream.
    `on_error(phrase, error, request)` is told what clients are not; by default the log is.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        limits: HttpLimits | None = None,
        tls: TLS | None = None,
        stream_body: bool = False,
        name: str = "http",
        server_name: str = "",
        on_error: Report = log_report,
        cors: CorsLines | None = None,
    ) -> None:
        """ValueError when the certificate cannot be used."""
        self.name = name
        self._certificate = Certificate(tls) if tls is not None else None
        self._shared = ServerShared(
            handler,
            limits or HttpLimits(),
            stream_body=stream_body,
            scheme="http" if tls is None else "https",
            server_name=server_name,
            report=on_error,
        )
        self._shared.cors = cors
        self.on_closed: Callable[[], None] | None = None
        """Called once when it accepts no more and its sockets are closed."""
        self.doors: list[Door] = []

    async def start(
        self,
        host: str = "",
        port: int = 0,
        *,
        sockets: Sequence[socket.socket] = (),
        shared: bool = False,
        claim: Claim | None = None,
    ) -> None:
        """Listen on a host and port ("" is every address, 0 any port), or on sockets handed over.

        OSError says which address cannot be had. Given sockets are closed with the server. Those that
        are `shared` with other processes are accepted from one connection at a time, so that all of
        them get some; they are kept by a `claim`.
        """
        if self.doors:
            raise RuntimeError(f"the server {self.name} was started already")
        listening = list(sockets) or await bind(host, port)
        try:
            await self.add([Door(sock, shared=shared, claim=claim) for sock in listening])
        except BaseException:
            self._stop_listening()
            raise

    async def add(self, doors: Sequence[Door]) -> None:
        """Open more doors; those that cannot be opened are closed, and OSError says why."""
        for number, door in enumerate(doors):
            try:
                await door.turn(self)
            except BaseException:
                for each in doors[number:]:
                    each.close()
                raise
            self.doors.append(door)

    async def receive(self, door: Door) -> None:
        """Take a door over from another server, with the clients that wait in its queue."""
        before = door.owner
        await door.turn(self)
        if before is not None:
            before.give(door)
        self.doors.append(door)

    def give(self, door: Door) -> None:
        """Leave a door to another server."""
        self.doors.remove(door)

    def shed(self, doors: Sequence[Door], heirs: Sequence["Server"]) -> None:
        """Close doors; clients that wait at them go to the heir that serves their address.

        Connections that are open at an address which is not served any more end after their answer.
        """
        for door in doors:
            self.doors.remove(door)
        for door in doors:
            door.close(lambda at: next((heir for heir in heirs if covered(heir.doors, at)), None))
        for tenant in self._open():
            local = tenant.local()
            if local is not None and not covered(self.doors, local):
                tenant.retire()

    @property
    def certificate(self) -> Certificate | None:
        """The certificate that it speaks TLS with; None if it does not."""
        return self._certificate

    def connection(self) -> HttpConnection:
        """Return the protocol of a new connection."""
        return HttpConnection(self._shared)

    def report_shortage(self) -> None:
        """Report that no file descriptors are left for connections, once in a while."""
        self._shared.report_shortage()

    @property
    def tasks(self) -> Tasks:
        """The tasks that run beside the requests; the server waits for them when it drains."""
        return self._shared.tasks

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the first socket, or path and 0; RuntimeError when the server does not listen."""
        if not self.doors:
            raise RuntimeError(f"the server {self.name} does not listen")
        name = self.doors[0].sock.getsockname()
        return (name, 0) if isinstance(name, str) else (name[0], name[1])

    @property
    def limits(self) -> HttpLimits:
        """The limits in force."""
        return self._shared.limits

    def swap(
        self,
        *,
        handler: Handler | None = None,
        limits: HttpLimits | None = None,
        tls: TLS | None = None,
        stream_body: bool | None = None,
        on_error: Report | None = None,
        cors: CorsLines | None = None,
    ) -> None:
        """Change what is given, and the lines of CORS in any case; open connections use it from their next request on.

        A new certificate is for new connections. ValueError when it cannot be used, or when the
        server speaks no TLS: that wants a successor on the same sockets (see `detach`).
        """
        if tls is not None:
            self.reload_tls(tls)
        self._shared.cors = cors
        if handler is not None:
            self._shared.handler = handler
        if limits is not None:
            self._shared.change_limits(limits)
        if stream_body is not None:
            self._shared.stream_body = stream_body
        if on_error is not None:
            self._shared.report = on_error

    def reload_tls(self, tls: TLS | None = None) -> None:
        """Offer another certificate, or read its files again; ValueError changes nothing."""
        if self._certificate is None:
            raise ValueError(
                f"the server {self.name} speaks no TLS and cannot begin to while it runs"
            )
        self._certificate.change(tls)

    def detach(self) -> list[socket.socket]:
        """Stop accepting and give away the open sockets, for the `start` of a successor.

        They stay open throughout: clients that connect before the successor listens wait in the
        queue of the socket, and none is rejected. Connections that are open stay with this server.
        """
        given = [door.sock.dup() for door in self.doors]
        self._stop_listening()
        return given

    async def drain(self, seconds: float) -> None:
        """Stop accepting, close idle connections, let requests in flight finish, then cut the rest.

        Waits at most `seconds` for them. Afterwards nothing of the server is open.
        """
        shared = self._shared
        shared.draining = True
        self._stop_listening()
        empty = shared.empty = shared.empty or asyncio.Event()
        for connection in self._open():
            connection.retire()
        if shared.connections:
            try:
                await asyncio.wait_for(empty.wait(), seconds)
            except TimeoutError:
                await self._cut(empty)
        try:
            async with asyncio.timeout(max(seconds, 1.0)):
                await shared.tasks.wait()
        except TimeoutError:
            shared.tasks.cancel()

    async def _cut(self, empty: asyncio.Event) -> None:
        for connection in self._open():
            connection.cut()
        await empty.wait()

    def snapshot(self) -> ServerSnapshot:
        """Return the server as it is now."""
        shared = self._shared
        return ServerSnapshot(
            name=self.name,
            addresses=tuple(address_text(door.sock.getsockname()) for door in self.doors),
            tls=self._certificate is not None,
            draining=shared.draining,
            connections=len(shared.connections),
            busy=sum(connection.busy for connection in shared.connections),
            requests=shared.requests,
            rejected=shared.rejected,
        )

    def _open(self) -> list[Tenant]:
        return list(self._shared.connections)

    def _stop_listening(self) -> None:
        doors, self.doors = self.doors, []
        for door in doors:
            door.close()
        closed, self.on_closed = self.on_closed, None
        if closed is not None:
            closed()


class ServerAddress(NamedTuple):
    """One address of a host, as `getaddrinfo` gives it."""

    family: int
    kind: int
    protocol: int
    address: tuple[Any, ...]

    def at(self, port: int) -> Address:
        """Return where a socket is that is bound here."""
        return self.family, self.address[0], port


async def places(host: str, port: int) -> list[ServerAddress]:
    """Return every address of a host ("" is every address of this machine), each once."""
    loop = asyncio.get_running_loop()
    try:
        entries = await loop.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    every = (
        ServerAddress(family, kind, protocol, address)
        for family, kind, protocol, _, address in entries
    )
    return list(dict.fromkeys(every))


async def bind(
    host: str, port: int, beside: Mapping[Address, socket.socket] | None = None
) -> list[socket.socket]:
    """Return a socket for every address of the host, all on one port.

    `beside` are sockets of ours that may be in the way, because they are about to be replaced: an
    address that one of them has is left out, and one that overlaps with them is bound all the same.
    """
    own = beside or {}
    entries = await places(host, port)
    sockets: list[socket.socket] = []
    for place in entries:
        where = place.at(port)
        if port and where in own:
            continue
        sock = _open_socket(place.family, place.kind, place.protocol)
        if sock is None:
            continue
        try:
            way = [sock for address, sock in own.items() if overlap(address, where)]
            if way:
                allow_beside([*way, sock])
            sock.bind((place.address[0], port, *place.address[2:]))
        except OSError as error:
            sock.close()
            if error.errno == errno.EADDRNOTAVAIL and len(entries) > 1:
                continue
            for each in sockets:
                each.close()
            raise OSError(error.errno, _explain(host, port, error)) from error
        sockets.append(sock)
        # The first one finds the free port, the others follow.
        port = port or sock.getsockname()[1]
    if not sockets and not any(place.at(port) in own for place in entries):
        raise OSError(errno.EADDRNOTAVAIL, f"cannot listen on {host}:{port}: no usable address")
    return sockets


def _open_socket(family: int, kind: int, protocol: int) -> socket.socket | None:
    try:
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        if is_passing(error):
            raise OSError(error.errno, f"cannot open a socket: {error.strerror}") from error
        # The machine knows the address family but does not speak it.
        return None
    if os.name == "posix":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return sock


def _explain(host: str, port: int, error: OSError) -> str:
    text = f"cannot listen on {host}:{port}: {error.strerror}"
    if error.errno == errno.EADDRINUSE:
        text += "; try another port, or stop what listens there"
    return text
