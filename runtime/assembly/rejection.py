"""A Rejection is what the store says and the table does not, and why not."""

import time
from collections.abc import Iterable, Sequence
from uuid import UUID

import msgspec

from heddle.schemas.problem import Problem
from heddle.specs.model.spec import Spec, file_of


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """One Spec that is not live as the store has it. `since` is in seconds since 1970.

    `problems` are its own, or those of whatever holds it up. With `gone` it is the removal that
    was rejected: the store has it no more.
    """

    spec: Spec
    problems: tuple[Problem, ...] = ()
    since: float = msgspec.field(default_factory=time.time)
    gone: bool = False

    @property
    def revision(self) -> int:
        """The revision that the store holds; 0 if it is gone."""
        return 0 if self.gone else self.spec.revision

    def after(self, before: "Rejection | None") -> "Rejection":
        """Return the same, which goes on since it was rejected before for the same reasons."""
        if before is None or before.problems != self.problems:
            return self
        return msgspec.structs.replace(self, since=before.since)

    @property
    def own(self) -> list[Problem]:
        """The Problems that are of this Spec."""
        return [problem for problem in self.problems if owns(self.spec, problem)]


def owns(spec: Spec, problem: Problem) -> bool:
    """Return whether a Problem is of this Spec, going by its path and its file."""
    file = file_of(spec.places)
    if file and problem.place.file and file != problem.place.file:
        return False
    label = spec.label
    return problem.path == label or problem.path.startswith((f"{label}.", f"{label}["))


def of_invalid(
    invalid: Iterable[Spec],
    problems: Sequence[Problem],
    before: dict[UUID, Rejection],
    running: dict[UUID, Spec],
) -> dict[UUID, Rejection]:
    """Return what documents with Problems say, and does not count: what is wrong, and what differs from what runs."""
    rejections: dict[UUID, Rejection] = {}
    for spec in invalid:
        own = [problem for problem in problems if owns(spec, problem)]
        runs = running.get(spec.id)
        if not own and runs is not None and runs.same(spec):
            continue
        file = file_of(spec.places)
        why = tuple(own or [problem for problem in problems if problem.place.file == file])
        if not why:
            continue
        rejections[spec.id] = Rejection(spec=spec, problems=why).after(before.get(spec.id))
    return rejections
