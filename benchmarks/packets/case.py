"""A Case is one kind with a packet to send through it, and plain Python that does the same."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias

from benchmarks.calls import compare, compare_waiting
from benchmarks.measure import Measure, at_most
from benchmarks.row import AnswerMismatchError
from benchmarks.scale import Scale
from heddle.runtime.flow.errors import NOTHING
from heddle.runtime.flow.finish import finish
from heddle.runtime.flow.process import LiveProcess
from heddle.runtime.runtime import Runtime
from heddle.specs.stores.memory import MemoryStore
from heddle.specs.yaml.document import read_text

Seen: TypeAlias = Callable[[Any], Any]

IT = "it"
"""The name of the node that the packet is sent to."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What is measured, once all that it needs is there.

    `floor` is a plain function of the packet, or a coroutine function if the kind waits. Both
    come to the same: what `seen` makes of the two answers is compared. Packets of a kind that waits
    are sent in processes of their own; `burst` sends so many in one process, and lets all that they
    have set off be done before the next.
    """

    flow: str
    packet: Any
    floor: Callable[[Any], Any]
    seen: Seen = lambda answer: None if answer is NOTHING else answer
    port: str = "in"
    burst: int = 1
    ready: Callable[[Runtime], AbstractAsyncContextManager[Any]] = nullcontext


@dataclass(frozen=True, kw_only=True)
class Case:
    """One line of the row: a kind, what it is asked to do, and how far it may be above its floor.

    Where that is more than ten times, `reason` says why.
    """

    kind: str
    what: str
    open: Callable[[], AbstractAsyncContextManager[Setup]]
    reach: float = 10.0
    reason: str = ""

    async def measure(self, scale: Scale) -> Measure:
        """Return the ratio of the two; raise AnswerMismatchError if they do not come to the same."""
        async with self.open() as setup, _running(setup.flow) as rt:
            symbol = rt.table.get(IT)
            if symbol is None or not rt.table.active(symbol):
                problems = "; ".join(map(str, rt.status().problems))
                raise AnswerMismatchError(f"{self.kind} is not active: {problems}")
            async with setup.ready(rt):
                subject = _Subject(rt, setup)
                try:
                    return await self._compared(setup, subject, scale)
                finally:
                    await subject.end()

    async def _compared(self, setup: Setup, subject: "_Subject", scale: Scale) -> Measure:
        name, reach = f"{self.kind}: {self.what}", at_most(self.reach)
        waits = inspect.iscoroutinefunction(setup.floor)
        wanted = setup.floor(setup.packet)
        found = await subject.waiting() if waits else subject.at_once()
        self._check(setup, found, await wanted if waits else wanted)
        if not waits:
            names = {"floor": setup.floor, "packet": setup.packet, "run": subject.run}
            return compare(
                name,
                floor="floor(packet)",
                subject="run(entry, packet)",
                names={**names, "entry": subject.entry},
                scale=scale,
                reach=reach,
                reason=self.reason,
            )
        return await compare_waiting(
            name,
            floor=_bursts(setup),
            subject=subject.bursts,
            scale=scale,
            reach=reach,
            reason=self.reason,
        )

    def _check(self, setup: Setup, found: Any, wanted: Any) -> None:
        its, base = setup.seen(found), setup.seen(wanted)
        if its != base:
            told = f"answered {str(its)[:200]}, plain Python {str(base)[:200]}"
            raise AnswerMismatchError(f"{self.kind} ({self.what}) {told}")


class _Subject:
    """The packet on its way through the node."""

    def __init__(self, rt: Runtime, setup: Setup) -> None:
        symbol = rt.table.get(IT)
        assert symbol is not None
        self._wiring = rt.table.wiring
        self._setup = setup
        self.entry = self._wiring.entry(symbol.id, setup.port)
        self._process = LiveProcess(self._wiring)
        self.run = self._process.run

    def at_once(self) -> Any:
        """Return the answer of a kind that never waits, in a process that is there already."""
        return self.run(self.entry, self._setup.packet)

    async def end(self) -> None:
        """End that process."""
        await finish(self._process, None)

    async def waiting(self) -> Any:
        """Return the answer of one that may, in a process of its own."""
        process = LiveProcess(self._wiring)
        return await finish(process, process.run(self.entry, self._setup.packet))

    async def bursts(self) -> None:
        """Send one packet, or as many as a burst has."""
        if self._setup.burst == 1:
            await self.waiting()
            return
        for _ in range(self._setup.burst):
            self.at_once()
        await _turns()


def _bursts(setup: Setup) -> Callable[[], Awaitable[None]]:
    """Return the floor's part of the same."""
    floor, packet = setup.floor, setup.packet
    if setup.burst == 1:
        return lambda: floor(packet)

    async def bursts() -> None:
        for _ in range(setup.burst):
            await floor(packet)
        await _turns()

    return bursts


async def _turns() -> None:
    """Let tasks that were begun come to their end."""
    for _ in range(3):
        await asyncio.sleep(0)


def _running(flow: str) -> Runtime:
    reading = read_text(flow, file="flow.yaml")
    if reading.problems:
        raise AnswerMismatchError("; ".join(map(str, reading.problems)))
    return Runtime(store=MemoryStore([*reading.specs, *reading.values]))


def case(
    kind: str,
    what: str,
    flow: str,
    packet: Any,
    floor: Callable[[Any], Any] | Callable[[Any], Coroutine[Any, Any, Any]],
    *,
    reach: float = 10.0,
    reason: str = "",
    **more: Any,
) -> Case:
    """Return a Case that needs nothing but its flow."""
    setup = Setup(flow=flow, packet=packet, floor=floor, **more)
    return Case(kind=kind, what=what, open=lambda: nullcontext(setup), reach=reach, reason=reason)
