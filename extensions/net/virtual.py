"""A virtual request goes through a listener's flow without a socket, and comes back as a response."""

from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from heddle.extensions.extension import Error, NodeError
from heddle.extensions.net.http import media
from heddle.extensions.net.http.bodies import decode, encode
from heddle.extensions.net.http.errors import AnswerError, RequestError
from heddle.extensions.net.http.head import Head, RequestLine, canonical, parse_head, parse_line
from heddle.extensions.net.http.limits import HttpLimits
from heddle.extensions.net.http.request import HttpRequest, Peer, make_request
from heddle.extensions.net.http.response import (
    Response,
    StreamedBody,
    fault_of,
    plain_response,
    respond,
    respond_fault,
)
from heddle.extensions.net.http.sending import close_source
from heddle.runtime.flow.errors import Answer
from heddle.runtime.flow.stream import ByteStream
from heddle.schemas.ascii import trim, upper
from heddle.schemas.suggestion import did_you_mean

FIELDS: Final = ("method", "path", "query", "header", "body", "host")
"""The keys of a virtual request."""

BODY_BYTES: Final = 16 * 1024 * 1024
"""Bytes that the streamed body of a virtual response may have: some streams never end."""

_PEER: Final = ("127.0.0.1", 0)
_SAFE: Final = "/%:@!$&'()*+,;=-._~?"


class VirtualRequest:
    """A request that is written as a map, in the bytes in which a client would send it.

    `query` and `header` map names to a value or a list of them. A `body` is bytes or text, which are sent
    as they stand, or data that is sent as its Content-Type says, or as JSON. NodeError if a key is not one of FIELDS, or has a value
    that cannot be sent.
    """

    def __init__(self, request: Mapping[str, Any]) -> None:
        for key in request:
            if key not in FIELDS:
                hint = did_you_mean(str(key), FIELDS)
                raise _wrong(f'a request has no "{key}" (expected: {", ".join(FIELDS)}). {hint}')
        path = request.get("path", "/")
        if not isinstance(path, str) or not path.startswith("/"):
            raise _wrong(f"path: {path!r} (expected: text that begins with /)")
        query = _pairs(request.get("query"), "query")
        mark = "&" if "?" in path else "?"
        self.target = quote(path, safe=_SAFE) + (mark + urlencode(query) if query else "")
        self.method = upper(str(request.get("method", "GET")))
        header = [
            (canonical(name), value) for name, value in _pairs(request.get("header"), "header")
        ]
        names = {name for name, _ in header}
        body = request.get("body")
        self.body = b""
        if body is not None:
            kind = next((value for name, value in header if name == "Content-Type"), "")
            try:
                self.body, kind = _sent(body, kind)
            except AnswerError as error:
                raise _wrong(f"body: {error}") from None
            if "Content-Type" not in names and not isinstance(body, bytes):
                header.append(("Content-Type", kind))
            header.append(("Content-Length", str(len(self.body))))
        if "Host" not in names:
            header.insert(0, ("Host", str(request.get("host", "localhost"))))
        self.header = header

    def parsed(self, limits: HttpLimits) -> tuple[RequestLine, Head]:
        """Return its head as a listener reads it; RequestError if the listener would reject it."""
        line = parse_line(f"{self.method} {self.target} HTTP/1.1".encode("latin-1"), limits)
        block = "\r\n".join(f"{name}: {value}" for name, value in self.header)
        head = parse_head(block.encode(), 11, limits)
        if limits.body_bytes is not None and len(self.body) > limits.body_bytes:
            raise RequestError(f"the body is larger than {limits.body_bytes} bytes", 413)
        return line, head


def _sent(body: Any, content_type: str) -> tuple[bytes, str]:
    """Return the bytes of a body, and their Content-Type."""
    if isinstance(body, str):
        return body.encode(), content_type or media.TEXT
    return encode(body, content_type)


async def answer_virtual(
    written: Mapping[str, Any],
    limits: HttpLimits,
    send: Callable[[HttpRequest], Awaitable[Answer]],
    *,
    stream: bool = False,
    cors: Callable[[bytes, Head], bytes] | None = None,
) -> dict[str, Any]:
    """Send a virtual request into a flow; return the response: status, header (lists of values) and body.

    NodeError if the request cannot be written. May wait for the flow and for a streamed body.
    """
    virtual = VirtualRequest(written)
    head = Head({"Host": ["localhost"]}, 11)
    try:
        line, head = virtual.parsed(limits)
        body: bytes | ByteStream | None = virtual.body or None
        if stream and body is not None:
            body = ByteStream(_once(virtual.body))
        peer = Peer("http", _PEER, limits)
        answer = await send(make_request(line, head, body, peer, limits.body_bytes))
        response = _response(answer, head, limits)
    except RequestError as rejection:
        response = respond_fault(rejection)
    status, lines, content, _ = response
    if cors is not None:
        lines = cors(lines, head)
    header = _header(lines)
    if isinstance(content, StreamedBody):
        content = await _joined(content)
    if not isinstance(content, bytes):
        return {"status": status, "header": header, "body": None}
    if virtual.method == "HEAD":
        content = b""
    return {"status": status, "header": header, "body": _decoded(content, header)}


async def _joined(body: StreamedBody) -> bytes:
    """Return a streamed body as a whole; NodeError past BODY_BYTES. What feeds it is closed."""
    joined = bytearray()
    try:
        async for chunk in body.chunks:
            joined += chunk
            if len(joined) > BODY_BYTES:
                text = f"the body of the response has more than {BODY_BYTES} bytes: does its stream end?"
                raise NodeError(Error(text, code="too-large"))
    finally:
        await close_source(body.chunks)
    return bytes(joined)


def _response(answer: Answer, head: Head, limits: HttpLimits) -> Response:
    try:
        return respond(answer, head, limits.answer)
    except Exception as error:
        fault = fault_of(error)
        return plain_response(500) if fault is None else respond_fault(fault)


def _decoded(body: bytes, header: Mapping[str, list[str]]) -> Any:
    """Return data for JSON, text for text, and bytes for the rest; None without a body."""
    if not body:
        return None
    kind = header.get("Content-Type", [""])[0]
    if media.is_json(media.media_type(kind)) or media.media_type(kind).startswith("text/"):
        try:
            return decode(body, kind)
        except RequestError:
            return body
    return body


def _header(lines: bytes) -> dict[str, list[str]]:
    header: dict[str, list[str]] = {}
    for line in lines.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name:
            header.setdefault(canonical(name), []).append(trim(value))
    return header


def _pairs(written: Any, field: str) -> list[tuple[str, str]]:
    if written is None:
        return []
    if not isinstance(written, Mapping):
        raise _wrong(f"{field}: {written!r} (expected: a map of names to values)")
    pairs: list[tuple[str, str]] = []
    for name, values in written.items():
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, bool):
                pairs.append((str(name), "true" if value else "false"))
            elif isinstance(value, str | int | float):
                pairs.append((str(name), str(value)))
            else:
                raise _wrong(f"{field}.{name}: {value!r} (expected: text or a number)")
    return pairs


def _wrong(message: str) -> NodeError:
    return NodeError(Error(f"send: {message.rstrip(' .')}", code="request"))


async def _once(data: bytes) -> AsyncIterable[bytes]:
    yield data
