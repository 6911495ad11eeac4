"""Spare file descriptors: what must not fail is done with one when all others are in use."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import EAGAIN, EIO, EMFILE, ENFILE, ENOBUFS, ENOMEM, ESTALE, ETIMEDOUT
from typing import TypeVar

T = TypeVar("T")

COUNT = 4
"""How many are kept: reading a file takes one, importing a module two."""

_SHORT = frozenset({EMFILE, ENFILE})
_PASSING = _SHORT | {EAGAIN, EIO, ENOBUFS, ENOMEM, ESTALE, ETIMEDOUT}


def is_short(error: BaseException | None) -> bool:
    """Return whether an error, or its cause, says that no file descriptor is free."""
    return _has(error, _SHORT)


def is_passing(error: BaseException | None) -> bool:
    """Return whether an error, or its cause, says nothing about the file: try again later."""
    return _has(error, _PASSING)


def _has(error: BaseException | None, numbers: frozenset[int]) -> bool:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OSError) and error.errno in numbers:
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


class Spare:
    """A few descriptors that are kept for the moment when no other is free. Threads take turns."""

    def __init__(self, count: int = COUNT) -> None:
        self._count = count
        self._kept: list[int] = []
        self._seen = 0.0
        self._lock = threading.RLock()

    def keep(self) -> None:
        """Open those that are missing, as far as there are any; a fork keeps its own."""
        with self._lock, suppress(OSError):
            while len(self._kept) < self._count:
                self._kept.append(os.open(os.devnull, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)))

    @contextmanager
    def lend(self) -> Iterator[None]:
        """Give them up until the block ends, then take them back."""
        with self._lock:
            while self._kept:
                os.close(self._kept.pop())
            try:
                yield
            finally:
                self.keep()

    def attempt(self, work: Callable[[], T]) -> T:
        """Return what `work` returns; it is called again with the spare ones if none is free."""
        try:
            return work()
        except Exception as error:
            if not is_short(error):
                raise
            self.note(error)
        with self.lend():
            return work()

    def note(self, error: BaseException) -> None:
        """Remember that descriptors are short, if an error or its cause says so.

        For what is undone when it fails: by the time somebody asks, its descriptors are free again.
        """
        if is_short(error):
            self._seen = time.monotonic()

    def short_since(self, moment: float) -> bool:
        """Return whether descriptors are short now, or were since a moment of the monotonic clock.

        What failed meanwhile may have failed for that reason, whatever it says: it is tried again.
        """
        if self._seen >= moment:
            return True
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            return is_short(error)
        return False


SPARE = Spare()
"""The spare descriptors of this process."""
