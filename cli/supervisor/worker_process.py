"""A WorkerProcess is one process of a crew, and what was heard of it."""

import asyncio
import signal
import time
from contextlib import suppress

from heddle.cli.supervisor.ipc import Wire


class WorkerProcess:
    """One process, and what was heard of it."""

    def __init__(self, number: int, process: asyncio.subprocess.Process, wire: Wire) -> None:
        self.number = number
        self.process = process
        self.wire = wire
        self.began = self.last_message = time.monotonic()
        self.beating = False
        self.blocked = ""
        self.hung = False
        self.draining = False
        self.ready = asyncio.Event()
        self.active = 0
        self.unready = ""
        self.over = asyncio.ensure_future(process.wait())

    @property
    def serves(self) -> bool:
        """Whether it takes what comes: it has begun, is not about to end, and lacks nothing."""
        ended = self.draining or self.hung or self.over.done()
        return self.ready.is_set() and not (ended or self.unready)

    def drain(self) -> None:
        """Have it begin nothing new, and end."""
        self.draining = True
        self.signal(signal.SIGTERM)

    def signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)
