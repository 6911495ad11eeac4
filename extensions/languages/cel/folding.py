"""Folding computes what needs no payload while a text is compiled, within a budget of its own."""

from collections.abc import Callable
from typing import Any, Final

from heddle.extensions.languages.cel.budget import LETTERS, spend
from heddle.extensions.languages.cel.values import OptionalValue

FOLDED: Final = 10_000
"""How many elements folding may visit and make, beside four for each character of the text.

What is folded lives as long as the program, so this is far less than what a run may make.
"""


class NotFoldedError(Exception):
    """An expression is left to the run: it fails, or costs more than is left."""


class Folding:
    """The budget of one compilation, and what is spent of it."""

    def __init__(self, text: str) -> None:
        self._left = [FOLDED + 4 * len(text)]

    def run(self, function: Callable[..., Any], *values: Any, spends: bool = False) -> Any:
        """Return what the function makes of constants; raise NotFoldedError if that is for the run.

        A failure is left to the run as well: `||` may forgive it. If the function `spends`, it
        takes the budget before its other arguments.
        """
        try:
            for value in values:
                weigh(self._left, value)
            result = function(self._left, *values) if spends else function(*values)
            return weigh(self._left, result)
        except Exception:
            raise NotFoldedError from None


def weigh(budget: list[int], value: Any) -> Any:
    """Return the value once all that it holds is paid for, each part as often as it occurs."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str | bytes):
            spend(budget, 1 + len(part) // LETTERS)
        elif isinstance(part, list | dict):
            spend(budget, 1 + len(part))
            waiting.extend(part if isinstance(part, list) else part.values())
        elif isinstance(part, OptionalValue):
            waiting.append(part.held)
    return value
