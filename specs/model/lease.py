"""A Lease lets one of several runtimes act: who holds it acts, the others wait for it to come free."""

import time
from math import inf
from typing import Final, Protocol, runtime_checkable

import msgspec

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", None)


def uptime() -> float:
    """Return seconds of a clock that nobody sets, and that goes on while the machine sleeps."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """The runtime that holds a lease, or that wants to."""

    runtime: str
    host: str = ""
    pid: int = 0


class Lease(Protocol):
    """One lease, as one runtime sees it.

    `mark` is the last moment (in seconds since 1970) that a holder has recorded as done; who comes
    after it begins behind that. With `exact`, recording costs next to nothing. `expires` is when it
    ends unless it is renewed, on the clock of `uptime`. `holder` is who has it, as far as is known.
    """

    exact: bool
    mark: float | None
    expires: float
    holder: Holder | None

    async def take(self, mark: float | None = None) -> bool:
        """Take it, or renew it; return whether it is ours now. `mark` is recorded with it.

        Raise StoreError if the place that keeps it cannot be asked.
        """
        ...

    async def record(self, mark: float) -> bool:
        """Record what is about to be done; return False if somebody else has the lease.

        Raise StoreError if the place that keeps it cannot be asked.
        """
        ...

    async def release(self, mark: float | None = None) -> None:
        """Give it back at once; `mark` is what was really done last."""
        ...


@runtime_checkable
class LeaseStore(Protocol):
    """A store that grants leases: the runtimes that follow it agree by them on who acts."""

    def lease(self, name: str, ttl: float, holder: Holder) -> Lease:
        """Return the lease of this name, not taken yet; `ttl` is how many seconds it lasts unless renewed."""
        ...


class GrantedLease:
    """A Lease that is always granted: there is nobody else."""

    exact = True

    def __init__(self, holder: Holder) -> None:
        self.mark: float | None = None
        self.expires = inf
        self.holder: Holder | None = holder

    async def take(self, mark: float | None = None) -> bool:
        """Return True."""
        del mark
        return True

    async def record(self, mark: float) -> bool:
        """Return True."""
        self.mark = mark
        return True

    async def release(self, mark: float | None = None) -> None:
        """Do nothing: nobody waits for it."""
