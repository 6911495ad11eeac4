"""Elsewhere is raised by a program that would hold the event loop for too long: it goes on apart.

The node's function is given up where it stands, the program runs in another process, and then the
function runs anew: this time the program has its outcome at hand. Nothing of it is on the way of
packets whose programs are quick.
"""

import asyncio
from collections.abc import Awaitable, Callable
from threading import local
from typing import Any, TypeAlias

Outcome: TypeAlias = tuple[object, bool, Any]
"""A program, whether it succeeded, and its result or what it raised."""

_here = local()


class Elsewhere(Exception):  # noqa: N818 - it is not an error
    """A program has to go on elsewhere; `run` does that. `limit` bounds it, in seconds."""

    def __init__(self, program: object, run: Callable[[], Awaitable[Any]]) -> None:
        super().__init__("a program goes on elsewhere")
        self.program = program
        self.run = run
        self.limit: float | None = None
        self.expired: Exception | None = None


def outcome(program: object) -> Outcome | None:
    """Take the outcome of a program that has gone on elsewhere, if its caller runs anew."""
    outcomes: list[Outcome] = getattr(_here, "outcomes", None) or []
    for index, one in enumerate(outcomes):
        if one[0] is program:
            del outcomes[index]
            return one
    return None


async def resume(later: Elsewhere, fn: Callable[..., Any], *args: Any) -> Any:
    """Wait for the program, then return what `fn` returns when it runs anew.

    `fn` may do nothing before its programs that must not be done twice.
    """
    # From here on there is a task, which waiting needs.
    await asyncio.sleep(0)
    outcomes: list[Outcome] = []
    while True:
        outcomes.append(await _outcome(later))
        _here.outcomes = list(outcomes)
        try:
            return fn(*args)
        except Elsewhere as another:
            another.limit, another.expired = another.limit or later.limit, later.expired
            later = another
        finally:
            _here.outcomes = None


async def _outcome(later: Elsewhere) -> Outcome:
    limit = asyncio.timeout(later.limit)
    try:
        async with limit:
            return later.program, True, await later.run()
    except TimeoutError as error:
        if limit.expired() and later.expired is not None:
            raise later.expired from None
        return later.program, False, error
    except Exception as error:
        return later.program, False, error
