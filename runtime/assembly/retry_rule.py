"""A RetryRule says how often something that failed is tried again, and how long to wait before."""

from asyncio import get_running_loop
from random import random
from typing import Any, Final

import msgspec

from heddle.runtime.assembly.language import Program
from heddle.runtime.flow.errors import Error

ENDLESS: Final = 1_000_000_000
"""Attempts that nothing ever makes: what has so many is tried again as long as it is there."""


class RetryRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule for trying again. Times are in seconds.

    `most` counts every attempt, the first one too. The pause after the first failure is `delay`,
    and each further one is `factor` times as long, but never longer than `longest`, or than `delay` if
    that is longer: a delay of an hour is one of an hour. Of each pause
    a random part is left out, up to the share `jitter`, so that many who failed together do not
    come back together. `when` is a condition over the Error (see `error_data`): who does not match
    is not tried again.
    """

    most: int = 3
    delay: float = 0.0
    factor: float = 2.0
    longest: float = 30.0
    jitter: float = 0.0
    when: Program | None = None

    def pause(self, error: Error, made: int, deadline: float | None = None) -> float | None:
        """Return how long to wait after this many attempts; None if it is not tried again.

        A pause that would pass the deadline (`loop.time()`) is not begun. Raises what `when` raises.
        """
        if made >= self.most or error.code == "cancelled":
            return None
        if self.when is not None and not self.when({**error_data(error), "attempt": made}):
            return None
        if not self.delay:
            return 0.0
        # Bounded before it is multiplied: a float has an end too.
        power = min(made - 1, 1000)
        longest = max(self.longest, self.delay)
        try:
            pause = min(self.delay * self.factor**power, longest)
        except OverflowError:
            pause = longest
        pause -= pause * self.jitter * random()
        if deadline is not None and get_running_loop().time() + pause >= deadline:
            return None
        return pause

    @property
    def waits(self) -> bool:
        """Whether there may be a pause at all."""
        return self.delay > 0 and self.most > 1


def error_data(error: Error) -> dict[str, Any]:
    """Return an Error as data: its `code`, `message` and `data`, and the `symbol` if it arose."""
    return {
        "code": error.code,
        "message": error.message,
        "data": error.data,
        "symbol": error.symbol,
    }
