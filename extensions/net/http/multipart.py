"""multipart/form-data: a form whose fields may be files, taken apart and put together."""

import re
import secrets
from base64 import b64decode
from binascii import a2b_qp
from typing import Any, Final

from heddle.extensions.net.http.disposition import disposition_of
from heddle.extensions.net.http.errors import AnswerError, RequestError
from heddle.extensions.net.http.head import parse_head
from heddle.extensions.net.http.limits import HttpLimits
from heddle.extensions.net.http.media import BYTES, MULTIPART, TEXT, from_text, to_bytes
from heddle.schemas.ascii import lower, trim

_PARTS: Final = 1000
_EDGE_END: Final = re.compile(rb"(--)?[ \t]*(?=\r\n|\Z)")
_SPACE: Final = re.compile(rb"[ \t\r\n]+")
_LIMITS: Final = HttpLimits(header_bytes=8 * 1024, headers=20)


def decode_multipart(data: bytes, boundary: str) -> dict[str, Any]:
    """`{values: {name: [text]}, files: {name: [{filename, header, size, data}]}}`.

    BadRequest when a boundary is missing, a part has no name, or there are more than 1,000 parts.
    """
    if not 1 <= len(boundary) <= 200:
        raise RequestError("multipart/form-data has no boundary")
    values: dict[str, list[str]] = {}
    files: dict[str, list[dict[str, Any]]] = {}
    for piece in _split(data, b"--" + boundary.encode("latin-1", "replace")):
        header, content = _part(piece)
        name, filename = disposition_of(header.get("Content-Disposition", [""])[0])
        content = _transferred(content, header)
        if filename is not None:
            file = {"filename": filename, "header": header, "size": len(content), "data": content}
            files.setdefault(name, []).append(file)
        else:
            kind = header.get("Content-Type", [""])[0]
            values.setdefault(name, []).append(from_text(content, kind))
    return {"values": values, "files": files}


def encode_multipart(value: Any, boundary: str = "") -> tuple[bytes, str]:
    """Return the bytes and the Content-Type of `{values, files}` or of a map of plain fields.

    A file is its content, or `{data, filename, header}`. BadAnswer when it is no such map.
    """
    if not isinstance(value, dict):
        raise AnswerError(f"a {type(value).__name__} cannot be written as {MULTIPART}")
    boundary = boundary or secrets.token_hex(16)
    shaped = value.keys() <= {"values", "files"}
    fields = value.get("values") if shaped else value
    files = value.get("files") if shaped else None
    if not isinstance(fields or {}, dict) or not isinstance(files or {}, dict):
        raise AnswerError(f"{MULTIPART} wants maps under values and files")
    parts = [_field(name, value) for name, many in (fields or {}).items() for value in _list(many)]
    parts += [_file(name, value) for name, many in (files or {}).items() for value in _list(many)]
    edge = b"--" + boundary.encode()
    whole = b"".join(edge + b"\r\n" + part + b"\r\n" for part in parts) + edge + b"--\r\n"
    return whole, f"{MULTIPART}; boundary={boundary}"


def _split(data: bytes, edge: bytes) -> list[bytes]:
    """Return what stands between the lines that are the boundary, and nothing else than it."""
    pieces: list[bytes] = []
    begin: int | None = None
    at = data.find(edge)
    while at >= 0:
        line = _EDGE_END.match(data, at + len(edge)) if _begins_line(data, at) else None
        if line is None:
            at = data.find(edge, at + 1)
            continue
        if begin is not None:
            pieces.append(data[begin : at - 2])
        elif at and data.startswith(b"--"):
            raise RequestError("the multipart body begins with another boundary than its own")
        if len(pieces) > _PARTS:
            raise RequestError(f"the multipart body has more than {_PARTS} parts")
        if line[1]:
            return pieces
        begin = line.end()
        at = data.find(edge, begin)
    if begin is None:
        raise RequestError("the multipart body does not hold its boundary")
    raise RequestError("the multipart body is cut off before its last boundary")


def _begins_line(data: bytes, at: int) -> bool:
    return at == 0 or data[max(at - 2, 0) : at] == b"\r\n"


def _part(piece: bytes) -> tuple[dict[str, list[str]], bytes]:
    if piece.startswith(b"\r\n\r\n"):
        return {}, piece[4:]
    block, separator, content = piece[2:].partition(b"\r\n\r\n")
    if not separator or len(block) > _LIMITS.header_bytes:
        raise RequestError("the headers of a multipart part do not end")
    return parse_head(block, 10, _LIMITS).fields, content


def _transferred(content: bytes, header: dict[str, list[str]]) -> bytes:
    """Return the content without its Content-Transfer-Encoding, which HTTP does not need."""
    named = lower(trim(header.get("Content-Transfer-Encoding", ["binary"])[0]))
    if named in ("7bit", "8bit", "binary"):
        return content
    if named == "quoted-printable":
        return a2b_qp(content)
    if named != "base64":
        raise RequestError(
            f'the Content-Transfer-Encoding "{named}" of a part is not known here', 415
        )
    try:
        return b64decode(_SPACE.sub(b"", content), validate=True)
    except ValueError:
        raise RequestError("a multipart part is not base64, as it says it is") from None


def _field(name: str, value: Any) -> bytes:
    head = f'Content-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'
    return head.encode() + to_bytes(value, TEXT)


def _file(name: str, file: Any) -> bytes:
    shaped = isinstance(file, dict) and "data" in file
    data = file["data"] if shaped else file
    filename = str(file.get("filename") or name) if shaped else name
    header = (file.get("header") or {}) if shaped else {}
    given = _list(header.get("Content-Type") or "")[0]
    kind = str(given or (TEXT if isinstance(data, str) else BYTES))
    if "\r" in kind or "\n" in kind:
        raise AnswerError("the Content-Type of a file holds a line end")
    disposition = f'form-data; name="{_quoted(name)}"; filename="{_quoted(filename)}"'
    return (
        f"Content-Disposition: {disposition}\r\nContent-Type: {kind}\r\n\r\n".encode()
        + to_bytes(data, kind)
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) and value else [value]


def _quoted(text: Any) -> str:
    return (
        str(text)
        .replace("\\", "\\\\")
        .replace('"', "%22")
        .replace("\r", "%0D")
        .replace("\n", "%0A")
    )
