"""A Limit bounds how many attempts are under way at the same time; whoever needs a slot waits in line."""

from typing import Protocol


class Hirer(Protocol):
    """The one who asks for a slot, and is called when it is free."""

    def rouse(self) -> None:
        """Begin another runner if there is work for it."""


class Limit:
    """Counts free slots. A slot is taken at once or not at all; nobody holds one while waiting."""

    __slots__ = ("_line", "free")

    def __init__(self, slots: int) -> None:
        self.free = slots
        self._line: dict[Hirer, None] = {}

    def take(self, hirer: Hirer) -> bool:
        """Take a slot; if none is free, return False and let the hirer know of the next."""
        if self.free > 0:
            self.free -= 1
            return True
        self._line[hirer] = None
        return False

    def give(self) -> None:
        """Give a slot back, and tell the first in line."""
        self.free += 1
        while self._line and self.free > 0:
            first = next(iter(self._line))
            del self._line[first]
            first.rouse()

    def leave(self, hirer: Hirer) -> None:
        """Forget that this one waits in line."""
        self._line.pop(hirer, None)


def take_all(limits: tuple[Limit, ...], hirer: Hirer) -> bool:
    """Take a slot of each limit, or of none."""
    for number, limit in enumerate(limits):
        if not limit.take(hirer):
            for taken in limits[:number]:
                taken.give()
            return False
    return True
