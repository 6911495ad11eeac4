"""The workflow that is being traced: calls of tasks are added to it instead of being run."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from heddle.extensions.tasks.authoring.operators import Vertex


class Tracer(Protocol):
    """The record of a workflow while its body is traced."""

    @property
    def name(self) -> str:
        """The name of the workflow."""
        ...

    def add_call(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Add a task with these inputs, and return its Output."""

    def add_bare(self, task: Any) -> Vertex:
        """Add a task that stands beside an operator without a call; the same one each time."""
        ...

    def find_bare(self, task: Any) -> Vertex:
        """Return the place of such a task; nothing is added."""
        ...


_current: ContextVar[Tracer | None] = ContextVar("heddle_traced_workflow", default=None)


def current_tracer() -> Tracer | None:
    """Return the workflow that is traced here, or None."""
    return _current.get()


@contextmanager
def tracing(tracer: Tracer | None) -> Iterator[None]:
    """Trace what the block does into this workflow; None stops it for the block."""
    token = _current.set(tracer)
    try:
        yield
    finally:
        _current.reset(token)
