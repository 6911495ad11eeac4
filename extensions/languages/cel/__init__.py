"""The language cel: Google's expression language, compiled to Python functions.

Its machinery is imported when the first text is compiled.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from heddle.runtime.assembly.language import Language, OptionError, Options, Program

MEMORY: Final = 1 << 30
"""Bytes that a run may take in a worker: the limits of CEL count elements, not bytes."""


def _compile(code: str) -> Program:
    from heddle.extensions.languages.cel.compiler import compile_program

    return compile_program(code)


def _condition(code: str) -> Program:
    from heddle.extensions.languages.cel.compiler import compile_condition

    return compile_condition(code)


def _tuned(code: str, options: Options) -> Program:
    if options.isolation is not None:
        raise OptionError(
            "isolation",
            "the language cel has no isolation: its programs can harm nothing",
            hint="Leave it out.",
        )
    from heddle.extensions.languages.cel.compiler import compile_condition, compile_program

    compiler = compile_condition if options.condition else compile_program
    program = compiler(code, where=options.where)
    if not (options.leaves and getattr(program, "visits", False)):
        return program
    from heddle.extensions.languages.cel.offload import BUDGET, LeavingProgram
    from heddle.extensions.languages.offload import leave_of

    room = msgspec.structs.replace(options, memory=MEMORY)
    leave = leave_of("cel", code, room, program)
    if leave is None:
        return program
    return LeavingProgram(compiler(code, BUDGET, options.where), leave, options.where)


def _type_of(code: str) -> Mapping[str, Any]:
    from heddle.extensions.languages.cel.static_type import type_of

    return type_of(code)


LANGUAGE: Final = Language(
    name="cel",
    summary="expressions over the payload: quick, safe, and free of side effects",
    compile=_compile,
    condition=_condition,
    tuned=_tuned,
    type_of=_type_of,
)
