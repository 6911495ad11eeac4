"""The extensions that a command works with: those that are installed, and those of the settings."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heddle.cli.settings import Settings
    from heddle.runtime.assembly.extension import Registry


def installed(settings: "Settings | None" = None) -> "Registry":
    """Return everything that extensions add, with the keys and tokens of the settings.

    ExtensionError names an extension that cannot be loaded.

    Without settings, those of `heddle.toml` and the environment count.
    """
    from heddle.cli.keys import keyring
    from heddle.cli.settings import load_settings
    from heddle.runtime.assembly.extension import registry

    if settings is None:
        settings = load_settings()
    reachable(settings.extensions, settings.folder)
    reachable_folder(settings.folder)
    reachable_folder(".")
    if "://" not in settings.store:
        reachable_folder(settings.store)
    known = registry(settings.extensions, language=settings.language)
    known.keys = keyring(settings)
    known.stores.token_file = settings.token_file
    known.stores.state_folder = settings.state_folder
    known.stores.run_store = settings.run_store
    return known


def reachable(extensions: Sequence[str], folder: str) -> None:
    """Let modules that stand beside `heddle.toml` be extensions."""
    home = os.path.abspath(folder)  # noqa: PTH100 - a path for sys.path is text
    if extensions and home not in sys.path:
        # Last, so that a file there never stands before an installed module.
        sys.path.append(home)


def reachable_folder(path: str) -> None:
    """Let the functions of tasks stand in modules beside the specs: in this folder, or that of this file."""
    home = os.path.abspath(path)  # noqa: PTH100 - a path for sys.path is text
    if not os.path.isdir(home):  # noqa: PTH112
        home = os.path.dirname(home)  # noqa: PTH120
    if home not in sys.path:
        sys.path.append(home)


def reachable_specs(paths: Iterable[str]) -> None:
    """Do that for files and folders of specs, and for each folder below with spec files and modules.

    `-` and the addresses of other stores are left out.
    """
    for path in paths:
        if path != "-" and "://" not in (plain := path.removeprefix("file://")):
            reachable_folder(plain)
            _reachable_below(plain)


def _reachable_below(path: str) -> None:
    if not os.path.isdir(path):  # noqa: PTH112 - a path for sys.path is text
        return
    from heddle.specs.yaml.spec_tree import TooManyError, files_below

    try:
        names = files_below(path)
    except (OSError, TooManyError):
        # Reading the specs reports it.
        return
    for below in dict.fromkeys(name.rpartition("/")[0] for name in names):
        folder = os.path.join(path, below)  # noqa: PTH118
        if below and any(name.endswith(".py") for name in os.listdir(folder)):  # noqa: PTH208
            reachable_folder(folder)
