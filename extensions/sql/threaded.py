"""A Thread runs the calls of one connection to a library that waits: the loop never does."""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

Job = tuple[Callable[[], Any], "asyncio.Future[Any]", asyncio.AbstractEventLoop]


class Thread:
    """One thread; calls run in the order in which they came."""

    def __init__(self, name: str, interrupt: Callable[[], None] = lambda: None) -> None:
        self.interrupt = interrupt
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def call(self, function: Callable[[], T]) -> T:
        """Return what the function gives or raises; if this is cancelled, `interrupt` is called."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._jobs.put((function, done, loop))
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            if not done.done():
                # Somebody has to look at what comes of it, or asyncio complains.
                done.add_done_callback(lambda late: late.cancelled() or late.exception())
                self.interrupt()
            raise

    def stop(self) -> None:
        """Let the thread end once its calls are done."""
        self._jobs.put(None)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            function, done, loop = job
            try:
                result, error = function(), None
            except BaseException as raised:  # whatever it is, it belongs to the caller
                result, error = None, raised
            try:
                loop.call_soon_threadsafe(_settle, done, result, error)
            except RuntimeError:
                # The loop is closed: nobody waits for anything any more.
                return
            del job, function, done, result, error


def _settle(done: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
