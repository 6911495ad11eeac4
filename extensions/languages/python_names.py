"""The names that Python code reads, but that nothing gives a value: each would be a NameError."""

import ast
import builtins
import dis
import sys
from collections.abc import Iterable, Iterator
from types import CodeType
from typing import Final, NamedTuple

from heddle.schemas.suggestion import did_you_mean

_READS: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_BINDS: Final = frozenset({"STORE_NAME", "STORE_GLOBAL"})
_OPEN: Final = frozenset(
    {"exec", "eval", "globals", "vars", "locals", "builtins", "__builtins__", "__import__"}
)
"""Names by which code may give a value to names that it does not write."""
_OURS: Final = frozenset({"__name__", "__builtins__", "__annotations__", "__doc__"})
_OTHERS: Final = {
    "null": "In Python it is None.",
    "nil": "In Python it is None.",
    "undefined": "In Python it is None.",
    "self": "In Python the payload is payload.",
    "console": "In Python it is print(…).",
}


class UndefinedName(NamedTuple):
    """A name without a value: the first place where it is read, what may have been meant, and the others."""

    name: str
    line: int
    column: int
    hint: str
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.others:
            return f'the name "{self.name}" is not defined'
        *before, last = (f'"{name}"' for name in (self.name, *self.others))
        return f"the names {', '.join(before)} and {last} are not defined"


def undefined_name(code: str, file: str, given: Iterable[str] = ()) -> UndefinedName | None:
    """Return the first name that the statements read and nothing binds, or None.

    `given` are names that the language provides. Code that may bind names by other means (exec,
    globals(), import *) is not judged, nor is what stands in a `try` that handles NameError.
    """
    # Compiled, for then the names have exactly the scopes that they will have.
    tree = ast.parse(code, file)
    parts = list(_parts(compile(tree, file, "exec", dont_inherit=True)))
    bound = {*given, *_OURS, *dir(builtins)}
    for part in parts:
        names = _names(part, _BINDS)
        if part is parts[0]:
            bound.update(name for name, *_ in names)
        else:
            bound.update(name for name, op, *_ in names if op == "STORE_GLOBAL")
    reads = [read for part in parts for read in _unbound(part, bound)]
    if _OPEN.intersection(name for part in parts for name in part.co_names) or _stars(tree):
        return None
    handled = _handled(tree)
    missing = [
        read for read in reads if not any(first <= read[1] <= last for first, last in handled)
    ]
    if not missing:
        return None
    missing.sort(key=lambda read: read[1:])
    (name, line, column), *rest = missing
    others = tuple(dict.fromkeys(other for other, *_ in rest if other != name))
    local = {each for part in parts for each in (*part.co_varnames, *part.co_freevars)}
    return UndefinedName(name, line, column, _hint(name, bound | local), others)


def _parts(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of a module and of everything that is defined in it."""
    yield code
    for constant in code.co_consts:
        # Annotations are evaluated only if somebody asks for them.
        if isinstance(constant, CodeType) and constant.co_name != "__annotate__":
            yield from _parts(constant)


def _names(code: CodeType, operations: frozenset[str]) -> Iterator[tuple[str, str, int, int]]:
    """Yield each name that these operations touch, with the operation, line and column."""
    for step in dis.get_instructions(code):
        if step.opname in operations:
            place = step.positions
            line = place.lineno if place is not None and place.lineno else code.co_firstlineno
            column = place.col_offset if place is not None and place.col_offset is not None else -1
            yield str(step.argval), step.opname, line, column + 1


def _unbound(code: CodeType, bound: set[str]) -> Iterator[tuple[str, int, int]]:
    """Yield the names that one piece of code reads without a value; those of a class body are its own."""
    own = {name for name, *_ in _names(code, _BINDS)}
    for name, _, line, column in _names(code, _READS):
        # A name with a dot at its front is the compiler's own.
        if name not in bound and name not in own and name.isidentifier():
            yield name, line, column


def _stars(tree: ast.Module) -> bool:
    """Return whether all names of a module are imported, or those of builtins."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "builtins":
            return True
        if isinstance(node, ast.ImportFrom | ast.Import):
            names = {alias.name for alias in node.names}
            if not names.isdisjoint(("*", "builtins")):
                return True
    return False


def _handled(tree: ast.Module) -> list[tuple[int, int]]:
    """Return the lines of each `try` block whose author expects a NameError."""
    spans: list[tuple[int, int]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Try | ast.TryStar) and any(map(_expects, node.handlers)):
            last = node.body[-1]
            spans.append((node.lineno, last.end_lineno or last.lineno))
    return spans


def _expects(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type
    if kinds is None:
        return True
    return any(isinstance(node, ast.Name) and node.id == "NameError" for node in ast.walk(kinds))


def _hint(name: str, bound: set[str]) -> str:
    other = _OTHERS.get(name)
    if other is not None:
        return other
    if name in sys.stdlib_module_names:
        return f"Add a line: import {name}"
    return did_you_mean(name, {each for each in bound if not each.startswith("_")})
