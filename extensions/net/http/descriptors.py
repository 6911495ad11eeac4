"""Descriptors says when the file descriptors of this process run short: connections may not take the last.

An event loop that has none left closes connections without a word (libuv), or lets them wait. So the
last few are kept back: a client gets an answer, and files and other servers can still be reached.
"""

import asyncio
import errno
import os
import sys
import time
from typing import Final

EVERY: Final = 60.0
"""Seconds in which the shortage is reported once, at most."""


class Descriptors:
    """The file descriptors of this process. Numbers are given out from the lowest that is free."""

    def __init__(self) -> None:
        self._reported = -EVERY

    def short(self, transport: asyncio.BaseTransport) -> bool:
        """Return True if this connection has one of the last descriptors, which are kept back."""
        most = _most()
        sock = transport.get_extra_info("socket")
        return sock is not None and 0 <= most <= sock.fileno() + _kept(most)

    def due(self) -> OSError | None:
        """Return the shortage to report; None if it was reported a moment ago."""
        now = time.monotonic()
        if now - self._reported < EVERY:
            return None
        self._reported = now
        why = f"{os.strerror(errno.EMFILE)}: none of {_most():,} is left for connections"
        return OSError(errno.EMFILE, f"{why} (see ulimit -n)")


def _most() -> int:
    """Return how many descriptors this process may have; -1 if there is no limit."""
    if sys.platform == "win32":
        return -1
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _kept(most: int) -> int:
    """Return how many are kept back: a few, or a share of those that there may be."""
    return min(max(most // 32, 4), 64)


DESCRIPTORS: Final = Descriptors()
"""Those of this process."""
