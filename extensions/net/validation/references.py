"""Schemas that a schema names: in files below a folder, or given beside it by URI."""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urldefrag, urlsplit

import msgspec
from jsonschema_specifications import REGISTRY
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from heddle.schemas.ascii import lower
from heddle.schemas.path import Path as Steps
from heddle.schemas.problem import Place
from heddle.specs.files.identity import Stamp, stamp_of
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
        self._root = folder
        self._given = {urldefrag(uri)[0]: schema for uri, schema in given.items()}
        self._read: dict[str, Any] = {}
        self._stamps: dict[Path, Stamp | None] = {}

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
        """The files that were looked at, those that are missing or cannot be used, too."""
        return tuple(self._stamps)

    def changed(self) -> bool:
        """Return whether a file is another than the one that was looked at, or the folder is."""
        return self._moved() or any(stamp_of(path) != stamp for path, stamp in self._stamps.items())

    def _moved(self) -> bool:
        try:
            return Path(self._root).expanduser().resolve() != self.folder
        except (ValueError, RuntimeError, OSError):
            return True

    def anew(self) -> "SchemaFiles":
        """Return what reads the same schemas again, as they are now; nothing is read yet.

        A folder that cannot be looked up any more is taken as it was.
        """
        try:
            return SchemaFiles(self._root, self._given)
        except SchemaFileError:
            return SchemaFiles(str(self.folder), self._given)

    def watch(self, others: Iterable[Path]) -> None:
        """Look at other files as well, as they are from now on: `changed` compares them, too."""
        for path in others:
            if path not in self._stamps:
                self._stamps[path] = stamp_of(path)

    def load(self, uri: str) -> Any:
        """Return the schema of a URI without fragment; raise SchemaFileError if it cannot be had."""
        if uri not in self._read:
            self._read[uri] = self._load(uri)
        return self._read[uri]

    def _load(self, uri: str) -> Any:
        if uri in self._given:
            schema = self._given[uri]
            return self.load(self.uri_of(schema)) if isinstance(schema, str) else schema
        parts = urlsplit(uri)
        if parts.scheme != "file":
            raise SchemaFileError(
                f'the schema "{uri}" is not here: nothing is fetched, give it under `schemas`'
            )
        named = Path(unquote(parts.path))
        # Before it is read: what is saved meanwhile is another state of the file.
        self._stamps[named] = stamp_of(named)
        try:
            path = named.resolve()
        except (ValueError, RuntimeError, OSError) as error:
            raise SchemaFileError(f'"{named}" is not the path of a file: {error}') from None
        if self.folder not in path.parents:
            raise SchemaFileError(f'"{path}" is outside of the folder {self.folder}')
        return self._file(path)

    def place_of(self, schema: Any, steps: Steps) -> tuple[str, Place | None]:
        """Return where a schema that was read stands, in words, and the place of a step from it in its file.

        The words are empty if the schema was not read here.
        """
        for uri, whole in self._read.items():
            path = _path_to(schema, whole)
            if path is None:
                continue
            steps = (*path, *steps)
            at = f' at "{"/".join(map(str, ("", *steps)))}"' if steps else ""
            if not uri.startswith("file:"):
                return f'in the schema "{uri}"{at}', None
            file = Path(unquote(urlsplit(uri).path))
            shown = file.relative_to(self.folder) if self.folder in file.parents else file
            return f'in the file "{shown}"{at}', _place_in(file, steps)
        return "", None

    def uri_of(self, path: str) -> str:
        """Return the URI of a file, by its path in the folder; a fragment stays."""
        name, mark, fragment = path.partition("#")
        return (self.folder / name).as_uri() + (f"#{fragment}" if mark else "")

    def _file(self, path: Path) -> Any:
        shown = path.relative_to(self.folder)
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise SchemaFileError(f'"{shown}" is not a file')
            if status.st_size > LARGEST:
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


def _path_to(schema: Any, whole: Any) -> Steps | None:
    """Return the path to a map in data, by its identity; None if it is not there."""
    todo: list[tuple[Any, Steps]] = [(whole, ())]
    seen: set[int] = set()
    while todo:
        part, path = todo.pop()
        if part is schema:
            return path
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, dict):
            todo += [(inner, (*path, name)) for name, inner in part.items()]
        elif isinstance(part, list):
            todo += [(inner, (*path, number)) for number, inner in enumerate(part)]
    return None


def _place_in(file: Path, steps: Steps) -> Place:
    """Return the place of a path in a file of YAML or JSON; that of the last part that is there."""
    shown = os.path.relpath(file) if Path.cwd() in file.parents else str(file)
    try:
        where = thorough(file.read_text()).where
    except (OSError, ValueError, RecursionError):
        return Place(shown)
    if not where:
        return Place(shown)
    node = where[0]
    line, column = node.line, node.column
    for step in steps:
        if step not in node.children:
            break
        line, column, node = node.children[step]
    return Place(shown, line, column)


def reason_of(error: Unresolvable) -> str:
    """Return why a reference leads nowhere, as the file or the address has it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SchemaFileError):
            return str(cause)
        cause = cause.__cause__
    return f'the reference "{error.ref}" leads nowhere'
