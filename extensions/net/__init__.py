"""Net: kinds that speak with the network."""

from heddle.extensions.extension import Extension
from heddle.extensions.net.listener import LISTENER
from heddle.extensions.net.router import ROUTER


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kind(LISTENER)
    extension.kind(ROUTER)
