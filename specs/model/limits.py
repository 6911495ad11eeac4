"""Limits: how much text, and how many files, a store or a caller may give to be read.

They hold for the whole process: the settings of the command that runs say them once, at its start.
"""

from typing import Final

import msgspec

ASIDE: Final = 64 * 1024
"""Bytes from which a text is read in a process of its own, if an event loop would stand still."""


class ReadLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of what is read.

    `change_set` and `file` are in bytes; `nodes` and `depth` are those of one
    text; `files` are those of one folder. Links that leave a folder are followed with `follow_links`.
    """

    change_set: int = 8 * 1024 * 1024
    file: int = 2 * 1024 * 1024
    nodes: int = 200_000
    depth: int = 100
    files: int = 20_000
    follow_links: bool = False


_current: list[ReadLimits] = [ReadLimits()]


def limits() -> ReadLimits:
    """Return the limits of this process."""
    return _current[0]


def use_limits(given: ReadLimits) -> None:
    """Let these limits hold in this process from now on."""
    _current[0] = given
