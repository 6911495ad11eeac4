"""Bounds: what one call, and one run, may make, so that a short text cannot fill the memory."""

from typing import Final

from heddle.extensions.languages.cel.errors import BudgetExceededError, OversizeError

LONGEST: Final = 10_000_000
"""Characters, bytes or elements that one function may make."""

BUDGET: Final = 10_000_000
"""How many elements one run may visit with its macros, and make with whatever makes something."""

LETTERS: Final = 8
"""How many characters or bytes cost as much as one element."""


def exhausted(size: int = 0) -> BudgetExceededError:
    """Return the Fault of a run that visited or made too much, this size of it at once."""
    sort = OversizeError if size > BUDGET else BudgetExceededError
    return sort(f"one run may visit or make at most {BUDGET:,} elements")


def spend(budget: list[int], size: int) -> None:
    """Pay for so many elements before they are made; raise BudgetExceededError if that is more than is left."""
    budget[0] -= size
    if budget[0] < 0:
        raise exhausted(size)


def bounded(budget: list[int], size: int) -> None:
    """Pay for a text of this many characters before it is made; `||` does not forgive a rejection."""
    if size > LONGEST:
        raise OversizeError(f"a function would make more than {LONGEST:,} characters or elements")
    spend(budget, 1 + size // LETTERS)


def charge(budget: list[int], value: object) -> object:
    """Return the value once its size is paid for."""
    if isinstance(value, str | bytes):
        budget[0] -= 1 + len(value) // LETTERS
    elif isinstance(value, list | dict):
        budget[0] -= 1 + len(value)
    if budget[0] < 0:
        raise exhausted()
    return value
