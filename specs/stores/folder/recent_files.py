"""RecentFiles remembers which files changed a moment ago: somebody may be in the midst of saving them."""

# Paths are text here, as the folder store has them.

import os
import time
from collections.abc import Iterable

from heddle.specs.files.notices import EVERYTHING, REMOVED

MOMENT = 2.5
"""Seconds for which a file that changed is looked at again, as it may be in the midst of changing."""


class RecentFiles:
    """The names of the files below a folder that changed a moment ago."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._times: dict[str, float] = {}

    def note(self, paths: Iterable[str]) -> None:
        """Note that these paths have changed."""
        now = time.monotonic()
        self._times = {name: at for name, at in self._times.items() if now - at < MOMENT}
        for path in paths:
            self._times[self.name(path)] = now

    def names(self) -> list[str] | None:
        """Return the names, as of the last note; None if any file may have changed."""
        return None if EVERYTHING in self._times else list(self._times)

    def name(self, path: str) -> str:
        """Return the name of a file below the folder; EVERYTHING for what stands for all of them."""
        if path in (EVERYTHING, REMOVED):
            return EVERYTHING
        return os.path.relpath(path, self._root).replace(os.sep, "/")
