"""The head of a request, parsed strictly: what is not surely right is rejected.

A proxy in front of us may read a doubtful head in another way than we do, and then one request
hides inside another. So nothing is repaired here: line ends are CRLF, names are tokens, lengths
are digits, and a body is framed in exactly one way.

Keep-alive clients send the same lines over and over, so both parsers are pure: a server looks a
request line up before it parses it, and a connection compares a header block with the one before.
"""

import re
from typing import Final

from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.latin import LatinHeader, kept_latin, latin_of, text_of_bytes
from heddle.extensions.net.http.limits import HttpLimits
from heddle.extensions.net.http.path import text_of
from heddle.schemas.ascii import capital, is_number, lower, trim

TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The bytes that a method or a header name is made of."""

HEADER_TEXT: Final = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
"""The bytes that a header value is made of."""

_LINE: Final = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP/([0-9])\.([0-9])"
)
_HOST: Final = re.compile(
    r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9\-._~!$&'()*+,;=%]{1,255})(?::[0-9]{0,5})?"
)

_KEPT_NAMES: Final = 512
_KEPT_LINES: Final = 1024
_KEPT_LINE: Final = 256


def words(text: str) -> frozenset[str]:
    """Return the words of a text, as a set."""
    return frozenset(text.split())


class RequestLine:
    """A request line: method, target and version (10 or 11), with the target taken apart.

    `path` is its text (see `path`), `raw_path` as it came; `query` is raw and without its mark; `marked`
    says that there was a mark, even with nothing behind it; `host` is the authority of an absolute
    target and otherwise empty.
    """

    __slots__ = ("head_only", "host", "marked", "method", "path", "query", "raw_path", "version")

    def __init__(
        self,
        method: str,
        raw_path: str,
        path: str,
        query: str,
        host: str,
        version: int,
        *,
        marked: bool = False,
    ) -> None:
        self.marked = marked or bool(query)
        self.method = method
        self.raw_path = raw_path
        self.path = path
        self.query = query
        self.host = host
        self.version = version
        self.head_only = method == "HEAD"


def with_host(head: "Head", host: str) -> "Head":
    """Return a head whose Host is the authority of its request line, which is what counts."""
    fields = kept_latin({**head.fields, "Host": [host]}, latin_of(head.fields))
    return Head(fields, head.version, head.block)


class Head:
    """A header block: its fields, and what they say about the body and the connection.

    `fields` maps canonical names to their values in order. `length` is the body's size, 0 without
    a body; `block` is the bytes of them all; `declared` says that there is a body, `framed` that bytes of one follow.
    """

    __slots__ = (
        "block",
        "chunked",
        "continues",
        "declared",
        "fields",
        "framed",
        "host",
        "keep",
        "length",
        "version",
    )

    def __init__(self, fields: dict[str, list[str]], version: int, block: bytes = b"") -> None:
        self.block = block
        self.fields = fields
        self.version = version
        self.host = _host(fields.get("Host"), version)
        self.chunked = "Transfer-Encoding" in fields and _chunked(fields, version)
        declared = "Content-Length" in fields
        self.length = _length(fields["Content-Length"]) if declared else 0
        connection = fields.get("Connection")
        self.keep = version == 11 if connection is None else _keep(connection, version)
        self.continues = "Expect" in fields and _continues(fields["Expect"], version)
        self.declared = declared or self.chunked
        self.framed = self.chunked or self.length > 0

    def get(self, name: str, default: str = "") -> str:
        """Return the values of a canonical name, joined by commas; `default` without any."""
        values = self.fields.get(name)
        if values is None:
            return default
        return values[0] if len(values) == 1 else ", ".join(values)


_names: Final[dict[str, str]] = {}
_fields: Final[dict[str, tuple[str, str]]] = {}
# Headers that a client sends with each request alike. Those that hold secrets are never kept.
_REPEATING: Final = words(
    "Accept Accept-Charset Accept-Encoding Accept-Language Cache-Control Connection Content-Length"
    " Content-Type Dnt Host Origin Pragma Sec-Ch-Ua Sec-Ch-Ua-Mobile Sec-Ch-Ua-Platform"
    " Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User Upgrade-Insecure-Requests"
    " User-Agent X-Forwarded-Host X-Forwarded-Port X-Forwarded-Proto"
)


def parse_line(raw: bytes, limits: HttpLimits) -> RequestLine:
    """Return the line without its line end; BadRequest with 400, 414, 501 or 505."""
    if len(raw) > limits.target_bytes + 48:
        raise RequestError(f"the request target is longer than {limits.target_bytes} bytes", 414)
    match = _LINE.fullmatch(raw)
    if match is None:
        raise RequestError("the request line is not: METHOD target HTTP/1.1")
    method, target, major, minor = match.groups()
    version = major + minor
    if version not in (b"11", b"10"):
        raise RequestError("only HTTP/1.0 and HTTP/1.1 are spoken here", 505)
    if len(target) > limits.target_bytes:
        raise RequestError(f"the request target is longer than {limits.target_bytes} bytes", 414)
    return _take_apart(method.decode(), target, int(version))


def parse_head(block: bytes, version: int, limits: HttpLimits) -> Head:
    """Return the header lines between the request line and the empty line; BadRequest otherwise."""
    if not block:
        return Head({}, version)
    return Head(parse_fields(block, limits), version, block)


def parse_fields(block: bytes, limits: HttpLimits) -> dict[str, list[str]]:
    """Return the fields of header lines: canonical names to their values; BadRequest otherwise."""
    latin: set[str] = set()
    try:
        lines = block.decode().split("\r\n")
    except UnicodeDecodeError:
        lines = _lines(block, latin)
    breaks = len(lines) - 1
    # One pass in C finds every control character; what is left may only be the line ends.
    if len(block.translate(None, HEADER_TEXT)) != 2 * breaks or block.count(b"\n") != breaks:
        raise RequestError("a header holds a control character or a line end that is not CRLF")
    if breaks >= limits.headers:
        raise RequestError(f"there are more than {limits.headers} headers", 431)
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, value = _fields.get(line) or _field(line)
        if name in fields:
            fields[name].append(value)
        else:
            fields[name] = [value]
    if latin:
        return LatinHeader(fields, frozenset(latin))
    return fields


def _lines(block: bytes, latin: set[str]) -> list[str]:
    """Return the lines of a block that is not all UTF-8; the values read as Latin-1 join `latin`."""
    lines: list[str] = []
    for raw in block.split(b"\r\n"):
        line, old = text_of_bytes(raw)
        if old:
            latin.add(line.partition(":")[2].strip(" \t"))
        lines.append(line)
    return lines


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise RequestError("a header line has no colon")
    known = _names.get(name) or canonical(name)
    field = known, value.strip(" \t")
    if known in _REPEATING and len(line) <= _KEPT_LINE:
        if len(_fields) >= _KEPT_LINES:
            _fields.clear()
        _fields[line] = field
    return field


def canonical(name: str) -> str:
    """`content-type` as `Content-Type`; BadRequest for what is not a header name."""
    known = _names.get(name)
    if known is None:
        if not name or not name.isascii() or name.encode().translate(None, TOKEN):
            raise RequestError("a header name is empty or holds a character that names do not have")
        known = "-".join(capital(word) for word in name.split("-"))
        if len(_names) < _KEPT_NAMES and len(name) <= 64:
            _names[name] = known
    return known


def _take_apart(method: str, target: bytes, version: int) -> RequestLine:
    try:
        text = target.decode()
    except UnicodeDecodeError:
        raise RequestError("the request target is not UTF-8") from None
    if "#" in text:
        raise RequestError("the request target has a fragment")
    if method == "CONNECT":
        raise RequestError("this server is not a proxy: CONNECT is not served", 501)
    if text == "*" and method == "OPTIONS":
        return RequestLine(method, "*", "*", "", "", version)
    host = ""
    if not text.startswith("/"):
        host, text = _absolute(text)
        if not text and method == "OPTIONS":
            # About the server itself (RFC 9112, 3.2.4).
            return RequestLine(method, "*", "*", "", host, version)
        text = text if text.startswith("/") else f"/{text}"
    raw_path, mark, query = text.partition("?")
    path = text_of(raw_path)
    return RequestLine(method, raw_path, path, query, host, version, marked=bool(mark))


def _absolute(text: str) -> tuple[str, str]:
    """Return the authority and the rest of `http://authority/rest`."""
    scheme, separator, rest = text.partition("://")
    if not separator or lower(scheme) not in ("http", "https"):
        raise RequestError('the request target neither begins with "/" nor is an http URL')
    end = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    host = rest[:end]
    if _HOST.fullmatch(host) is None:
        raise RequestError("the request target names no valid host")
    return host, rest[end:]


def _host(values: list[str] | None, version: int) -> str:
    if values is None:
        if version == 11:
            raise RequestError("HTTP/1.1 needs a Host header")
        return ""
    if len(values) > 1:
        raise RequestError("there is more than one Host header")
    if _HOST.fullmatch(values[0]) is None:
        raise RequestError("the Host header names no valid host")
    return values[0]


def _length(values: list[str]) -> int:
    # Equal repeats could be merged, but a proxy that takes another one of them would disagree.
    if len(values) > 1:
        raise RequestError("there is more than one Content-Length")
    text = values[0]
    if not (is_number(text) and len(text) <= 18):
        raise RequestError("Content-Length is not a number")
    return int(text)


def _chunked(fields: dict[str, list[str]], version: int) -> bool:
    values = fields["Transfer-Encoding"]
    if version == 10:
        raise RequestError("HTTP/1.0 has no Transfer-Encoding")
    if "Content-Length" in fields:
        raise RequestError("Content-Length and Transfer-Encoding exclude each other")
    codings = [lower(trim(coding)) for value in values for coding in value.split(",")]
    if codings == ["chunked"]:
        return True
    if "chunked" in codings[:-1] or "" in codings:
        raise RequestError("chunked must be the last transfer coding, once")
    raise RequestError("the only transfer coding understood is chunked", 501)


def _keep(values: list[str], version: int) -> bool:
    options = {lower(trim(option)) for value in values for option in value.split(",")}
    if "close" in options:
        return False
    return version == 11 or "keep-alive" in options


def _continues(values: list[str], version: int) -> bool:
    if version == 10:
        return False
    if len(values) > 1 or lower(values[0]) != "100-continue":
        raise RequestError("the only expectation understood is 100-continue", 417)
    return True
