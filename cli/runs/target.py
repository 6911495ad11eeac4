"""A RunTarget is the workflow that `heddle run` is to run, and where its Specs come from."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from heddle.cli.exit_codes import CommandError
from heddle.cli.extensions import reachable_specs
from heddle.cli.settings import Settings
from heddle.cli.stores import check_path
from heddle.schemas.errors import SpecError
from heddle.schemas.suggestion import did_you_mean
from heddle.specs.files.spec_names import SUFFIXES
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource

if TYPE_CHECKING:
    from heddle.runtime.assembly.extension import Registry
    from heddle.specs.yaml.document import ReadText

Origin: TypeAlias = Literal["file", "folder", "store", "module"]

WORKFLOW = "workflow"


class SeveralWorkflowsError(CommandError):
    """Raised when a place holds several workflows and none of them is named; `names` lists them."""

    def __init__(self, message: str, names: Sequence[str]) -> None:
        super().__init__(message)
        self.names = tuple(names)


class RunTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow, and everything that stands beside it.

    `origin` and `source` say where that is: a path, the address of a store, or a module. `text` is what
    a command can be given to get the same target. `resources` are the Specs and Values.
    """

    name: str
    namespace: str
    origin: Origin
    source: str
    text: str
    resources: Sequence[Resource]

    @property
    def line(self) -> str:
        """The workflow that was taken, and its origin."""
        return f'the workflow "{self.name}" of the {self.origin} {self.source}'

    def find_spec(self) -> Spec | None:
        """Return the Spec of the workflow."""
        return workflows_of(self.resources, self.namespace).get(self.name)

    @property
    def path(self) -> str:
        """The absolute path of the file or folder; empty if it is neither."""
        if self.origin in ("file", "folder"):
            return os.path.abspath(self.source)  # noqa: PTH100 - a path is text here
        return ""


async def find_target(text: str | None, settings: Settings, registry: "Registry") -> RunTarget:
    """Return the workflow that a text names; without one, the only workflow of the store.

    A file or folder that exists comes before a name in the store of the settings, and that before
    `module:workflow`. Raise CommandError with what there is, SeveralWorkflowsError if one has to be named,
    SpecError if files cannot be read.
    """
    if text is not None:
        path, name = _as_path(text)
        if path:
            return _of_path(path, name, settings)
        _check_missing(text)
    stored = await _read_store(settings, registry)
    source = settings.shown
    origin: Origin = "store"
    if _is_path(settings.store):
        source = _path_of(settings.store)
        origin = _origin_of(source)
    names = _names(stored, settings.namespace)
    if text is None or text in names:
        name = text or only_name(names, f"the {origin} {source}")
        return RunTarget(
            name=name,
            namespace=settings.namespace,
            origin=origin,
            source=source,
            text=name if origin == "store" else f"{_path_of(settings.store)}:{name}",
            resources=stored,
        )
    if ":" in text:
        return _of_module(text, settings)
    near = did_you_mean(text, names)
    known = f"it has: {', '.join(names)}" if names else "it has no workflow"
    raise CommandError(
        f'there is no file, and no workflow in the {origin} {source}, with the name "{text}" '
        f"({known}). {near}".rstrip(". ")
    )


async def read_all(
    text: str | None, settings: Settings, registry: "Registry"
) -> Sequence[Resource]:
    """Return all Specs and Values of a file or folder, or else of the store of the settings.

    Raise CommandError, and SpecError if files cannot be read.
    """
    if text is None:
        return await _read_store(settings, registry)
    return read_path(text, settings)


def read_path(path: str, settings: Settings) -> Sequence[Resource]:
    """Return the Specs and Values of a file or folder. Raise SpecError with every Problem."""
    from heddle.cli.documents import Documents

    reading: ReadText = Documents([path]).read(namespace=settings.namespace)
    if reading.problems:
        raise SpecError(reading.problems)
    reachable_specs([path])
    return (*reading.specs, *reading.values)


def workflows_of(resources: Sequence[Resource], namespace: str) -> dict[str, Spec]:
    """Return the workflows that can run, by name; those with open `params` are templates."""
    return {
        each.name: each
        for each in resources
        if isinstance(each, Spec)
        and each.kind == WORKFLOW
        and each.namespace == namespace
        and each.name is not None
        and "params" not in each.fields
    }


def _names(resources: Sequence[Resource], namespace: str) -> list[str]:
    return list(workflows_of(resources, namespace))


def only_name(names: Sequence[str], place: str) -> str:
    """Return the only name. Raise SeveralWorkflowsError, or CommandError if there is none."""
    if len(names) == 1:
        return names[0]
    if not names:
        raise CommandError(f"{place} holds no workflow (expected: a spec of the kind workflow)")
    raise SeveralWorkflowsError(f"{place} holds several workflows: name one of them", names)


# -- files -----------------------------------------------------------------------------------------


def _as_path(text: str) -> tuple[str, str]:
    """Return the path and the name that a text holds; two empty texts if there is no such file."""
    if Path(text).exists():
        return text, ""
    path, mark, name = text.rpartition(":")
    if mark and path and Path(path).exists():
        return path, name
    return "", ""


def _check_missing(text: str) -> None:
    """Raise CommandError if a text without a file can only be meant as one: no name has a slash."""
    path, mark, name = text.rpartition(":")
    place = path if mark and "/" not in name else text
    if "/" in place or place.endswith(SUFFIXES):
        check_path(place)


def _of_path(path: str, name: str, settings: Settings) -> RunTarget:
    resources = read_path(path, settings)
    origin = _origin_of(path)
    names = _names(resources, settings.namespace)
    place = f"the {origin} {path}"
    if name and name not in names:
        near = did_you_mean(name, names)
        known = f"it has: {', '.join(names)}" if names else "it has no workflow"
        raise CommandError(f'{place} has no workflow "{name}" ({known}). {near}'.rstrip(". "))
    chosen = name or only_name(names, place)
    return RunTarget(
        name=chosen,
        namespace=settings.namespace,
        origin=origin,
        source=path,
        text=f"{path}:{chosen}" if len(names) > 1 else path,
        resources=resources,
    )


# -- the store of the settings ---------------------------------------------------------------------


def _origin_of(path: str) -> Origin:
    return "folder" if Path(path).is_dir() else "file"


def _is_path(store: str) -> bool:
    return "://" not in store.removeprefix("file://")


def _path_of(store: str) -> str:
    return store.removeprefix("file://") or "."


async def _read_store(settings: Settings, registry: "Registry") -> Sequence[Resource]:
    """Return what the store of the settings holds. Raise CommandError if it cannot be used here."""
    from heddle.cli.stores import check_path, opened

    if settings.store.startswith(("http://", "https://")):
        raise CommandError(
            f"{settings.shown} is an API: run a workflow on a machine that reaches its store "
            "(expected: a folder, a file or the address of a store)"
        )
    if _is_path(settings.store):
        check_path(settings.store)
        return read_path(_path_of(settings.store), settings)
    async with opened(settings, registry) as store:
        specs = await store.specs(settings.namespace)
        return (*specs, *await store.values(settings.namespace))


# -- modules ---------------------------------------------------------------------------------------


def _of_module(text: str, settings: Settings) -> RunTarget:
    """Return the Workflow that stands in a module. Raise CommandError if there is none."""
    from heddle.extensions.tasks.authoring.loader import NoWorkflowError, load_workflow

    if os.getcwd() not in sys.path:  # noqa: PTH109 - a path for sys.path is text
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    try:
        specs = load_workflow(text).specs()
    except NoWorkflowError as error:
        raise CommandError(f"there is no file and no workflow {text}: {error}") from error
    spec = specs[0]
    return RunTarget(
        name=str(spec.name),
        namespace=spec.namespace,
        origin="module",
        source=text.partition(":")[0],
        text=text,
        resources=specs,
    )
