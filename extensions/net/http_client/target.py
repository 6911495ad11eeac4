"""The target of a call: the URL that a Spec gives, and what a packet adds to it."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from heddle.extensions.extension import Error, NodeError
from heddle.extensions.net.http.errors import AnswerError
from heddle.extensions.net.http.media import field_text
from heddle.extensions.net.http.path import climbs, raw_of, segments_of
from heddle.extensions.net.http.request import HttpRequest

_DOTS: Final = re.compile(r"(?:^|/)(?:\.|%2[eE]){1,2}(?:/|$)")


class Base:
    """The `url` of a Spec, taken apart."""

    __slots__ = ("origin", "path", "query")

    def __init__(self, url: str) -> None:
        """ValueError if it is not an http or https URL with a host."""
        parts = urlsplit(checked(url))
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.path = parts.path
        self.query = parts.query


def checked(url: str) -> str:
    """Return the same URL; raise ValueError if it is not an http or https URL with a host."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it is not an http or https URL with a host")
    if parts.port == 0 or any(text <= " " or text == "\x7f" for text in url):
        raise ValueError("it has a port or a character that no URL has")
    return url


def target(base: Base | None, data: Mapping[str, Any]) -> str:
    """Return the whole URL of a call.

    With a base, scheme and host are the base's: the packet's path goes below the base's path, and
    its query before the base's. Without one, the packet says it all: in `url`, or in `scheme`,
    `host` and `path`. Raise NodeError if that makes no URL, or the path climbs.
    """
    given: object = data.get("url")
    path = raw_path(data)
    query = written_query(data)
    if base is not None:
        if given is not None:
            raise rejected("the packet says a url, and so does the Spec", "one of them")
        queries = [part for part in (query, base.query) if part]
        whole = base.origin + joined(base.path, path)
        return whole + ("?" + "&".join(queries) if queries else "")
    if given is None:
        host = data.get("host")
        if not isinstance(host, str) or not host:
            raise rejected("neither the Spec nor the packet says a URL", "url")
        given = f"{data.get('scheme') or 'http'}://{host}{joined('', path)}"
    if not isinstance(given, str):
        raise rejected(f"url is {type(given).__name__}", "text")
    try:
        actual = checked(given.partition("#")[0])
    except ValueError as error:
        raise rejected(f'"{given}" is not a target: {error}', "https://host/path") from None
    if query:
        actual += ("&" if "?" in actual else "?") + query
    return actual


def raw_path(data: Mapping[str, Any]) -> str:
    """Return the path that a packet adds, percent-encoded; "" if it has none."""
    if type(data) is HttpRequest:
        return "" if data.raw_path == "*" else data.raw_path
    path = data.get("path")
    if path is None:
        return ""
    if not isinstance(path, str):
        raise rejected(f"path is {type(path).__name__}", "text")
    if any(climbs(text) for text in segments_of(path)):
        raise rejected("the path holds a dot segment", "a path that stays below the url")
    return raw_of(path)


def joined(base: str, path: str) -> str:
    """Return one path below another; raise NodeError if it climbs. Empty segments count: `//a` stays `//a`."""
    if _DOTS.search(path):
        raise rejected("the path holds a dot segment", "a path that stays below the url")
    if not path or path == "/":
        return base or "/"
    return base.rstrip("/") + (path if path.startswith("/") else f"/{path}")


def written_query(data: Mapping[str, Any]) -> str:
    """Return the query of a packet as text: of a map of values, of a map of lists, or of text."""
    if type(data) is HttpRequest:
        return data.line.query
    query = data.get("query")
    if not query:
        return ""
    if isinstance(query, str):
        return query.lstrip("?")
    if not isinstance(query, dict):
        raise rejected(f"query is {type(query).__name__}", "a map of names to values, or text")
    pairs = [
        (_plain(name), _plain(value))
        for name, values in query.items()
        for value in (values if isinstance(values, list) else [values])
        if value is not None
    ]
    try:
        return urlencode(pairs)
    except UnicodeError as error:
        raise rejected(f"query: {error}", "text that UTF-8 can write") from None


def _plain(value: Any) -> str | bytes:
    """Return the text of a query's value: JSON if it is not text; raise NodeError if it cannot be that."""
    if isinstance(value, bytes):
        return value
    try:
        return field_text(value)
    except AnswerError as error:
        raise rejected(f"query: {error}", "text, or data that can be JSON") from None


def rejected(actual: str, expected: str) -> NodeError:
    """Return the failure of a packet that asks for what cannot be asked."""
    return NodeError(Error(f"{actual} (expected: {expected})", code="request"))
