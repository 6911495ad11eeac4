"""`a >> b` and `a << b` put tasks in order; what such an expression gives is exactly defined.

| expression | edges | value |
|---|---|---|
| `a >> b` | a before b | `b` |
| `a >> [b, c]` | a before b, a before c | the same list object |
| `a << b` | b before a | `b` |
| `[b, c] >> d` | b before d, c before d | `d` |
| `[b, c] << d` | d before b, d before c | `d` |
| `tasks(b, c) >> tasks(d, e)` | all four | the right group |

An operand that is not a task, a task of another workflow, and an edge that would close a cycle are
rejected before anything changes.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, overload

from heddle.extensions.tasks.graph.cycle_error import CycleError, find_path

R = TypeVar("R")


class Vertex:
    """A task in an order: what comes before it, and what comes after it."""

    __slots__ = ("after", "before")

    before: "dict[Vertex, None]"
    after: "dict[Vertex, None]"

    def __init__(self) -> None:
        self.before = {}
        self.after = {}

    @property
    def name(self) -> str:
        """The name of the task."""
        raise NotImplementedError

    @property
    def home(self) -> Any:
        """The workflow that it is part of, or None."""
        return None

    @property
    def origin(self) -> Any:
        """The task as its author knows it: what `parents` and `children` hold."""
        return self


class Operand:
    """The values that may stand beside `>>` and `<<`."""

    __slots__ = ()

    def vertices(self) -> "list[Vertex]":
        """Return the tasks that it stands for; nothing changes by that."""
        raise NotImplementedError

    def settle(self) -> "list[Vertex]":
        """Return the tasks that it stands for, once they are part of their workflow."""
        return self.vertices()

    def __rshift__(self, other: R) -> R:
        if _is_foreign(other, "__rrshift__"):
            return NotImplemented
        join(self, other, ">>")
        return other

    def __lshift__(self, other: R) -> R:
        if _is_foreign(other, "__rlshift__"):
            return NotImplemented
        join(other, self, "<<")
        return other

    def __rrshift__(self, other: Any) -> "Operand":
        join(other, self, ">>")
        return self

    def __rlshift__(self, other: Any) -> "Operand":
        join(self, other, "<<")
        return self


class TaskGroup(Operand, Sequence[Any]):
    """Several tasks that stand beside an operator together; see `tasks`."""

    __slots__ = ("_members",)

    def __init__(self, members: Sequence[Any]) -> None:
        self._members = tuple(members)

    def vertices(self) -> list[Vertex]:
        """Return the tasks of all members."""
        return [vertex for member in self._members for vertex in member.vertices()]

    def settle(self) -> list[Vertex]:
        """Return the tasks of all members, once they are part of their workflow."""
        return [vertex for member in self._members for vertex in member.settle()]

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> "TaskGroup": ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return TaskGroup(self._members[index])
        return self._members[index]

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._members)

    def __repr__(self) -> str:
        return f"tasks({', '.join(vertex.name for vertex in self.vertices())})"


def tasks(*members: Operand) -> TaskGroup:
    """Return several tasks as one operand of `>>` and `<<`.

    Raise TypeError if one is not a task.
    """
    for member in members:
        _operand(member, ">>")
    return TaskGroup(members)


def join(first: Any, then: Any, operator: str = ">>") -> None:
    """Put every task of the first operand before every task of the second one.

    TypeError for an operand that is not a task, ValueError for tasks of different workflows,
    CycleError for an edge that would close a cycle. In each case nothing has changed.
    """
    left, right = _operands(first, operator), _operands(then, operator)
    sources = [vertex for operand in left for vertex in operand.vertices()]
    targets = [vertex for operand in right for vertex in operand.vertices()]
    _check_homes([*sources, *targets])
    _check_cycles(sources, targets)
    settled = [[vertex for each in side for vertex in each.settle()] for side in (left, right)]
    for source in settled[0]:
        for target in settled[1]:
            source.after[target] = None
            target.before[source] = None


def _is_foreign(other: Any, reflected: str) -> bool:
    """Return whether another library's object knows what to do with a task on its left."""
    return not isinstance(other, Operand | Sequence) and hasattr(type(other), reflected)


def _operand(value: Any, operator: str) -> Operand:
    if isinstance(value, Operand):
        return value
    shown = f'the text "{value}"' if isinstance(value, str) else repr(value)
    raise TypeError(
        f"{shown} is not a task: beside {operator} stand tasks, and lists of tasks "
        "(a function becomes a task by @task)"
    )


def _operands(value: Any, operator: str) -> list[Operand]:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | Operand):
        return [_operand(member, operator) for member in value]
    return [_operand(value, operator)]


def _check_homes(vertices: list[Vertex]) -> None:
    homes: dict[int, Vertex] = {}
    for vertex in vertices:
        if vertex.home is not None:
            homes.setdefault(id(vertex.home), vertex)
    if len(homes) > 1:
        first, second = list(homes.values())[:2]
        raise ValueError(
            f'"{first.name}" and "{second.name}" are tasks of different workflows '
            f'("{first.home.name}" and "{second.home.name}")'
        )


def _check_cycles(sources: list[Vertex], targets: list[Vertex]) -> None:
    """Raise CycleError if an edge from a source to a target closes a cycle."""
    added = dict.fromkeys(sources, targets)

    def following(vertex: Vertex) -> list[Vertex]:
        return [*vertex.after, *added.get(vertex, ())]

    for source in sources:
        for target in targets:
            path = find_path(target, source, following)
            if path is not None:
                raise CycleError([vertex.name for vertex in [source, *path]])
