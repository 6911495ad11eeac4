"""Time: kinds that begin processes when their time has come."""

from heddle.extensions.extension import Extension
from heddle.extensions.time.timer import TIMER


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kind(TIMER)
