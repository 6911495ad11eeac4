"""Manage: kinds that look at and change a store, and the runtimes beside it. The system namespace is made of them."""

from heddle.extensions.extension import Extension

KINDS = {
    "access": "access:ACCESS",
    "follow": "follow:FOLLOW",
    "manage": "manage:MANAGE",
}


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kinds(__name__, KINDS)
