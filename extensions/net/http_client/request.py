"""An Ask is one request to somebody else: made of a packet, and sent as often as it must be."""

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from typing import Any, Final

from heddle.extensions.extension import NOTHING, ByteStream, Payload
from heddle.extensions.net.http.bodies import encode
from heddle.extensions.net.http.compression import OFFERS, pack, packer
from heddle.extensions.net.http.errors import AnswerError, RequestError
from heddle.extensions.net.http.head import canonical
from heddle.extensions.net.http.media import BYTES
from heddle.extensions.net.http.request import FIELDS, HttpRequest
from heddle.extensions.net.http.response import as_bytes
from heddle.extensions.net.http_client.hop_headers import HOP, hop_by_hop, is_claim, is_unsafe
from heddle.extensions.net.http_client.target import Base, rejected, target
from heddle.schemas.ascii import trim, upper

REQUEST: Final = frozenset([*FIELDS, "url", "status", "params", "auth", "cookies"])
"""The keys that a map may have to be read as a request."""

_OURS: Final = HOP | {"Host", "Content-Length", "Accept-Encoding"}
_SECRETS: Final = frozenset({"Authorization", "Cookie"})
_ANYWHERE: Final = frozenset(
    [
        "Accept",
        "Accept-Charset",
        "Accept-Encoding",
        "Accept-Language",
        "Cache-Control",
        "Content-Encoding",
        "Content-Language",
        "Content-Length",
        "Content-Type",
        "Pragma",
        "User-Agent",
    ]
)
"""Headers that may follow a redirect to another origin: they hold nothing that is for one host only."""

_SAYS: Final = ("method", "url", "path", "query", "header", "body")
_METHOD: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-")

Headers = list[tuple[str, str]]


class OutgoingRequest:
    """Method, URL, headers and body. `again` says that the body can be sent a second time."""

    __slots__ = ("again", "body", "headers", "method", "target", "url")

    def __init__(
        self, method: str, url: str, headers: Headers, body: bytes | AsyncIterable[bytes] | None
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.again = body is None or isinstance(body, bytes)
        self.target = ""
        """The target that is asked of the host, if it is not the rest of the URL."""

    def moved(self, url: str, status: int, *, same_origin: bool) -> "OutgoingRequest | None":
        """Return what is asked after a redirect; None if the body would have to be sent twice."""
        method, headers, body = self.method, self.headers, self.body
        if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
            method, body = "GET", None
            headers = [header for header in headers if not header[0].startswith("Content-")]
        elif not self.again:
            return None
        if not same_origin:
            # What was meant for one host is not for the next.
            headers = [header for header in headers if header[0] in _ANYWHERE]
        return OutgoingRequest(method, url, headers, body)


def outgoing_request(
    payload: Payload,
    base: Base | None,
    *,
    method: str = "",
    fixed: Headers | None = None,
    query: str = "",
    coding: str = "",
) -> OutgoingRequest:
    """Return the request that a packet stands for; raise NodeError if it stands for none.

    A map whose keys are those of a request, one of `method url path query header body` among them,
    says the request itself. Anything else is a body. `fixed` headers win over the packet's.
    """
    fields = payload if is_request(payload) else {"body": payload}
    url = target(base, fields)
    if query:
        url += ("&" if "?" in url else "?") + query
    headers = given_headers(fields)
    names = {name for name, _ in fixed or ()}
    headers = [header for header in headers if header[0] not in names] + list(fixed or ())
    body = written_body(fields, headers, coding)
    method_name = fields.get("method") or method or ("GET" if body is None else "POST")
    if not isinstance(method_name, str) or not set(method_name) <= _METHOD:
        raise rejected(f"method is {method_name!r}", "a word such as GET")
    return OutgoingRequest(upper(method_name), url, headers, body)


def is_request(payload: Payload) -> bool:
    """Return whether a packet is a map that says a request, rather than being the body."""
    if not isinstance(payload, dict):
        return False
    if type(payload) is HttpRequest:
        return True
    return any(name in payload for name in _SAYS) and payload.keys() <= REQUEST


def given_headers(data: Mapping[str, Any]) -> Headers:
    """Return the headers that a packet gives, without those that are for the connection.

    A request as a listener made it goes on without its Cookie and Authorization: nobody has said
    that somebody else may have them. What its client says in the place of a proxy stays here as well.
    """
    header = data.get("header")
    if header is None:
        return []
    if not isinstance(header, dict):
        raise rejected(f"header is {type(header).__name__}", "a map of names to values")
    request = type(data) is HttpRequest
    left_out = _OURS
    if isinstance(data, HttpRequest):
        left_out = _OURS | _SECRETS | hop_by_hop(data.head.fields)
    return [
        (name, value)
        for name, value in dict_headers(header)
        if name not in left_out and not (request and (is_claim(name) or is_unsafe(name)))
    ]


def dict_headers(header: Mapping[Any, Any]) -> Headers:
    """Return the headers of a map of names to texts, or to lists of them; raise NodeError if it is none."""
    entries: Headers = []
    for given, values in header.items():
        name = header_name(given)
        for value in values if isinstance(values, list) else [values]:
            entries.append((name, header_text(name, value)))
    return entries


def header_name(given: Any) -> str:
    """Return a name as it is written: `content-type` is `Content-Type`; raise NodeError if it is none."""
    try:
        return canonical(given) if isinstance(given, str) else canonical("")
    except RequestError:
        raise rejected(f"header: {given!r} is not a name", "letters, digits and hyphens") from None


def header_text(name: str, value: Any) -> str:
    """Return the text of a header's value; raise NodeError if it is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise rejected(f"header.{name} is {type(value).__name__}", "text, or a list of it")
    text = str(value)
    if any((text < " " and text != "\t") or text == "\x7f" for text in text):
        raise rejected(f"header.{name} holds a line end or a control character", "one line of text")
    return trim(text)


def written_body(
    given: Mapping[str, Any], headers: Headers, coding: str
) -> bytes | AsyncIterable[bytes] | None:
    """Return the body as bytes or as a stream; its Content-Type and Content-Encoding join the headers."""
    value = given.get("body")
    kinds = [text for name, text in headers if name == "Content-Type"]
    if type(given) is HttpRequest:
        # A listener has unpacked what came packed.
        headers[:] = [header for header in headers if header[0] != "Content-Encoding"]
    if value is None or value is NOTHING:
        return None
    packed = any(name == "Content-Encoding" for name, _ in headers)
    if coding and not packed:
        headers.append(("Content-Encoding", coding))
    else:
        coding = ""
    if isinstance(value, AsyncIterable):
        value = as_bytes(value, kinds[-1] if kinds else "")
        if not kinds:
            headers.append(("Content-Type", getattr(value, "media", "") or BYTES))
        if coding:
            return _packed(value, coding)
        size = value.size if isinstance(value, ByteStream) else None
        if size is not None:
            headers.append(("Content-Length", str(size)))
        return value
    try:
        data, kind = encode(value, kinds[-1] if kinds else "")
    except AnswerError as error:
        raise rejected(str(error), "a body that its Content-Type can hold") from None
    if not kinds or kinds[-1] != kind:
        headers[:] = [header for header in headers if header[0] != "Content-Type"]
        headers.append(("Content-Type", kind))
    return pack(data, coding) if coding else data


async def _packed(chunks: AsyncIterable[bytes], coding: str) -> AsyncIterator[bytes]:
    """Yield a stream, packed on its way."""
    work = packer(coding)
    async for chunk in chunks:
        data = work.pack(chunk)
        if data:
            yield data
    yield work.finish()


ACCEPTED: Final = ", ".join(OFFERS)
"""The codings that we can unpack, as Accept-Encoding says it."""
