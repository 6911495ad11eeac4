"""Schemas that a schema names: in files below a folder, or given beside it by URI."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urldefrag, urlsplit

import msgspec
from jsonschema_specifications import REGISTRY
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from heddle.schemas.ascii import lower
from heddle.specs.yaml.diagnose import thorough

LARGEST: Final = 2 * 1024 * 1024
"""The largest file of a schema, in bytes."""


class SchemaFileError(ValueError):
    """A schema that cannot be had: its file is not there, is not YAML or JSON, or may not be read."""


class SchemaFiles:
    """Reads schemas by URI: those that are given, and files below a folder. Nothing is fetched."""

    def __init__(self, folder: str, given: Mapping[str, Any]) -> None:
        try:
            self.folder = Path(folder).expanduser().resolve()
        except (ValueError, RuntimeError, OSError) as error:
            raise SchemaFileError(f'"{folder}" is not the path of a folder: {error}') from None
        self._given = {urldefrag(uri)[0]: schema for uri, schema in given.items()}
        self.read: dict[str, Any] = {}
        """What was read so far, by URI."""

    @property
    def base(self) -> str:
        """The URI from which relative references go out: the folder."""
        return self.folder.as_uri() + "/"

    @property
    def registry(self) -> "Registry[Any]":
        """A registry that asks here for what a schema names."""
        # The arguments of its classes are not typed.
        make: Any = Registry
        registry: Registry[Any] = REGISTRY.combine(make(retrieve=self._resource))
        return registry

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that were read."""
        return tuple(
            Path(unquote(urlsplit(uri).path)) for uri in self.read if uri.startswith("file:")
        )

    def load(self, uri: str) -> Any:
        """Return the schema of a URI without fragment; raise SchemaFileError if it cannot be had."""
        if uri not in self.read:
            self.read[uri] = self._load(uri)
        return self.read[uri]

    def _load(self, uri: str) -> Any:
        if uri in self._given:
            schema = self._given[uri]
            return self.load(self.uri_of(schema)) if isinstance(schema, str) else schema
        parts = urlsplit(uri)
        if parts.scheme != "file":
            raise SchemaFileError(
                f'the schema "{uri}" is not here: nothing is fetched, give it under `schemas`'
            )
        path = Path(unquote(parts.path)).resolve()
        if self.folder not in path.parents:
            raise SchemaFileError(f'"{path}" is outside of the folder {self.folder}')
        return self._file(path)

    def uri_of(self, path: str) -> str:
        """Return the URI of a file, by its path in the folder; a fragment stays."""
        name, mark, fragment = path.partition("#")
        return (self.folder / name).as_uri() + (f"#{fragment}" if mark else "")

    def _file(self, path: Path) -> Any:
        shown = path.relative_to(self.folder)
        try:
            if path.stat().st_size > LARGEST:
                raise SchemaFileError(f'the file "{shown}" is larger than {LARGEST} bytes')
            data = path.read_bytes()
        except OSError as error:
            reason = lower(error.strerror or str(error))
            raise SchemaFileError(f'the file "{shown}" cannot be read: {reason}') from None
        try:
            if path.suffix == ".json":
                return msgspec.json.decode(data)
            parsed = thorough(data.decode())
        except (ValueError, RecursionError) as error:
            raise SchemaFileError(f'the file "{shown}" is not a schema: {error}') from None
        if parsed.faults:
            fault = parsed.faults[0]
            raise SchemaFileError(f'the file "{shown}", line {fault.line}: {fault.found}')
        if len(parsed.documents) != 1:
            raise SchemaFileError(
                f'the file "{shown}" has {len(parsed.documents)} documents, not one'
            )
        return parsed.documents[0]

    def _resource(self, uri: str) -> "Resource[Any]":
        return DRAFT202012.create_resource(self.load(uri))


def reason_of(error: Unresolvable) -> str:
    """Return why a reference leads nowhere, as the file or the address has it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SchemaFileError):
            return str(cause)
        cause = cause.__cause__
    return f'the reference "{error.ref}" leads nowhere'
