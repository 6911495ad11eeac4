"""A TemplateProgram renders one template, or evaluates the one expression that it consists of."""

import re
from collections.abc import ItemsView, KeysView, Mapping, ValuesView
from datetime import date
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, Never

from heddle.extensions.languages.errors import ProgramError
from heddle.extensions.languages.jinja.parts import parts_of
from heddle.runtime.assembly.language import CompileError
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.stream import Stream

if TYPE_CHECKING:
    from minijinja import Environment, TemplateError

FUEL: Final = 50_000_000
"""Steps of one run: seconds. A worker has its clock, and a calm template has no loops."""

_NAME: Final = "template"
_WHERE: Final = re.compile(r" \(in [^()]*\)$")
_FALSE: Final = frozenset({"", "0", "false", "none", "null", "undefined"})


class TemplateProgram:
    """Maps a payload to text, or to the value of a lone expression.

    Its names are `payload` and `self`, and the keys of a payload that is a map. A condition that
    holds no braces is an expression; one that is text is false if it says so, or nothing.
    """

    def __init__(self, code: str, condition: bool) -> None:
        self.parts = parts_of(code)
        self._code = code
        self._condition = condition
        self._expression = ""
        self._at = 0
        self._environment = _environment()
        # Not by its wrapper, for which no name of a payload may be `self`.
        evaluate: Any = _minijinja()._lowlevel.Environment.eval_expr
        self._evaluate = partial(evaluate, self._environment)
        entries = [part for part in self.parts if part.kind != "text" or part.text.strip()]
        if len(entries) == 1 and (
            entries[0].kind == "expression" or (condition and "{" not in code)
        ):
            self.parts = (entries[0]._replace(kind="expression"),)
            self._expression, self._at = entries[0].text, entries[0].at
            # An expression alone cannot be kept: this only sees whether it can be read.
            above = "\n" * (self._line(1) - 1)
            _read(_environment(), f"{above}{{{{{self._expression}}}}}")
        else:
            _read(self._environment, code)

    def __call__(self, payload: Any) -> Any:
        from minijinja import TemplateError

        names = _names(payload)
        try:
            if self._expression:
                return self._value(names)
            text = self._environment.render_template(_NAME, **names)
        except TemplateError as error:
            self._failed(error)
        except UnicodeError:
            raise ProgramError("a text of the payload holds half of a character pair") from None
        except BaseException as error:
            # A panic of the engine comes as an exception that is not an Exception.
            if type(error).__name__ != "PanicException":
                raise
            raise ProgramError(f"the engine failed: {error}") from None
        return text.strip().lower() not in _FALSE if self._condition else text

    def _value(self, names: dict[str, Any]) -> Any:
        value = self._evaluate(self._expression, **names)
        if value is None and not self._condition:
            known = f"({self._expression}) is defined"
            if not self._evaluate(known, **names):
                raise ProgramError(f"{self._expression.strip()} is undefined", line=self._line(1))
        return value if self._condition else _result(value)

    def _line(self, line: int) -> int:
        return self._code.count("\n", 0, self._at) + line

    def _failed(self, error: "TemplateError") -> Never:
        line = error.line or 0
        if self._expression and line:
            line = self._line(line)
        if error.kind == "OutOfFuel":
            raise ProgramError(f"stopped: it took more than {FUEL:,} steps", line=line) from None
        raise ProgramError(_message(error), line=line) from None


def _read(environment: "Environment", code: str) -> None:
    from minijinja import TemplateError

    try:
        environment.add_template(_NAME, code)
    except TemplateError as error:
        raise CompileError(_message(error), line=error.line or 0) from None
    except UnicodeError:
        raise CompileError("the text holds half of a character pair") from None


@cache
def _minijinja() -> Any:
    # Templates are rare in most runtimes, and their engine takes a while to import.
    import minijinja

    return minijinja


def _environment() -> "Environment":
    environment: Environment = _minijinja().Environment(fuel=FUEL, undefined_behavior="strict")
    environment.auto_escape_callback = lambda _: False
    return environment


def _message(error: "TemplateError") -> str:
    return _WHERE.sub("", str(error.args[0]))


def _names(payload: Any) -> dict[str, Any]:
    payload = payload if _plain(payload) else _made_plain(payload)
    names = {"payload": payload, "self": payload}
    if isinstance(payload, dict):
        return {**{key: each for key, each in payload.items() if isinstance(key, str)}, **names}
    return names


def _plain(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return all(map(_plain, value.values()))
    if kind is list:
        return all(map(_plain, value))
    return kind in _PLAIN


_PLAIN: Final = frozenset({str, int, float, bool, bytes, type(None)})
_BASES: Final[tuple[Any, ...]] = (bool, int, float, str, bytes)


def _made_plain(value: Any) -> Any:
    """Return the same with Errors as maps: a template would reach into anything else that is Python's."""
    if isinstance(value, Error):
        return {"message": value.message, "code": value.code, "data": _made_plain(value.data)}
    if isinstance(value, Mapping):
        return {key: _made_plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_made_plain(each) for each in value]
    if isinstance(value, date):
        return value.isoformat()
    for base in _BASES:
        if isinstance(value, base):
            return base(value)
    if isinstance(value, Stream):
        raise ProgramError(
            f"the payload is {value.described}, and a template wants all of it at once"
        )
    if value is None:
        return None
    raise ProgramError(f"the payload holds {type(value).__name__}, which is not plain data")


def _result(value: Any) -> Any:
    """Return what an expression gives, as plain data."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _result(each) for key, each in value.items()}
    if isinstance(value, list | tuple | KeysView | ValuesView | ItemsView):
        return [_result(each) for each in value]
    raise ProgramError(f"the result is {type(value).__name__}, which is not plain data")
