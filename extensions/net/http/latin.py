"""Header values that are not UTF-8: read as Latin-1, and passed on as the bytes that they were."""

from collections.abc import Mapping
from typing import Any

NO_LATIN: frozenset[str] = frozenset()
"""The values of a map in which none came as Latin-1."""

RawHeaders = tuple[str, str, bytes]
"""The canonical name of a header, the text of its value, and the line as it came."""


class LatinHeader(dict[str, list[str]]):
    """A map of header values, some of which came as bytes of Latin-1: those are in `latin`.

    `lines` are the headers of a response that is passed on, in their order and spelling, and None of
    any other map.
    """

    __slots__ = ("latin", "lines")

    def __init__(
        self,
        fields: Mapping[str, list[str]],
        latin: frozenset[str],
        lines: tuple[RawHeaders, ...] | None = None,
    ) -> None:
        super().__init__(fields)
        self.latin = latin
        self.lines = lines


def latin_of(header: Any) -> frozenset[str]:
    """Return the values of a header map that came as Latin-1."""
    return header.latin if type(header) is LatinHeader else NO_LATIN


def kept_latin(fields: dict[str, list[str]], latin: frozenset[str]) -> dict[str, list[str]]:
    """Return the map, knowing which of its values came as Latin-1."""
    return LatinHeader(fields, latin) if latin else fields


def lines_of(header: Any) -> tuple[RawHeaders, ...] | None:
    """Return the lines of a header map that is passed on, as they came; None of any other."""
    return header.lines if type(header) is LatinHeader else None


def kept_bytes(fields: dict[str, list[str]], given: Any) -> dict[str, list[str]]:
    """Return a map made out of another one, knowing the bytes that the other one knows."""
    latin, lines = latin_of(given), lines_of(given)
    return LatinHeader(fields, latin, lines) if latin or lines is not None else fields


def text_of_bytes(raw: bytes) -> tuple[str, bool]:
    """Return the text of a header value, and whether it had to be read as Latin-1."""
    try:
        return raw.decode(), False
    except UnicodeDecodeError:
        return raw.decode("latin-1"), True
