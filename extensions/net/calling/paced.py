"""Paced reading of responses: what another side sends in tiny pieces is taken apart in turns."""

import asyncio
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from heddle.extensions.net.http.turns import SLICE, turns

if TYPE_CHECKING:
    import aiohttp

_FIRST: Final = 16 * 1024
_SMALLEST: Final = 512
_LARGEST: Final = 256 * 1024


def pace(connector: "aiohttp.BaseConnector") -> None:
    """Let the connections of a connector take turns; nothing if this aiohttp makes them otherwise."""
    if hasattr(connector, "_factory"):
        connector._factory = partial(_handler(), loop=asyncio.get_running_loop())


def _handler() -> Any:
    """Return the class of protocols that take turns; aiohttp is imported when a pool opens."""
    global _HANDLER
    if _HANDLER is None:
        from aiohttp.client_proto import ResponseHandler

        _HANDLER = _made(ResponseHandler)
    return _HANDLER


_HANDLER: Any = None


def _made(base: Any) -> Any:
    class Paced(base):  # type: ignore[misc]
        """A connection to another side. A little of what comes is read at once, the rest in turns."""

        def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
            super().__init__(loop=loop)
            self._inbox = bytearray()
            self._slice = _FIRST
            self._working = False
            self._stopped = False

        def data_received(self, data: bytes) -> None:
            """Bytes have come."""
            if self._inbox or len(data) > self._slice:
                self._inbox += data
                self._stop()
                if not self._working:
                    self._work()
            else:
                super().data_received(data)

        def _work(self) -> None:
            self._working = False
            inbox, size = self._inbox, self._slice
            if not inbox:
                return
            part = bytes(inbox[:size])
            del inbox[:size]
            began = perf_counter()
            super().data_received(part)
            took = perf_counter() - began
            if took > SLICE:
                self._slice = max(size // 2, _SMALLEST)
            elif took < SLICE / 4 and len(part) == size:
                self._slice = min(size * 2, _LARGEST)
            if inbox:
                self._work_on()
            else:
                self._go_on()

        def _work_on(self) -> None:
            if self._inbox and not self._working and not self._reading_paused:
                self._working = True
                turns().later(self._work)

        def _stop(self) -> None:
            transport = self.transport
            if transport is not None and not self._stopped:
                self._stopped = True
                transport.pause_reading()

        def _go_on(self) -> None:
            transport = self.transport
            if self._stopped and transport is not None:
                self._stopped = False
                if not self._reading_paused:
                    transport.resume_reading()

        def resume_reading(self, resume_parser: bool = True) -> None:
            """Its reader wants more: read on, once what has come is taken apart."""
            super().resume_reading(resume_parser)
            if self._stopped and self.transport is not None:
                self.transport.pause_reading()
            self._work_on()

        def eof_received(self) -> None:
            """Nothing more will come."""
            self._take_all()
            super().eof_received()

        def connection_lost(self, exc: BaseException | None) -> None:
            """The other side has left: what has come before is still read."""
            self._take_all()
            super().connection_lost(exc)

        def _take_all(self) -> None:
            if self._inbox:
                rest = bytes(self._inbox)
                self._inbox.clear()
                super().data_received(rest)

    return Paced
