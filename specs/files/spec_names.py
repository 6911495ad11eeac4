"""Which files and folders below a folder are read as specs, by their names and by what they are."""

import os
import stat

SUFFIXES = (".yaml", ".yml", ".json")
"""The files of a folder that are read."""


def is_spec_file(name: str) -> bool:
    """Whether a file of this name is read: by its suffix, and not hidden or an editor's own."""
    return name.endswith(SUFFIXES) and not name.startswith((".", "#", "~"))


def is_spec_folder(name: str) -> bool:
    """Whether a folder of this name is looked into."""
    return not name.startswith(".") and name not in ("__pycache__", "node_modules")


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry of a folder is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:
        # A link that leads to itself.
        return False


def may_be_read(entry: os.DirEntry[str]) -> bool:
    """Whether an entry of a folder is a file, or a link that leads to one, or to what is not there.

    A pipe is none: whoever opens it waits for somebody who writes, maybe for ever.
    """
    if not entry.is_symlink():
        return entry.is_file()
    try:
        return stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return True
