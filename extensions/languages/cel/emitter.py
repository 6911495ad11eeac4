"""The Emitter walks a syntax tree and writes the Python function that computes it."""

from typing import Any, Final

from heddle.extensions.languages.cel import macros
from heddle.extensions.languages.cel.access import has, index, select
from heddle.extensions.languages.cel.binaries import binary
from heddle.extensions.languages.cel.body import EXACT, PLAIN_TYPES, Body, Code
from heddle.extensions.languages.cel.library import LIBRARY
from heddle.extensions.languages.cel.library.function import Function
from heddle.extensions.languages.cel.errors import Fault
from heddle.extensions.languages.cel.operators import invert, negate
from heddle.extensions.languages.cel.patterns import search
from heddle.extensions.languages.cel.results import deep_plain
from heddle.extensions.languages.cel.syntax import (
    Binary,
    Call,
    Entries,
    Has,
    Headed,
    Index,
    Items,
    Literal,
    Logic,
    Method,
    Name,
    Node,
    Select,
    Ternary,
    Unary,
)
from heddle.extensions.languages.cel.tokens import Source
from heddle.extensions.languages.cel.values import LONG_NAMES, TYPES, Type, Uint, kind

_HEADED: Final = (Select, Has, Index, Method, Unary, Binary)
_SIZED: Final = ("string", "bytes", "list", "map")


class Emitter(Body):
    """Writes one program; `names` gathers the free names that the text uses."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.names: set[str] = set()

    def value(self, node: Node, *, out: bool = False) -> Code:
        """Writes what computes a node, walking down its heads without recursion."""
        spine: list[Headed] = []
        while isinstance(node, _HEADED) and not self._whole(node):
            spine.append(node)
            node = node.head
        code = self._leaf(node, spine, out=out and not spine)
        while spine:
            part = spine.pop()
            code = self._part(part, code, spine, out=out and not spine)
        return self._finished(code) if out else code

    def _whole(self, node: Headed) -> bool:
        """Whether the node is one word to us, although it looks like a chain."""
        if isinstance(node, Method):
            return self._qualified(node) is not None
        return isinstance(node, Select) and _long_type(node) is not None

    def _qualified(self, node: Method) -> str | None:
        """The name of a function such as `math.greatest`, unless a variable hides it."""
        if isinstance(node.head, Name) and node.head.name not in self.scope:
            name = f"{node.head.name}.{node.name}"
            return name if name in LIBRARY else None
        return None

    def _finished(self, code: Code) -> Code:
        if code.constant and code.type in ("list", "map"):
            return self.let(f"deep_plain({code.text})", code.type)
        if code.constant:
            value = deep_plain(code.value)
            return self.constant(value, kind(value))
        if not code.special:
            return code
        return self.let(f"{'deep_plain' if code.special == 2 else 'plain'}({code.text})")

    def _leaf(self, node: Node, spine: list[Headed], *, out: bool) -> Code:
        if isinstance(node, Literal):
            return self.constant(node.value, node.type, int(node.type == "uint"))
        if isinstance(node, Name):
            return self._name(node, spine)
        if isinstance(node, Call):
            return self._call(node)
        if isinstance(node, Items):
            return self._items(node, out=out)
        if isinstance(node, Entries):
            return self._entries(node, out=out)
        if isinstance(node, Logic | Ternary):
            branch = self._logic if isinstance(node, Logic) else self._ternary
            if self.crowded:
                return self.elsewhere(lambda: branch(node, out))  # type: ignore[arg-type]
            return branch(node, out)  # type: ignore[arg-type]
        if isinstance(node, Select):
            return self.constant(_long_type(node), "type", 1)
        assert isinstance(node, Method)
        name = self._qualified(node) or node.name
        return self._invoke(node, name, False, list(map(self.value, node.args)))

    def _name(self, node: Name, spine: list[Headed]) -> Code:
        if node.name in self.scope and not node.rooted:
            return self.scope[node.name]
        if node.name not in TYPES:
            self.names.add(node.name)
        if node.name == "self":
            return Code("p")
        self.place(node.at)
        key = repr(node.name)
        return self._fields(f"p[{key}]", f"resolve(p, {key})", spine)

    def _fields(self, quick: str, slow: str, spine: list[Headed]) -> Code:
        """Reads a chain of fields at one go; only maps let themselves be read that way."""
        at = -1
        while spine and isinstance(spine[-1], Select):
            part = spine.pop()
            assert isinstance(part, Select)
            at = part.at
            quick += f"[{part.field!r}]"
            slow = f"select({slow}, {part.field!r})"
        return self._read(quick, slow)

    def _read(self, quick: str, slow: str) -> Code:
        name = self.fresh()
        with self.block("try:"):
            self.line(f"{name} = {quick}")
        with self.block("except Exception:"):
            self.line(f"{name} = {slow}")
        return Code(name)

    def _part(self, node: Headed, head: Code, spine: list[Headed], *, out: bool) -> Code:
        if isinstance(node, Select):
            return self._select(node, head, spine)
        if isinstance(node, Has):
            return self._has(node, head)
        if isinstance(node, Index):
            return self._index(node, head)
        if isinstance(node, Unary):
            return self._unary(node, head)
        if isinstance(node, Binary):
            return binary(self, node, head, self.value(node.right))
        return self._method(node, head, out=out)
