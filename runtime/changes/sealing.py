"""The sealing of secrets on their way into a store, wherever there is a key.

Whoever writes goes through here: `heddle apply`, the HTTP API, a rollback. What a store holds, its
history and what it tells others is then of no use to those who have no key.
"""

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from heddle.schemas.errors import SecretError
from heddle.schemas.problem import Problem
from heddle.specs.model.sealed_text import sealed_by
from heddle.specs.model.store import Resource
from heddle.specs.model.strict_eq import identical
from heddle.specs.model.value import Value
from heddle.specs.secrets.keyring import Keyring, wrong
from heddle.specs.secrets.vault import Vault, opens

Step: TypeAlias = tuple[Resource | None, Resource | None]
"""The stored resource, and what it becomes; None is that there is none."""


async def have_keys(resources: Iterable[Resource | None], keys: Keyring) -> None:
    """Have the keys at hand that seal and open what is secret of these: reading them may wait.

    Whatever is sealed with a key that is not known yet has them looked for anew: they were rotated.
    """
    secrets = [each for each in resources if isinstance(each, Value)]
    secrets = [each for each in secrets if each.secret or each.sealed]
    if secrets:
        await keys.ready(sealed_by(each.sealed) for each in secrets if each.sealed)


def kept(old: Resource | None, new: Resource, keys: Keyring) -> Resource:
    """Return how a resource is kept: a secret sealed with the first key, if there are keys.

    `old` is what it replaces. One that says the same as before stays sealed as it is: putting it again
    changes nothing. Without keys a secret is kept as it was written, but never in clear what is
    sealed in the store: that is a SecretError, as is a sealed text that does not belong to it.
    """
    if not isinstance(new, Value) or new.source is not None:
        return new
    before = old if isinstance(old, Value) else None
    if new.sealed:
        return _moved(before, new, keys)
    if not new.secret:
        return new
    if before is not None and before.sealed:
        if not keys.configured:
            actual = (
                f'the Value "{new.label}" is sealed in the store, and would be written in clear'
            )
            raise wrong(new, "data", "missing-key", actual, "the key", _HINT)
        if _named_alike(before, new) and _same_data(before, new, keys):
            return _sealed_as(before, new)
    return keys.seal(new) if keys.configured else new


_HINT = "Give the key, see docs/secrets.md; or say `secret: false` if it is none any more"


def kept_all(steps: Iterable[Step], keys: Keyring) -> tuple[list[Step], list[Problem]]:
    """Return what each of these becomes, as `kept` says, and the Problems of those that cannot be kept so."""
    entries: list[Step] = []
    problems: list[Problem] = []
    for old, new in steps:
        try:
            entries.append((old, kept(old, new, keys) if new is not None else None))
        except SecretError as error:
            problems += error.problems
            entries.append((old, new))
    return entries, problems


def alike(first: Resource | None, other: Resource | None, keys: Keyring) -> bool:
    """Return whether both say the same, however they are sealed; what cannot be opened here is something else."""
    if first == other:
        return True
    if not (isinstance(first, Value) and isinstance(other, Value)):
        return False
    if not ((first.sealed or other.sealed) and _same_data(first, other, keys)):
        return False
    return _sealed_as(first, other) == _sealed_as(first, first)


def resealed(value: Value, keys: Keyring, *, clear: bool = False) -> Value:
    """Return the Value sealed with the first key, if another one sealed it; otherwise as it is.

    With `clear`, a secret that stands in clear is sealed, too. Raise SecretError if it cannot be opened.
    """
    if value.sealed:
        return keys.seal(value)
    return keys.seal(value) if clear and value.plain and value.secret else value


def _moved(old: Value | None, new: Value, keys: Keyring) -> Value:
    """Return a sealed Value: it has to be its own text, unless that is the one it had under another name."""
    if sealed_by(new.sealed) not in keys.ids:
        return new
    if old is not None and not _named_alike(old, new) and old.sealed == new.sealed:
        return keys.seal(msgspec.structs.replace(new, data=keys.open(old), sealed=""))
    keys.open(new)
    if old is None or not _named_alike(old, new) or sealed_by(old.sealed) != sealed_by(new.sealed):
        return new
    return _sealed_as(old, new) if _same_data(old, new, keys) else new


def _named_alike(old: Value, new: Value) -> bool:
    """Return whether a text that was sealed for one opens for the other."""
    named = old.name is not None or old.id == new.id
    return (old.namespace, old.name) == (new.namespace, new.name) and named


def _same_data(old: Value, new: Value, keys: Keyring) -> bool:
    """Return whether both hold the same, to the type; what cannot be opened here is something else."""
    vault = Vault(keys)
    if old.source is not None or new.source is not None:
        return False
    if not (opens(vault, old) and opens(vault, new)):
        return False
    return identical(keys.open(old), keys.open(new))


def _sealed_as(old: Value, new: Value) -> Value:
    return msgspec.structs.replace(new, data=None, sealed=old.sealed, secret=True)
