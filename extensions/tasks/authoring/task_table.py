"""A TaskTable holds the tasks of a workflow by name; while a body is traced, calls are added to it."""

from collections.abc import Mapping, Sequence
from typing import Any

from heddle.extensions.tasks.authoring.operators import Vertex, join
from heddle.extensions.tasks.authoring.output import Output, reference_of
from heddle.extensions.tasks.authoring.task import Task
from heddle.extensions.tasks.authoring.task_call import TaskCall


class TaskTable:
    """The tasks of one workflow, in their order. It is the Tracer of the body of that workflow."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._calls: dict[str, TaskCall] = {}
        self._bare: dict[int, TaskCall] = {}
        self._numbers: dict[str, int] = {}

    # -- what the tracer is asked ------------------------------------------------------------------

    def add_call(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Output:
        """Add a task that is called in the traced body, and return its Output."""
        call = TaskCall(self, task, self.free_name(task.name))
        known = [each.name for each in task.inputs]
        if len(args) > len(known):
            raise TypeError(
                f"{task.name} takes {len(known)} inputs by position ({', '.join(known) or 'none'}), "
                f"and {len(args)} are given"
            )
        given = dict(zip(known, args, strict=False))
        for name in kwargs:
            if name in given:
                raise TypeError(f'{task.name} is given the input "{name}" twice')
        call.set_inputs({**given, **kwargs})
        self._calls[call.name] = call
        return call.output

    def add_bare(self, task: Any) -> Vertex:
        """Add a task that stands beside an operator without a call; the same one each time."""
        call = self.find_bare(task)
        self.keep(call)
        return call

    def find_bare(self, task: Any) -> TaskCall:
        """Return the place of such a task: its only call, or one that is added by `keep`.

        ValueError if it is called several times, or is a task of another workflow.
        """
        call = self._bare.get(id(task))
        if call is not None:
            return call
        other = getattr(task, "_home", None)
        if other is not None and other is not self:
            raise ValueError(
                f'"{task.name}" is a task of workflow "{other.name}", not of "{self.name}"'
            )
        calls = [each for each in self._calls.values() if each.task is task]
        if len(calls) > 1:
            names = " and ".join(each.name for each in calls)
            raise ValueError(
                f"{task.name} is called {len(calls)} times in workflow {self.name} ({names}): "
                "put the Output of the call that you mean beside the operator"
            )
        call = calls[0] if calls else TaskCall(self, task, task.name, bare=True)
        self._bare[id(task)] = call
        return call

    # -- names -------------------------------------------------------------------------------------

    def keep(self, call: TaskCall) -> None:
        """Make a bare task part of the workflow, if it is not yet."""
        if self._calls.get(call.name) is call:
            return
        self.check_free(call.name)
        self._calls[call.name] = call

    def check_own(self, output: Output) -> None:
        """Raise ValueError if an Output belongs to a task of another workflow."""
        if output._vertex is not None and output._vertex.home is not self:
            other = output._vertex.home
            raise ValueError(
                f"{reference_of(output)} is of workflow {getattr(other, 'name', '?')}, "
                f"not of {self.name}"
            )

    def check_free(self, name: str) -> None:
        """Raise ValueError if a task has this name already; it says where that was added."""
        taken = self._calls.get(name)
        if taken is not None:
            raise ValueError(
                f'workflow {self.name} has a task "{name}" already (added at {taken.place})'
            )

    def free_name(self, name: str) -> str:
        """Return the name, or `name_2`, `name_3`, … if it is taken."""
        free, number = name, self._numbers.get(name, 2)
        while free in self._calls:
            free, number = f"{name}_{number}", number + 1
        self._numbers[name] = max(number - 1, 2)
        return free

    def take_along(self, tasks: Sequence[Task[Any, Any]]) -> None:
        """Add tasks, and those that `>>` has joined to them outside a workflow."""
        waiting, kept = list(tasks), dict[int, Task[Any, Any]]()
        while waiting:
            task = waiting.pop(0)
            if not isinstance(task, Task):
                raise TypeError(f"{task!r} is not a task")
            if id(task) not in kept:
                kept[id(task)] = task
                loose = task._loose
                waiting += [vertex.origin for vertex in (*loose.before, *loose.after)]
        calls = {key: self.add_bare(task) for key, task in kept.items()}
        for key, task in kept.items():
            for vertex in task._loose.after:
                join(calls[key], calls[id(vertex.origin)])

    def clear(self) -> None:
        """Forget all tasks."""
        self._calls.clear()
        self._bare.clear()
        self._numbers.clear()
