"""The language cel: Google's expression language, compiled to Python functions.

Its machinery is imported when the first text is compiled.
"""

from typing import Final

from heddle.runtime.language import Language, Program


def _compile(code: str) -> Program:
    from heddle.extensions.languages.cel.compiler import compile_program

    return compile_program(code)


def _condition(code: str) -> Program:
    from heddle.extensions.languages.cel.compiler import compile_condition

    return compile_condition(code)


LANGUAGE: Final = Language(
    name="cel",
    summary="expressions over the payload: quick, safe, and free of side effects",
    compile=_compile,
    condition=_condition,
)
