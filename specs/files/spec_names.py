"""The names by which files and folders below a folder are read as specs."""

import os
import stat

from heddle.specs.model.limits import limits

SUFFIXES = (".yaml", ".yml", ".json")
"""The files of a folder that are read."""


GOLDEN = "golden"
"""The name of the folders of golden files: what tests expect is JSON, and no specs."""


def is_spec_file(name: str) -> bool:
    """Return whether a file of this name is read: by its suffix, and not hidden or an editor's own."""
    return name.endswith(SUFFIXES) and not name.startswith((".", "#", "~"))


def is_spec_folder(name: str) -> bool:
    """Return whether a folder of this name is looked into."""
    return not name.startswith(".") and name not in ("__pycache__", "node_modules", GOLDEN)


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry of a folder is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:
        # A link that leads to itself.
        return False


def may_be_read(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry of a folder is a file, or a link that leads to one, or to what is not there.

    A pipe is none: whoever opens it waits for somebody who writes, maybe for ever.
    """
    if not entry.is_symlink():
        return entry.is_file()
    try:
        return stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return True


def is_below(path: str, root: str) -> bool:
    """Return True if a real path is in a real folder, or is that folder."""
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def leads_out(entry: os.DirEntry[str], real: str) -> bool:
    """Return True if an entry is a link that leads out of this real folder and is not followed."""
    if limits().follow_links or not entry.is_symlink():
        return False
    return not is_below(os.path.realpath(entry.path), real)
