"""Bounds: what one call may make, so that a short text cannot fill the memory."""

from typing import Final

from heddle.extensions.languages.cel.errors import Exhausted

LONGEST: Final = 10_000_000
"""Characters, bytes or elements that one function may make."""


def bounded(size: int) -> None:
    """Refuse, before it is made, what would be too long; `||` does not forgive it."""
    if size > LONGEST:
        raise Exhausted(f"a function would make more than {LONGEST:,} characters or elements")
