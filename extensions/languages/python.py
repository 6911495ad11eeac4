"""The language python: an expression over `payload`, or statements that define main(payload).

The code is trusted: it runs in this process with all that Python can do.
"""

import ast
import inspect
import traceback
from collections.abc import Callable
from typing import Any, Final, Never, cast

from heddle.runtime.errors import Failure
from heddle.runtime.language import CompileError, Language, Program
from heddle.specs.errors import HeddleError

_FILENAME: Final = "<python>"
_SHAPE: Final = "Write one expression over payload, or define main(payload)"


class PythonError(HeddleError):
    """What the code raised, as `line 3: KeyError: 'x'`; the exception itself is its cause."""

    def __init__(self, message: str, *, line: int = 0) -> None:
        self.message = message
        self.line = line
        super().__init__(f"line {line}: {message}" if line else message)


def _compile(code: str) -> Program:
    expression = _expression(code)
    main = _from_statements(code) if expression is None else expression

    def program(payload: Any) -> Any:
        try:
            return main(payload)
        except Failure:
            raise  # The code made its own Error, and that says it best.
        except (Exception, SystemExit) as error:
            raise _run_error(error) from error

    return program


def _expression(code: str) -> Callable[[Any], Any] | None:
    """The function of a lone expression; None where the code is something else."""
    code = code.lstrip(" \t")
    try:
        compile(code, _FILENAME, "eval", dont_inherit=True)
        tree = ast.parse(code, _FILENAME, "eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    # A lambda, for eval() hides its names from the comprehensions inside it.
    wrapper = ast.parse("lambda payload: None", _FILENAME, "eval")
    cast(ast.Lambda, wrapper.body).body = tree.body
    return cast("Callable[[Any], Any]", eval(compile(wrapper, _FILENAME, "eval"), _namespace()))


def _from_statements(code: str) -> Callable[[Any], Any]:
    """The `main` that the code defines; what stands around it runs once, now."""
    try:
        compiled = compile(code, _FILENAME, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise CompileError(
            error.msg, line=error.lineno or 0, column=max(error.offset or 0, 0)
        ) from None
    except (ValueError, MemoryError, RecursionError) as error:
        raise CompileError(str(error) or "the code is nested too deeply") from None
    namespace = _namespace()
    try:
        exec(compiled, namespace)  # noqa: S102
    except (Exception, SystemExit) as error:
        raise CompileError(_say(error), line=_line(error)) from error
    return _checked(namespace.get("main"))


def _checked(main: Any) -> Callable[[Any], Any]:
    if main is None:
        _refuse("the code defines no main(payload)", None)
    if not callable(main):
        _refuse(f"main is {type(main).__name__}, not a function", None)
    if inspect.iscoroutinefunction(main) or inspect.isasyncgenfunction(main):
        _refuse("main is async, and a snippet cannot wait", main)
    if inspect.isgeneratorfunction(main):
        _refuse("main yields; return a list instead", main)
    try:
        inspect.signature(main).bind(None)
    except TypeError:
        _refuse("main does not take one payload", main)
    except ValueError:
        pass  # Some builtins keep their signature to themselves: calling will tell.
    return cast("Callable[[Any], Any]", main)


def _refuse(message: str, main: Any) -> Never:
    code = getattr(main, "__code__", None)
    line = code.co_firstlineno if code is not None and code.co_filename == _FILENAME else 0
    raise CompileError(message, line=line, hint=_SHAPE)


def _namespace() -> dict[str, Any]:
    return {"__name__": "snippet"}


def _line(error: BaseException) -> int:
    """The last line of the code that the error passed through."""
    return next(
        (
            number
            for frame, number in reversed(list(traceback.walk_tb(error.__traceback__)))
            if frame.f_code.co_filename == _FILENAME
        ),
        0,
    )


def _say(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _run_error(error: BaseException) -> PythonError:
    return PythonError(_say(error), line=_line(error))


LANGUAGE: Final = Language(
    name="python",
    summary="an expression over payload, or main(payload); trusted, in process",
    compile=_compile,
)
