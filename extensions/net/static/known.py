"""Known: whether a client has a file already, by its tag or its date."""

from collections.abc import Callable
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from typing import Final

from heddle.extensions.net.static.place import StaticFile
from heddle.schemas.ascii import trim

_SECOND: Final = 1_000_000_000


def tag_of(file: StaticFile, coding: str = "") -> str:
    """Return the tag of a file: another as soon as anything about it changes."""
    packed = f"-{coding}" if coding else ""
    return f'"{file.changed:x}-{file.size:x}-{file.number:x}-{file.entry:x}{packed}"'


def date_of(file: StaticFile) -> str:
    """Return when it changed, as a header says it."""
    return formatdate(file.changed // _SECOND, usegmt=True)


def judge(file: StaticFile, tag: str, header: Callable[[str], str]) -> int:
    """200 if the file is to be sent, 304 if it is known, 412 if it should be another."""
    match = header("If-Match")
    if match:
        if not _listed(match, tag, weak=False):
            return 412
    else:
        since = _seconds(header("If-Unmodified-Since"))
        if since is not None and file.changed // _SECOND > since:
            return 412
    none = header("If-None-Match")
    if none:
        return 304 if _listed(none, tag, weak=True) else 200
    since = _seconds(header("If-Modified-Since"))
    return 304 if since is not None and file.changed // _SECOND <= since else 200


def same(file: StaticFile, tag: str, condition: str) -> bool:
    """Return whether If-Range allows a part: where the client has the rest of this very file."""
    if not condition:
        return True
    if condition.startswith(('"', "W/")):
        return condition == tag
    since = _seconds(condition)
    return since is not None and file.changed // _SECOND == since


def _listed(header: str, tag: str, *, weak: bool) -> bool:
    if trim(header) == "*":
        return True
    for text in header.split(","):
        given = trim(text)
        if weak:
            # Our own server makes a tag weak if it packs on the way.
            given = given.removeprefix("W/")
        if given == tag:
            return True
    return False


def _seconds(text: str) -> float | None:
    if not text:
        return None
    try:
        datetime = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return (datetime if datetime.tzinfo else datetime.replace(tzinfo=UTC)).timestamp()
