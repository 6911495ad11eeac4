"""Rotating seals every Value anew with the first key, in one change set; what it says stays the same."""

from collections import Counter
from collections.abc import Sequence

from heddle.runtime.changes.plan import Plan
from heddle.runtime.changes.sealing import resealed
from heddle.schemas.errors import SecretError
from heddle.schemas.problem import Problem
from heddle.specs.model.difference import difference
from heddle.specs.model.sealed_text import sealed_by
from heddle.specs.model.store import Resource, Store
from heddle.specs.model.value import Value
from heddle.specs.secrets.keyring import Keyring


async def plan_rotation(
    store: Store, keys: Keyring, namespace: str | None = None, *, clear: bool = False
) -> Plan:
    """Return what would become of every sealed Value of a namespace (None: of all).

    With `clear`, secrets that stand in clear are sealed, too. What cannot be opened is a Problem: then
    nothing is rotated, for half of it would leave two keys that must not be lost. Runtimes that are
    bound to these Values find the same data in them, and reload nothing.
    """
    steps: list[tuple[Resource, Resource]] = []
    problems: list[Problem] = []
    for value in await store.values(namespace):
        try:
            steps.append((value, resealed(value, keys, clear=clear)))
        except SecretError as error:
            problems += error.problems
    touched = [(old, new) for old, new in steps if old is not new or _sealed(old)]
    return Plan(
        differences=tuple(difference(old, new) for old, new in touched), problems=tuple(problems)
    )


def _sealed(resource: Resource) -> bool:
    return isinstance(resource, Value) and bool(resource.sealed)


def counts_of(values: Sequence[Value]) -> Counter[str]:
    """Return how many Values each key has sealed, by its id; those of secrets in clear stand under no id."""
    return Counter(
        sealed_by(each.sealed) for each in values if each.sealed or (each.secret and each.plain)
    )
