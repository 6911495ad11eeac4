"""A golden file holds, as JSON, the answer that a test expects; `heddle test --update` writes it."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from heddle.runtime.flow.errors import Payload
from heddle.runtime.flow.materialize import encode_with
from heddle.specs.files.spec_names import GOLDEN
from heddle.specs.model.strict_eq import identical

LINES = 40
"""How many lines of a difference are shown."""


class GoldenFile:
    """The file of one test. `ignore` are JSON Pointers (RFC 6901) to what differs each time."""

    def __init__(self, path: Path, ignore: Sequence[str]) -> None:
        self._path = path
        self._ignore = [_parts(pointer) for pointer in ignore]

    def mistake(self, answer: Payload, *, update: bool = False) -> str:
        """Return how the answer differs from the file, "" if it does not; `update` writes the file."""
        try:
            actual = msgspec.json.decode(encode_with(msgspec.json.encode, answer))
        except (TypeError, ValueError, RecursionError) as error:
            return f"the answer cannot be written as JSON: {error}"
        for pointer in self._ignore:
            _take_out(actual, pointer)
        if update:
            return self._write(actual)
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return f"there is no file {self._path} (hint: heddle test --update writes it)"
        except OSError as error:
            return f"{self._path} cannot be read: {error.strerror}"
        try:
            expected = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            return f"{self._path} is not JSON: {error}"
        for pointer in self._ignore:
            _take_out(expected, pointer)
        if identical(expected, actual):
            return ""
        return f"the answer differs from {self._path}:\n{_difference(expected, actual)}"

    def _write(self, actual: Any) -> str:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(_text(actual), encoding="utf-8")
        except OSError as error:
            return f"{self._path} cannot be written: {error.strerror}"
        return ""


def golden_of(name: str, ignore: Sequence[str], spec_file: str) -> GoldenFile:
    """Return the golden file of this name, in the folder `golden` beside the file of a Spec.

    Without such a file, as in a database, that folder is looked for in the working folder.
    """
    folder = Path(spec_file).parent if spec_file else Path()
    return GoldenFile(folder / GOLDEN / name, ignore)


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


def _take_out(value: Any, pointer: Sequence[str]) -> None:
    """Take out of plain data what a pointer leads to; `*` leads to every member."""
    first, rest = pointer[0], pointer[1:]
    if isinstance(value, dict):
        keys = [*value] if first == "*" and "*" not in value else [first]
        for key in keys:
            if not rest:
                value.pop(key, None)
            elif key in value:
                _take_out(value[key], rest)
    elif isinstance(value, list):
        indexes = range(len(value)) if first == "*" else [int(first)] if first.isdecimal() else []
        for index in reversed(indexes):
            if index >= len(value):
                continue
            if rest:
                _take_out(value[index], rest)
            else:
                # The others keep their places.
                value[index] = None


def _text(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2).decode() + "\n"


def _difference(expected: Any, actual: Any) -> str:
    lines = list(
        difflib.unified_diff(
            _text(expected).splitlines(),
            _text(actual).splitlines(),
            "expected",
            "found",
            lineterm="",
        )
    )
    if len(lines) > LINES:
        lines = [*lines[:LINES], f"… and {len(lines) - LINES} more lines"]
    return "\n".join(lines)
