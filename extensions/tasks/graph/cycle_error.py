"""A cycle of tasks is an error with its path."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from heddle.schemas.errors import HeddleError

T = TypeVar("T", bound=Hashable)


class CycleError(HeddleError, ValueError):
    """Tasks wait for each other; `path` has their names, the first one again at the end."""

    def __init__(self, path: Sequence[str]) -> None:
        self.path = tuple(path)
        shown = " → ".join(self.path)
        if len(self.path) == 2:
            super().__init__(f'"{self.path[0]}" would come after itself ({shown})')
        else:
            names = " and ".join(f'"{name}"' for name in self.path[:2])
            super().__init__(f"{names} would wait for each other: {shown}")


def find_path(start: T, end: T, following: Callable[[T], Iterable[T]]) -> list[T] | None:
    """Return the way from one task to another, both included; None if there is none."""
    mapping: dict[T, T | None] = {start: None}
    waiting = deque([start])
    while waiting:
        task = waiting.popleft()
        if task == end:
            path = [task]
            while (before := mapping[path[-1]]) is not None:
                path.append(before)
            return path[::-1]
        for other in following(task):
            if other not in mapping:
                mapping[other] = task
                waiting.append(other)
    return None
