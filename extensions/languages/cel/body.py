"""A Body is Python text being written: lines with their CEL places, names, constants."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from heddle.extensions.languages.cel.copies import COPIES, Reads
from heddle.extensions.languages.cel.folding import Folding
from heddle.extensions.languages.cel.syntax import Node
from heddle.extensions.languages.cel.tokens import CelSource

_INDENTS: Final = 30
_BLOCKS: Final = 9
"""Python allows 100 indents and 20 blocks inside each other; one construct uses up to five."""

EXACT: Final = {"int": "int", "double": "float", "string": "str", "bytes": "bytes", "bool": "bool"}
"""CEL types and the Python class that a value of that static type has exactly."""

PLAIN_TYPES: Final = frozenset({*EXACT, "null_type"})


@dataclass(frozen=True, slots=True)
class CodeText:
    """Python text for a value that was computed: a variable or a literal, free to repeat.

    `type` is its CEL type if that is certain. `special` is 1 if the value may be one that
    plain data lacks, and 2 if it may hold such values. A constant knows its value. `copies` is how
    often a variable holds the same part of the payload at most: `[x, x]` doubles what is in `x`.
    """

    text: str
    type: str = ""
    special: int = 0
    constant: bool = False
    value: Any = None
    copies: int = 1


class FunctionBody(ABC):
    """The text that every part of the compiler writes into."""

    def __init__(self, source: CelSource) -> None:
        self.source = source
        self.constants: dict[str, Any] = {}
        self.scope: dict[str, CodeText] = {}
        self.folding = Folding(source.text)
        self.reads = Reads()
        self.start = 0
        self.loops = 0
        self.budgeted = self.visits = False
        self.weight = 0
        self._done: list[tuple[str, tuple[int, int]]] = []
        self._lines: list[tuple[str, tuple[int, int]]] = []
        self._indent = 2
        self._blocks = 1
        self._count = 0
        self._place = (0, 0)

    @abstractmethod
    def value(self, node: Node, *, out: bool = False) -> CodeText:
        """Write what computes a node; `out` asks for plain data, to leave the program."""

    def place(self, at: int) -> None:
        """Lines written from here on belong to that character of the CEL text."""
        self._place = self.source.place(at)

    def line(self, text: str) -> None:
        """Write one line."""
        self._lines.append(("  " * self._indent + text, self._place))

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """Write a header and whatever follows inside it."""
        self.line(header)
        self._indent += 1
        self._blocks += not header.startswith(("if ", "elif ", "else"))
        yield
        self._indent -= 1
        self._blocks -= not header.startswith(("if ", "elif ", "else"))

    def later(self) -> Callable[[str], None]:
        """Keep the place of a line that is written when what follows it is known."""
        lines, at = self._lines, len(self._lines)
        indent, place = "  " * self._indent, self._place
        lines.append(("", place))

        def write(text: str) -> None:
            lines[at] = (indent + text, place)

        return write

    def fresh(self) -> str:
        """Return a variable that nothing uses yet."""
        self._count += 1
        return f"t{self._count}"

    def let(self, text: str, type_: str = "", special: int = 0) -> CodeText:
        """Compute an expression into a fresh variable."""
        name = self.fresh()
        self.line(f"{name} = {text}")
        return CodeText(name, type_, special)

    def keep(self, value: Any) -> str:
        """Return a name under which the program finds this object."""
        name = f"K{len(self.constants)}"
        self.constants[name] = value
        return name

    def constant(self, value: Any, type_: str, special: int = 0) -> CodeText:
        """Return the Code of a value that is known now."""
        text = _literal(value)
        return CodeText(self.keep(value) if text is None else text, type_, special, True, value)

    def named(self, code: CodeText) -> str:
        """Return the Code as a name: Python warns about literals in some places."""
        if code.constant and not code.text.startswith("K"):
            return self.keep(code.value)
        return code.text

    def weigh(self, name: str, start: int) -> None:
        """Pay for all that is in a list or map if variables, read from `start` on, make it grow."""
        if self.reads.copies(start) > COPIES:
            self.budgeted = self.visits = True
            self.line(f"weigh(B, {name})")

    def is_exact(self, code: CodeText, type_: str) -> str | None:
        """Return the test that the value is exactly of a type; empty if certain, None if impossible."""
        if code.type == type_:
            return ""
        return None if code.type else f"type({code.text}) is {EXACT[type_]}"

    @property
    def crowded(self) -> bool:
        """Whether Python would soon refuse further nesting."""
        return self._indent > _INDENTS or self._blocks > _BLOCKS

    def elsewhere(self, write: Callable[[], CodeText], *needs: CodeText) -> CodeText:
        """Write into a function of its own, and call it here; it sees `needs` and the scope."""
        self._count += 1
        name = f"f{self._count}"
        seen = dict.fromkeys(
            code.text for code in (*needs, *self.scope.values()) if not code.constant
        )
        head = f"{name}({', '.join(('p', 'B', *seen))})"
        outer = (self._lines, self._indent, self._blocks)
        self._lines, self._indent, self._blocks = [(f"def {head}:", self._place)], 1, 0
        self.budgeted = True
        code = write()
        self.line(f"return {code.text}")
        self._done += self._lines
        self._lines, self._indent, self._blocks = outer
        return code if code.constant else self.let(head, code.type, code.special)

    def finished(self, result: CodeText, budget: int) -> tuple[str, list[tuple[int, int]]]:
        """Return the whole Python text, and the CEL place of each of its lines."""
        nowhere = (0, 0)
        lines = [
            *self._done,
            ("def program(p):", nowhere),
            ("  try:", nowhere),
            *([(f"    B = [{budget}]", nowhere)] if self.budgeted else []),
            *self._lines,
            (f"    return {result.text}", nowhere),
            ("  except Exception as x:", nowhere),
            ("    raise explain(x, places)", nowhere),
        ]
        return "\n".join(text for text, _ in lines), [place for _, place in lines]


def _literal(value: Any) -> str | None:
    if value is None or value is True or value is False or type(value) in (str, bytes):
        return repr(value)
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return repr(value) if value >= 0 and repr(value)[0] != "-" else f"({value!r})"
    return None
