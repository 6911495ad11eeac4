"""An address becomes a RunStore: `memory://`, a SQLite file, or a folder, which has one in it."""

import os
from pathlib import Path
from typing import Any, Final

from heddle.extensions.tasks.run_stores.contract import RunStoreError
from heddle.extensions.tasks.run_stores.sqlite import SqliteRunStore
from heddle.schemas.errors import StoreError
from heddle.schemas.suggestion import did_you_mean
from heddle.specs.stores.folder.state_folder import StateFolder, state_of

FILE: Final = "runs.sqlite"
"""The name of the RunStore in a folder, such as the state folder."""

_SCHEMES = ("memory", "sqlite", "file")


def make_run_store(
    url: str, *, lease: float = 30.0, sync: str = "normal", read_only: bool = False
) -> SqliteRunStore:
    """Return the RunStore at this address, not open yet. Raise RunStoreError for an unknown address.

    `memory://`, the path of a SQLite file (also as `sqlite:PATH` or `file://PATH`), or a folder, in which
    the file is `runs.sqlite`. With `read_only` no byte of it changes.
    """
    return SqliteRunStore(path_of(url), lease=lease, sync=sync, read_only=read_only)


def path_of(url: str) -> str:
    """Return the path of the SQLite file behind an address; empty for `memory://`. Raise RunStoreError."""
    scheme, mark, rest = url.partition("://")
    if not mark and url.startswith("sqlite:"):
        scheme, rest = "sqlite", url.removeprefix("sqlite:")
    elif not mark:
        scheme, rest = "file", url
    scheme = scheme.lower()
    if scheme == "memory":
        return ""
    if scheme not in _SCHEMES:
        near = did_you_mean(scheme, _SCHEMES)
        raise RunStoreError(
            f'no RunStore knows the address scheme "{scheme}" (expected: memory://, or the path of a '
            f"SQLite file or of a folder). {near}".rstrip(". ")
        )
    path = os.path.expanduser(rest)  # noqa: PTH111 - a path is text here
    if not path:
        raise RunStoreError("the address of the RunStore has no path (expected: runs.sqlite)")
    if path.endswith(("/", os.sep)) or Path(path).is_dir():
        return str(Path(path) / FILE)
    return path


async def open_run_store(
    url: str, *, lease: float = 30.0, sync: str = "normal", read_only: bool = False
) -> SqliteRunStore:
    """Return the RunStore at this address, open; whoever opens it closes it. Raise RunStoreError."""
    store = make_run_store(url, lease=lease, sync=sync, read_only=read_only)
    await store.open()
    return store


def default_address(store: Any, setting: str = "") -> str:
    """Return the address of the RunStore that is the default beside a Store of Specs.

    `setting` is `[runs] store` of heddle.toml, which comes first. Then it is `runs.sqlite` in the state
    folder of the Store, which this makes; `memory://` if the Store is in memory. Raise RunStoreError with
    the setting to change if the state folder cannot be written.
    """
    if setting:
        return setting
    state = getattr(store, "state", None)
    if isinstance(state, StateFolder) and state.path:
        return _within(state)
    url = str(getattr(store, "url", "") or "memory://")
    if url.startswith("memory://"):
        return "memory://"
    return _within(state_of(url))


def default_beside(path: str | os.PathLike[str], *, folder: str = "", setting: str = "") -> str:
    """Return the address of the default RunStore of a file or folder with Specs, which need not be a Store.

    `folder` is `[state] folder` and `setting` is `[runs] store` of heddle.toml.
    """
    if setting:
        return setting
    place = Path(path)
    return _within(state_of(str(place), single=not place.is_dir(), folder=folder))


def _within(state: StateFolder) -> str:
    try:
        usable = state.prepare()
    except (OSError, StoreError) as error:
        raise RunStoreError(f"the state folder {state.path} cannot be used: {error}") from error
    if not usable:
        raise RunStoreError(
            f"the state folder cannot be written: {state.reason or state.path}. Name another one with "
            "[state] folder in heddle.toml, or a RunStore with [runs] store or --runs"
        )
    return state.file(FILE)
