"""Values that a change would take from nodes that have what they need: they ask for what is not there."""

from collections.abc import Sequence

import msgspec

from heddle.runtime.assembly.check import check_in_pieces
from heddle.runtime.assembly.extension import Registry
from heddle.runtime.changes.dangling import Step
from heddle.schemas.pieces import Pieces
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import ValueSet
from heddle.specs.model.mentions import needs_of
from heddle.specs.model.spec import Spec


def lost_values(
    steps: Sequence[Step],
    before: Sequence[Spec],
    after: Sequence[Spec],
    values: tuple[ValueSet, ValueSet],
    registry: Registry,
) -> Pieces[list[Problem]]:
    """Return the Values that changed Specs ask for, that are not there, and that they did not ask for.

    A new Spec may wait for its Values; one that is there would lose what it has.
    """
    edited = frozenset(
        new.id
        for old, new in steps
        if isinstance(old, Spec) and isinstance(new, Spec) and not needs_of(new) <= needs_of(old)
    )
    if not edited:
        return []
    was, is_now = values
    earlier = yield from check_in_pieces(before, was, registry, only=edited)
    later = yield from check_in_pieces(after, is_now, registry, only=edited)
    known = {(each.path, each.found) for each in earlier.problems}
    return [
        msgspec.structs.replace(each, hint="Write the Value first, or with the same change.")
        for each in later.problems
        if each.code == "missing-value" and (each.path, each.found) not in known
    ]
