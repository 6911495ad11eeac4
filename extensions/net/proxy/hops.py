"""Hops: TRACE and OPTIONS go past so many servers only, and the last one answers (RFC 9110, 7.6.2)."""

from typing import Any, Final

from heddle.extensions.extension import Payload
from heddle.extensions.net.answers import header_of, method_of
from heddle.extensions.net.http.request import HttpRequest
from heddle.extensions.net.http_client.request import OutgoingRequest
from heddle.extensions.response import HttpResponse
from heddle.schemas.ascii import is_number, lower

_COUNTED: Final = ("OPTIONS", "TRACE")
_MOST: Final = 999_999_999
"""The largest number of hops that is told apart."""

_SECRET: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
_ALLOW: Final = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE"


def last_hop(payload: Payload) -> dict[str, Any] | None:
    """Return the answer to a request that goes no further than here; None for any other."""
    method = method_of(payload)
    if method not in _COUNTED or _hops(header_of(payload, "Max-Forwards")) != 0:
        return None
    if method == "OPTIONS":
        return HttpResponse({"status": 204, "header": {"Allow": _ALLOW}})
    if type(payload) is not HttpRequest:
        return HttpResponse({"status": 405, "header": {"Allow": _ALLOW.removesuffix(", TRACE")}})
    return HttpResponse(
        {"status": 200, "header": {"Content-Type": "message/http"}, "body": _reflected(payload)}
    )


def counted(outgoing: OutgoingRequest) -> None:
    """Take one off the number of hops that a request has left."""
    if outgoing.method not in _COUNTED:
        return
    for number, (name, value) in enumerate(outgoing.headers):
        hops = _hops(value) if lower(name) == "max-forwards" else None
        if hops is not None:
            outgoing.headers[number] = (name, str(max(hops - 1, 0)))


def _hops(text: str) -> int | None:
    """Return the number that Max-Forwards gives; None if it gives none."""
    if not is_number(text):
        return None
    digits = text.lstrip("0")
    return int(digits or "0") if len(digits) <= len(str(_MOST)) else _MOST


def _reflected(request: HttpRequest) -> bytes:
    """Return a request as it came, without what is secret in it."""
    line = request.line
    target = f"{line.raw_path}?{line.query}" if line.marked else line.raw_path
    version = b"1.1" if line.version == 11 else b"1.0"
    lines = [f"{line.method} {target} HTTP/".encode() + version]
    lines += [
        data
        for data in request.head.block.split(b"\r\n")
        if data and lower(data.partition(b":")[0].decode()) not in _SECRET
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"
