"""A Heartbeat renews the leases of the runs of a worker, from a thread of its own.

So a function that holds the event loop for a while loses no run; if it holds the loop longer than
`health` seconds, the leases end and others go on with the runs.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress


class Heartbeat:
    """Calls `renew` each `pause` seconds, as long as the loop has turned within `health` seconds."""

    def __init__(
        self,
        renew: Callable[[float], None],
        pause: float,
        *,
        health: float,
        failed: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self._renew = renew
        self._pause = pause
        self._health = health
        self._failed = failed
        self._stop = threading.Event()
        self._turned = time.monotonic()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def adjust(self, pause: float) -> None:
        """Beat each so many seconds, from the next beat on."""
        self._pause = pause

    @property
    def beats(self) -> bool:
        """Whether it has begun and was not stopped."""
        return self._thread is not None

    def start(self) -> None:
        """Begin to beat on behalf of the running loop; nothing happens if it beats already."""
        if self._thread is not None:
            return
        self._loop = asyncio.get_running_loop()
        self._turned = time.monotonic()
        # An event of its own: the thread before this one may still wait for it to be set.
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._beat, args=(self._stop,), name="heddle-runs-heartbeat", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop beating; it does not wait."""
        self._thread = None
        self._stop.set()

    def _sign(self) -> None:
        self._turned = time.monotonic()

    def _beat(self, stop: threading.Event) -> None:
        while not stop.wait(self._pause):
            loop = self._loop
            if loop is None or loop.is_closed():
                return
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._sign)
            if time.monotonic() - self._turned > self._health + self._pause:
                continue
            try:
                self._renew(time.time())
            except Exception as error:
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._failed, error)
