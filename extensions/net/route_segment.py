"""A RouteSegment is one segment of a route's path: literal text, with a parameter in it or without."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from heddle.schemas.ascii import trim

Reader: TypeAlias = Callable[[str], Any]
"""Returns the value that a text stands for; None if the text does not fit."""

REST: Final = "path"
"""The type of a parameter that takes the rest of the path."""

_BRACES: Final = re.compile(r"(?<!\\)[{}]")
_PARAMETER: Final = re.compile(r"(?<!\\)\{([^{}]*)\}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,30})?")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_LARGEST: Final = 2**63


def read_integer(text: str) -> int | None:
    """Return the 64-bit integer that a text is; None for another text, also for `007` and `+7`."""
    if _INTEGER.fullmatch(text) is None or text == "-0":
        return None
    value = int(text)
    return value if -_LARGEST <= value < _LARGEST else None


def read_number(text: str) -> float | None:
    """Return the number that a text is, without exponent; None for another text."""
    return float(text) if _NUMBER.fullmatch(text) is not None else None


def read_uuid(text: str) -> str | None:
    """Return a UUID with small letters; None for another text, also for one without hyphens."""
    return str(UUID(text)) if _UUID.fullmatch(text) is not None else None


READERS: Final[Mapping[str, Reader]] = {
    "integer": read_integer,
    "number": read_number,
    "uuid": read_uuid,
}
"""The readers of parameters, by type, but for texts."""

TYPES: Final = ("string", *READERS, REST)
"""The types that a parameter can have."""

_SCHEMAS: Final[Mapping[str, Mapping[str, Any]]] = {
    "integer": {"type": "integer", "format": "int64"},
    "number": {"type": "number"},
    "uuid": {"type": "string", "format": "uuid"},
}


class RouteSegmentError(ValueError):
    """A segment of a route that cannot be read; `expected` says what would be right."""

    def __init__(self, message: str, expected: str) -> None:
        super().__init__(message)
        self.expected = expected


class RouteSegment(NamedTuple):
    """The text before and behind a parameter, its name and its type; the name is None without one."""

    prefix: str
    name: str | None = None
    type: str = "string"
    suffix: str = ""

    @property
    def rest(self) -> bool:
        """Whether it takes the rest of the path."""
        return self.type == REST

    @property
    def reader(self) -> Reader | None:
        """The reader of what stands behind the prefix; None if any text fits as it is."""
        read = READERS.get(self.type)
        suffix = self.suffix
        if not suffix:
            return read
        size = len(suffix)

        def cut(text: str) -> Any:
            if not text.endswith(suffix) or len(text) == size:
                return None
            return text[:-size] if read is None else read(text[:-size])

        return cut

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its value."""
        return dict(_SCHEMAS.get(self.type, {"type": "string"}))


def parse_segment(text: str) -> RouteSegment:
    """Return a segment as it is written; raise RouteSegmentError if it cannot be read.

    `{name}` and `{name:type}` may have text before and behind them, `:name` and `*` only before.
    `\\:`, `\\{` and `\\}` are the characters themselves.
    """
    if text.startswith("*"):
        return RouteSegment("", "*", REST)
    braces = _PARAMETER.search(text)
    if braces is None:
        if _BRACES.search(text):
            raise RouteSegmentError(f'"{text}" has a brace alone', "{name}, or \\{ for a brace")
        index = _colon(text)
        if index < 0:
            return RouteSegment(_literal(text))
        if index + 1 == len(text):
            raise RouteSegmentError(
                f'"{text}" has a colon without a name', "a name behind each colon"
            )
        return RouteSegment(_literal(text[:index]), text[index + 1 :])
    prefix, suffix = text[: braces.start()], text[braces.end() :]
    if _BRACES.search(prefix + suffix) or _colon(prefix) >= 0 or _colon(suffix) >= 0:
        raise RouteSegmentError(f'"{text}" has two parameters', "one parameter in each segment")
    name, colon, kind = (trim(part) for part in braces[1].partition(":"))
    if not _NAME.fullmatch(name):
        raise RouteSegmentError(f'"{braces[0]}" has no name', "{name}: letters, digits, _ and -")
    if colon and kind not in TYPES:
        raise RouteSegmentError(f'"{kind}" is not a type of a parameter', ", ".join(TYPES))
    if kind == REST and (prefix or suffix):
        raise RouteSegmentError(
            f'"{text}" has text beside a path', f"a segment that is {braces[0]}"
        )
    return RouteSegment(_literal(prefix), name, kind or "string", _literal(suffix))


def parse_path(path: str) -> list[RouteSegment]:
    """Return the segments of a route's path; raise RouteSegmentError if one cannot be read.

    What stands behind `*` is not read. A parameter of type `path` is the last segment.
    """
    texts = path.split("/")[1:]
    segments: list[RouteSegment] = []
    for text in texts:
        segment = parse_segment(text)
        segments.append(segment)
        if segment.name == "*":
            return segments
    for segment in segments[:-1]:
        if segment.rest:
            raise RouteSegmentError(
                f'"{{{segment.name}:path}}" takes the rest of the path', "nothing behind it"
            )
    return segments


def template_of(path: str) -> str:
    """Return a route's path as OpenAPI writes it: `/tasks/{id}`; `*` becomes `{path}`, literal braces `%7B` and `%7D`."""
    parts: list[str] = []
    for segment in parse_path(path):
        name = {None: "", "*": "{path}"}.get(segment.name, f"{{{segment.name}}}")
        parts.append(_escaped(segment.prefix) + name + _escaped(segment.suffix))
    return "/" + "/".join(parts)


def _escaped(text: str) -> str:
    """Return literal text in which no brace can be taken for that of a parameter."""
    return text.replace("{", "%7B").replace("}", "%7D")


def _colon(text: str) -> int:
    """Return where the first colon stands that is not written `\\:`; -1 without one."""
    index = text.find(":")
    while index > 0 and text[index - 1] == "\\":
        index = text.find(":", index + 1)
    return index


def _literal(text: str) -> str:
    """Return text without the backslashes before `:`, `{` and `}`."""
    return re.sub(r"\\([:{}])", r"\1", text) if "\\" in text else text
