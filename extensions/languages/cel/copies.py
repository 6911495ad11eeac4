"""Reads count how often variables stand in what is built, so that little text cannot build much.

`cel.bind(b, [a, a], cel.bind(c, [b, b], …))` makes a list of two elements at each level, and the
last of them stands for more than any memory holds. What only reads the payload cannot do that.
"""

from collections.abc import Collection
from typing import Final

COPIES: Final = 32
"""How often a part of the payload may stand in a list or map that is not paid for part by part."""


class Reads:
    """The reads of variables, in the order of the text."""

    def __init__(self) -> None:
        self._reads: list[tuple[str, str, int]] = []

    def __len__(self) -> int:
        return len(self._reads)

    def add(self, variable: str, field: str, copies: int) -> None:
        """Note one read of a variable, whole or of one field, that holds so many copies."""
        self._reads.append((variable, field, copies))

    def forget(self, start: int) -> None:
        """Leave out what was read from `start` on: nothing of it is kept."""
        del self._reads[start:]

    def repeat(self, start: int, turn: Collection[str]) -> None:
        """Count what was read from `start` on as read many times, but for the variables of a turn."""
        self._reads[start:] = [
            read if read[0] in turn else (*read[:2], COPIES + 1) for read in self._reads[start:]
        ]

    def copies(self, start: int) -> int:
        """Return how often what was read from `start` on holds the same part of the payload, at most.

        Different fields of a variable are different parts of it.
        """
        held: dict[str, int] = {}
        counts: dict[str, dict[str, int]] = {}
        for variable, field, copies in self._reads[start:]:
            held[variable] = copies
            fields = counts.setdefault(variable, {})
            fields[field] = fields.get(field, 0) + 1
        total = 0
        for variable, fields in counts.items():
            whole = fields.pop("", 0)
            total += held[variable] * (whole + max(fields.values(), default=0))
        return max(1, total)
