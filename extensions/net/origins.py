"""Origins: which pages of which sites may speak to a flow from inside a browser."""

import re
from collections.abc import Iterable
from typing import Final

from heddle.schemas.ascii import lower

_ORIGIN: Final = re.compile(
    r"\*|null|[a-z][a-z0-9+.-]*://(?:\*\.)?[^/?#\s*]+", re.ASCII | re.IGNORECASE
)
_PORTS: Final = {"http": "80", "https": "443"}


class Origins:
    """Patterns such as `https://example.com`, `https://*.example.com` and `*`."""

    __slots__ = ("_below", "_exact", "any")

    def __init__(self, patterns: Iterable[str]) -> None:
        """ValueError names the pattern that is none."""
        self._exact: set[str] = set()
        self._below: list[tuple[str, str]] = []
        self.any = False
        for pattern in patterns:
            if _ORIGIN.fullmatch(pattern) is None:
                raise ValueError(f'"{pattern}" is not an origin')
            scheme, mark, host = lower(pattern).partition("://")
            if pattern == "*":
                self.any = True
            elif host.startswith("*."):
                self._below.append((scheme + mark, host[1:]))
            else:
                self._exact.add(plain(pattern))

    def allow(self, origin: str) -> bool:
        """Return whether pages of this origin are let in."""
        if self.any:
            return True
        actual = plain(origin)
        return actual in self._exact or any(
            actual.startswith(scheme) and actual.endswith(host) and "/" not in actual[len(scheme) :]
            for scheme, host in self._below
        )


def plain(origin: str) -> str:
    """Return an origin in one form: small letters, no port that goes without saying."""
    actual = lower(origin)
    scheme, _, host = actual.partition("://")
    port = _PORTS.get(scheme)
    return actual.removesuffix(f":{port}") if port and host else actual


def same_host(origin: str, host: str) -> bool:
    """Return whether an origin is of the host that was asked, whatever the scheme: a proxy may end TLS."""
    scheme, _, named = plain(origin).partition("://")
    text = lower(host).removesuffix(f":{_PORTS.get(scheme, '')}")
    return bool(named) and named == text
