"""The parser reads the tokens of a CEL text and gives its syntax tree."""

from typing import Any, Final, Never

from heddle.extensions.languages.cel.syntax import (
    Binary,
    CallExpression,
    Entries,
    Has,
    IndexExpression,
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
from heddle.extensions.languages.cel.tokens import RESERVED, CelSource, CelToken, tokens
from heddle.extensions.languages.cel.values import INT_MAX, Uint

MAX_DEPTH: Final = 100
"""How deep brackets, calls and branches may nest: what Python's own stack bears."""

_PRECEDENCE: Final = {"||": 1, "&&": 2, "+": 4, "-": 4, "*": 5, "/": 5, "%": 5} | dict.fromkeys(
    ("==", "!=", "<", "<=", ">", ">=", "in"), 3
)
_WORDS: Final = {
    "and": 'Write "&&"',
    "or": 'Write "||"',
    "not": 'Write "!"',
    "is": 'Write "=="',
    "if": 'Write "condition ? this : that"',
    "{": "Messages cannot be built; a map can: {'a': 1}",
}


def parse(source: CelSource) -> Node:
    """Return the tree of a whole text; CompileError with the place of the first thing that is wrong."""
    parser = _Parser(source)
    node = parser.expression()
    if parser.token.kind != "end":
        parser.unexpected("an operator or the end")
    return node


class _Parser:
    def __init__(self, source: CelSource) -> None:
        self._source = source
        self._tokens = tokens(source)
        self._next = 0
        self._depth = 0
        self.token = self._tokens[0]

    def unexpected(self, expected: str) -> Never:
        token = self.token
        actual = "end of the text" if token.kind == "end" else f'"{token.text[:40]}"'
        hint = _WORDS.get(token.text, "")
        raise self._source.error(token.at, f"unexpected {actual} (expected: {expected})", hint)

    def expression(self) -> Node:
        """Return a condition with its branches, or a run of operators.

        Operators wait on a stack of their own, so nesting costs two frames a level and a run of
        thousands of operands costs none.
        """
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._source.error(self.token.at, f"nested more than {MAX_DEPTH} deep")
        operands = [self._unary()]
        waiting: list[CelToken] = []
        while (rank := self._rank()) > 0:
            while waiting and _PRECEDENCE[waiting[-1].text] >= rank:
                _reduce(operands, waiting.pop())
            waiting.append(self._take())
            operands.append(self._unary())
        while waiting:
            _reduce(operands, waiting.pop())
        node = operands.pop()
        if self._at("?"):
            mark = self._take()
            yes = self.expression()
            self._expect(":")
            node = Ternary(mark.at, node, yes, self.expression())
        self._depth -= 1
        return node

    def _rank(self) -> int:
        return _PRECEDENCE.get(self.token.text, 0) if self.token.kind == "op" else 0

    def _take(self) -> CelToken:
        token = self.token
        self._next += 1
        self.token = self._tokens[self._next]
        return token

    def _at(self, text: str) -> bool:
        return self.token.kind == "op" and self.token.text == text

    def _accept(self, text: str) -> bool:
        if self._at(text):
            self._take()
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            self.unexpected(f'"{text}"')

    def _unary(self) -> Node:
        prefixes: list[CelToken] = []
        while self._at("!") or self._at("-"):
            prefixes.append(self._take())
        node: Node
        if self._at("("):
            self._take()
            node = self.expression()
            self._expect(")")
        else:
            node = self._primary(prefixes)
        while self.token.kind == "op" and self.token.text in (".", "["):
            node = self._member(node)
        for prefix in reversed(prefixes):
            node = Unary(prefix.at, prefix.text, node)
        return node

    def _primary(self, prefixes: list[CelToken]) -> Node:
        token = self.token
        if token.kind == "literal":
            return self._literal(prefixes)
        if token.kind == "name":
            return self._named(self._take(), rooted=False)
        if self._accept("."):
            if self.token.kind != "name":
                self.unexpected("a name")
            return self._named(self._take(), rooted=True)
        if self._accept("["):
            marks: set[int] = set()
            return Items(token.at, self._list("]", marks), frozenset(marks))
        if self._accept("{"):
            marks = set()
            return Entries(token.at, self._entries(marks), frozenset(marks))
        return self.unexpected("a value")

    def _literal(self, prefixes: list[CelToken]) -> Node:
        token = self._take()
        value = token.value
        at = token.at
        if token.type == "int":
            # The minus belongs to the number: -9223372036854775808 has no positive twin.
            if prefixes and prefixes[-1].text == "-":
                at = prefixes.pop().at
                value = -value
            elif value > INT_MAX:
                raise self._source.error(
                    at, f"{token.text} is too large for an int", 'Write a double: "1e20"'
                )
        elif token.type == "uint":
            value = Uint(value)
        elif token.type == "double" and prefixes and prefixes[-1].text == "-":
            at = prefixes.pop().at
            value = -value
        return Literal(at, value, token.type)

    def _named(self, token: CelToken, *, rooted: bool) -> Node:
        if token.text in RESERVED:
            raise self._source.error(
                token.at, f'"{token.text}" is a reserved word', _WORDS.get(token.text, "")
            )
        if self._accept("("):
            args = self._list(")")
            return (
                self._has(token, args)
                if token.text == "has"
                else CallExpression(token.at, token.text, args)
            )
        return Name(token.at, token.text, rooted)

    def _has(self, token: CelToken, args: tuple[Node, ...]) -> Node:
        if len(args) == 1 and isinstance(args[0], Select) and not args[0].optional:
            return Has(token.at, args[0].head, args[0].field)
        raise self._source.error(token.at, "has() wants one field", 'As in "has(self.name)"')

    def _member(self, head: Node) -> Node:
        mark = self._take()
        if mark.text == "[":
            optional = self._accept("?")
            key = self.expression()
            self._expect("]")
            return IndexExpression(mark.at, head, key, optional)
        optional = self._accept("?")
        if self.token.kind not in ("name", "field"):
            self.unexpected("the name of a field")
        field = self._take()
        if not optional and field.kind == "name" and self._accept("("):
            return Method(field.at, head, field.text, self._list(")"))
        return Select(field.at, head, field.text, optional)

    def _list(self, closing: str, marks: set[int] | None = None) -> tuple[Node, ...]:
        """Return the items up to a bracket; `marks` takes the places of optional ones."""
        items: list[Node] = []
        while not self._accept(closing):
            if marks is not None and self._accept("?"):
                marks.add(len(items))
            if closing == "]" and self._lone_comma(items, closing):
                break
            items.append(self.expression())
            if not self._accept(","):
                self._expect(closing)
                break
            if closing == ")" and self._at(closing):
                self.unexpected("an argument")
        return tuple(items)

    def _lone_comma(self, values: list[Any], closing: str) -> bool:
        """Return whether `[,]` or `{,}` was read: the grammar has both."""
        if values or not self._accept(","):
            return False
        self._expect(closing)
        return True

    def _entries(self, marks: set[int]) -> tuple[tuple[Node, Node], ...]:
        entries: list[tuple[Node, Node]] = []
        while not self._accept("}"):
            if self._accept("?"):
                marks.add(len(entries))
            if self._lone_comma(entries, "}"):
                break
            key = self.expression()
            self._expect(":")
            entries.append((key, self.expression()))
            if not self._accept(","):
                self._expect("}")
                break
        return tuple(entries)


def _reduce(operands: list[Node], op: CelToken) -> None:
    right = operands.pop()
    head = operands.pop()
    if op.text not in ("&&", "||"):
        operands.append(Binary(op.at, op.text, head, right))
    elif isinstance(head, Logic) and head.op == op.text:
        head.operands.append(right)
        operands.append(head)
    else:
        operands.append(Logic(op.at, op.text, [head, right]))
