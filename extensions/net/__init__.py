"""Net: kinds that speak with the network."""

from heddle.extensions.extension import Extension

KINDS = {
    "auth": "auth:AUTH",
    "cookies": "cookies:COOKIES",
    "cors": "cors:CORS",
    "files": "files:FILES",
    "http": "client:HTTP",
    "listener": "listener:LISTENER",
    "proxy": "proxy:PROXY",
    "router": "router:ROUTER",
    "sse": "sse:SSE",
    "websocket": "websocket:WEBSOCKET",
    "websocket-client": "websocket_client:WEBSOCKET_CLIENT",
}


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kinds(__name__, KINDS)
