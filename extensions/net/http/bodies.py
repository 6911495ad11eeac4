"""Bodies: bytes into plain data and back, as their Content-Type says."""

from typing import Any, Final

from heddle.extensions.net.http import media
from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.negotiate import accepts
from heddle.runtime.flow.errors import Error

LARGE: Final = 64 * 1024
"""A body larger than this is looked at before it is decoded: how much will come of it?"""


def decoded_size(data: bytes, content_type: str) -> int:
    """Return about how many bytes a body takes once it is decoded, beside itself."""
    kind = media.media_type(content_type)
    if kind == "" or media.is_json(kind):
        return media.values_in(data) * _VALUE
    return len(data) if kind.startswith("text/") or kind in (media.FORM, media.MULTIPART) else 0


def decode(data: bytes, content_type: str, values: int | None = media.VALUES) -> Any:
    """Return the data that a body stands for; BadRequest when it is not what its type says.

    JSON becomes its value, a form a map of lists, multipart `{values, files}`, text a str in its
    charset, everything else stays bytes. An empty body of type JSON is null. Without a
    Content-Type the body is bytes, unless it is a JSON object or array. JSON of more than so many
    `values` is BadRequest 413.
    """
    if not content_type:
        return _sniff(data, values)
    kind = media.media_type(content_type)
    if media.is_json(kind):
        return media.from_json(data, values) if data else None
    if kind == media.FORM:
        return media.from_form(media.from_text(data, ""))
    if kind == media.MULTIPART:
        from heddle.extensions.net.http.multipart import decode_multipart

        return decode_multipart(data, media.parameter(content_type, "boundary") or "")
    if kind.startswith("text/"):
        return media.from_text(data, content_type)
    return data


def encode(value: Any, content_type: str = "", accept: str = "") -> tuple[bytes, str]:
    """Return the bytes of a value and their Content-Type; BadAnswer when the two do not go together.

    Bytes are sent as they are. Without a `content_type` the value's own is taken: text for a str,
    JSON for data, and where `accept` rejects that, another one that it takes.
    """
    if isinstance(value, Error):
        value = value.message
    kind = content_type or _own_type(value, accept)
    if media.media_type(kind) == media.MULTIPART and not isinstance(value, bytes):
        from heddle.extensions.net.http.multipart import encode_multipart

        return encode_multipart(value, media.parameter(kind, "boundary") or "")
    return media.to_bytes(value, kind), kind


_VALUE: Final = 64
"""About how many bytes a value of JSON takes as an object of Python."""

_OTHER: Final = {media.TEXT: media.JSON, media.JSON: media.FORM}


def _own_type(value: Any, accept: str) -> str:
    if isinstance(value, bytes):
        return media.BYTES
    own = media.TEXT if isinstance(value, str) else media.JSON
    if not accept or not isinstance(value, str | dict):
        return own
    other = _OTHER[own]
    rejected = not accepts(accept, media.media_type(own))
    return other if rejected and accepts(accept, other) and _fits(value, other) else own


def _fits(value: Any, kind: str) -> bool:
    """Return whether a form can hold the map: text, numbers, and lists of them."""
    if kind != media.FORM:
        return True
    items = [
        item for many in value.values() for item in (many if isinstance(many, list) else [many])
    ]
    return all(isinstance(item, str | int | float) for item in items)


def _sniff(data: bytes, values: int | None) -> Any:
    if data.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")[:1] not in (b"{", b"["):
        return data
    try:
        return media.from_json(data, values)
    except RequestError as rejection:
        if rejection.status == 413:
            raise
        return data
