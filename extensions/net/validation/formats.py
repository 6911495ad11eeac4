"""Formats of JSON Schema: each is a function that returns whether a text has it."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final
from urllib.parse import urlsplit

from heddle.schemas.ascii import lower

FormatCheck = Callable[[str], bool]

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(
    r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\.[0-9]+)?"
    r"(?:[zZ]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
_DURATION: Final = re.compile(
    r"P(?:[0-9]+W|(?=[0-9T])(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)?"
    r"(?:T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S))?)"
)
_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_QUOTED: Final = re.compile(r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"')
_URI: Final = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_POINTER: Final = re.compile(r"(?:/(?:[^/~]|~[01])*)*")
_RELATIVE: Final = re.compile(r"(?:0|[1-9][0-9]*)(?:#|(?:/(?:[^/~]|~[01])*)*)")


def is_date(text: str) -> bool:
    """Return whether a text is a full date of RFC 3339."""
    if _DATE.fullmatch(text) is None:
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def is_time(text: str) -> bool:
    """Return whether a text is a full time of RFC 3339, with its offset; a leap second ends a day in UTC."""
    match = _TIME.fullmatch(text)
    if match is None:
        return False
    if match[3] != "60":
        return True
    minutes = int(match[1]) * 60 + int(match[2])
    if match[4]:
        offset = int(match[5]) * 60 + int(match[6])
        minutes += -offset if match[4] == "+" else offset
    return minutes % 1440 == 1439


def is_date_time(text: str) -> bool:
    """Return whether a text is a date and a time of RFC 3339."""
    return text[10:11] in ("T", "t") and is_date(text[:10]) and is_time(text[11:])


def is_hostname(text: str) -> bool:
    """Return whether a text is the name of a host (RFC 1123), in ASCII."""
    labels = text.split(".")
    return (
        len(text) <= 253
        and all(map(_LABEL.fullmatch, labels))
        and not any(label[2:4] == "--" and not _punycode(label) for label in labels)
    )


def _punycode(label: str) -> bool:
    """Return whether a label with `--` in third place is a name that IDNA has encoded."""
    if lower(label[:4]) != "xn--":
        return False
    try:
        decoded = label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError, OverflowError):
        return False
    return bool(decoded) and not decoded.isascii()


def is_email(text: str) -> bool:
    """Return whether a text is an address of a mailbox (RFC 5321), in ASCII."""
    local, at, domain = text.rpartition("@")
    if not at or not (_ATOMS.fullmatch(local) or _QUOTED.fullmatch(local)):
        return False
    if domain.startswith("[") and domain.endswith("]"):
        literal = domain[1:-1]
        return is_ipv6(literal[5:]) if lower(literal[:5]) == "ipv6:" else is_ipv4(literal)
    return is_hostname(domain)


def is_ipv4(text: str) -> bool:
    """Return whether a text is an IPv4 address with four decimal numbers."""
    try:
        return text.isascii() and bool(ipaddress.IPv4Address(text))
    except ValueError:
        return False


def is_ipv6(text: str) -> bool:
    """Return whether a text is an IPv6 address, without a zone."""
    try:
        return text.isascii() and "%" not in text and ipaddress.IPv6Address(text) is not None
    except ValueError:
        return False


def is_uri_reference(text: str) -> bool:
    """Return whether a text is a URI or a relative reference (RFC 3986)."""
    if _URI.fullmatch(text) is None or text.count("#") > 1:
        return False
    head = re.split(r"[/?#]", text, maxsplit=1)[0]
    if ":" in head and _SCHEME.match(text) is None:
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    user, _, host = parts.netloc.rpartition("@")
    outside = text.replace(f"[{parts.hostname}]", "", 1) if host.startswith("[") else text
    return "@" not in user and not set("[]") & set(outside + user)


def is_uri(text: str) -> bool:
    """Return whether a text is a URI with its scheme (RFC 3986)."""
    return _SCHEME.match(text) is not None and is_uri_reference(text)


_FOREIGN: Final = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|(\(\?(?![:=!<]))", re.DOTALL)
"""Groups that Python has, and the expressions of JSON Schema do not: flags and conditions among them."""


def is_regex(text: str) -> bool:
    """Return whether a text is a regular expression."""
    if any(match[1] for match in _FOREIGN.finditer(text)):
        # Ranges without regard to case also take Python many milliseconds each.
        return False
    if re.search(r"\\[AZaz](?![A-Za-z])", text) and not re.search(r"\\\\", text):
        # Python has anchors that the expressions of JSON Schema do not have.
        return False
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


FORMATS: Final[Mapping[str, FormatCheck]] = {
    "date": is_date,
    "date-time": is_date_time,
    "duration": lambda text: _DURATION.fullmatch(text) is not None,
    "email": is_email,
    "hostname": is_hostname,
    "ipv4": is_ipv4,
    "ipv6": is_ipv6,
    "json-pointer": lambda text: _POINTER.fullmatch(text) is not None,
    "regex": is_regex,
    "relative-json-pointer": lambda text: _RELATIVE.fullmatch(text) is not None,
    "time": is_time,
    "uri": is_uri,
    "uri-reference": is_uri_reference,
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
}
"""The formats that are checked; a text of another format is not looked at."""
