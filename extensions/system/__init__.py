"""System: kinds that show people what goes on, and hear what the system has to say."""

from heddle.extensions.extension import Extension

KINDS = {
    "log": "log:LOG",
    "print": "printing:PRINT",
    "signal": "signals:SIGNAL",
}


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kinds(__name__, KINDS)
