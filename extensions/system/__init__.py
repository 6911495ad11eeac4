"""System: kinds that show people what goes on, and hear what the system has to say."""

from heddle.extensions.extension import Extension
from heddle.extensions.system.log import LOG
from heddle.extensions.system.printing import PRINT
from heddle.extensions.system.signals import SIGNAL


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    for kind in (LOG, PRINT, SIGNAL):
        extension.kind(kind)
