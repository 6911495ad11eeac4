"""The documents that a command is given: files, folders, and standard input."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heddle.schemas.link import DEFAULT_NAMESPACE
from heddle.schemas.problem import Problem
from heddle.specs.model.limits import limits
from heddle.specs.yaml.document import Only, ReadText, join, read_text
from heddle.specs.yaml.spec_tree import (
    TooManyError,
    files_below,
    link_outside,
    too_large,
    unreadable,
)

if TYPE_CHECKING:
    from heddle.specs.merge.comparison import Sheet

STDIN = "-"


class Documents:
    """The texts behind some paths, each read once; `source` gives them back for reports."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = tuple(dict.fromkeys(paths))
        self.problems: list[Problem] = []
        self._texts: dict[str, bytes] = {}
        for path in self.paths:
            self._add(path)

    @property
    def files(self) -> list[str]:
        """The files that were read, as Problems call them."""
        return list(self._texts)

    def read(
        self, *, namespace: str = DEFAULT_NAMESPACE, only: Only = None, key: str = ""
    ) -> ReadText:
        """Return what they say together; ids of nameless entries come from `key` and the file."""
        readings = [
            read_text(
                text, file=file, namespace=namespace, only=only, key=key + file, most=_most(file)
            )
            for file, text in self._texts.items()
        ]
        return join([ReadText(problems=tuple(self.problems), whole=not self.problems), *readings])

    def check_size(self) -> None:
        """Note a Problem if all of it together is more than a change set may have."""
        size, most = sum(map(len, self._texts.values())), limits().change_set
        if size > most:
            self.problems.append(too_large("", size, most))

    def sheets(self, namespace: str = DEFAULT_NAMESPACE) -> "list[Sheet]":
        """Return what they say, one by one, to be compared with others."""
        from heddle.specs.merge.comparison import Sheet

        return [
            Sheet.read(data, file=file, namespace=namespace) for file, data in self._texts.items()
        ]

    def data(self, file: str) -> bytes:
        """Return what a file held when it was read."""
        return self._texts[file]

    def source(self, file: str) -> str | None:
        """Return the text of a file as it was read."""
        text = self._texts.get(file)
        return text.decode(errors="replace") if text is not None else None

    def _add(self, path: str) -> None:
        if path == STDIN:
            self._texts["<stdin>"] = _standard_input()
            return
        root = Path(path)
        outside: list[str] = []
        try:
            files = (
                [root / name for name in files_below(path, outside)] if root.is_dir() else [root]
            )
        except TooManyError as error:
            self.problems.append(error.problem)
            return
        except OSError as error:
            self.problems.append(unreadable(path, error))
            return
        self.problems += [link_outside(str(root / name)) for name in outside]
        for file in files:
            try:
                self._texts[str(file)] = file.read_bytes()
            except OSError as error:
                self.problems.append(unreadable(str(file), error))


def _most(file: str) -> int:
    """Return how many bytes a text may have: standard input may be as long as a change set."""
    return limits().change_set if file == "<stdin>" else limits().file


def _standard_input() -> bytes:
    stream: Any = sys.stdin
    data: bytes = stream.buffer.read()
    return data
