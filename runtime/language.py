"""A Language turns code into a program that maps one payload to another."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from heddle.specs.errors import HeddleError
from heddle.specs.problem import did_you_mean

Program: TypeAlias = Callable[[Any], Any]
"""Runs on one payload and returns the result as plain data; raises what went wrong.

An exception's text is for people and names the line inside the code where that is known.
A program never changes the payload it is given.
"""


class CompileError(HeddleError):
    """The code cannot be compiled; `line` and `column` count from 1 inside the code, 0 is unknown."""

    def __init__(self, message: str, *, line: int = 0, column: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.hint = hint


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """One language: its name, what it is for, and its compiler.

    `compile(code)` raises CompileError with the place inside the code. `condition(code)` does the
    same for a program whose result is used as true or false and may be left out: `truthy` of the
    result then decides. `constant` languages give the same result whatever the payload.
    """

    name: str
    summary: str
    compile: Callable[[str], Program]
    condition: Callable[[str], Program] | None = None
    constant: bool = False


class Languages:
    """The languages that a runtime knows, by name."""

    def __init__(self, languages: Iterable[Language] = ()) -> None:
        self._known: dict[str, Language] = {}
        self._owner: dict[str, str] = {}
        for language in languages:
            self.add(language)

    def add(self, language: Language, owner: str = "") -> None:
        """Add a language; ValueError names both owners when the name is taken."""
        if language.name in self._known:
            first = self._owner[language.name] or "another extension"
            raise ValueError(
                f'language "{language.name}" of {owner or "an extension"} is there already, from {first}'
            )
        self._known[language.name] = language
        self._owner[language.name] = owner

    def get(self, name: str) -> Language:
        """The language of that name; CompileError with the nearest right name otherwise."""
        language = self._known.get(name)
        if language is None:
            known = ", ".join(sorted(self._known)) or "none"
            raise CompileError(
                f'unknown language "{name}" (known: {known})',
                hint=did_you_mean(name, list(self._known)),
            )
        return language

    @property
    def known(self) -> Mapping[str, Language]:
        """Every language by name."""
        return self._known


def truthy(value: Any) -> bool:
    """Whether a condition's result counts as true: false, null, 0, "" and empty data do not."""
    return bool(value)
