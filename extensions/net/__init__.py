"""Net: kinds that speak with the network."""

from heddle.extensions.extension import Extension

KINDS = {
    "auth": "authn.auth:AUTH",
    "cookies": "cookies.cookies:COOKIES",
    "cors": "cors:CORS",
    "files": "static.files:FILES",
    "http": "http_client.http:HTTP",
    "listener": "listener:LISTENER",
    "openapi": "openapi.openapi:OPENAPI",
    "proxy": "proxy.proxy:PROXY",
    "respond": "respond:RESPOND",
    "router": "router:ROUTER",
    "signature": "signatures.signature:SIGNATURE",
    "sse": "sse.sse:SSE",
    "validate": "validation.validate:VALIDATE",
    "websocket": "ws.websocket:WEBSOCKET",
    "websocket-client": "ws.websocket_client:WEBSOCKET_CLIENT",
}


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kinds(__name__, KINDS)
