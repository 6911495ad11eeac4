"""A Report is what a runtime says of itself in its store: how far it has followed, and what is not well.

It names only the symbols that are not well: of all others everything is live up to `observed`. So it
costs what is wrong, not what the namespace holds.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable
from uuid import UUID

import msgspec

from heddle.specs.model.symbol_status import Condition, SymbolStatus

LATE = 3
"""A Report that was not renewed for so many of its own intervals counts as gone."""


class Buffers(msgspec.Struct, frozen=True, kw_only=True):
    """The bytes that the process of a runtime keeps in buffers for all of its connections.

    `limit` 0 is none. `peak` is the most since the start, `rejected` how often there was no room.
    """

    limit: int = 0
    used: int = 0
    peak: int = 0
    rejected: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The report of one runtime about itself.

    `observed` is the newest revision of the store that it has looked at, be it live or rejected.
    `symbols` are those with a condition that is not as it should be. `rejected_values` are the Values
    that are not live as the store has them, each with some of the symbols that cannot be made with it.
    `seen` is when it said so, in
    seconds since 1970; it says it again every `interval` seconds. `leases` are the symbols for which
    it acts in the place of all other runtimes.
    """

    runtime: str
    namespace: str
    host: str = ""
    pid: int = 0
    version: str = ""
    started: float = 0.0
    seen: float = 0.0
    interval: float = 5.0
    generation: int = 0
    observed: int = 0
    active: int = 0
    waiting: int = 0
    rejected: int = 0
    processes: int = 0
    buffers: Buffers = Buffers()
    conditions: tuple[Condition, ...] = ()
    symbols: tuple[SymbolStatus, ...] = ()
    leases: tuple[UUID, ...] = ()
    rejected_values: Mapping[UUID, tuple[UUID, ...]] = {}

    def late(self, now: float) -> bool:
        """Return whether it was not renewed for so long that its runtime must be gone."""
        return now - self.seen > self.interval * LATE


@runtime_checkable
class ReportStore(Protocol):
    """A store in which runtimes say how they are."""

    async def report(self, report: Report) -> None:
        """Keep this Report in the place of the one that the same runtime gave before."""
        ...

    async def withdraw(self, runtime: str) -> None:
        """Drop the Report of a runtime that ends; nothing if there is none."""
        ...

    async def reports(self, namespace: str | None = None) -> Sequence[Report]:
        """Return the Reports of a namespace (None: of all) whose runtimes are not gone."""
        ...
