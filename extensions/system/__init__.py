"""System: kinds that show people what goes on, and hear what the system has to say."""

from heddle.extensions.extension import Extension

KINDS = {
    "log": "log:LOG",
    "print": "print_:PRINT",
    "signal": "signal_:SIGNAL",
}


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kinds(__name__, KINDS)
