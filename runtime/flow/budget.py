"""The Budget bounds what one operating-system process keeps in buffers for all of its connections.

A limit on each connection bounds none of their sum: ten thousand clients may each send one body
that is allowed. Bodies, messages, queues and answers that wait are charged here. What would exceed
the limit is rejected (503 over HTTP, 1013 over a WebSocket), and everything else goes on.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

SHARE: Final = 4
"""The default limit is the memory of this process divided by this."""

LEAST: Final = 64 * 1024 * 1024
"""The default limit is never less than this."""

FREE: Final = 16 * 1024
"""The size up to which the buffers of one connection are not counted: counting costs more."""

_GROUPS: Final = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)


class Budget:
    """Counts bytes that are kept; `limit` None is no limit. Used on the thread of the event loop."""

    __slots__ = ("limit", "peak", "rejected", "used")

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.used = 0
        self.peak = 0
        self.rejected = 0

    def take(self, size: int) -> bool:
        """Count bytes, if there is room for them; return False and count a rejection otherwise."""
        used = self.used + size
        if self.limit is not None and used > self.limit:
            self.rejected += 1
            return False
        self.used = used
        if used > self.peak:
            self.peak = used
        return True

    def add(self, size: int) -> None:
        """Count bytes that are there already and cannot be rejected."""
        self.used += size
        if self.used > self.peak:
            self.peak = self.used

    def give(self, size: int) -> None:
        """Count bytes no longer: they are let go."""
        self.used -= size

    def has_room(self, size: int) -> bool:
        """Return whether so many bytes would fit; count a rejection if they do not."""
        if self.limit is None or self.used + size <= self.limit:
            return True
        self.rejected += 1
        return False

    def figures(self) -> dict[str, int]:
        """Return the budget as it is now: limit (0: none), used, peak and rejected."""
        return {
            "limit": self.limit or 0,
            "used": self.used,
            "peak": self.peak,
            "rejected": self.rejected,
        }


class HeldBudget:
    """The share of one owner in the budget; it gives all of it back at once."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0

    def grow(self, size: int) -> bool:
        """Take so many bytes more; return False if there is no room."""
        if not BUDGET.take(size):
            return False
        self.size += size
        return True

    def hold(self, size: int, *, must: bool = False) -> bool:
        """Hold exactly so many bytes from now on; return False, and hold no more, if there is no room.

        What `must` be held is there already: it is counted beyond the limit, too.
        """
        more = size - self.size
        if more > 0 and not must:
            if not BUDGET.take(more):
                return False
        else:
            BUDGET.add(more)
        self.size = size
        return True

    def free(self) -> None:
        """Give everything back."""
        if self.size:
            BUDGET.give(self.size)
            self.size = 0


def usual_limit(processes: int = 1) -> int:
    """Return a quarter of the memory that this process may use, shared by so many processes."""
    return max(_memory() // SHARE // max(processes, 1), LEAST)


def _memory() -> int:
    """Return the memory of the machine, or of the control group if that is less; in bytes."""
    sizes = []
    with suppress(AttributeError, ValueError, OSError):
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for group in _GROUPS:
        try:
            text = Path(group).read_text().strip()
        except OSError:
            continue
        if text.isdecimal():
            sizes.append(int(text))
    return min((size for size in sizes if size > 0), default=1024**3)


BUDGET: Final = Budget(usual_limit())
"""The budget of this process. Settings change its limit."""
