"""RejectedValues says which Values are not live as the store has them, and which Specs reject them.

A Value is live through the Specs that are made with it: if one of those is rejected in a change of the
Value, the Value is not live either, although the revision of the Spec stays as it is.
"""

from collections.abc import Callable, Iterable, Mapping, Set
from typing import Final
from uuid import UUID

from heddle.specs.binding.bind import ValueSet
from heddle.specs.model.mentions import needs_of
from heddle.specs.model.names import parse_id
from heddle.specs.model.spec import Binding, Spec

NAMED: Final = 10
"""How many of the Specs that reject a Value are named: a thousand may be made with each of a thousand."""


class RejectedValues:
    """The Values of one namespace that are not live, each with the Specs that rejected it."""

    def __init__(self) -> None:
        self._specs: dict[UUID, frozenset[UUID]] = {}

    def note(self, values: Iterable[UUID], specs: Iterable[UUID]) -> None:
        """Note that a change of these Values was rejected, as these Specs cannot be made with them."""
        ids = frozenset(specs)
        if ids:
            self._specs.update(dict.fromkeys(values, ids))

    def note_needs(
        self, specs: Iterable[Spec], values: ValueSet, find: Callable[[str], Spec | None]
    ) -> None:
        """Note that these Specs are rejected when it is not known which of their Values changed: all count.

        `find` gives the definition of a name.
        """
        needs: dict[UUID, list[UUID]] = {}
        for spec in specs:
            for value in _values_of(spec, values, find):
                needs.setdefault(value, []).append(spec.id)
        for value, ids in needs.items():
            self.note((value,), ids)

    def forget(self, values: Iterable[UUID]) -> None:
        """Note that these Values are live."""
        for value in values:
            self._specs.pop(value, None)

    def retain(self, rejected: Set[UUID]) -> None:
        """Forget the Values of which none of these Specs is rejected any more."""
        for value, specs in list(self._specs.items()):
            if specs.isdisjoint(rejected):
                del self._specs[value]

    def named(self, rejected: Set[UUID]) -> Mapping[UUID, tuple[UUID, ...]]:
        """Return each Value that is not live, with some of the rejected Specs."""
        self.retain(rejected)
        return {
            value: tuple(sorted(specs & rejected)[:NAMED]) for value, specs in self._specs.items()
        }


def _values_of(spec: Spec, values: ValueSet, find: Callable[[str], Spec | None]) -> Iterable[UUID]:
    """Return the ids of the Values that a Spec, and the definitions that it is made with, need."""
    seen: set[str] = set()
    todo = [spec]
    while todo:
        words = needs_of(todo.pop()) - seen
        seen |= words
        todo += [each for word in words if (each := find(word)) is not None]
    bindings = (_binding(word) for word in seen)
    needs = (values.find(binding, spec.namespace) for binding in bindings)
    return {value.id for value in needs if value is not None}


def _binding(word: str) -> Binding:
    uuid = parse_id(word) if len(word) in (32, 36) else None
    return Binding(id=uuid) if uuid is not None else Binding(name=word)
