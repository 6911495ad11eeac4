"""The headers that are for a neighbour only, and those that only a trusted neighbour may send."""

from collections.abc import Mapping
from typing import Final

from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.head import canonical
from heddle.schemas.ascii import elements

HOP: Final = frozenset(
    [
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Te",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Expect",
    ]
)
"""Headers that are between two neighbours, and never go further."""

_CLAIMS: Final = frozenset(
    [
        "Forwarded",
        "X-Real-Ip",
        "X-Client-Ip",
        "X-Cluster-Client-Ip",
        "True-Client-Ip",
        "Cf-Connecting-Ip",
        "Fastly-Client-Ip",
        "X-Original-Forwarded-For",
        "X-Original-Host",
        "X-Original-Url",
        "X-Rewrite-Url",
    ]
)
"""Headers that say who has asked, and for what, in the place of those that a server sees itself."""


def hop_by_hop(header: Mapping[str, list[str]]) -> frozenset[str]:
    """Return the names of the headers that end here: the usual ones, and those named in Connection."""
    named: set[str] = set()
    for value in header.get("Connection", ()):
        for element in elements(value):
            try:
                named.add(canonical(element))
            except RequestError:
                continue
    return HOP | named


def is_claim(name: str) -> bool:
    """Return whether a header says who has asked, which only a neighbour that is trusted may."""
    return name in _CLAIMS or name.startswith("X-Forwarded-")


def is_unsafe(name: str) -> bool:
    """Return whether a header is taken for another one behind us.

    Programs that put headers into environment variables make `_` of `-`, so `X_Forwarded_For` becomes
    `X-Forwarded-For`, and `Proxy` becomes the setting HTTP_PROXY.
    """
    return name == "Proxy" or "_" in name
