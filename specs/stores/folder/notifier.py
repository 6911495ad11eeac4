"""A Notifier tells which paths of a folder, or which single file, may have changed.

On Linux it asks inotify, which says when a writer has closed its file: half-written files are not
looked at, and a finished save is told within a few milliseconds. Elsewhere, and on network folders,
it compares what is there with what was there.
"""

import os
import sys
from typing import Protocol

from heddle.specs.files.debounce import PathDebounce


class Notifier(Protocol):
    """Tells a Settling what may have changed, from `open` to `close`.

    It follows what every part of the path leads to: a link that is swapped, a folder that is moved
    away and comes back, as itself or as another.
    """

    def open(self) -> None:
        """Start; from its return on nothing is missed. OSError when that cannot be."""
        ...

    def poll(self) -> bool:
        """Tell what has changed up to now, at once; False if that cannot be known without a look."""
        ...

    def close(self) -> None:
        """Stop; nothing is told any more."""
        ...


def notifier(root: str, settling: PathDebounce, *, polling: bool | None = None) -> Notifier:
    """Return the best Notifier that this machine has for a folder or a file.

    `polling` (default: the environment variable WATCHFILES_FORCE_POLLING) asks the file system
    again and again: for network folders, which tell nobody when they change.
    """
    if polling is None:
        polling = is_polling()
    if sys.platform == "linux" and not polling:
        from heddle.specs.files.inotify import InotifyNotifier

        return InotifyNotifier(root, settling)
    from heddle.specs.files.tree_scan import TreeNotifier

    return TreeNotifier(root, settling, polling=polling)


def is_polling() -> bool:
    """Return whether file systems are asked again and again, as they tell nobody of changes."""
    return os.environ.get("WATCHFILES_FORCE_POLLING", "").lower() in ("1", "true", "yes")
