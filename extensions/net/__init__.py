"""Net: kinds that speak with the network."""

from heddle.extensions.extension import Extension

KINDS = {
    "http": "client:HTTP",
    "listener": "listener:LISTENER",
    "router": "router:ROUTER",
    "websocket": "websocket:WEBSOCKET",
    "websocket-client": "websocket_client:WEBSOCKET_CLIENT",
}


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kinds(__name__, KINDS)
