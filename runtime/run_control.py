"""A RunControl begins recorded runs of a node, and shows them: the API reaches workflows through it."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable
from uuid import UUID


@runtime_checkable
class RunControl(Protocol):
    """A node whose runs are recorded offers this."""

    async def begin(
        self,
        inputs: Mapping[str, Any],
        texts: Mapping[str, str],
        *,
        key: str | None = None,
        creator: str = "",
    ) -> Mapping[str, Any]:
        """Begin a run, or find the one that has this key; return it as plain data.

        `texts` are inputs that are converted to their declared types. Raise NodeError for inputs that do
        not fit, and if the run cannot be recorded.
        """
        ...

    async def show(self, run: UUID, after: int = 0) -> Mapping[str, Any] | None:
        """Return a run of this node with its transitions above a number; None if it has no such run."""
        ...


def find_run_control(node: object) -> RunControl | None:
    """Return the RunControl that a node offers, or None."""
    control = getattr(node, "run_control", None)
    return control if isinstance(control, RunControl) else None
