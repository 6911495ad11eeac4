"""Accepting takes connections from a socket that several processes listen on, one at a time.

An event loop's own server takes as many as there are at once: whoever wakes first would get all of a
burst of clients, and the others none.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from heddle.runtime.flow.tasks import Tasks
from heddle.specs.files.spare import is_short

_PAUSE: Final = 0.2
"""Seconds until it is tried again if there are no file descriptors left."""


class ConnectionFactory:
    """Gives each connection of one listening socket a protocol. Used inside one event loop."""

    def __init__(
        self,
        sock: socket.socket,
        connect: Callable[[], asyncio.Protocol],
        report_shortage: Callable[[], None],
    ) -> None:
        self.tls: ssl.SSLContext | None = None
        self.handshake_timeout: float | None = None
        self._sock = sock
        self._connect = connect
        self._report_shortage = report_shortage
        self._loop = asyncio.get_running_loop()
        self._tasks = Tasks()
        self._again: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begin to accept."""
        self._again = None
        self._loop.add_reader(self._sock, self._take)

    def close(self) -> None:
        """Accept no more; connections that were accepted go on."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        self._loop.remove_reader(self._sock)

    def _take(self) -> None:
        try:
            connection, _ = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process was faster, or the client is gone
        except OSError as error:
            if is_short(error):
                self._report_shortage()
            # No file descriptors left: asking at once again would only burn time.
            self._loop.remove_reader(self._sock)
            self._again = self._loop.call_later(_PAUSE, self.open)
            return
        connection.setblocking(False)
        self._tasks.start(self._begin(connection))

    async def _begin(self, connection: socket.socket) -> None:
        more: dict[str, Any] = {}
        if self.tls is not None:
            more = {"ssl": self.tls, "ssl_handshake_timeout": self.handshake_timeout}
        await begin(connection, self._connect, more)


async def begin(
    connection: socket.socket, connect: Callable[[], asyncio.Protocol], tls: dict[str, Any]
) -> None:
    """Give a connection that was accepted its protocol; close it if it does not speak TLS."""
    try:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(connect, connection, **tls)
    except (OSError, ssl.SSLError):
        connection.close()  # it was not TLS, or the client went away meanwhile
