"""A Codec builds a Node from one kind of Spec; a Kind is a Schema and its Codec."""

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar

import msgspec

from heddle.runtime.assembly.expansion import Expansion
from heddle.runtime.assembly.language import (
    CompileError,
    Languages,
    MissingExtraError,
    OptionError,
    Options,
    Program,
)
from heddle.runtime.flow.node import Node
from heddle.runtime.flow.voice import Voice
from heddle.schemas.check import blank_hint
from heddle.schemas.code import Expression
from heddle.schemas.errors import SpecError
from heddle.schemas.link import Link
from heddle.schemas.path import Path
from heddle.schemas.problem import Place, Problem
from heddle.schemas.schema import Schema
from heddle.specs.model.spec import Spec

F = TypeVar("F", bound=msgspec.Struct)

GATHERED: ContextVar[list[Problem] | None] = ContextVar("gathered", default=None)
"""The place for hints of programs while Specs are checked; None while they are built to run."""

_LONGEST_EXCERPT = 100
_DOTTED = re.compile(r"\{\{-?\s*\.\s*\w+")
_NO_OPTIONS = Options()


class Build:
    """The arguments of a Codec beside the fields: the Spec, the languages, and a way to reject.

    `node` is what the Codec has built, when `expand` lists what the Spec holds.
    """

    __slots__ = ("_language", "languages", "leaves", "node", "spec", "voice")

    def __init__(
        self, spec: Spec, languages: Languages, language: str, node: Node | None = None
    ) -> None:
        self.spec = spec
        self.node = node
        self.languages = languages
        self._language = language
        self.voice = Voice(spec.label)
        self.leaves = False

    def program(self, expression: Expression, *path: str | int, leaves: bool = True) -> Program:
        """Compile an expression; SpecError at the field `path`, and at the line inside the code.

        A program that would hold the event loop raises ElsewhereError: a plain function of an Action or
        a Choice lets it pass, if what it did before can be done twice; `async` code awaits `await_program`.
        Pass `leaves=False` only for a program that is never called on an event loop.
        """
        language = expression.language or self._language
        path = self._written(path)
        return self.code(language, expression.code, *path, leaves=leaves)

    def condition(self, expression: Expression, *path: str | int, leaves: bool = True) -> Program:
        """Compile a condition: only the truth of its result counts. `leaves` as for `program`."""
        language = expression.language or self._language
        path = self._written(path)
        return self.code(language, expression.code, *path, condition=True, leaves=leaves)

    def _written(self, path: Path) -> Path:
        """Return where the code of an expression stands: at its field, or under `code` of the mapping there."""
        field: Any = self.spec.fields
        for step in path:
            try:
                field = field[step]
            except (LookupError, TypeError):
                return path
        return (*path, "code") if isinstance(field, Mapping) else path

    def code(
        self,
        language: str,
        code: str,
        *path: str | int,
        condition: bool = False,
        leaves: bool = True,
        options: Options | None = None,
    ) -> Program:
        """Compile code in a language; raise SpecError if it does not compile.

        The program waits only if `options` allow it. An option that the language cannot keep is
        a Problem at the field of that name beside the code. `leaves` as for `program`.
        """
        try:
            engine = self.languages.get(language)
        except CompileError as error:
            at = (*path[:-1], "language") if path and path[-1] == "code" else path
            self.reject(
                *at,
                code="unknown-language",
                found=error.message,
                hint=error.hint or "See heddle kinds snippet, or add the extension that has it.",
            )
        try:
            bounded = msgspec.structs.replace(
                options or _NO_OPTIONS,
                condition=condition,
                leaves=leaves,
                output=self.voice,
                where=partial(_where, self.spec, path),
            )
            # Compilers and programs deal in plain text, not in the field types that say what it is.
            program = engine.program(str(code), bounded)
            self.leaves = self.leaves or bool(bounded.leaves and getattr(program, "leaves", False))
            self._note_hints(program, path)
            return program
        except OptionError as error:
            at = (*path[:-1], error.option)
            self.reject(*at, code="code", found=error.message, hint=error.hint)
        except MissingExtraError as error:
            self.reject(
                *path,
                code="missing-extra",
                found=error.message,
                expected=f"the extra {error.extra}",
                hint=error.hint,
            )
        except CompileError as error:
            spec = self.spec
            place = spec.inside(path, error.line, error.column) if error.line else spec.place(path)
            text = error.message + self._excerpt(str(code), error, path, place)
            # Jinja has braces of its own, but none of them begin with a dot.
            text_of_blanks = " ".join(_DOTTED.findall(code)) if language == "jinja" else str(code)
            hint = error.hint or ("" if spec.env else blank_hint(text_of_blanks))
            self.reject(*path, code="code", found=text, hint=hint, place=place)

    def _note_hints(self, program: Program, path: Path) -> None:
        """Add the hints of a program to those that a check gathers."""
        gathered = GATHERED.get()
        if gathered is None:
            return
        for hint in getattr(program, "hints", ()):
            place = self.spec.inside(path, hint.line, hint.column)
            gathered.append(
                Problem(
                    code="code-hint",
                    found=hint.message,
                    hint=hint.hint,
                    place=place,
                    path=self.spec.at(path),
                )
            )

    def _excerpt(self, code: str, error: CompileError, path: Path, place: Place) -> str:
        """Return the line of the code that is wrong, if its place in a file does not show it."""
        lines = code.split("\n")
        if error.line < 1 or error.line > len(lines) or len(lines) == 1:
            return ""
        if place.line and (error.line == 1 or place.line != self.spec.inside(path, 1, 1).line):
            return ""
        line = lines[error.line - 1].strip()
        shown = line if len(line) <= _LONGEST_EXCERPT else f"{line[:_LONGEST_EXCERPT]}…"
        return f", in line {error.line} of the code: {shown}"

    def reject(
        self,
        *path: str | int,
        found: str,
        expected: str = "",
        hint: str = "",
        code: str = "range",
        place: Place | None = None,
    ) -> NoReturn:
        """Raise the SpecError of one Problem at a field of this Spec.

        A blank that no env fills is often the reason: without a hint, that is the hint.
        """
        hint = hint or ("" if self.spec.env else blank_hint(found))
        problem = Problem(
            code=code,
            found=found,
            expected=expected,
            hint=hint,
            place=place or self.spec.place(path),
            path=self.spec.at(path),
        )
        raise SpecError([problem])


def _where(spec: Spec, path: Path, line: int, column: int) -> str:
    """Return where code of a Spec stands: `api.yaml:96 read.args`; its own line if the file is unknown."""
    place = spec.inside(path, line) if line else spec.place(path)
    field = spec.at(path)
    if place.line:
        return f"{Place(place.file, place.line)} {field}"
    return f"{field}, line {line}, column {column}" if line else field


def codec_failed(spec: Spec, error: BaseException) -> Problem:
    """Return the Problem of a Spec whose codec raised what no codec should: the author of the kind mends it."""
    if isinstance(error, UnicodeError):
        actual = "a text that holds half of a character pair"
        return Problem(code="type", found=actual, place=spec.place(), path=spec.at(()))
    actual = f"its codec failed: {type(error).__name__}: {error}"
    return Problem(code="codec", found=actual, place=spec.place(), path=spec.at(()))


Codec: TypeAlias = Callable[[F, Build], Node]
"""Builds a Node from decoded fields; raise SpecError if they cannot be used together. Never waits."""


class Kind(msgspec.Struct, Generic[F], frozen=True, eq=False):
    """One kind: what it accepts, and how its nodes are built."""

    schema: Schema[F]
    codec: Codec[F]
    expand: Callable[[F, Build], Expansion | None] | None = None
    """The function that returns the Specs inside a Spec, for a kind whose Specs hold others; it raises SpecError if that is wrong."""
    links: Callable[[F], Mapping[str, tuple[Link, ...]]] | None = None
    """Links that stand among the fields, by out port, beside those under `ports`."""

    @property
    def name(self) -> str:
        """The word that stands behind `kind:`."""
        return self.schema.kind


Kinds: TypeAlias = Mapping[str, Kind[Any]]
