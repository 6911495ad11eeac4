"""An expected failure needs no traceback: a closed port, a slow back end, a bad request."""

from collections.abc import Iterator
from typing import Final

from heddle.runtime.flow.errors import Error
from heddle.schemas.errors import HeddleError

_CHAIN: Final = 8
_LONGEST: Final = 500


def is_expected(error: Error) -> bool:
    """Return whether an Error says all there is to know, so that a traceback would add nothing.

    That is so for what the world does (OSError and its kin, timeouts, the end of a stream), for an
    Error that a node made with a code of its own, and for an exception that calls itself `expected`.
    """
    if error.code != "failed":
        return True
    chain = list(_chain(error.cause))
    if any(isinstance(each, OSError | EOFError) for each in chain):
        return True
    if any(getattr(each, "expected", False) is True for each in chain):
        return True
    # What we raise ourselves says its place in the code of its author.
    return len(chain) == 1 and isinstance(chain[0], HeddleError)


def cause_of(error: Error) -> str:
    """Return the exception behind an Error on one line: `ConnectionRefusedError: …`."""
    chain = list(_chain(error.cause))
    if not chain:
        return ""
    last = chain[-1]
    text = " ".join(str(last).split())
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    name = type(last).__name__
    return f"{name}: {shown}" if shown else name


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those that it was made from."""
    for _ in range(_CHAIN):
        if error is None:
            return
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
