"""Time: kinds that begin processes when their time has come."""

from heddle.extensions.extension import Extension

KINDS = {
    "timer": "timer:TIMER",
}


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kinds(__name__, KINDS)
