"""The files of a folder that hold Specs, and the Problems of those that cannot be read."""

import os
from pathlib import Path as FilePath

from heddle.schemas.problem import (
    Place,
    Problem,
)
from heddle.specs.files.spare import is_passing
from heddle.specs.files.spec_names import (
    SUFFIXES,
    is_folder,
    is_spec_file,
    is_spec_folder,
    leads_out,
    may_be_read,
)
from heddle.specs.model.limits import limits


def unreadable(file: str, error: OSError) -> Problem:
    """Return the Problem of a file that cannot be opened."""
    reason = (error.strerror or str(error)).lower()
    return Problem(code="unreadable", found=f"cannot be read: {reason}", place=Place(file))


def too_large(file: str, size: int, most: int) -> Problem:
    """Return the Problem of a text that is larger than a text may be."""
    text = "[limits] file" if most == limits().file else "[limits] change_set"
    return Problem(
        code="too-large",
        found=f"{size:,} bytes",
        expected=f"at most {most:,}",
        hint=f"Split it into several; the setting is {text}",
        place=Place(file),
    )


class TooManyError(Exception):
    """A folder holds more spec files than are read; `problem` says so."""

    def __init__(self, root: str, most: int) -> None:
        self.problem = Problem(
            code="too-many-files",
            found=f"more than {most:,} spec files in one folder",
            expected=f"at most {most:,}",
            hint="Is it the right folder? The setting is [limits] files",
            place=Place(root),
        )
        super().__init__(str(self.problem))


def link_outside(path: str) -> Problem:
    """Return the Problem of a link that leads out of the folder of the specs."""
    return Problem(
        code="outside-link",
        found="a link that leads out of the folder, and is not followed",
        expected="a link to somewhere in the folder",
        hint="To follow it, set [limits] follow_links = true",
        place=Place(path),
    )


def files_below(root: str, outside: list[str] | None = None) -> list[str]:
    """Return the spec files below a folder, relative to it, sorted; links are followed, circles are not.

    Links that lead out of the folder are noted in `outside`, and followed only if the limits say so.
    OSError when the folder itself cannot be listed, or one below it for a reason that may pass,
    TooManyError when it holds too many of them; others that cannot be listed are left out.
    """
    texts: list[str] = []
    seen: set[tuple[int, int]] = set()
    most = limits().files
    real = os.path.realpath(root)

    def leaves(entry: os.DirEntry[str], prefix: str) -> bool:
        if not leads_out(entry, real):
            return False
        if outside is not None:
            outside.append(prefix + entry.name)
        return True

    def look(folder: str, prefix: str) -> None:
        status = FilePath(folder).stat()
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        # Listed at once: a descriptor for each folder on the way down would be many.
        with os.scandir(folder) as entries:
            listed = list(entries)
        for entry in listed:
            if entry.name.endswith(SUFFIXES):
                if not is_spec_file(entry.name) or leaves(entry, prefix):
                    continue
                if may_be_read(entry):
                    texts.append(prefix + entry.name)
                    if len(texts) > most:
                        raise TooManyError(root, most)
            elif is_spec_folder(entry.name) and is_folder(entry):
                if leaves(entry, prefix):
                    continue
                try:
                    look(entry.path, f"{prefix}{entry.name}/")
                except OSError as error:
                    if is_passing(error):
                        raise

    look(root, "")
    texts.sort()
    return texts
