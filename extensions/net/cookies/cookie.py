"""A cookie: read from a request, written for a response."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Self
from urllib.parse import quote, unquote

import msgspec

from heddle.extensions.extension import Error, NodeError
from heddle.schemas.ascii import lower

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# What a value may hold as it is: neither quote, comma, semicolon, backslash, space nor percent.
_PLAIN: Final = "!#$&'()*+-./:<=>?@[]^_`{|}~"
_SITES: Final = {"strict": "Strict", "lax": "Lax", "none": "None"}
_LONGEST: Final = 4096
_MANY: Final = 200


def parsed(header: str, *, joined: bool = False) -> Iterator[tuple[str, str]]:
    """Names and values of a Cookie header, 200 of them at most; what is not a cookie is left out."""
    pairs = header.replace(", ", "; ") if joined else header
    for pair in pairs.split(";")[:_MANY]:
        name, mark, value = pair.strip(" \t").partition("=")
        if not mark or _NAME.fullmatch(name) is None:
            continue
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        yield name, unquote(value) if "%" in value else value


class Attributes(msgspec.Struct, frozen=True, kw_only=True):
    """The attributes of a cookie; `max_age` in seconds."""

    max_age: float | None = None
    path: str = "/"
    domain: str = ""
    secure: bool = True
    http_only: bool = True
    same_site: str = "lax"

    def changed(self, data: Mapping[str, Any]) -> Self:
        """Return the same with what one cookie says itself; raise NodeError if that cannot be."""
        try:
            given: Self = msgspec.convert({**msgspec.structs.asdict(self), **data}, type(self))
        except msgspec.ValidationError as error:
            raise rejected(
                f"an attribute of a cookie: {error}", "see the docs of cookies"
            ) from None
        unknown = data.keys() - set(self.__struct_fields__)
        if unknown or given.same_site not in _SITES:
            actual = ", ".join(sorted(unknown)) or f"same_site {given.same_site!r}"
            raise rejected(
                f"an attribute of a cookie is {actual}", ", ".join(self.__struct_fields__)
            )
        return given

    def ended(self) -> Self:
        """Return the same for a cookie that shall be forgotten."""
        return msgspec.structs.replace(self, max_age=0)


def set_cookie(name: str, value: str, about: Attributes) -> str:
    """Return the value of a Set-Cookie header; raise NodeError if no browser would keep it."""
    if _NAME.fullmatch(name) is None:
        raise rejected(f"{name!r} is not a name for a cookie", "letters, digits and _ - .")
    written = quote(value, safe=_PLAIN)
    if len(name) + len(written) > _LONGEST:
        raise rejected(f"the cookie {name} is longer than {_LONGEST} bytes", "a shorter one")
    parts = [f"{name}={written}"]
    if about.max_age is not None:
        parts.append(f"Max-Age={int(about.max_age)}")
    for word, text in (("Path", about.path), ("Domain", about.domain)):
        if any(text in ";," or not " " < text < "\x7f" for text in text):
            raise rejected(
                f"the {lower(word)} of a cookie is {text!r}", "text without ; , and spaces"
            )
        if text:
            parts.append(f"{word}={text}")
    if about.secure:
        parts.append("Secure")
    if about.http_only:
        parts.append("HttpOnly")
    parts.append(f"SameSite={_SITES[about.same_site]}")
    return "; ".join(parts)


def rejected(actual: str, expected: str) -> NodeError:
    """Return the failure of an answer whose cookies cannot be set."""
    return NodeError(Error(f"{actual} (expected: {expected})", code="cookie"))
