"""A Vault gives the data of Values, however they say it: plain, sealed, or from outside."""

import os
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from heddle.schemas.errors import SecretError
from heddle.specs.model.mask import is_covered
from heddle.specs.model.sealed_text import sealed_by
from heddle.specs.model.value import Value
from heddle.specs.secrets.keyring import Keyring, wrong
from heddle.specs.secrets.value_source import ReadResult, read_source


class Vault:
    """Opens Values with the keys of a Keyring, and reads the Sources of those that come from outside.

    It remembers which files Values came from, and what stood there: `changed` tells which of them
    would be others by now.
    """

    def __init__(
        self, keys: Keyring | None = None, *, environ: Mapping[str, str] | None = None
    ) -> None:
        """`environ` is the environment of the process where it is not given."""
        self.keys = keys if keys is not None else Keyring()
        self._environ = environ
        self._readings: dict[UUID, ReadResult] = {}

    def open(self, value: Value) -> Any:
        """Return the data of a Value; SecretError says why it cannot be had, and nothing of the data."""
        if value.source is None:
            if value.secret and value.plain and is_covered(value.data):
                # It was read where secrets are masked: nobody is to be let in with the mask.
                actual = f'the secret Value "{value.label}" comes masked from its store'
                hint = "Seal it: heddle key rotate, if the store is"
                raise wrong(value, "data", "masked", actual, "the secret, or a sealed one", hint)
            return self.keys.open(value)
        if value.source.file and self._is_key(value.source.file):
            # A flow must not learn what opens every other secret.
            actual = f'the Value "{value.label}" comes from a file of keys'
            raise wrong(value, "from", "unreadable-source", actual, hint="Keys are given to nobody")
        environ = os.environ if self._environ is None else self._environ
        reading = read_source(value, environ)
        if value.source.file:
            self._readings[value.id] = msgspec.structs.replace(reading, data=None, error=None)
        if reading.error is not None:
            raise reading.error
        return reading.data

    async def ready(self, values: Iterable[Value]) -> None:
        """Have the keys of these Values at hand, so that opening them does not wait."""
        key_ids = {sealed_by(value.sealed) for value in values if value.sealed}
        if key_ids:
            await self.keys.ready(key_ids)

    def _is_key(self, path: str) -> bool:
        """Return whether a path leads to a file of keys."""
        try:
            return any(os.path.samefile(path, file) for file in self.keys.files)  # noqa: PTH121
        except OSError:
            return False

    @property
    def files(self) -> frozenset[str]:
        """The files that Values came from when they were opened last."""
        return frozenset(reading.path for reading in self._readings.values())

    def changed(self) -> frozenset[UUID]:
        """Return the Values whose files hold something else now than when they were opened last; it may wait."""
        # A copy: whoever loads meanwhile adds to them.
        readings = list(self._readings.items())
        return frozenset(id_ for id_, reading in readings if reading.stale())

    def forget(self, values: Iterable[UUID]) -> None:
        """Forget what is known of the files of these Values: they may come from elsewhere now."""
        for id_ in values:
            self._readings.pop(id_, None)


def opens(vault: Vault, value: Value) -> bool:
    """Return whether the data of a Value can be had here."""
    try:
        vault.open(value)
    except SecretError:
        return False
    return True
