"""A ReadyQueue holds the ready tasks of a run by number: the lowest, which is the most urgent, comes first."""

from collections import deque
from heapq import heappop, heappush


class ReadyQueue(deque[int]):
    """Numbers in ascending order. Most come in that order and cost an append, where a heap of a thousand costs ten comparisons.

    A number for the middle waits in `aside`. Before a look at the first one, call `settle` if there is any.
    """

    __slots__ = ("aside",)

    def __init__(self, numbers: "list[int] | tuple[int, ...]" = ()) -> None:
        """`numbers` are in ascending order."""
        super().__init__(numbers)
        self.aside: list[int] = []

    def put(self, number: int) -> None:
        """Add a number."""
        if not self or number > self[-1]:
            self.append(number)
        elif number < self[0]:
            self.appendleft(number)
        else:
            heappush(self.aside, number)

    def settle(self) -> None:
        """Bring the lowest of those aside to the front, if it is the lowest of all."""
        if self.aside and (not self or self.aside[0] < self[0]):
            self.appendleft(heappop(self.aside))

    def take(self) -> int:
        """Take the lowest number."""
        if self.aside:
            self.settle()
        return self.popleft()

    def size(self) -> int:
        """Return how many there are, those aside included."""
        return len(self) + len(self.aside)
