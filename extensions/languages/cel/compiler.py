"""The compiler turns CEL text into a Python function of one payload."""

from types import FunctionType, NoneType
from typing import Any, Final, Protocol, cast
from weakref import ref

from heddle.extensions.languages.cel.access import (
    build_map,
    elements,
    has,
    index,
    resolve,
    resolve_key,
    select,
)
from heddle.extensions.languages.cel.binaries import HELPERS, RUN
from heddle.extensions.languages.cel.budget import BUDGET, charge, exhausted
from heddle.extensions.languages.cel.emitter import Emitter
from heddle.extensions.languages.cel.errors import FILENAME, BudgetExceededError, CodeMap, explain
from heddle.extensions.languages.cel.folding import weigh
from heddle.extensions.languages.cel.operators import invert, negate, not_bool
from heddle.extensions.languages.cel.parser import parse
from heddle.extensions.languages.cel.results import deep_plain, plain
from heddle.extensions.languages.cel.tokens import CelSource
from heddle.runtime.assembly.language import CompileError, Where

SMALL: Final = 4000
"""Characters of emitted Python up to which a text is compiled when it is first run."""

_WORLD: Final[dict[str, Any]] = {
    **{name: RUN[op] for op, name in HELPERS.items()},
    "Exhausted": BudgetExceededError,
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
    "resolve_key": resolve_key,
    "select": select,
    "weigh": weigh,
}


class CelProgram(Protocol):
    """A compiled text: call it with a payload; EvaluationError is all that it raises.

    `names` holds the free names of the text: keys it expects in the payload, and `self`. `visits`
    says that it has macros, which visit elements. `hints` are what is allowed, but rarely meant.
    """

    names: frozenset[str]
    hints: tuple[CompileError, ...]
    visits: bool

    def __call__(self, payload: Any, /) -> Any: ...


def compile_program(code: str, budget: int = BUDGET, where: Where | None = None) -> CelProgram:
    """Return the program of a text, whose results are plain data; raise CompileError if it is wrong.

    Errors of a run say `where` they arose.
    """
    return _compiled(code, budget, where, out=True)


def compile_condition(code: str, budget: int = BUDGET, where: Where | None = None) -> CelProgram:
    """Return the same for a text whose result is only asked whether it is true."""
    return _compiled(code, budget, where, out=False)


def _compiled(code: str, budget: int, where: Where | None, *, out: bool) -> CelProgram:
    source = CelSource(str(code))
    try:
        emitter = Emitter(source)
        result = emitter.value(parse(source), out=out)
        text, places = emitter.finished(result, budget)
        world = {**_WORLD, **emitter.constants, "places": CodeMap(places, where)}
        program = _later(text, world) if _surely_compiles(text) else _now(text, world)
    except (RecursionError, MemoryError, SyntaxError):
        raise source.error(0, "the expression is too large or too deeply nested") from None
    cel_program = cast(CelProgram, program)
    cel_program.names = frozenset(emitter.names)
    cel_program.visits = emitter.visits
    cel_program.hints = tuple(emitter.hints)
    return cel_program


def _now(text: str, world: dict[str, Any]) -> FunctionType:
    """Return the function that the emitted text defines."""
    exec(compile(text, FILENAME, "exec", dont_inherit=True), world)  # noqa: S102
    # Taken out again: a function that its own globals hold is freed by a full collection only.
    return cast(FunctionType, world.pop("program"))


def _surely_compiles(text: str) -> bool:
    """Return whether the text is so small that Python cannot find it too deeply nested."""
    return len(text) < SMALL and text.count("for ") + text.count("try:") < 10


def _first(payload: Any) -> Any:
    return become(payload)  # type: ignore[name-defined]  # noqa: F821 - a name of the world


class _LateCode:
    """The emitted text of a function, which Python compiles when the function is first called."""

    __slots__ = ("_program", "_text")

    def __init__(self, text: str, program: FunctionType) -> None:
        self._text = text
        # Weak, for the globals of the function hold this: so it is freed without the collector.
        self._program = ref(program)

    def __call__(self, payload: Any) -> Any:
        """Give the function its code, and call it."""
        # Whoever calls it holds it.
        program = cast(FunctionType, self._program())
        real = _now(self._text, program.__globals__)
        program.__defaults__ = real.__defaults__
        program.__kwdefaults__ = real.__kwdefaults__
        program.__code__ = real.__code__
        return program(payload)


def _later(text: str, world: dict[str, Any]) -> FunctionType:
    """Return the same function, whose code is made at the first call.

    That is half of the time that a CEL text takes to compile, and most texts of a large namespace
    are not run soon. The function takes the code over, so no later call costs more.
    """
    program = FunctionType(_first.__code__, world, "program")
    world["become"] = _LateCode(text, program)
    return program
