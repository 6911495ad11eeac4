"""A response is what a flow answered, as HTTP: a status, header lines and a body.

An HttpResponse says all of that itself. Whether another map does depends on the mode of the listener:
`response` takes every map for a response, `data` none, and `auto` the map that has a `status`, a `body` or
a `header`, no key that a response does not have, and values that fit one. Every other answer is a body
with status 200.
"""

import re
from collections.abc import AsyncIterable
from http import HTTPStatus
from typing import Any, Final, Literal, TypeAlias

from heddle.extensions.net.http import media
from heddle.extensions.net.http.bodies import encode
from heddle.extensions.net.http.errors import AnswerError, RequestError
from heddle.extensions.net.http.head import TOKEN, Head, words
from heddle.extensions.net.http.latin import NO_LATIN, LatinHeader, kept_latin, latin_of
from heddle.extensions.net.http.negotiate import accepts
from heddle.extensions.net.http.request import FIELDS
from heddle.extensions.net.http.upgrade import Upgrade
from heddle.extensions.pieces import bytes_of
from heddle.extensions.response import HttpResponse
from heddle.runtime.flow.errors import NOTHING, Error, InputError, NodeError
from heddle.runtime.flow.stream import ByteStream, Stream
from heddle.schemas.ascii import elements, is_number, lower

AnswerMode: TypeAlias = Literal["auto", "data", "response"]
"""The maps that a listener takes for responses."""

ENVELOPE: Final = frozenset(["status", "header", "body"])
"""The keys that a map may have to be read as a response."""

_REQUEST: Final = frozenset([*FIELDS, "status", "params", "auth", "cookies"])
"""The keys of a request on its way, which may be the answer as well."""

_PHRASES: Final = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
"""As RFC 9110 has them; older versions of Python know them by older names."""

_UPGRADES: Final = b"Connection: Upgrade\r\n"
CLOSE: Final = b"Connection: close\r\n"
DATE: Final = b"Date: "
RETRY: Final = b"Retry-After: 1\r\n"


class StreamedBody:
    """A body that is sent piece by piece; `eager` sends each piece at once, even when packed."""

    __slots__ = ("chunks", "eager", "size")

    def __init__(
        self, chunks: AsyncIterable[bytes], size: int | None = None, *, eager: bool = True
    ) -> None:
        self.chunks = chunks
        self.size = size
        self.eager = eager


Response: TypeAlias = tuple[int, bytes, bytes | StreamedBody | Upgrade, bool]
"""Status, header lines (each with its line end), body, and whether packing the body is worth it.

The lines begin with CLOSE when the flow wants the connection closed, and with DATE (behind CLOSE) when
they have the Date of somebody else.
"""

_JSON: Final = f"Content-Type: {media.JSON}\r\n".encode()
_PROBLEM: Final = b"Content-Type: application/problem+json\r\n"
_TEXT: Final = f"Content-Type: {media.TEXT}\r\n".encode()
_BYTES: Final = f"Content-Type: {media.BYTES}\r\n".encode()
_NO_CONTENT: Final[Response] = (204, b"", b"", False)

_PACKABLE: Final = re.compile(
    r"(?ia)text/(?!event-stream)|application/(?:.*\+)?(?:json|xml|javascript|yaml|wasm|x-ndjson|sql)\b"
    r"|application/x-www-form-urlencoded|image/(?:svg\+xml|bmp)|font/(?:ttf|otf)"
)
_STATUSES: Final = {
    "busy": 503,
    "drained": 503,
    "dropped": 503,
    "response": 502,
    "timeout": 504,
    "unreachable": 502,
}
_VALUE: Final = bytes(range(0x20, 0x7F)) + b"\t" + bytes(range(0x80, 0x100))


# How the connection carries the response is for the connection to say.
_FRAMING: Final = words(
    "connection content-length transfer-encoding keep-alive proxy-connection te trailer upgrade"
    " date"
)
# A flow that answers with its request must not send the client's own headers back at it, among
# them its cookies and passwords.
_ASKING: Final = words(
    "accept accept-charset accept-encoding accept-language authorization content-encoding cookie"
    " expect forwarded from host if-match if-modified-since if-none-match if-range"
    " if-unmodified-since max-forwards origin proxy-authorization range referer"
    " sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user upgrade-insecure-requests"
    " user-agent"
)


def respond(answer: Any, head: Head, mode: AnswerMode = "auto") -> Response:
    """Return the response that an answer becomes for the request with that head; BadAnswer when none."""
    if isinstance(answer, dict):
        if mode == "auto" and type(answer) is dict:
            if is_envelope(answer):
                try:
                    return _envelope(answer, head)
                except AnswerError:
                    # Its values do not fit a response: it is data with the words of one.
                    if not _is_data(answer):
                        raise
        elif is_response(answer, mode):
            return _envelope(answer, head)
        if takes(head, media.JSON):
            return 200, _JSON, media.to_json(answer), True
    elif isinstance(answer, str):
        if takes(head, "text/plain"):
            return 200, _TEXT, media.to_text(answer, ""), True
    elif isinstance(answer, bytes):
        return 200, _BYTES, answer, False
    elif answer is NOTHING:
        return _NO_CONTENT
    elif isinstance(answer, Error):
        return respond_error(answer)
    elif isinstance(answer, AsyncIterable):
        answer = as_bytes(answer)
        kind = getattr(answer, "media", "")
        if not kind:
            return 200, _BYTES, _streamed(answer), False
        worth = _PACKABLE.match(kind) is not None
        return 200, _content_type(kind), _streamed(answer), worth
    elif isinstance(answer, Upgrade):
        return 101, b"", answer, False
    else:
        return 200, _JSON, media.to_json(answer), True
    body, content_type = encode(answer, "", head.get("Accept"))
    return 200, _content_type(content_type), body, True


def takes(head: Head, media_type: str) -> bool:
    """Return whether the client's Accept header, if it sent one, allows a media type."""
    return "Accept" not in head.fields or accepts(head.get("Accept"), media_type) > 0


def is_envelope(answer: dict[str, Any]) -> bool:
    """Return whether a map says status, header and body itself, rather than being the body."""
    if "body" in answer or "status" in answer or "header" in answer:
        if answer.keys() <= ENVELOPE:
            return True
        # A request that was checked on its way is still one when it is echoed, not data.
        return "method" in answer and answer.keys() <= _REQUEST
    return False


def is_response(answer: dict[str, Any], mode: AnswerMode = "auto") -> bool:
    """Return whether a listener of this mode takes a map for a response; an echoed request is one."""
    if type(answer) is not dict or mode == "response":
        return type(answer) is HttpResponse or mode == "response" or is_envelope(answer)
    return mode == "auto" and is_envelope(answer) and fits_response(answer)


def fits_response(answer: dict[str, Any]) -> bool:
    """Return whether the status and the header of a map are those of a response."""
    try:
        _header_lines(answer.get("header"), "method" in answer, _status(answer.get("status")))
    except AnswerError:
        return False
    return True


def _is_data(answer: dict[str, Any]) -> bool:
    """Return whether a map that is not a response can be written as data."""
    return not isinstance(answer.get("body"), AsyncIterable) and not fits_response(answer)


def status_of(answer: Any, mode: AnswerMode = "auto") -> int:
    """Return the status that `respond` would give, without building the body; 500 for a bad answer."""
    if answer is NOTHING:
        return 204
    if isinstance(answer, Error):
        return respond_error(answer)[0]
    if not isinstance(answer, dict):
        return 200
    if mode == "auto" and type(answer) is dict:
        status = answer.get("status")
        # Most maps are no failures: only one that may be is looked at closely.
        if status is None or not is_envelope(answer) or not fits_response(answer):
            return 200
        return _status(status)
    if not is_response(answer, mode):
        return 200
    try:
        return _status(answer.get("status"))
    except AnswerError:
        return 500


def fault_of(error: Error | BaseException) -> RequestError | InputError | None:
    """Return what the client did wrong, if that is what the error came from.

    Of several errors it is the first, if the client is at fault for all of them.
    """
    if isinstance(error, Error) and error.errors:
        faults = [fault_of(error) for error in error.errors]
        return faults[0] if None not in faults else None
    cause: BaseException | None = error.cause if isinstance(error, Error) else error
    if isinstance(cause, InputError):
        # Not further down: somebody who handles such an Error and fails of it is at fault.
        return cause
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        # A program wraps what reading the request raised in an error with its own line.
        if isinstance(cause, RequestError):
            return cause
        if isinstance(cause, NodeError):
            return fault_of(cause.error)
        seen.add(id(cause))
        cause = cause.__cause__
    return None


def respond_error(error: Error) -> Response:
    """Return an Error as a response that tells nothing from inside, except to who sent a bad request."""
    fault = fault_of(error)
    if fault is not None:
        return respond_fault(fault)
    return plain_response(_STATUSES.get(error.code, 500))


def respond_fault(fault: RequestError | InputError) -> Response:
    """Return what the client did wrong: a line of text, or a problem document (RFC 9457) with every mistake."""
    if isinstance(fault, RequestError):
        return plain_response(fault.status, str(fault))
    document = {
        "type": "urn:heddle:problem:invalid",
        "title": phrase(fault.status),
        "status": fault.status,
        "detail": str(fault),
        "problems": fault.mistakes,
    }
    return fault.status, _PROBLEM, media.to_json(document), True


def plain_response(status: int, text: str = "") -> Response:
    """Return a status with a line of text, by default the status's own phrase."""
    return status, _TEXT, (text or phrase(status)).encode(), False


def phrase(status: int) -> str:
    """`Not Found` for 404; "" for a status without a name."""
    if status in _PHRASES:
        return _PHRASES[status]
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _envelope(answer: dict[str, Any], head: Head) -> Response:
    if not answer.keys() <= _REQUEST:
        names = ", ".join(sorted(str(name) for name in answer.keys() - _REQUEST))
        raise AnswerError(f"found {names} in a response (expected: status, header and body)")
    status = _status(answer.get("status"))
    header: Any = answer.get("header")
    value = answer.get("body")
    latin = NO_LATIN
    if type(header) is LatinHeader:
        if header.lines is not None and (value is None or isinstance(value, bytes | AsyncIterable)):
            return _passed_on(status, header, value)
        latin = header.latin
    lines, content_type, packed = _header_lines(header, "method" in answer, status)
    if status == 204:
        return status, b"".join(lines), b"", False
    if status == 304:
        # It says what the whole response would say: whether that would be packed decides its tag.
        whole: bytes | StreamedBody = b""
        if isinstance(value, AsyncIterable):
            whole = _streamed(value)
        return status, b"".join(lines), whole, _worth(content_type, packed)
    if value is None or value is NOTHING:
        if content_type:
            lines.append(_content_type(content_type, latin))
        return status, b"".join(lines), b"", False
    if isinstance(value, AsyncIterable):
        value = as_bytes(value, content_type)
        content_type = content_type or getattr(value, "media", "") or media.BYTES
        body: bytes | StreamedBody = _streamed(value)
    else:
        body, content_type = encode(value, content_type, head.get("Accept"))
    lines.append(_content_type(content_type, latin))
    return status, b"".join(lines), body, status != 206 and _worth(content_type, packed)


def _worth(content_type: str, packed: bool) -> bool:
    """Return whether a body of this type is worth packing."""
    return not packed and _PACKABLE.match(content_type) is not None


def _passed_on(status: int, header: LatinHeader, value: Any) -> Response:
    """Return a response that came from somebody else, in the very bytes of what nobody has changed."""
    texts: dict[str, list[str]] = {}
    passed = header.lines or ()
    for name, text, _ in passed:
        texts.setdefault(name, []).append(text)
    kept = {name for name, texts in texts.items() if header.get(name) == texts}
    others = {name: values for name, values in header.items() if name not in kept}
    added, content_type, packed = _header_lines(kept_latin(others, header.latin), False, status)
    lines = [line for name, _, line in passed if name in kept and lower(name) not in _FRAMING]
    if "Date" in kept:
        lines.insert(0, DATE + texts["Date"][0].encode() + b"\r\n")
    if "Content-Type" in kept:
        content_type = texts["Content-Type"][-1]
    elif content_type:
        added.append(_content_type(content_type, header.latin))
    packed = packed or any(_forbids_packing(lower(name), texts[name]) for name in kept)
    body: bytes | StreamedBody = value or b""
    if isinstance(value, AsyncIterable):
        body = _streamed(as_bytes(value, content_type))
    if added and added[0] is CLOSE:
        lines.insert(0, added.pop(0))
    worth = status not in (204, 206, 304) and _worth(content_type, packed)
    return status, b"".join(lines + added), b"" if status == 204 else body, worth


def _status(value: Any) -> int:
    if value is None or (value == 0 and value is not False):
        return 200
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and len(value) == 3 and is_number(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 200 <= value <= 599:
        raise AnswerError(f"status: found {value!r}, expected a whole number from 200 to 599")
    return value


def _header_lines(header: Any, echoed: bool, status: int) -> tuple[list[bytes], str, bool]:
    """Return the lines, the Content-Type apart, and whether something forbids to pack the body."""
    lines: list[bytes] = []
    content_type = ""
    packed = False
    if header is None:
        return lines, content_type, packed
    if not isinstance(header, dict):
        raise AnswerError(
            f"header: found {type(header).__name__}, expected a map of names to values"
        )
    latin = latin_of(header)
    for name, values in header.items():
        small = _name(name)
        if small == "connection" and not echoed and _is_close(values):
            lines.insert(0, CLOSE)
        if small == "upgrade" and status == 426:
            # Such a response must name the protocol that is wanted instead.
            lines.append(_UPGRADES)
        elif small in _FRAMING or (echoed and small in _ASKING):
            continue
        texts = [
            _text(small, value) for value in (values if isinstance(values, list) else [values])
        ]
        if small == "content-type":
            if len(texts) > 1:
                raise AnswerError("header.Content-Type: found several values, expected one")
            content_type = texts[0] if texts else ""
            continue
        packed = packed or _forbids_packing(small, texts)
        lines.extend(_line(name, text, latin) for text in texts)
    return lines, content_type, packed


def _is_close(values: Any) -> bool:
    last = values[-1] if isinstance(values, list) and values else values
    return "close" in elements(lower(str(last)))


def _forbids_packing(small: str, texts: list[str]) -> bool:
    if small == "cache-control":
        return any("no-transform" in lower(text) for text in texts)
    return small in ("content-encoding", "content-range")


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise AnswerError(f"header: found {name!r} as a name, expected text")
    if name.encode("utf-8", "surrogatepass").translate(None, TOKEN):
        raise AnswerError(f"header: found {name!r} as a name, expected letters, digits and hyphens")
    return lower(name)


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        raise AnswerError(
            f"header.{name}: found {type(value).__name__}, expected text or a list of it"
        )
    try:
        broken = value.encode().translate(None, _VALUE)
    except UnicodeError:
        raise AnswerError(f"header.{name}: found text that is not Unicode") from None
    if broken:
        raise AnswerError(f"header.{name}: found a line end or a control character in {value!r}")
    return value.strip(" \t")


def _line(name: str, text: str, latin: frozenset[str]) -> bytes:
    """Return a header line: text that came as Latin-1 goes on as the bytes that it was."""
    if latin and text in latin:
        return f"{name}: {text}\r\n".encode("latin-1")
    return f"{name}: {text}\r\n".encode()


def _content_type(text: str, latin: frozenset[str] = frozenset()) -> bytes:
    if text == media.JSON:
        return _JSON
    if text == media.TEXT:
        return _TEXT
    return _line("Content-Type", text, latin)


def as_bytes(value: AsyncIterable[Any], media_type: str = "") -> AsyncIterable[bytes]:
    """Return a stream of data as bytes of that media type, JSON lines without one; others stay."""
    return bytes_of(value, media_type) if isinstance(value, Stream) else value


def _streamed(value: AsyncIterable[bytes]) -> StreamedBody:
    return StreamedBody(value, value.size if isinstance(value, ByteStream) else None)
