"""A Problem is one thing wrong with what someone wrote: place, found, expected, try."""

import msgspec


class Place(msgspec.Struct, frozen=True, gc=False):
    """The place where something was written: file, line and column (both count from 1; 0 is unknown)."""

    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """`ping.yaml:7:3`, with whatever is not known left out."""
        parts = [self.file or "<input>"]
        if self.line:
            parts.append(str(self.line))
            if self.column:
                parts.append(str(self.column))
        return ":".join(parts)


NOWHERE = Place()

DEFECT = "defect"
"""The code of a Problem that is a mistake of Heddle: its reader failed in a way it does not know."""

REPORT_IT = "This is a defect of Heddle, please report it"
"""The hint of such a Problem."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong: where, what was found, what was expected, and what to try.

    `path` is the way to the field as a person reads it: `router.ports.out[0].port`, starting with
    the name of the Spec (or its kind, if it has no name). `code` is a stable word for machines:
    `syntax`, `duplicate-key`, `unknown-kind`, `unknown-field`, `unknown-port`, `unknown-language`,
    `type`, `range`, `missing`, `duplicate-name`, `missing-link`, `blank`, `code`, …
    """

    code: str
    found: str
    expected: str = ""
    hint: str = ""
    place: Place = NOWHERE
    path: str = ""

    def __str__(self) -> str:
        """`ping.yaml:7:3 router.ports.out[0]: "pong" has no port "inn" (it has: in). Try: "in"`."""
        text = (
            f"{self.place} {self.path}: {self.found}"
            if self.path
            else f"{self.place}: {self.found}"
        )
        if self.expected:
            text += f" (expected: {self.expected})"
        if self.hint:
            text += f". {self.hint}"
        return text


def defect_of(error: BaseException) -> str:
    """Return what such a Problem found: `cannot be read: IndexError: list index out of range`."""
    text = " ".join(str(error).split())
    shown = text if len(text) <= 200 else f"{text[:199]}…"
    return f"cannot be read: {type(error).__name__}{f': {shown}' if shown else ''}"
