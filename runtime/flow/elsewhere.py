"""Elsewhere is raised by a program that would hold the event loop for too long: it goes on apart.

The node's function is given up where it stands, the program runs in another process, and then the
function runs anew: this time the program has its outcome at hand. Nothing of it is on the way of
packets whose programs are quick.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from threading import local
from typing import Any, Final, NamedTuple

RUNS: Final = 1000
"""How often one function runs anew for one packet."""


class ProgramResult(NamedTuple):
    """A program, its payload, whether it succeeded, and its result or the exception that it raised."""

    program: object
    payload: Any
    succeeded: bool
    value: Any


_here = local()


class ElsewhereError(Exception):
    """A program has to go on elsewhere; `run` does that. `limit` bounds it, in seconds."""

    def __init__(self, program: object, payload: Any, run: Callable[[Any], Awaitable[Any]]) -> None:
        super().__init__(
            "the program took too long for the event loop, and its caller did not wait for it "
            "(expected: await heddle.await_program(program, payload))"
        )
        self.program = program
        self.payload = payload
        self.run = run
        self.done: list[ProgramResult] = []
        self.again: tuple[Callable[[Any], Any], Any] | None = None
        """The function that runs anew, with its payload, if that is not the one that was called."""
        self.limit: float | None = None
        self.expired: Exception | None = None


def is_on_loop() -> bool:
    """Return whether an event loop runs in this thread: others wait for it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def outcome(program: object, payload: Any) -> ProgramResult | None:
    """Take the outcome of a program for this payload, if its caller runs anew and it had its run."""
    outcomes: list[ProgramResult] = getattr(_here, "outcomes", None) or []
    for index, entry in enumerate(outcomes):
        if entry.program is program and _same(entry.payload, payload):
            del outcomes[index]
            return entry
    return None


def _same(first: Any, other: Any) -> bool:
    """Return whether two payloads are the same data, down to the types: a function made both."""
    if first is other:
        return True
    if type(first) is not type(other):
        return False
    try:
        if isinstance(first, dict):
            return first.keys() == other.keys() and all(
                _same(value, other[key]) for key, value in first.items()
            )
        if isinstance(first, list | tuple):
            return len(first) == len(other) and all(map(_same, first, other))
    except RecursionError:
        # Nothing that is nested so deep is handed to another process: its outcome is that Error.
        return True
    return bool(first == other) or (isinstance(first, float) and first != first and other != other)


def once(
    programs: Mapping[str, Callable[[Any], Any]],
    payload: Any,
    names: Iterable[str] | None = None,
    made: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what each program gives, or those of these `names`, beside what is `made` already.

    Each runs once, even if the function that calls this runs anew for another of them.
    """
    made = {} if made is None else made
    anew = getattr(_here, "outcomes", None)
    try:
        for name in programs if names is None else names:
            program = programs[name]
            known = outcome(program, payload) if anew else None
            if known is not None and not known.succeeded:
                raise known.value
            made[name] = program(payload) if known is None else known.value
    except ElsewhereError as later:
        later.done += [
            ProgramResult(programs[name], payload, True, value) for name, value in made.items()
        ]
        raise
    return made


async def await_program(fn: Callable[..., Any], *args: Any) -> Any:
    """Return what `fn` returns, now or once each program that it calls has gone on elsewhere.

    `fn` may do nothing before its programs that must not be done twice.
    """
    try:
        return fn(*args)
    except ElsewhereError as later:
        return await resume(later, fn, *args)


async def resume(later: ElsewhereError, fn: Callable[..., Any], *args: Any) -> Any:
    """Wait for the program, then return what `fn` returns when it runs anew.

    `fn` may do nothing before its programs that must not be done twice.
    """
    # From here on there is a task, which waiting needs.
    await asyncio.sleep(0)
    outcomes: list[ProgramResult] = []
    for _ in range(RUNS):
        # Its frames hold the payload, and the frame here holds it: that circle must not stay.
        later.__traceback__ = later.__context__ = None
        if later.again is not None:
            fn, args = later.again[0], (later.again[1],)
        outcomes.append(await _outcome(later))
        _here.outcomes = [*outcomes, *later.done]
        try:
            return fn(*args)
        except ElsewhereError as another:
            another.limit, another.expired = another.limit or later.limit, later.expired
            later = another
        finally:
            _here.outcomes = None
    raise RuntimeError(
        f"a function ran {RUNS} times, and its programs still have no outcome: "
        "does it give them another payload each time?"
    )


async def _outcome(later: ElsewhereError) -> ProgramResult:
    limit = asyncio.timeout(later.limit)
    try:
        async with limit:
            return ProgramResult(later.program, later.payload, True, await later.run(later.payload))
    except TimeoutError as error:
        if limit.expired() and later.expired is not None:
            raise later.expired from None
        return ProgramResult(later.program, later.payload, False, error)
    except Exception as error:
        return ProgramResult(later.program, later.payload, False, error)
