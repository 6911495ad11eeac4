"""Content-Disposition of a part of a form: the name of its field, and the name of its file."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from heddle.extensions.net.http.errors import RequestError
from heddle.schemas.ascii import lower, trim

_PARAMETER: Final = re.compile(
    r';[ \t]*([^=;" \t]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;"]*))', re.DOTALL
)
_ESCAPED: Final = re.compile(r'\\(["\\])')
_EXTENDED: Final = re.compile(
    r"([\w!#$%&+^`{}~.-]+)'[\w-]*'((?:%[0-9A-Fa-f]{2}|[!-$&-~])*)", re.ASCII
)
_CHARSETS: Final = ("utf-8", "iso-8859-1")


def disposition_of(header: str) -> tuple[str, str | None]:
    """Return the field's name, and the file's name without folders, or None if it is not a file.

    `filename*` goes before `filename` (RFC 6266). BadRequest if the part is not `form-data`, has no
    name, or only a `filename*` that cannot be read.
    """
    if lower(trim(header.partition(";")[0])) != "form-data":
        raise RequestError("a multipart part is not form-data")
    given: dict[str, str] = {}
    for match in _PARAMETER.finditer(header):
        quoted: str | None = match[2]
        # A backslash stands for itself, as browsers send it, unless a quote or another follows.
        text = trim(match[3]) if quoted is None else _ESCAPED.sub(r"\1", quoted)
        given.setdefault(lower(match[1]), text)
    if not given.get("name"):
        raise RequestError("a multipart part has no name")
    filename = given.get("filename")
    if "filename*" in given:
        extended = _extended(given["filename*"])
        if extended is None and filename is None:
            raise RequestError("the filename* of a multipart part cannot be read")
        filename = filename if extended is None else extended
    # Some clients send the whole path of the file on their disk.
    return given["name"], None if filename is None else re.split(r"[/\\]", filename)[-1]


def _extended(text: str) -> str | None:
    """Return what `utf-8''na%C3%AFve.txt` stands for (RFC 8187); None if it is not of that form."""
    match = _EXTENDED.fullmatch(text)
    if match is None or lower(match[1]) not in _CHARSETS:
        return None
    try:
        return unquote_to_bytes(match[2]).decode(lower(match[1]))
    except UnicodeDecodeError:
        return None
