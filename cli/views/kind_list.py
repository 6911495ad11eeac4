"""Kinds that can be described, and those of broken extensions that cannot."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from heddle.runtime.assembly.extension import Registry
from heddle.schemas.schema import Schema


class InvalidKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind that cannot be described, and why."""

    extension: str
    kind: str
    error: str

    def __str__(self) -> str:
        of = f"extension {self.extension}, " if self.extension else ""
        return f"{of}kind {self.kind}: cannot be described: {self.error}"


def described(
    registry: Registry, describe: Callable[[Schema[Any]], object]
) -> tuple[list[Schema[Any]], list[InvalidKind]]:
    """Return the Schema of every kind that is imported and described without fail, and the rest."""
    sound: list[Schema[Any]] = []
    broken: list[InvalidKind] = []
    for kind in sorted(registry.scheme.names):
        described_kind = tried(registry, kind, describe)
        if isinstance(described_kind, InvalidKind):
            broken.append(described_kind)
        else:
            sound.append(described_kind)
    return sound, broken


def tried(
    registry: Registry, kind: str, describe: Callable[[Schema[Any]], object]
) -> Schema[Any] | InvalidKind:
    """Return the Schema of a kind that there is, if it can be described."""
    try:
        served = registry.scheme.find(kind)
        if served is None:
            raise RuntimeError("there is no such kind")
        describe(served.schema)
    except Exception as error:
        # Whatever an extension declares is code of strangers.
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return InvalidKind(extension=registry.scheme.owner(kind), kind=kind, error=text)
    return served.schema


def complain_of(broken: Sequence[InvalidKind]) -> None:
    """Tell people of each, on standard error; then the exit code is 1."""
    import click

    from heddle.cli.complaint import complain
    from heddle.cli.exit_codes import FAILED

    for kind in broken:
        complain(str(kind))
    if broken:
        raise click.exceptions.Exit(FAILED)
