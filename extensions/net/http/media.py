"""Media types: their names and parameters, and the codecs of JSON, text and forms."""

import gc
import re
from binascii import a2b_qp
from codecs import lookup
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from heddle.extensions.net.http.errors import AnswerError, RequestError
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.materialize import plain
from heddle.schemas.ascii import lower, trim
from heddle.specs.model.json_text import decode as decode_json

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
BYTES: Final = "application/octet-stream"
FORM: Final = "application/x-www-form-urlencoded"
EVENTS: Final = "text/event-stream"
MULTIPART: Final = "multipart/form-data"

VALUES: Final = 250_000
"""How many values a JSON text may hold, unless a listener says otherwise: decoding holds the loop."""

_FIELDS: Final = 10_000
_ESCAPES: Final = 10_000
_LARGE: Final = 64 * 1024
_COMMON: Final = 128
"""Characters of a header whose media type is remembered."""

_BROKEN: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
# Python's codecs that no text is sent in: some of them take a time that grows with the square of
# the text, and UTF-7 hides what a filter looks for.
_NO_CHARSETS: Final = frozenset(
    ("idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined", "utf-7")
)
_UNWRITABLE: Final = (TypeError, ValueError, OverflowError, RecursionError)
_PARAMETER: Final = re.compile(
    r';[ \t]*([^=;" \t]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;" \t]*))'
)


def media_type(header: str) -> str:
    """`Text/HTML; charset=x` as `text/html`."""
    # Few are sent, and again and again; a long one is not worth keeping.
    return _media_type(header) if len(header) <= _COMMON else lower(trim(header.partition(";")[0]))


@lru_cache(maxsize=256)
def _media_type(header: str) -> str:
    return lower(trim(header.partition(";")[0]))


def parameter(header: str, name: str) -> str | None:
    """Return a parameter of a Content-Type or Content-Disposition header; None without it."""
    for match in _PARAMETER.finditer(header):
        if lower(match[1]) == name:
            quoted: str | None = match[2]
            return match[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    return None


def is_json(kind: str) -> bool:
    """Return whether a media type is JSON or built upon it."""
    return kind == JSON or kind.endswith("+json")


def values_in(data: bytes) -> int:
    """Return how many values a JSON text holds at most: commas and brackets in texts count, too."""
    return data.count(b",") + data.count(b"{") + data.count(b"[") + 1


def from_json(data: bytes, values: int | None = VALUES) -> Any:
    """Return the value of a JSON text; BadRequest says where it is broken, 413 that it holds too many `values`."""
    try:
        return decode_json(data) if len(data) <= _LARGE else _from_large(data, values)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"the body is not valid JSON: {error}") from None


def _from_large(data: bytes, values: int | None) -> Any:
    if values is not None and values_in(data) > values:
        raise RequestError(f"the JSON of the body has more than {values:,} values", 413)
    if not gc.isenabled():
        return decode_json(data)
    # While many values are made, the collector would look at all of them again and again.
    gc.disable()
    try:
        return decode_json(data)
    finally:
        gc.enable()


def to_json(value: Any) -> bytes:
    """Return a payload as JSON: bytes as base64, an Error as its message; BadAnswer for what is not data."""
    try:
        return _encoder.encode(value)
    except _UNWRITABLE:
        pass
    # A request inside an answer is a lazy map, which the encoder cannot read.
    try:
        return _encoder.encode(plain(value))
    except _UNWRITABLE as error:
        raise AnswerError(f"the body cannot be written as JSON: {error}") from error


def from_text(data: bytes, content_type: str) -> str:
    """Text in the charset that its type names, or UTF-8; BadRequest when it is not."""
    try:
        return data.decode(_charset(content_type))
    except LookupError:
        raise RequestError("the body's charset is not known here", 415) from None
    except (UnicodeError, ValueError):
        raise RequestError("the body is not text in its charset") from None


def to_text(text: str, content_type: str) -> bytes:
    """Text in the charset that its type names, or UTF-8; BadAnswer when that cannot hold it."""
    try:
        return text.encode(_charset(content_type) if content_type else "utf-8")
    except (LookupError, ValueError) as error:
        raise AnswerError(f"the body cannot be written as {content_type}: {error}") from error


def _charset(content_type: str) -> str:
    """Return the charset that a type names, or UTF-8; raise LookupError if it is none that text is sent in."""
    named = parameter(content_type, "charset") if ";" in content_type else None
    if not named or lower(named) == "utf-8":
        return "utf-8"
    if not named.isascii():
        # Python would look for the name without these characters.
        raise LookupError(f'"{named}" is not a charset')
    known = lookup(named).name
    if known.replace("_", "-") in _NO_CHARSETS:
        raise LookupError(f'"{named}" is not a charset')
    return known


def from_form(text: str) -> dict[str, list[str]]:
    """Return a form or a query as a map of lists; BadRequest past 10,000 fields, or if it is not UTF-8."""
    try:
        if text.count("%") > _ESCAPES:
            pairs = _split_form(text)
        else:
            pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except UnicodeDecodeError:
        raise RequestError("a field of the query or the form is not UTF-8") from None
    except ValueError:
        raise RequestError(f"there are more than {_FIELDS} fields") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def _split_form(text: str) -> list[tuple[str, str]]:
    """Take a form with very many escapes apart as `parse_qsl` does, in a hundredth of its time."""
    if text.count("&") >= _FIELDS:
        raise ValueError("too many fields")
    pairs: list[tuple[str, str]] = []
    for field in text.split("&"):
        if field:
            name, _, value = field.partition("=")
            pairs.append((_unescaped(name), _unescaped(value)))
    return pairs


def _unescaped(text: str) -> str:
    data = text.replace("+", " ").encode()
    # A sign that begins no escape stays as it is.
    data, broken = _BROKEN.subn(b"%25", data, count=_ESCAPES)
    if broken == _ESCAPES:
        raise RequestError("the form has too many broken escapes")
    # An escape is written with another sign in quoted-printable, which is read in C.
    return a2b_qp(data.replace(b"=", b"=3D").replace(b"%", b"=")).decode("utf-8")


def to_form(value: Any) -> bytes:
    """Return a map of values or of lists as a form; BadAnswer for anything else but text.

    Text stands as it is, everything else as JSON has it: `true`, `null`, `{"k":1}`.
    """
    if isinstance(value, str):
        return to_text(value, "")
    if not isinstance(value, dict):
        raise AnswerError(f"a {type(value).__name__} cannot be written as {FORM}")
    pairs = [
        (field_text(name), item if isinstance(item, bytes) else field_text(item))
        for name, items in value.items()
        for item in (items if isinstance(items, list | tuple) else [items])
    ]
    try:
        return urlencode(pairs).encode()
    except UnicodeError as error:
        raise AnswerError(f"a field cannot be written as UTF-8: {error}") from error


def field_text(value: Any) -> str:
    """Return a value as the text of a form's field or of a query's: JSON if it is not text."""
    if isinstance(value, Error):
        return value.message
    return value if isinstance(value, str) else to_json(value).decode()


def to_bytes(value: Any, content_type: str) -> bytes:
    """Return a value in a type without parts: bytes as they are, text in its charset, data as JSON."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, Error):
        value = value.message
    kind = media_type(content_type)
    if kind == FORM:
        return to_form(value)
    if isinstance(value, str) and not is_json(kind):
        return to_text(value, content_type)
    return to_json(value)


def _hook(value: Any) -> Any:
    if isinstance(value, Error):
        return value.message
    raise TypeError(f"a {type(value).__name__} is not plain data")


_encoder: Final = msgspec.json.Encoder(enc_hook=_hook)
