"""The health of a process that runs one namespace by itself: over HTTP for probes, and to systemd."""

import asyncio
import os
import time
from typing import Any

from heddle.cli.exit_codes import CommandError
from heddle.cli.health import HealthServer
from heddle.cli.systemd import ServiceManager
from heddle.runtime.runtime import Runtime


class ProcessHealth:
    """The report of `heddle start` without workers about itself; `address` is empty if nobody asks over HTTP."""

    def __init__(self, namespace: str, address: str) -> None:
        self._namespace = namespace
        self._address = address
        self._server = HealthServer(address, self.state) if address else None
        self._manager = ServiceManager()
        self._rt: Runtime | None = None
        self._began = time.monotonic()
        self._ending = ""
        self._watching: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The address to ask; empty if there is none."""
        return self._server.url if self._server is not None else ""

    async def open(self) -> None:
        """Answer from now on; CommandError if the address cannot be had."""
        if self._server is not None:
            try:
                await self._server.open()
            except OSError as error:
                raise CommandError(f"--health-address {self._address}: {error.strerror}") from error
        self._watching = asyncio.create_task(self._manager.watch())

    def started(self, rt: Runtime) -> None:
        """Note that everything that can be live is so."""
        self._rt = rt
        self._manager.ready(f"{self._namespace}: {len(rt.table) - rt.table.waiting} active symbols")

    def stopping(self, reason: str) -> None:
        """Note that it ends: nobody should send anything any more."""
        self._ending = reason
        self._manager.stopping(reason)

    async def close(self) -> None:
        """Answer no more."""
        if self._watching is not None:
            self._watching.cancel()
        if self._server is not None:
            await self._server.close()

    def state(self) -> dict[str, Any]:
        """Return how it is, as plain data; a supervisor says the same of all its workers."""
        rt = self._rt
        unready = rt.unready if rt is not None else ""
        reasons = [f"{self._namespace}: {unready}"] if unready else []
        if self._ending:
            reasons.insert(0, f"stopping: {self._ending}")
        elif rt is None:
            reasons.insert(0, "starting")
        worker = {
            "worker": 0,
            "pid": os.getpid(),
            "ready": rt is not None,
            "seconds": round(time.monotonic() - self._began, 3),
            "silent": 0.0,
            "active": len(rt.table) - rt.table.waiting if rt is not None else 0,
            "unready": unready,
            "draining": bool(self._ending),
        }
        namespace = {
            "namespace": self._namespace,
            "ok": not reasons,
            "restarts": 0,
            "replacement": "",
            "workers": [worker],
        }
        return {
            "ok": not reasons,
            "started": rt is not None,
            "ready": not reasons,
            "reasons": reasons,
            "namespaces": [namespace],
        }
