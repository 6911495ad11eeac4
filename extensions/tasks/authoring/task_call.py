"""A TaskCall is a task in a workflow: with a name, its inputs, and its options."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from heddle.extensions.tasks.authoring.operators import Operand, Vertex, join
from heddle.extensions.tasks.authoring.options import TASK_OPTIONS, written_options
from heddle.extensions.tasks.authoring.output import Output, written_input
from heddle.extensions.tasks.authoring.task import Task
from heddle.schemas.problem import NOWHERE, Place
from heddle.schemas.suggestion import did_you_mean

_OWN = str(Path(__file__).parent)


class TaskCall(Vertex, Operand):
    """One task of a workflow. `inputs` are as a Spec writes them; `reads` are the tasks they name.

    With `bare`, it stands beside an operator without a call: its inputs are connected by name and
    type when the workflow is built. `written_after` are tasks that a Spec names under `after`. `place` is the line of Python that added it.
    """

    __slots__ = ("_name", "bare", "inputs", "options", "place", "task", "workflow", "written_after")

    def __init__(
        self, workflow: Any, task: Task[Any, Any], name: str, *, bare: bool = False
    ) -> None:
        Vertex.__init__(self)
        self.workflow = workflow
        self.task = task
        self._name = name
        self.bare = bare
        self.inputs: dict[str, Any] = {}
        self.options: dict[str, Any] = dict(task.options)
        self.written_after: tuple[str, ...] = ()
        self.place = calling_place()

    @property
    def name(self) -> str:
        """Its name in the workflow."""
        return self._name

    @property
    def home(self) -> Any:
        """The workflow that it is part of."""
        return self.workflow

    @property
    def origin(self) -> Any:
        """The Task if it stands beside operators without a call; the call itself otherwise."""
        return self.task if self.bare else self

    @property
    def output(self) -> Output:
        """A reference to its output."""
        signature = self.task.signature
        known = (
            signature is not None and "for_each" not in self.options and not self.task.is_compound
        )
        schema = signature.answer if known and signature is not None else {}
        return Output(self._name, vertex=self, schema=schema)

    @property
    def parents(self) -> set[Any]:
        """The tasks that come before it, by `>>` and `<<`."""
        return {vertex.origin for vertex in self.before}

    @property
    def children(self) -> set[Any]:
        """The tasks that come after it, by `>>` and `<<`."""
        return {vertex.origin for vertex in self.after}

    def vertices(self) -> list[Vertex]:
        """Return itself."""
        return [self]

    def settle(self) -> list[Vertex]:
        """Return itself; a bare task becomes part of the workflow by this."""
        self.workflow.keep(self)
        return [self]

    def set_inputs(self, values: Mapping[str, Any]) -> "TaskCall":
        """Set inputs by name: Outputs, expressions or plain values. Nothing is set if one is wrong."""
        self.check_inputs(values)
        written: dict[str, Any] = {}
        for name, value in values.items():
            try:
                written[name], reads = written_input(value)
            except TypeError as error:
                raise TypeError(f"{self._name}: the input {name}: {error}") from None
            for output in reads:
                self.workflow.check_own(output)
        self.inputs |= written
        return self

    def check_inputs(self, names: Iterable[str]) -> None:
        """Raise TypeError if the task has no input of one of these names."""
        signature = self.task.signature
        if signature is None or signature.open:
            return
        known = [each.name for each in signature.inputs]
        for name in names:
            if name not in known:
                has = ", ".join(known) or "none"
                hint = did_you_mean(name, known)
                raise TypeError(
                    f'{self._name} has no input "{name}" (it has: {has}). {hint}'.rstrip(". ")
                )

    def configure(self, **options: Any) -> "TaskCall":
        """Set options of this task in this workflow."""
        self.options |= written_options(options, TASK_OPTIONS, f"task {self._name}")
        return self

    def run_after(self, *tasks: Operand | Sequence[Operand]) -> "TaskCall":
        """Let it begin after these tasks are settled, as `tasks >> this` does."""
        for each in tasks:
            join(each, self)
        return self

    def __repr__(self) -> str:
        parents = ", ".join(sorted(vertex.name for vertex in self.before))
        children = ", ".join(sorted(vertex.name for vertex in self.after))
        return f"<Task: {self.workflow.name}.{self._name} (parents: [{parents}], children: [{children}])>"


def calling_place() -> Place:
    """Return the line of the author's code that led here: the last that is not part of this package."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_OWN):
            return Place(file, frame.f_lineno)
        before = frame.f_back
        if before is None:
            break
        frame = before
    return NOWHERE
