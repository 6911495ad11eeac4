"""The language python: an expression over `payload`, or statements that define main(payload).

The code is trusted: it runs in this process with all that Python can do. With isolation it runs in
a worker, if limits hold, and its statements run anew for each payload.
"""

import ast
import inspect
import traceback
from collections.abc import Callable
from types import CodeType
from typing import Any, Final, Never, cast

from heddle.extensions.languages.errors import ProgramError
from heddle.extensions.languages.python_stream import StreamProgram, yields
from heddle.runtime.assembly.language import CompileError, Language, OptionError, Options, Program
from heddle.runtime.flow.errors import NodeError

_FILENAME: Final = "<python>"
"""The file of code that belongs to nobody; that of a node has its name: `<python busy>`."""
_SHAPE: Final = "Write one expression over payload, or define main(payload)"


class PythonError(ProgramError):
    """The exception that the code raised, as `line 3: KeyError: 'x'`; the exception itself is its cause."""


def _compile(
    code: str, file: str = _FILENAME, *, streams: bool = False, label: str = ""
) -> Program:
    expression = _expression(code, file)
    if expression is not None:
        return _guarded(expression)
    main = _from_statements(code, file, streams=streams)
    return StreamProgram(main, _run_error, label) if yields(main) else _guarded(main)


def _is_code(file: str) -> bool:
    """Return whether a frame of this file is one of a snippet."""
    return file.startswith("<python")


def _file(options: Options) -> str:
    """Return the file of a node's code, by which a stack names the node."""
    label = getattr(options.output, "label", "")
    return f"<python {label}>" if label else _FILENAME


def compile_fresh(code: str) -> Program:
    """Return the program of a text whose statements run anew for each payload, and leave nothing behind."""
    expression = _expression(code)
    if expression is not None:
        return _guarded(expression)
    compiled = _compiled(code)

    def main(payload: Any) -> Any:
        namespace = _namespace()
        exec(compiled, namespace)  # noqa: S102
        return _checked(namespace.get("main"))(payload)

    return _guarded(main)


def _guarded(main: Callable[[Any], Any]) -> Program:
    def program(payload: Any) -> Any:
        try:
            return main(payload)
        except NodeError:
            raise  # The code made its own Error, and that says it best.
        except CompileError as error:
            raise PythonError(error.message, line=error.line) from None
        except (Exception, SystemExit) as error:
            raise _run_error(error) from error

    return program


def _expression(code: str, file: str = _FILENAME) -> Callable[[Any], Any] | None:
    """Return the function of a lone expression; None if the code is something else."""
    code = code.lstrip(" \t")
    try:
        compile(code, file, "eval", dont_inherit=True)
        tree = ast.parse(code, file, "eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    # A lambda, for eval() hides its names from the comprehensions inside it.
    wrapper = ast.parse("lambda payload: None", _FILENAME, "eval")
    cast(ast.Lambda, wrapper.body).body = tree.body
    return cast("Callable[[Any], Any]", eval(compile(wrapper, file, "eval"), _namespace()))


def _from_statements(code: str, file: str, *, streams: bool) -> Callable[[Any], Any]:
    """Return the `main` that the code defines; what stands around it runs once, now."""
    compiled = _compiled(code, file)
    namespace = _namespace()
    try:
        exec(compiled, namespace)  # noqa: S102
    except (Exception, SystemExit) as error:
        raise CompileError(_message(error), line=line_of(error)) from error
    return _checked(namespace.get("main"), streams=streams)


def _compiled(code: str, file: str = _FILENAME) -> CodeType:
    try:
        return compile(code, file, "exec", dont_inherit=True)
    except SyntaxError as error:
        message = error.msg
        raise CompileError(
            message,
            line=error.lineno or 0,
            column=max(error.offset or 0, 0),
            hint=_SHAPE if message.endswith("outside function") else "",
        ) from None
    except (ValueError, MemoryError, RecursionError) as error:
        raise CompileError(str(error) or "the code is nested too deeply") from None


def _checked(main: Any, *, streams: bool = False) -> Callable[[Any], Any]:
    if main is None:
        _reject("the code defines no main(payload)", None)
    if not callable(main):
        _reject(f"main is {type(main).__name__}, not a function", None)
    if inspect.iscoroutinefunction(main):
        _reject("main is async, and a snippet that does not yield cannot wait", main)
    if yields(main) and not streams:
        _reject("main yields, and one value is expected here; return a list instead", main)
    try:
        inspect.signature(main).bind(None)
    except TypeError:
        _reject("main does not take one payload", main)
    except ValueError:
        pass  # Some builtins keep their signature to themselves: calling will tell.
    return cast("Callable[[Any], Any]", main)


def _reject(message: str, main: Any) -> Never:
    code = getattr(main, "__code__", None)
    line = code.co_firstlineno if code is not None and _is_code(code.co_filename) else 0
    raise CompileError(message, line=line, hint=_SHAPE)


def _namespace() -> dict[str, Any]:
    return {"__name__": "snippet"}


def line_of(error: BaseException) -> int:
    """Return the last line of the code that the error passed through."""
    return next(
        (
            number
            for frame, number in reversed(list(traceback.walk_tb(error.__traceback__)))
            if _is_code(frame.f_code.co_filename)
        ),
        0,
    )


def _message(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _run_error(error: BaseException) -> PythonError:
    return PythonError(_message(error), line=line_of(error))


def _defined(code: str, *, expression: bool) -> None:
    """CompileError for a name that the code reads and that nothing gives a value."""
    # Not at the top: a worker compiles what was checked before.
    from heddle.extensions.languages.python_names import undefined_name

    try:
        entry = undefined_name(
            code.strip() if expression else code, _FILENAME, ("payload",) if expression else ()
        )
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return
    if entry is not None:
        line, column, hint = entry.line, entry.column, entry.hint
        if expression and line == 1:
            column += len(code) - len(code.lstrip())
        raise CompileError(str(entry), line=line, column=column, hint=hint)


def _tuned(code: str, options: Options) -> Program:
    _defined(code, expression=_expression(code) is not None)
    if options.isolation is not None:
        from heddle.extensions.languages.workers import isolated

        if _expression(code) is None:
            _defines_main(code)
            _yields_nothing(code)
        return isolated("python", code, options)
    for name in ("timeout", "memory"):
        if getattr(options, name) is not None:
            raise OptionError(
                name,
                f"Python in this process has no {name} limit",
                hint="Add isolation: process",
            )
    label = getattr(options.output, "label", "")
    return _compile(code, _file(options), streams=options.waits, label=label)


def _defines_main(code: str) -> None:
    """CompileError if the code is wrong by its looks; nothing of it runs here."""
    _compiled(code)
    tree = ast.parse(code)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for statement in ast.walk(tree):
        if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(statement.name)
        elif isinstance(statement, ast.alias):
            names.update((statement.asname or statement.name, statement.name))
    if "main" not in names and "*" not in names:
        _reject("the code defines no main(payload)", None)


def _yields_nothing(code: str) -> None:
    """CompileError if `main` yields: a worker hands one value back."""
    for statement in ast.parse(code).body:
        if (
            isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
            and statement.name == "main"
        ):
            todo: list[ast.AST] = [*statement.body]
            while todo:
                node = todo.pop()
                if isinstance(node, ast.Yield | ast.YieldFrom):
                    raise CompileError(
                        "main yields, and a worker hands one value back",
                        line=node.lineno,
                        hint="Leave isolation out, or return a list",
                    )
                if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                    todo.extend(ast.iter_child_nodes(node))


LANGUAGE: Final = Language(
    name="python",
    summary="an expression over payload, or main(payload); trusted, or isolated in a worker",
    compile=_compile,
    tuned=_tuned,
)
