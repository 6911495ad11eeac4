"""Forwarding: what of a request goes on to a backend, and what of its response comes back."""

from collections.abc import AsyncIterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any
from urllib.parse import unquote

from heddle.extensions.extension import ByteStream, Payload
from heddle.extensions.net.calling.ask import Ask, Headers, ask
from heddle.extensions.net.calling.neighbours import hop_by_hop, is_claim, is_unsafe
from heddle.extensions.net.calling.rawhead import Latin1
from heddle.extensions.net.calling.target import Base, joined, raw_path, written_query
from heddle.extensions.net.http.head import canonical
from heddle.extensions.net.http.latin import kept_latin, latin_of
from heddle.extensions.net.http.path import raw_of, segments_of, text_of
from heddle.extensions.net.http.request import Request

_SAID = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")


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
) -> Ask:
    """The request that goes to a backend: its body as it came, its headers but those of a hop.

    Without `trust`, what a client says in the place of a proxy is left out. `own` headers are added, and what came in under a `hidden` name is left out. Failure where the
    path climbs or the packet is no request.
    """
    if type(payload) is not Request:
        path = payload.get("path")
        if prefix and isinstance(path, str):
            payload = {**payload, "path": text_of(without(raw_of(path), prefix))}
        asked = ask(payload, base)
        asked.headers = _passing(asked.headers, hidden, trust=trust, underscores=underscores) + own
        return asked
    body: bytes | AsyncIterable[bytes] | None = payload.raw_body
    header = dict(payload.head.fields)
    headers = end_to_end(header)
    drop = {"Host", "Content-Length", *hidden, *_SAID}
    if isinstance(body, ByteStream) and "Content-Encoding" in header:
        # A listener that streams unpacks on the way.
        drop.add("Content-Encoding")
    headers = _passing(headers, drop, trust=trust, underscores=underscores)
    headers += said_of(payload, trust)
    headers += own
    if keep_host and payload.head.host:
        headers.append(("Host", payload.head.host))
    if isinstance(body, ByteStream) and body.size is not None:
        headers.append(("Content-Length", str(body.size)))
    url = base.origin + joined(base.path, without(raw_path(payload), prefix))
    query = "&".join(part for part in (written_query(payload), base.query) if part)
    asked = Ask(payload.method_text, f"{url}?{query}" if query else url, headers, body)
    asked.latin = latin_of(payload.head.fields)
    if asked.latin:
        asked.headers = [
            (name, Latin1(value) if value in asked.latin else value)
            for name, value in asked.headers
        ]
    return asked


def _passing(
    headers: Headers, drop: AbstractSet[str], *, trust: bool, underscores: bool
) -> Headers:
    """The headers that go on, out of those that came."""
    return [
        (name, value)
        for name, value in headers
        if name not in drop
        and (trust or not is_claim(name))
        and not (is_unsafe(name) and (name == "Proxy" or not underscores))
    ]


def without(path: str, prefix: str) -> str:
    """A percent-encoded path without the segments of its prefix, where it has them all."""
    wanted = segments_of(prefix.rstrip("/"))
    if not wanted:
        return path
    parts = path.split("/")[1:]
    begins = [unquote(part) for part in parts[: len(wanted)]]
    if not path.startswith("/") or begins != wanted:
        return path
    rest = parts[len(wanted) :]
    return "/" + "/".join(rest) if rest else ""


def end_to_end(header: Mapping[str, list[str]], keep: frozenset[str] = frozenset()) -> Headers:
    """Headers without those that are between two neighbours, and those that they name so."""
    drop = hop_by_hop(header) - keep
    return [
        (name, value) for name, values in header.items() if name not in drop for value in values
    ]


def said_of(request: Request, trust: bool) -> Headers:
    """Who has asked, and for what: a backend sees only us. What came in is believed if it may be."""
    client = request["remote"].rpartition(":")[0].strip("[]")
    head = request.head
    come = head.get("X-Forwarded-For") if trust else ""
    chain = ", ".join(one for one in (come, client) if one)
    proto = (head.get("X-Forwarded-Proto") if trust else "") or request["scheme"]
    host = (head.get("X-Forwarded-Host") if trust else "") or head.host
    return [(name, value) for name, value in zip(_SAID, (chain, proto, host), strict=True) if value]


def returned(header: Mapping[str, list[str]]) -> dict[str, Any]:
    """The headers of a response that come back."""
    found: dict[str, list[str]] = {}
    for name, value in end_to_end(header):
        found.setdefault(canonical(name), []).append(value)
    return kept_latin(found, latin_of(header))
