"""A TaskGraph is a compiled workflow: numbered tasks, counters, outgoing dataflows, and their order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

Get: TypeAlias = Callable[[Any], Any]
"""Takes the part of an output that a dataflow carries; it raises what goes wrong."""


class Outgoing(NamedTuple):
    """One dataflow: to which task, to which input (None: order alone), and which part (None: all)."""

    task: int
    input: str | None
    get: Get | None = None


class TaskGraph:
    """The tasks of one workflow by number. A smaller number begins first if both are ready.

    `names` are their names. `needs` counts the incoming dataflows of each, `outgoing` lists what
    each of them feeds when it is completed, `order` is one order in which they can run.
    """

    __slots__ = ("names", "needs", "numbers", "order", "outgoing")

    def __init__(self, names: Sequence[str], outgoing: Sequence[Sequence[Outgoing]]) -> None:
        self.names = tuple(names)
        self.numbers: Mapping[str, int] = {name: number for number, name in enumerate(names)}
        self.outgoing = tuple(tuple(flows) for flows in outgoing)
        self.needs = [0] * len(self.names)
        for flows in self.outgoing:
            for flow in flows:
                self.needs[flow.task] += 1
        self.order = tuple(self._sorted())

    def __len__(self) -> int:
        return len(self.names)

    def upstream(self, number: int) -> tuple[int, ...]:
        """Return the tasks that this one reads or comes after, in order."""
        return tuple(
            source
            for source, flows in enumerate(self.outgoing)
            if any(flow.task == number for flow in flows)
        )

    def dependents(self, number: int) -> tuple[int, ...]:
        """Return the tasks that read this one or come after it, in order."""
        return tuple(sorted({flow.task for flow in self.outgoing[number]}))

    def path(self, number: int, prefix: str = "") -> str:
        """Return the task path of a task: its name, after that of the task that holds the workflow."""
        return f"{prefix}/{self.names[number]}" if prefix else self.names[number]

    def _sorted(self) -> Iterator[int]:
        """Yield the tasks so that each comes after all that it needs; those of a cycle are left out."""
        missing = list(self.needs)
        ready = [number for number, count in enumerate(missing) if not count]
        ready.reverse()
        while ready:
            number = ready.pop()
            yield number
            for flow in reversed(self.outgoing[number]):
                missing[flow.task] -= 1
                if not missing[flow.task]:
                    ready.append(flow.task)


def item_path(path: str, item: int) -> str:
    """Return the task path of one item of a `for_each`: `page#17`."""
    return f"{path}#{item}"
