"""Timers of a run: all its limits of time and all its pauses in one heap, with one timer of the loop."""

import asyncio
from collections.abc import Callable
from heapq import heapify, heappop, heappush


class Alarm:
    """One call at one time, until it is cancelled. `rang` tells that the call was made."""

    __slots__ = ("call", "rang", "when")

    def __init__(self, when: float, call: Callable[[], object]) -> None:
        self.when = when
        self.call: Callable[[], object] | None = call
        self.rang = False

    def __lt__(self, other: "Alarm") -> bool:
        return self.when < other.when


class Timers:
    """Makes calls at times of the loop (`loop.time()`)."""

    __slots__ = ("_handle", "_heap", "_loop", "_stale", "_when")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[Alarm] = []
        self._handle: asyncio.TimerHandle | None = None
        self._when = 0.0
        self._stale = 0

    def __len__(self) -> int:
        return len(self._heap) - self._stale

    def after(self, seconds: float, call: Callable[[], object]) -> Alarm:
        """Make a call after so many seconds."""
        alarm = Alarm(self._loop.time() + seconds, call)
        heappush(self._heap, alarm)
        if self._handle is None or alarm.when < self._when:
            self._arm(alarm.when)
        return alarm

    def cancel(self, alarm: Alarm) -> None:
        """Make the call no more."""
        if alarm.call is None:
            return
        alarm.call = None
        self._stale += 1
        # Most attempts end long before their limit: what they leave behind must not pile up.
        if self._stale > 64 and self._stale * 2 > len(self._heap):
            self._heap = [alarm for alarm in self._heap if alarm.call is not None]
            heapify(self._heap)
            self._stale = 0
        if not len(self):
            self.close()

    def close(self) -> None:
        """Make no call any more."""
        self._heap.clear()
        self._stale = 0
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self, when: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._when = when
        self._handle = self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._handle = None
        now = self._loop.time()
        heap = self._heap
        while heap and (heap[0].call is None or heap[0].when <= now):
            alarm = heappop(heap)
            call, alarm.call = alarm.call, None
            if call is None:
                self._stale -= 1
                continue
            alarm.rang = True
            call()
        if heap and self._handle is None:
            self._arm(heap[0].when)
