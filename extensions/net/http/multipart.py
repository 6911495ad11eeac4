"""multipart/form-data: a form whose fields may be files, taken apart and put together."""

import re
import secrets
from typing import Any, Final

from heddle.extensions.net.http.errors import BadAnswer, BadRequest
from heddle.extensions.net.http.head import parse_head
from heddle.extensions.net.http.limits import Limits
from heddle.extensions.net.http.media import BYTES, MULTIPART, TEXT, from_text, parameter, to_bytes
from heddle.schemas.ascii import lower, trim

_PARTS: Final = 1000
_LIMITS: Final = Limits(header_bytes=8 * 1024, headers=20)


def decode_multipart(data: bytes, boundary: str) -> dict[str, Any]:
    """`{values: {name: [text]}, files: {name: [{filename, header, size, data}]}}`.

    BadRequest when a boundary is missing, a part has no name, or there are more than 1,000 parts.
    """
    if not 1 <= len(boundary) <= 200:
        raise BadRequest("multipart/form-data has no boundary")
    values: dict[str, list[str]] = {}
    files: dict[str, list[dict[str, Any]]] = {}
    for part in _split(data, b"--" + boundary.encode("latin-1", "replace")):
        header, content = _part(part)
        disposition = header.get("Content-Disposition", [""])[0]
        if lower(trim(disposition.partition(";")[0])) != "form-data":
            raise BadRequest("a multipart part is not form-data")
        name = parameter(disposition, "name")
        if not name:
            raise BadRequest("a multipart part has no name")
        filename = parameter(disposition, "filename")
        if filename is not None:
            # Some clients send the whole path of the file on their disk.
            base = re.split(r"[/\\]", filename)[-1]
            file = {"filename": base, "header": header, "size": len(content), "data": content}
            files.setdefault(name, []).append(file)
        else:
            kind = header.get("Content-Type", [""])[0]
            values.setdefault(name, []).append(from_text(content, kind))
    return {"values": values, "files": files}


def encode_multipart(value: Any, boundary: str = "") -> tuple[bytes, str]:
    """The bytes and the Content-Type of `{values, files}` or of a map of plain fields.

    A file is its content, or `{data, filename, header}`. BadAnswer when it is no such map.
    """
    if not isinstance(value, dict):
        raise BadAnswer(f"a {type(value).__name__} cannot be written as {MULTIPART}")
    boundary = boundary or secrets.token_hex(16)
    shaped = value.keys() <= {"values", "files"}
    fields = value.get("values") if shaped else value
    files = value.get("files") if shaped else None
    if not isinstance(fields or {}, dict) or not isinstance(files or {}, dict):
        raise BadAnswer(f"{MULTIPART} wants maps under values and files")
    parts = [_field(name, one) for name, many in (fields or {}).items() for one in _list(many)]
    parts += [_file(name, one) for name, many in (files or {}).items() for one in _list(many)]
    edge = b"--" + boundary.encode()
    whole = b"".join(edge + b"\r\n" + part + b"\r\n" for part in parts) + edge + b"--\r\n"
    return whole, f"{MULTIPART}; boundary={boundary}"


def _split(data: bytes, edge: bytes) -> list[bytes]:
    pieces = (b"\r\n" + data).split(b"\r\n" + edge, _PARTS + 2)
    if len(pieces) < 2:
        raise BadRequest("the multipart body does not hold its boundary")
    if len(pieces) > _PARTS + 2:
        raise BadRequest(f"the multipart body has more than {_PARTS} parts")
    if not pieces[-1].startswith(b"--"):
        raise BadRequest("the multipart body is cut off before its last boundary")
    return pieces[1:-1]


def _part(piece: bytes) -> tuple[dict[str, list[str]], bytes]:
    start = piece.lstrip(b" \t")
    if not start.startswith(b"\r\n"):
        raise BadRequest("a multipart boundary is followed by something else than a line end")
    if start.startswith(b"\r\n\r\n"):
        return {}, start[4:]
    block, separator, content = start[2:].partition(b"\r\n\r\n")
    if not separator or len(block) > _LIMITS.header_bytes:
        raise BadRequest("the headers of a multipart part do not end")
    return parse_head(block, 10, _LIMITS).fields, content


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
        raise BadAnswer("the Content-Type of a file holds a line end")
    disposition = f'form-data; name="{_quoted(name)}"; filename="{_quoted(filename)}"'
    return (
        f"Content-Disposition: {disposition}\r\nContent-Type: {kind}\r\n\r\n".encode()
        + to_bytes(data, kind)
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) and value else [value]


def _quoted(text: Any) -> str:
    return str(text).replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
