"""Forwarding: what of a request goes on to a backend, and what of its response comes back."""

from collections.abc import AsyncIterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from heddle.extensions.extension import ByteStream, Payload
from heddle.extensions.net.calling.ask import HOP, Ask, Headers, ask
from heddle.extensions.net.calling.target import Base, joined, raw_path, written_query
from heddle.extensions.net.http.head import canonical
from heddle.extensions.net.http.request import Request

_SAID = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")


def forwarded(
    payload: Payload,
    base: Base,
    *,
    prefix: str,
    keep_host: bool,
    trust: bool,
    own: Headers,
    hidden: AbstractSet[str],
) -> Ask:
    """The request that goes to a backend: its body as it came, its headers but those of a hop.

    `own` headers are added, and what came in under a `hidden` name is left out. Failure where the
    path climbs or the packet is no request.
    """
    if type(payload) is not Request:
        path = payload.get("path")
        if prefix and isinstance(path, str):
            payload = {**payload, "path": without(path, prefix)}
        asked = ask(payload, base)
        asked.headers = [one for one in asked.headers if one[0] not in hidden] + own
        return asked
    body: bytes | AsyncIterable[bytes] | None = payload.raw_body
    header = dict(payload.head.fields)
    headers = end_to_end(header)
    drop = {"Host", "Content-Length", *hidden, *_SAID}
    if isinstance(body, ByteStream) and "Content-Encoding" in header:
        # A listener that streams unpacks on the way.
        drop.add("Content-Encoding")
    headers = [one for one in headers if one[0] not in drop]
    headers += said_of(payload, trust)
    headers += own
    if keep_host and payload.head.host:
        headers.append(("Host", payload.head.host))
    if isinstance(body, ByteStream) and body.size is not None:
        headers.append(("Content-Length", str(body.size)))
    url = base.origin + joined(base.path, without(raw_path(payload), prefix))
    query = "&".join(part for part in (written_query(payload), base.query) if part)
    return Ask(payload.method_text, f"{url}?{query}" if query else url, headers, body)


def without(path: str, prefix: str) -> str:
    """A path without its prefix, where it has it."""
    bare = prefix.rstrip("/")
    if bare and (path == bare or path.startswith(bare + "/")):
        return path[len(bare) :]
    return path


def end_to_end(header: Mapping[str, list[str]], keep: frozenset[str] = frozenset()) -> Headers:
    """Headers without those that are between two neighbours, and those that they name so."""
    named = {
        one.strip().title()
        for value in header.get("Connection", ())
        for one in value.split(",")
        if one.strip()
    }
    drop = (HOP | named) - keep
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
    found: dict[str, Any] = {}
    for name, value in end_to_end(header):
        found.setdefault(canonical(name), []).append(value)
    return found
