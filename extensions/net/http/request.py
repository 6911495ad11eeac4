"""A Request is the payload of an HTTP request: a map whose fields are decoded when first read.

Most flows read two of its nine fields. Header maps, queries and bodies that nobody asks for are
never built, and a request that a router passed on shares what was decoded with the one it came from.
"""

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Final, Literal, NoReturn

from heddle.extensions.net.http.bodies import LARGE, decode, decoded_size
from heddle.extensions.net.http.compression import unpack
from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.head import Head, RequestLine
from heddle.extensions.net.http.latin import kept_latin, latin_of
from heddle.extensions.net.http.limits import USUAL, HttpLimits
from heddle.extensions.net.http.media import from_form
from heddle.runtime.flow.budget import FREE, HeldBudget
from heddle.runtime.flow.materialize import plain
from heddle.runtime.flow.stream import ByteStream

FIELDS: Final = (
    "method",
    "scheme",
    "host",
    "path",
    "query",
    "protocol",
    "header",
    "body",
    "remote",
)
"""The fields of every request, in the order in which they are iterated over."""

# Code in C that reads the storage of a dict past its methods must stumble rather than see half of
# a request; so the storage holds a key that nothing can encode until every field was decoded.
_PENDING: Final = object()
_BEGIN: Final[dict[Any, Any]] = {_PENDING: None}
_KNOWN: Final = frozenset(FIELDS)


class Peer:
    """The facts that every request of one connection shares: its scheme and the client's address.

    `kept` is what decoding the body at hand has taken of the budget, `limits` are those of its server.
    """

    __slots__ = ("kept", "limits", "remote", "scheme")

    def __init__(self, scheme: str, address: Any, limits: HttpLimits = USUAL) -> None:
        self.scheme = scheme
        self.limits = limits
        self.kept: HeldBudget | None = None
        self.remote = address_text(address)

    def keep(self, size: int) -> None:
        """Charge the budget with so many bytes more; BadRequest 503 if there is no room."""
        if self.kept is None:
            self.kept = HeldBudget()
        if not self.kept.grow(size):
            raise RequestError("the server is short of memory for bodies; try again later", 503)


class HttpRequest(dict[str, Any]):
    """The map `method scheme host path query protocol header body remote`.

    `query` and `header` map names to lists of values; header names are canonical (`Content-Type`).
    `path` is percent-decoded once and free of dot segments, a slash that came encoded stays `%2F` in it;
    `raw_path` is as it came. `body` is
    None without a body, else what its Content-Type makes of it (see `bodies.decode`), or a
    ByteStream if the listener streams. `raw` are the bytes of the body as they came; it is not among
    the keys, so nothing that takes the fields apart carries the body twice. `remote` is `host:port` of the client.

    Reading a field decodes it and may raise BadRequest: `query`, `body`, and whatever reads all
    fields at once, as iterating does. Asking for keys or for the length never raises.
    """

    __slots__ = (
        "_body",
        "_limit",
        "_peer",
        "_source",
        "head",
        "line",
        "method_text",
        "path_text",
    )

    line: RequestLine
    head: Head
    method_text: str
    path_text: str
    _body: bytes | ByteStream | None
    _limit: int | None
    _peer: Peer
    _source: "HttpRequest | None"

    @property
    def raw_path(self) -> str:
        """The path as it came, percent-encoded."""
        return self.line.raw_path

    @property
    def raw_body(self) -> bytes | ByteStream | None:
        """The body as it came, packed; if the listener streams, the stream of it unpacked."""
        return self._body

    @property
    def answer_mode(self) -> Literal["auto", "data", "response"]:
        """The maps that its listener takes for responses."""
        return self._peer.limits.answer

    def replaced(self, field: str) -> bool:
        """Return whether a node has put something else in the place of a field that came."""
        source = self._source
        if source is None or not dict.__contains__(self, field):
            return False
        return dict.__getitem__(self, field) is not dict.get(source, field, _PENDING)

    def with_fields(self, **fields: Any) -> "HttpRequest":
        """Return the same request with fields added or replaced; decoding is done once for both."""
        given = _BEGIN if self._source is None else dict(dict.items(self))
        derived = HttpRequest(given, **fields)
        derived.line = self.line
        derived.head = self.head
        derived.method_text = self.method_text
        derived.path_text = self.path_text
        derived._body = self._body
        derived._limit = self._limit
        derived._peer = self._peer
        derived._source = self._source or self
        return derived

    def plain(self) -> dict[str, Any]:
        """Everything decoded, as an ordinary dict."""
        self._fill()
        return dict(dict.items(self))

    def __missing__(self, key: str) -> Any:
        if key not in _KNOWN or not dict.__contains__(self, _PENDING):
            if key == "raw":
                return self._body
            raise KeyError(key)
        source = self._source
        value = source[key] if source is not None else _decode(self, key)
        dict.__setitem__(self, key, value)
        return value

    def _fill(self) -> None:
        if not dict.__contains__(self, _PENDING):
            return
        values = {name: self[name] for name in FIELDS}
        extra = {key: value for key, value in dict.items(self) if key is not _PENDING}
        dict.clear(self)
        dict.update(self, values)
        dict.update(self, extra)

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def __contains__(self, key: object) -> bool:
        if dict.__contains__(self, _PENDING):
            return (
                key in _KNOWN
                or key == "raw"
                or (key is not _PENDING and dict.__contains__(self, key))
            )
        return key == "raw" or dict.__contains__(self, key)

    def __len__(self) -> int:
        if dict.__contains__(self, _PENDING):
            return len(_KNOWN.union(dict.keys(self))) - 1
        return dict.__len__(self)

    def __bool__(self) -> bool:
        return len(self) > 0

    def __iter__(self) -> Iterator[str]:
        self._fill()
        return dict.__iter__(self)

    def __reversed__(self) -> Iterator[str]:
        self._fill()
        return dict.__reversed__(self)

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        self._fill()
        return dict.keys(self)

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        self._fill()
        return dict.values(self)

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        self._fill()
        return dict.items(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return bool(self.plain() == plain(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None

    def __repr__(self) -> str:
        return repr(self.plain())

    def __or__(self, other: Any) -> Any:
        return self.plain() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.plain()

    def copy(self) -> dict[str, Any]:
        return self.plain()

    __copy__ = copy

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (self.plain(),)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return self.__reduce__()

    def _fixed(self, *_args: Any, **_named: Any) -> NoReturn:
        raise TypeError("a request is never changed; send a map of your own, or with_fields(...)")

    # One rejection for methods of many shapes.
    _rejection: Any = _fixed
    __setitem__ = __delitem__ = __ior__ = _rejection
    clear = pop = popitem = setdefault = update = _rejection


def make_request(
    line: RequestLine, head: Head, body: bytes | ByteStream | None, peer: Peer, limit: int | None
) -> HttpRequest:
    """Return a Request around what was parsed; `limit` bounds the body once it is unpacked."""
    request = HttpRequest(_BEGIN)
    request.line = line
    request.head = head
    request.method_text = line.method
    request.path_text = line.path
    request._body = body
    request._limit = limit
    request._peer = peer
    request._source = None
    return request


def address_text(address: Any) -> str:
    """Return a socket address as `host:port`; a path as it is, and "" for an address without a name."""
    if isinstance(address, tuple) and len(address) >= 2:
        host, port = address[0], address[1]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return address if isinstance(address, str) else ""


def _decode(request: HttpRequest, field: str) -> Any:
    line = request.line
    if field == "body":
        return _decode_body(request)
    if field == "method":
        return line.method
    if field == "path":
        return line.path
    if field == "header":
        fields = request.head.fields
        header = {name: values.copy() for name, values in fields.items()}
        return kept_latin(header, latin_of(fields))
    if field == "query":
        return _decode_query(line.query)
    if field == "host":
        return request.head.host
    if field == "scheme":
        return request._peer.scheme
    if field == "remote":
        return request._peer.remote
    return "HTTP/1.1" if line.version == 11 else "HTTP/1.0"


def _decode_query(query: str) -> dict[str, list[str]]:
    if not query:
        return {}
    return from_form(query)


def _decode_body(request: HttpRequest) -> Any:
    body = request._body
    if body is None or isinstance(body, ByteStream):
        return body
    head = request.head
    packing = head.get("Content-Encoding")
    if packing:
        body = unpack(body, packing, request._limit)
        if len(body) > FREE:
            request._peer.keep(len(body))
    kinds = head.fields.get("Content-Type", [""])
    if len(kinds) > 1:
        raise RequestError("there is more than one Content-Type")
    if len(body) > LARGE:
        request._peer.keep(decoded_size(body, kinds[0]))
    return decode(body, kinds[0], request._peer.limits.json_values)
