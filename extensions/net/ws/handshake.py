"""The handshake: an HTTP request becomes a WebSocket, or is told why it does not."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from heddle.extensions.extension import Build, Payload
from heddle.extensions.net.http.request import HttpRequest
from heddle.extensions.net.http_client.pool import missing
from heddle.extensions.net.origins import Origins, same_host
from heddle.extensions.net.ws.connection import log
from heddle.extensions.response import HttpResponse
from heddle.schemas.ascii import lower, trim

if TYPE_CHECKING:
    from websockets.protocol import Protocol


class HandshakeError(Exception):
    """No WebSocket comes of it; `response` says so to whoever asked."""

    def __init__(self, status: int, text: str, header: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.response = HttpResponse(
            {
                "status": status,
                "header": {"Content-Type": "text/plain; charset=utf-8", **(header or {})},
                "body": text,
            }
        )


def accepted(
    payload: Payload,
    *,
    origins: Origins,
    protocols: Sequence[str],
    compress: bool,
    max_message: int | None,
) -> "Protocol":
    """Return the protocol of a new connection, its 101 ready to be sent; Rejected with a response."""
    from websockets.datastructures import Headers
    from websockets.exceptions import NegotiationError
    from websockets.http11 import Request as ClientRequest
    from websockets.protocol import State
    from websockets.server import ServerProtocol
    from websockets.typing import Subprotocol

    from heddle.extensions.net.ws.frames import watch

    header = _header(payload)
    check_origin(header, origins)
    check_version(header)

    def choose(_: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        if not protocols or not offered:
            return None
        for protocol in protocols:
            if protocol in offered:
                return Subprotocol(protocol)
        raise NegotiationError(f"none of the subprotocols is spoken here: {', '.join(protocols)}")

    judge = ServerProtocol(
        extensions=server_extensions() if compress else None,
        select_subprotocol=choose,
        logger=log,
    )
    response = judge.accept(ClientRequest("/", Headers(_headers(header))))
    if response.status_code != 101:
        text = (response.body or b"").decode().strip()
        extra = _WANTED if response.status_code == 426 else _VERSION
        raise HandshakeError(
            response.status_code, text, extra if response.status_code < 500 else None
        )
    # One that judges reads a request first; that has been read already.
    made = ServerProtocol(state=State.OPEN, max_size=max_message, logger=log)
    watch(made, masked=True)
    made.extensions = judge.extensions
    made.subprotocol = judge.subprotocol
    made.writes.append(response.serialize())
    return made


_REQUIRED: Final = (
    "Connection",
    "Upgrade",
    "Host",
    "Sec-Websocket-Key",
    "Sec-Websocket-Version",
    "Sec-Websocket-Protocol",
    "Sec-Websocket-Extensions",
)
"""The headers that ask for a WebSocket; what the others hold is not for the protocol to judge."""


_VERSION: Final = {"Sec-WebSocket-Version": "13"}
_WANTED: Final = {**_VERSION, "Upgrade": "websocket"}
"""The answer to a client that has to ask in another way: the protocol, and its version."""


def _headers(header: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the headers of a handshake; Rejected if one has characters that none of its words has."""
    known = {lower(str(name)): values for name, values in header.items()}
    entries: list[tuple[str, str]] = []
    for name in _REQUIRED:
        values = known.get(lower(name), [])
        for value in values if isinstance(values, list) else [values]:
            text = str(value)
            if not text.isascii():
                raise HandshakeError(400, f"the header {name} of a WebSocket holds more than ASCII")
            entries.append((name, text))
    return entries


def _header(payload: Payload) -> Mapping[str, Any]:
    """Return the headers of a request; raise TypeError if it is none."""
    if type(payload) is HttpRequest:
        method, header = payload.method_text, payload.head.fields
        if payload.head.version == 10:
            raise HandshakeError(505, "a WebSocket begins with HTTP/1.1")
    elif isinstance(payload, dict) and isinstance(payload.get("header"), dict):
        method, header = payload.get("method", "GET"), payload["header"]
    else:
        raise TypeError("a websocket wants a request, as a listener sends it")
    if method != "GET":
        raise HandshakeError(405, "a WebSocket begins with GET", {"Allow": "GET"})
    return header


def check_origin(header: Mapping[str, Any], origins: Origins) -> None:
    """Refuse pages of sites that are not let in: a browser sends our cookies along with them."""
    origin = header.get("Origin")
    if not origin:
        return
    origin = origin[0] if isinstance(origin, list) else origin
    host = header.get("Host") or [""]
    host = host[0] if isinstance(host, list) else host
    if not origins.allow(origin) and not same_host(origin, host):
        raise HandshakeError(403, f"pages of {origin} are not let in")


def check_version(header: Mapping[str, Any]) -> None:
    """Refuse a WebSocket of another version: the answer says which version is spoken."""
    given = [
        trim(str(value))
        for name, values in header.items()
        if lower(str(name)) == "sec-websocket-version"
        for value in (values if isinstance(values, list) else [values])
    ]
    if given and given != ["13"] and all(text.isascii() for text in given):
        raise HandshakeError(
            426, f"version {', '.join(given)} of WebSocket is not spoken here", _WANTED
        )


def server_extensions() -> Any:
    """permessage-deflate with windows that keep a thousand connections small."""
    from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

    return [
        ServerPerMessageDeflateFactory(
            server_max_window_bits=12,
            client_max_window_bits=12,
            compress_settings={"memLevel": 5},
        )
    ]


def need_websockets(build: Build) -> None:
    """Refuse a Spec if websockets is not installed."""
    if find_spec("websockets") is None:
        missing("websocket", "websockets", build)
