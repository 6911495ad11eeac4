"""Waiting for a change set: until every runtime that follows the namespace has it live, or rejected it."""

import asyncio
from collections.abc import Callable, Collection
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from heddle.specs.model.report import Report, ReportStore
from heddle.specs.model.symbol_status import SymbolStatus

FIRST = 0.02
LONGEST = 0.25
"""Seconds between two looks at the Reports: at first, and at most."""

ArrivalState: TypeAlias = Literal["live", "waiting", "rejected", "behind"]


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of one runtime with a change set.

    `live`: everything of it runs. `waiting`: it was taken up, and something of it waits for what it
    leads to. `rejected`: the runtime goes on with what it had. `behind`: it has not looked yet.
    `symbols` are those of the change set that are not well, and those that cannot be made with a Value
    of it; `report` is the last one of the runtime.
    """

    state: ArrivalState
    report: Report
    symbols: tuple[SymbolStatus, ...] = ()


class WaitResult(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a change set in the runtimes of one namespace; none if nobody follows it."""

    namespace: str
    revision: int
    arrivals: tuple[Arrival, ...] = ()

    @property
    def behind(self) -> bool:
        """Whether somebody has not looked at it yet."""
        return any(each.state == "behind" for each in self.arrivals)

    @property
    def rejected(self) -> bool:
        """Whether somebody rejected it."""
        return any(each.state == "rejected" for each in self.arrivals)


async def wait_live(
    store: ReportStore,
    namespace: str,
    revision: int,
    changed: Collection[UUID],
    *,
    timeout: float | None = None,
    on_change: Callable[[WaitResult], None] | None = None,
) -> WaitResult:
    """Wait until every runtime that follows the namespace has come to this revision.

    `changed` are the ids of the change set. Ends at once if no runtime follows, and after
    `timeout` seconds with some still `behind`; a runtime that ends meanwhile is waited for no
    longer. `on_change` is called with each state that differs from the last. Raise StoreError if the
    store cannot be read.
    """
    pause = FIRST
    last: list[ArrivalState] = []
    try:
        async with asyncio.timeout(timeout):
            while True:
                waited = _looked(await store.reports(namespace), namespace, revision, changed)
                states: list[ArrivalState] = [each.state for each in waited.arrivals]
                if on_change is not None and states != last:
                    on_change(waited)
                if not waited.behind:
                    return waited
                last = states
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LONGEST)
    except TimeoutError:
        return _looked(await store.reports(namespace), namespace, revision, changed)


def _looked(
    reports: Collection[Report], namespace: str, revision: int, changed: Collection[UUID]
) -> WaitResult:
    return WaitResult(
        namespace=namespace,
        revision=revision,
        arrivals=tuple(_arrival(report, revision, changed) for report in reports),
    )


def _arrival(report: Report, revision: int, changed: Collection[UUID]) -> Arrival:
    values = [uuid for uuid in report.rejected_values if uuid in changed]
    rejecting = {uuid for value in values for uuid in report.rejected_values[value]}
    mine = tuple(each for each in report.symbols if each.id in changed or each.id in rejecting)
    if report.observed < revision:
        return Arrival(state="behind", report=report)
    state: ArrivalState = "live"
    if values or any(each.rejected for each in mine):
        state = "rejected"
    elif any(each.state == "waiting" for each in mine):
        state = "waiting"
    return Arrival(state=state, report=report, symbols=mine)
