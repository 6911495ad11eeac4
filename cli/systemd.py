"""The service manager of systemd, told by datagrams how this process is: no library is needed for that."""

import asyncio
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

_SOCKET: Final = "NOTIFY_SOCKET"
_TIMEOUT: Final = "WATCHDOG_USEC"
_OWNER: Final = "WATCHDOG_PID"


class ServiceManager:
    """Sends what systemd wants to know; without systemd, every call does nothing.

    `Type=notify` waits for `ready`. With `WatchdogSec`, `watch` has to run on the event loop: if the
    loop stands still for that long, systemd ends the process and begins it again.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        path = environ.get(_SOCKET, "")
        # An address that begins with @ is not in the file system.
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        self.interval = _interval(environ) if path else 0.0
        """Seconds between two signs of life; 0 if systemd waits for none."""

    def ready(self, status: str) -> None:
        """Report that the service serves; also once a reload is over."""
        self._send("READY=1", f"STATUS={_line(status)}")

    def reloading(self) -> None:
        """Report that a reload begins; `ready` has to follow."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}", "STATUS=replacing the workers")

    def stopping(self, reason: str) -> None:
        """Report that the service ends."""
        self._send("STOPPING=1", f"STATUS=stopping: {_line(reason)}")

    async def watch(self) -> None:
        """Give signs of life until it is cancelled; return at once if nobody waits for them."""
        while self.interval:
            self._send("WATCHDOG=1")
            await asyncio.sleep(self.interval)

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        # A manager that is gone must not end what it was to manage.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto("\n".join(lines).encode(), self._address)


def _interval(environ: Mapping[str, str]) -> float:
    """Return half of the time in which systemd wants a sign of life, as its manual advises."""
    owner = environ.get(_OWNER, "")
    if owner and owner != str(os.getpid()):
        return 0.0
    text = environ.get(_TIMEOUT, "")
    return int(text) / 2e6 if text.isdecimal() else 0.0


def _line(text: str) -> str:
    return text.replace("\n", " ")
