"""A path is read in one way by all: router, files, proxy, http and every expression.

A path is segments between slashes. Percent-encoding is taken off once, inside each segment, and never
makes a slash: `/a%2Fb` is one segment, `a/b`. In the text of a path, such a slash stays written as
`%2F`; for text to have one meaning only, a percent sign that stands before `2F` stays written as `%25`.
Empty segments count: `//a` is not `/a`. Nothing is resolved, merged, folded or trimmed.
"""

import re
from typing import Final
from urllib.parse import quote

from heddle.extensions.net.http.errors import RequestError

_ESCAPE: Final = re.compile(r"%(?:([0-9A-Fa-f]{2})|)")
_ESCAPES: Final = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_DOTS: Final = re.compile(r"(?:^|[/\\])\.\.?(?:[/\\]|$)")
_PLAIN_PERCENT: Final = re.compile(r"%(?=(?:25)*2[Ff])")
_WRITTEN: Final = re.compile(r"%2[Ff]|%25(?=(?:25)*2[Ff])")
_SAFE: Final = ":@!$&'()*+,;=~-._"


def climbs(path: str) -> bool:
    """Return whether a decoded path has a segment `.` or `..`, whatever kind of slash is beside it."""
    return "." in path and _DOTS.search(path) is not None


def text_of(raw: str) -> str:
    """Return the text of a path as it came; BadRequest when it is malformed or climbs.

    Dot segments are rejected rather than resolved, whether written plainly or escaped: clients
    resolve them before they send, so one that arrives here is an attempt to leave the root.
    """
    if "%" not in raw:
        if climbs(raw):
            raise RequestError("the path holds a dot segment")
        return raw
    for escape in _ESCAPE.finditer(raw):
        if escape[1] is None:
            raise RequestError("a percent sign in the path is not followed by two hex digits")
    parts = [_decoded(part) for part in raw.split("/")]
    whole = "/".join(parts)
    if "\0" in whole:
        raise RequestError("the path holds a NUL")
    if climbs(whole):
        raise RequestError("the path holds a dot segment")
    return "/".join(written(part) for part in parts)


def _decoded(part: str) -> str:
    try:
        return _ESCAPES.sub(lambda run: bytes.fromhex(run[0].replace("%", "")).decode(), part)
    except UnicodeDecodeError:
        raise RequestError("the path is not UTF-8") from None


def written(segment: str) -> str:
    """Return a segment as it stands in the text of a path."""
    if "%" in segment:
        segment = _PLAIN_PERCENT.sub("%25", segment)
    return segment.replace("/", "%2F")


def segment_of(text: str) -> str:
    """Return the segment that a part of a path's text stands for."""
    if "%" not in text:
        return text
    return _WRITTEN.sub(lambda match: "%" if match[0] == "%25" else "/", text)


def segments_of(text: str) -> list[str]:
    """Return the segments of a path's text, without the empty one before its first slash."""
    parts = text.split("/")
    if text.startswith("/"):
        parts = parts[1:]
    return [segment_of(part) for part in parts] if "%" in text else parts


def raw_of(text: str) -> str:
    """Return a path's text percent-encoded, for a request to others."""
    return "/".join(quote(segment_of(part), safe=_SAFE) for part in text.split("/"))
