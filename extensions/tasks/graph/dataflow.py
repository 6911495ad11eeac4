"""A Dataflow is one link between tasks as it is written: from where, to which input, and at which place."""

from typing import Any

import msgspec

from heddle.extensions.tasks.graph.reference import Reference
from heddle.extensions.tasks.graph.source import InputSource
from heddle.schemas.path import Path


class Dataflow(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """From a task (by its place in the list) to an input of another.

    `input` is None if only the order counts (`after`). `code` is True if code reads the whole output
    under the name of the task. `path` leads to where it is written.
    """

    source: int
    target: int
    input: str | None = None
    written: InputSource | None = None
    reference: Reference | None = None
    code: bool = False
    path: Path = ()

    @property
    def of_error(self) -> bool:
        """Whether it carries the error of the source."""
        return self.reference is not None and self.reference.of_error and not self.code


class CodeKey(msgspec.Struct, frozen=True):
    """The place in a raw record if the output waits that code of an input reads."""

    input: str
    task: str


def is_hidden(key: Any) -> bool:
    """Return whether a key of a raw record is not an input, but waits for code."""
    return type(key) is CodeKey
