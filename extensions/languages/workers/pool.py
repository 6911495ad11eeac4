"""The Pool keeps the workers of one event loop: a few, started when needed, ended when idle."""

import asyncio
import os
import threading
import time
from collections import deque
from typing import Final
from weakref import WeakKeyDictionary

import msgspec

from heddle.extensions.languages.workers.protocol import Answer, RunRequest
from heddle.extensions.languages.workers.worker import LanguageWorker

IDLE: Final = 60.0
"""Seconds without work after which a worker ends."""

SIZE: Final = max(2, os.cpu_count() or 1)
"""How many requests run at the same time; the others wait in the order in which they came."""


class WorkerPool:
    """Runs requests in workers; those that use it hold it open."""

    def __init__(self, size: int = SIZE) -> None:
        self.size = size
        self._idle: deque[LanguageWorker] = deque()
        self._all: set[LanguageWorker] = set()
        self._free = asyncio.Semaphore(size)
        self._users = 0
        self._sweep: asyncio.TimerHandle | None = None

    @property
    def workers(self) -> int:
        """How many workers there are."""
        return len(self._all)

    def hold(self) -> None:
        """Keep it open until `release` is called as often."""
        self._users += 1

    def release(self) -> None:
        """Not needed any more by one of its users; the last one ends the workers."""
        self._users -= 1
        if self._users <= 0:
            self.close()

    def close(self) -> None:
        """End every worker."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for worker in self._all:
            worker.stop()
        self._all.clear()
        self._idle.clear()

    async def run(self, code: str, request: RunRequest) -> Answer:
        """Run a request in the worker that was used last; raise ProgramError if it did not survive."""
        async with self._free:
            worker = self._take()
            try:
                return await worker.run(_full(request, worker, code))
            finally:
                self._give_back(worker)

    def _take(self) -> LanguageWorker:
        while self._idle:
            worker = self._idle.pop()
            if worker.check():
                return worker
            self._all.discard(worker)
        worker = LanguageWorker()
        self._all.add(worker)
        return worker

    def _give_back(self, worker: LanguageWorker) -> None:
        if not worker.alive:
            self._all.discard(worker)
            return
        self._idle.append(worker)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(IDLE, self._swept)

    def _swept(self) -> None:
        """End those that had nothing to do for a while."""
        self._sweep = None
        long_ago = time.monotonic() - IDLE
        while self._idle and self._idle[0].used <= long_ago:
            worker = self._idle.popleft()
            worker.stop()
            self._all.discard(worker)
        if self._idle:
            self._sweep = asyncio.get_running_loop().call_later(IDLE, self._swept)


_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, WorkerPool] = WeakKeyDictionary()


def pool_here() -> WorkerPool:
    """Return the Pool of the running event loop."""
    loop = asyncio.get_running_loop()
    pool = _pools.get(loop)
    if pool is None:
        pool = _pools[loop] = WorkerPool()
    return pool


class Bench:
    """One worker for programs that cannot wait, such as conditions: their callers take turns."""

    def __init__(self) -> None:
        self._worker: LanguageWorker | None = None
        self._turn = threading.Lock()
        self._users = 0

    def hold(self) -> None:
        """Keep it until `release` is called as often."""
        self._users += 1

    def release(self) -> None:
        """Not needed any more by one of its users; the last one ends the worker."""
        self._users -= 1
        if self._users <= 0 and self._worker is not None:
            self._worker.stop()
            self._worker = None

    def run(self, code: str, request: RunRequest) -> Answer:
        """Run a request now; raise ProgramError if the worker did not survive it."""
        with self._turn:
            if self._worker is None or not self._worker.check():
                self._worker = LanguageWorker()
            return self._worker.send_sync(_full(request, self._worker, code))


BENCH: Final = Bench()


def _full(request: RunRequest, worker: LanguageWorker, code: str) -> RunRequest:
    """Return the request with the code in it, if the worker has not seen the program before."""
    if request.program in worker.known:
        return request
    return msgspec.structs.replace(request, code=code)
