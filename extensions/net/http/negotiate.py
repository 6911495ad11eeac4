"""Negotiation: what a client takes, and how gladly, by the quality values it sent.

There are few different Accept headers in the world, so their outcome is remembered.
"""

from collections.abc import Sequence
from functools import lru_cache

from heddle.schemas.ascii import is_number, lower, trim


def weights(header: str) -> dict[str, float]:
    """`gzip;q=0.5, br` as {"gzip": 0.5, "br": 1.0}, in the order written; a bad q counts as 0."""
    mapping: dict[str, float] = {}
    for entry in header.split(","):
        name, *parameters = entry.split(";")
        name = lower(trim(name))
        if name and name not in mapping:
            mapping[name] = _quality(parameters)
    return mapping


@lru_cache(maxsize=128)
def choose_coding(header: str, offers: tuple[str, ...]) -> str:
    """Return the content coding liked best, the earlier offer among equals; "" to send it as it is.

    A client that names no coding gets none; one that rejects everything gets it as it is too,
    since that serves it better than a rejection.
    """
    if not header:
        return ""
    liked = weights(header)
    rest = liked.get("*", 0.0)
    best, quality = "", 0.0
    for offer in offers:
        weight = liked.get(offer, rest)
        if weight > quality:
            best, quality = offer, weight
    return "" if liked.get("identity", 0.0) > quality else best


@lru_cache(maxsize=128)
def accepts(header: str, media_type: str) -> float:
    """Return the quality that an Accept header gives `type/subtype`: the most exact entry decides."""
    if not header:
        return 1.0
    liked = weights(header)
    family = media_type.partition("/")[0] + "/*"
    for name in (media_type, family, "*/*", "*"):
        if name in liked:
            return liked[name]
    return 0.0


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if lower(trim(name)) == "q":
            return _number(trim(value))
    return 1.0


def _number(text: str) -> float:
    digits = text.replace(".", "", 1)
    if not (is_number(digits) and len(text) <= 5):
        return 0.0
    return min(float(text), 1.0)
