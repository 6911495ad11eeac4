"""Header values that are not UTF-8: read as Latin-1, and passed on as the bytes that they were."""

from collections.abc import Mapping
from typing import Any

_NONE: frozenset[str] = frozenset()


class LatinHeader(dict[str, list[str]]):
    """A map of header values, some of which came as bytes of Latin-1: those are in `latin`."""

    __slots__ = ("latin",)

    def __init__(self, fields: Mapping[str, list[str]], latin: frozenset[str]) -> None:
        super().__init__(fields)
        self.latin = latin


def latin_of(header: Any) -> frozenset[str]:
    """Return the values of a header map that came as Latin-1."""
    return header.latin if type(header) is LatinHeader else _NONE


def kept_latin(fields: dict[str, list[str]], latin: frozenset[str]) -> dict[str, list[str]]:
    """Return the map, knowing which of its values came as Latin-1."""
    return LatinHeader(fields, latin) if latin else fields


def text_of_bytes(raw: bytes) -> tuple[str, bool]:
    """Return the text of a header value, and whether it had to be read as Latin-1."""
    try:
        return raw.decode(), False
    except UnicodeDecodeError:
        return raw.decode("latin-1"), True
