"""The compiler turns CEL text into a Python function of one payload."""

from types import NoneType
from typing import Any, Final, Protocol, cast

from heddle.extensions.languages.cel.access import build_map, elements, has, index, resolve, select
from heddle.extensions.languages.cel.binaries import HELPERS, RUN
from heddle.extensions.languages.cel.emitter import Emitter
from heddle.extensions.languages.cel.errors import FILENAME, Exhausted, explain
from heddle.extensions.languages.cel.operators import invert, negate, not_bool
from heddle.extensions.languages.cel.parser import parse
from heddle.extensions.languages.cel.results import BUDGET, charge, deep_plain, exhausted, plain
from heddle.extensions.languages.cel.tokens import Source

_WORLD: Final[dict[str, Any]] = {
    **{name: RUN[op] for op, name in HELPERS.items()},
    "Exhausted": Exhausted,
    "ORDERED": frozenset({int, float, str, bytes, bool}),
    "SCALARS": frozenset({int, float, str, bytes, bool, NoneType}),
    "SIZED": frozenset({str, bytes, list, dict}),
    "build_map": build_map,
    "charge": charge,
    "deep_plain": deep_plain,
    "elements": elements,
    "exhausted": exhausted,
    "explain": explain,
    "has": has,
    "index": index,
    "invert": invert,
    "negate": negate,
    "not_bool": not_bool,
    "plain": plain,
    "resolve": resolve,
    "select": select,
}


class CelProgram(Protocol):
    """A compiled text: call it with a payload; EvaluationError is all that it raises.

    `names` holds the free names of the text: keys it expects in the payload, and `self`.
    """

    names: frozenset[str]

    def __call__(self, payload: Any, /) -> Any: ...


def compile_program(code: str) -> CelProgram:
    """The program of a text, whose results are plain data; CompileError where it is wrong."""
    return _compiled(code, out=True)


def compile_condition(code: str) -> CelProgram:
    """The same for a text whose result is only asked whether it is true."""
    return _compiled(code, out=False)


def _compiled(code: str, *, out: bool) -> CelProgram:
    source = Source(str(code))
    try:
        emitter = Emitter(source)
        result = emitter.value(parse(source), out=out)
        text, places = emitter.finished(result, BUDGET)
        world = {**_WORLD, **emitter.constants, "places": places}
        exec(compile(text, FILENAME, "exec", dont_inherit=True), world)  # noqa: S102
    except (RecursionError, MemoryError, SyntaxError):
        raise source.error(0, "the expression is too large or too deeply nested") from None
    program = cast(CelProgram, world["program"])
    program.names = frozenset(emitter.names)
    return program
