"""A Language turns code into a program that maps one payload to another."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from heddle.runtime.flow.voice import Voice
from heddle.schemas.errors import HeddleError
from heddle.schemas.suggestion import did_you_mean

Program: TypeAlias = Callable[[Any], Any]
"""Runs on one payload and returns the result as plain data; raises what went wrong.

An exception's text is for people and names the line inside the code if that is known.
A program never changes the payload it is given. One that is an `async` function waits; only code
that was compiled with `Options.waits` may. One that has a method `close()` holds something: whoever
had it compiled calls that, once, when the program is not needed any more.
"""

Output: TypeAlias = Callable[[str, str], None]
"""Takes what code prints: a level (`debug`, `info`, `warning`, `error`) and one line of text."""


Where: TypeAlias = Callable[[int, int], str]
"""Tells people if line and column of some code stand: `api.yaml:96 read.args`."""


class CompileError(HeddleError):
    """The code cannot be compiled; `line` and `column` count from 1 inside the code, 0 is unknown."""

    def __init__(self, message: str, *, line: int = 0, column: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.hint = hint


class MissingExtraError(CompileError):
    """Raised when the engine of a language is not installed; `extra` is what to install."""

    def __init__(self, language: str, extra: str) -> None:
        super().__init__(
            f"what {language} runs on is not installed",
            hint=f"pip install 'heddle-runtime[{extra}]'",
        )
        self.extra = extra


class OptionError(CompileError):
    """An option that the language cannot keep; `option` is its name in Options."""

    def __init__(self, option: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.option = option


class Options(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The options for running code; what is None is left to the language.

    One run may take `timeout` seconds and `memory` bytes. `isolation` is "process" if it runs
    in a process of its own. `waits` says that whoever runs the program can await it; `condition`
    that only the truth of its result counts; `leaves` that the program may raise ElsewhereError. `say` takes what the code prints. `where` tells in errors of a run where the
    code stands.
    """

    timeout: float | None = None
    memory: int | None = None
    isolation: str | None = None
    waits: bool = False
    leaves: bool = False
    condition: bool = False
    output: Output = Voice("code")
    where: Where | None = None


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """One language: its name, what it is for, and its compiler.

    `compile(code)` raises CompileError with the place inside the code. `condition(code)` does the
    same for a program whose result is used as true or false and may be left out: `truthy` of the
    result then decides. `constant` languages give the same result whatever the payload.

    `tuned(code, options)` stands for both where a language heeds Options; it raises OptionError
    for one that it cannot keep. Without it, `timeout` and `memory` are never reached, and there is
    no isolation.

    `type_of(code)` gives the JSON Schema of what the code gives, `{}` if that cannot be known
    without a payload. Of a `constant` language the type is the constant itself.
    """

    name: str
    summary: str
    compile: Callable[[str], Program]
    condition: Callable[[str], Program] | None = None
    constant: bool = False
    tuned: Callable[[str, Options], Program] | None = None
    type_of: Callable[[str], Mapping[str, Any]] | None = None

    def program(self, code: str, options: Options) -> Program:
        """Compile code under options; CompileError, or OptionError for an option it cannot keep."""
        if self.tuned is not None:
            return self.tuned(code, options)
        if options.isolation is not None:
            raise OptionError(
                "isolation",
                f"the language {self.name} has no isolation: its programs can harm nothing",
                hint="Leave it out.",
            )
        compiler = self.condition if options.condition and self.condition else self.compile
        return compiler(code)


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
        """Return the language of that name; CompileError with the nearest right name otherwise."""
        language = self._known.get(name)
        if language is None:
            known = ", ".join(sorted(self._known)) or "none"
            raise CompileError(
                f'unknown language "{name}" (known: {known})',
                hint=did_you_mean(name, list(self._known), "language"),
            )
        return language

    def type_of(self, name: str, code: str) -> Mapping[str, Any]:
        """Return the JSON Schema of what some code gives; `{}` if it is not known, or does not compile."""
        language = self._known.get(name)
        try:
            if language is not None and language.constant:
                return {"const": language.compile(str(code))(None)}
            if language is not None and language.type_of is not None:
                return language.type_of(str(code))
        except CompileError:
            pass
        return {}

    @property
    def known(self) -> Mapping[str, Language]:
        """Every language by name."""
        return self._known


def truthy(value: Any) -> bool:
    """Return whether a condition's result counts as true: false, null, 0, "" and empty data do not."""
    return bool(value)
