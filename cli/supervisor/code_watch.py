"""The Python files that a namespace may be running, and news of each that is saved."""

import importlib.util
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Final

from watchfiles import PythonFilter, awatch

from heddle.cli.settings import Settings

_INSTALLED: Final = ("site-packages", "dist-packages")

QUIET: Final = 50
"""Milliseconds without another save, after which the saves so far are one change."""


class SourceFilter(PythonFilter):
    """Lets Python files through, but not those of environments that lie in a project."""

    ignore_dirs = (*PythonFilter.ignore_dirs, *_INSTALLED, "venv", ".heddle")


def code_folders(settings: Settings) -> list[str]:
    """Return the folders that modules of these settings come from, without those that are installed."""
    folders = [Path(settings.folder), Path()]
    if "://" not in settings.store:
        store = Path(settings.store)
        folders.append(store if store.is_dir() else store.parent)
    for name in settings.extensions:
        folders += _home(name)
    return _outermost(folder.resolve() for folder in folders)


def _home(name: str) -> list[Path]:
    """Return the folder of a module; nothing if it is installed, or cannot be found."""
    try:
        spec = importlib.util.find_spec(name.partition(".")[0].partition(":")[0])
    except (ImportError, ValueError):
        return []
    if spec is None or not spec.origin or any(part in spec.origin for part in _INSTALLED):
        return []
    return [Path(spec.origin).parent]


def _outermost(folders: Iterable[Path]) -> list[str]:
    """Return the folders that lie in no other one of them."""
    every = sorted({folder for folder in folders if folder.is_dir()})
    return [
        str(folder)
        for folder in every
        if not any(folder != other and folder.is_relative_to(other) for other in every)
    ]


async def saved_files(folders: Sequence[str]) -> AsyncIterator[list[str]]:
    """Yield the Python files that were saved together, as often as that happens."""
    async for changes in awatch(*folders, watch_filter=SourceFilter(), step=QUIET):
        yield sorted({path for _, path in changes})
