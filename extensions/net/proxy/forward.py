"""Forwarding: what of a request goes on to a backend, and what of its response comes back."""

from collections.abc import AsyncIterable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote

from heddle.extensions.extension import ByteStream, Payload
from heddle.extensions.net.http.head import canonical
from heddle.extensions.net.http.latin import LatinHeader, RawHeaders, text_of_bytes
from heddle.extensions.net.http.path import raw_of, segments_of, text_of
from heddle.extensions.net.http.request import HttpRequest
from heddle.extensions.net.http_client.hop_headers import hop_by_hop, is_claim, is_unsafe
from heddle.extensions.net.http_client.raw_head import Latin1
from heddle.extensions.net.http_client.request import (
    Headers,
    OutgoingRequest,
    dict_headers,
    outgoing_request,
    written_body,
)
from heddle.extensions.net.http_client.target import Base, joined, raw_path, written_query

_CONTENT = frozenset({"Content-Type", "Content-Encoding"})
_FORWARDED = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")

if TYPE_CHECKING:
    import aiohttp


def forwarded(
    payload: Payload,
    base: Base,
    *,
    prefix: str,
    keep_host: bool,
    trust: bool,
    underscores: bool,
    own: Headers,
    hidden: AbstractSet[str],
) -> OutgoingRequest:
    """Return the request that goes to a backend: its body as it came, its headers but those of a hop.

    Without `trust`, what a client says in the place of a proxy is left out. `own` headers are added, and what came in under a `hidden` name is left out. Raise NodeError if the
    path climbs or the packet is not a request.
    """
    if type(payload) is not HttpRequest:
        path = payload.get("path")
        if prefix and isinstance(path, str):
            payload = {**payload, "path": text_of(without(raw_of(path), prefix))}
        outgoing = outgoing_request(payload, base)
        outgoing.headers = (
            _passing(outgoing.headers, hidden, trust=trust, underscores=underscores) + own
        )
        return outgoing
    body, lines = _body_and_lines(payload)
    header = payload.head.fields
    drop = {"Host", "Content-Length", *hidden, *_FORWARDED}
    if isinstance(body, ByteStream) and "Content-Encoding" in header:
        # A listener that streams unpacks on the way.
        drop.add("Content-Encoding")
    drop |= hop_by_hop(header)
    headers = [
        (spelled, value)
        for name, spelled, value in lines
        if name not in drop and _passes(name, trust=trust, underscores=underscores)
    ]
    headers += forwarded_headers(payload, trust)
    headers += own
    if keep_host and payload.head.host:
        headers.append(("Host", payload.head.host))
    if isinstance(body, ByteStream) and body.size is not None:
        headers.append(("Content-Length", str(body.size)))
    url = base.origin + joined(base.path, without(raw_path(payload), prefix))
    query = "&".join(part for part in (written_query(payload), base.query) if part)
    outgoing = OutgoingRequest(
        payload.method_text, f"{url}?{query}" if query else url, headers, body
    )
    if payload.raw_path == "*":
        outgoing.target = "*"
    elif payload.line.marked and not query:
        outgoing.target = "/" + url.split("://", 1)[1].partition("/")[2] + "?"
    return outgoing


_Lines: TypeAlias = list[tuple[str, str, str]]
"""Headers in their order: canonical name, name as it is spelled, and value."""


def _body_and_lines(request: HttpRequest) -> tuple[bytes | AsyncIterable[bytes] | None, _Lines]:
    """Return body and headers as they came, or as a node before has made them."""
    if request.replaced("header"):
        pairs = dict_headers(request["header"])
        lines = [(name, name, value) for name, value in pairs]
    else:
        lines = lines_of_block(request.head.block)
    if not request.replaced("body"):
        return request.raw_body, lines
    headers = [(name, value) for name, _, value in lines]
    body = written_body(request, headers, "")
    kept = [line for line in lines if line[0] not in _CONTENT]
    return body, kept + [(name, name, value) for name, value in headers if name in _CONTENT]


def lines_of_block(block: bytes) -> _Lines:
    """Return the headers of a block in their order: canonical name, name as it came, and value."""
    entries: _Lines = []
    for line in block.split(b"\r\n") if block else ():
        spelled, _, raw = line.partition(b":")
        name = spelled.decode()
        text, old = text_of_bytes(raw.strip(b" \t"))
        entries.append((canonical(name), name, Latin1(text) if old else text))
    return entries


def _passing(
    headers: Headers, drop: AbstractSet[str], *, trust: bool, underscores: bool
) -> Headers:
    """Return the headers that go on, out of those that came."""
    return [
        (name, value)
        for name, value in headers
        if name not in drop and _passes(name, trust=trust, underscores=underscores)
    ]


def _passes(name: str, *, trust: bool, underscores: bool) -> bool:
    """Return whether a header goes on, by its canonical name."""
    if not trust and is_claim(name):
        return False
    return not (is_unsafe(name) and (name == "Proxy" or not underscores))


def without(path: str, prefix: str) -> str:
    """Return a percent-encoded path without the segments of its prefix, if it has them all."""
    prefix = prefix.rstrip("/")
    if not prefix:
        return path
    segments = segments_of(prefix)
    parts = path.split("/")[1:]
    begins = [unquote(part) for part in parts[: len(segments)]]
    if not path.startswith("/") or begins != segments:
        return path
    rest = parts[len(segments) :]
    return "/" + "/".join(rest) if rest else ""


def forwarded_headers(request: HttpRequest, trust: bool) -> Headers:
    """Return who has asked, and for what: a backend sees only us. What came in is believed if it may be."""
    client = request["remote"].rpartition(":")[0].strip("[]")
    head = request.head
    come = head.get("X-Forwarded-For") if trust else ""
    chain = ", ".join(address for address in (come, client) if address)
    proto = (head.get("X-Forwarded-Proto") if trust else "") or request["scheme"]
    host = (head.get("X-Forwarded-Host") if trust else "") or head.host
    return [
        (name, value) for name, value in zip(_FORWARDED, (chain, proto, host), strict=True) if value
    ]


def returned(response: "aiohttp.ClientResponse") -> LatinHeader:
    """Return the headers of a response that come back, in the bytes, order and spelling they have."""
    texts: dict[str, list[str]] = {}
    latin: set[str] = set()
    lines: list[RawHeaders] = []
    for spelled, raw in response.raw_headers:
        value = raw.strip(b" \t")
        name = canonical(spelled.decode())
        text, old = text_of_bytes(value)
        if old:
            latin.add(text)
        texts.setdefault(name, []).append(text)
        lines.append((name, text, spelled + b": " + value + b"\r\n"))
    ended = hop_by_hop(texts) | {"Content-Length"}
    if response.status == 426:
        # Such a response names the protocol that is wanted instead.
        ended -= {"Upgrade"}
    header = {name: values for name, values in texts.items() if name not in ended}
    entry = tuple(line for line in lines if line[0] in header and line[0] != "Upgrade")
    return LatinHeader(header, frozenset(latin), entry)
