"""The Emitter walks a syntax tree and writes the Python function that computes it."""

from contextlib import suppress
from dataclasses import replace
from typing import Final

from heddle.extensions.languages.cel import macros
from heddle.extensions.languages.cel.access import net_type, optional_index, optional_select
from heddle.extensions.languages.cel.binaries import binary
from heddle.extensions.languages.cel.body import EXACT, CodeText, FunctionBody
from heddle.extensions.languages.cel.errors import CelError
from heddle.extensions.languages.cel.folding import NotFoldedError
from heddle.extensions.languages.cel.library import LIBRARY
from heddle.extensions.languages.cel.library.function import Function
from heddle.extensions.languages.cel.operators import invert, negate
from heddle.extensions.languages.cel.optionals import entries_of, items_of
from heddle.extensions.languages.cel.patterns import search
from heddle.extensions.languages.cel.results import deep_plain
from heddle.extensions.languages.cel.syntax import (
    Binary,
    CallExpression,
    Entries,
    Has,
    Headed,
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
from heddle.extensions.languages.cel.tokens import CelSource
from heddle.extensions.languages.cel.values import LONG_NAMES, TYPES, Type, kind
from heddle.runtime.assembly.language import CompileError

_AT_ONCE: Final = 20
"""How many fields one line of Python reads: it does not bear hundreds of brackets."""

_HEADED: Final = (Select, Has, IndexExpression, Method, Unary, Binary)


class Emitter(FunctionBody):
    """Writes one program.

    `names` gathers the free names that the text uses, `hints` what is allowed in it but rarely meant.
    """

    def __init__(self, source: CelSource) -> None:
        super().__init__(source)
        self.names: set[str] = set()
        self.hints: list[CompileError] = []

    def value(self, node: Node, *, out: bool = False) -> CodeText:
        """Write what computes a node, walking down its heads without recursion."""
        spine: list[Headed] = []
        outer, self.start = self.start, len(self.reads)
        while isinstance(node, _HEADED) and not self._whole(node):
            spine.append(node)
            node = node.head
        code = self._leaf(node, spine, out=out and not spine)
        while spine:
            part = spine.pop()
            code = self._part(part, code, spine, out=out and not spine)
        self.start = outer
        return self._plain(code) if out else code

    def _whole(self, node: Headed) -> bool:
        """Return whether the node is one word to us, although it looks like a chain."""
        if isinstance(node, Method):
            return self._qualified(node) is not None or self._binds(node)
        if not isinstance(node, Select):
            return False
        return _long_type(node) is not None or self._is_net(node)

    def _is_net(self, node: Select) -> bool:
        """Return whether this is `net.IP` or `net.CIDR`, unless a variable hides `net`."""
        head = node.head
        known = node.field in ("IP", "CIDR") and not node.optional
        return known and isinstance(head, Name) and head.name == "net" and "net" not in self.scope

    def _qualified(self, node: Method) -> str | None:
        """Return the name of a function such as `math.greatest`, unless a variable hides it."""
        if isinstance(node.head, Name) and node.head.name not in self.scope:
            name = f"{node.head.name}.{node.name}"
            return name if name in LIBRARY else None
        return None

    def _binds(self, node: Method) -> bool:
        """Return whether this is `cel.bind(…)`, unless a variable hides `cel`."""
        if node.name != "bind" or "cel" in self.scope:
            return False
        return isinstance(node.head, Name) and node.head.name == "cel"

    def _bind(self, node: Method, *, out: bool) -> CodeText:
        """Write `cel.bind(name, value, expression)`: the value is computed once, and has a name."""
        if len(node.args) != 3:
            actual = f"cel.bind() wants 3 arguments, not {len(node.args)}"
            raise self.source.error(node.at, actual, "As in cel.bind(x, self.a + 1, x * x)")
        name, value, expression = node.args
        if not isinstance(name, Name) or name.rooted:
            hint = "As in cel.bind(x, self.a + 1, x * x)"
            raise self.source.error(name.at, "cel.bind() wants a variable first", hint)
        start = len(self.reads)
        code = self.value(value)
        if not code.constant:
            # A variable of its own: the payload itself is one already.
            code = self.let(code.text, code.type, code.special)
        code = replace(code, copies=self.reads.copies(start))
        outer = self.scope
        self.scope = {**outer, name.name: code}
        result = self.value(expression, out=out)
        self.scope = outer
        return result

    def _plain(self, code: CodeText) -> CodeText:
        if code.constant and code.type in ("list", "map"):
            return self.let(f"deep_plain({code.text})", code.type)
        if code.constant:
            value = deep_plain(code.value)
            return self.constant(value, kind(value))
        if not code.special:
            return code
        return self.let(f"{'deep_plain' if code.special == 2 else 'plain'}({code.text})")

    def _leaf(self, node: Node, spine: list[Headed], *, out: bool) -> CodeText:
        if isinstance(node, Literal):
            return self.constant(node.value, node.type, int(node.type == "uint"))
        if isinstance(node, Name):
            return self._name(node, spine)
        if isinstance(node, CallExpression):
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
        if isinstance(node, Select) and self._is_net(node):
            self.place(node.at)
            return self.let(f"{self.keep(net_type)}(p, {node.field!r})", special=1)
        if isinstance(node, Select):
            return self.constant(_long_type(node), "type", 1)
        if not isinstance(node, Method):
            raise TypeError(f"a {type(node).__name__} has no way into code")
        if self._binds(node):
            return self._bind(node, out=out)
        name = self._qualified(node) or node.name
        return self._invoke(node, name, False, list(map(self.value, node.args)))

    def _name(self, node: Name, spine: list[Headed]) -> CodeText:
        if node.name in self.scope and not node.rooted:
            code = self.scope[node.name]
            part = spine[-1] if spine else None
            field = part.field if isinstance(part, Select | Has) else ""
            self.reads.add(node.name, field, code.copies)
            return code
        return self._free(node, spine)

    def _free(self, node: Name, spine: list[Headed], resolve: str = "resolve") -> CodeText:
        """Write what finds a free name: a key of the payload, `self`, or a type."""
        if node.name not in TYPES:
            self.names.add(node.name)
        if node.name == "self":
            return CodeText("p")
        self.place(node.at)
        bare = not spine
        code = self._fields("p", f"{resolve}(p, {node.name!r})", node.name, spine)
        # A type leaves the program as its name.
        return CodeText(code.text, special=1) if bare and node.name in TYPES else code

    def _key(self, node: Node) -> CodeText:
        """Write the key of a map: a bare name is an expression, and its failure says so."""
        if isinstance(node, Name) and (node.rooted or node.name not in self.scope):
            return self._free(node, [], "resolve_key")
        return self.value(node)

    def _fields(self, head: str, slow: str, field: str, spine: list[Headed]) -> CodeText:
        """Read a chain of fields at one go: only maps let themselves be read by a text."""
        quick = f"{head}[{field!r}]"
        for _ in range(_AT_ONCE):
            part = spine[-1] if spine else None
            if not isinstance(part, Select) or part.optional:
                break
            spine.pop()
            quick += f"[{part.field!r}]"
            slow = f"select({slow}, {part.field!r})"
        return self._read(quick, slow)

    def _read(self, quick: str, slow: str) -> CodeText:
        name = self.fresh()
        with self.block("try:"):
            self.line(f"{name} = {quick}")
        with self.block("except Exception:"):
            self.line(f"{name} = {slow}")
        return CodeText(name)

    def _part(self, node: Headed, head: CodeText, spine: list[Headed], *, out: bool) -> CodeText:
        if isinstance(node, Method):
            return self._method(node, head, out=out)
        if isinstance(node, Binary):
            return binary(self, node, head, self.value(node.right))
        if isinstance(node, Unary):
            return self._unary(node, head)
        if isinstance(node, Has):
            return self._has(node, head)
        inside = 2 if head.special == 2 else 0
        self.place(node.at)
        if node.optional:
            return self._optional(node, head)
        if isinstance(node, IndexExpression):
            code = self._index(head, self.value(node.key), node.at)
        else:
            name = self.named(head)
            slow = f"select({name}, {node.field!r})"
            code = self._fields(name, slow, node.field, spine)
        return CodeText(code.text, code.type, inside)

    def _optional(self, node: Select | IndexExpression, head: CodeText) -> CodeText:
        """Write `head.?field` or `head[?key]`."""
        if isinstance(node, IndexExpression):
            key = self.value(node.key)
            self.place(node.at)
            run = f"{self.keep(optional_index)}({self.named(head)}, {self.named(key)})"
        else:
            run = f"{self.keep(optional_select)}({self.named(head)}, {node.field!r})"
        return self.let(run, special=2)

    def _has(self, node: Has, head: CodeText) -> CodeText:
        self.place(node.at)
        name = self.named(head)
        slow = f"has({name}, {node.field!r})"
        return self.let(f"{node.field!r} in {name} if type({name}) is dict else {slow}", "bool")

    def _index(self, head: CodeText, key: CodeText, at: int) -> CodeText:
        self.place(at)
        name = self.named(head)
        slow = f"index({name}, {key.text})"
        if key.type == "string":
            return self._read(f"{name}[{key.text}]", slow)
        if key.type not in ("", "int"):
            return self.let(slow)
        tests = [f"type({name}) is list"] if head.type != "list" else []
        if key.constant:
            tests.append(f"len({name}) > {key.text} >= 0")
        else:
            tests += [f"type({key.text}) is int"] if not key.type else []
            tests.append(f"len({name}) > {key.text} >= 0")
        return self.let(f"{name}[{key.text}] if {' and '.join(tests)} else {slow}")

    def _unary(self, node: Unary, head: CodeText) -> CodeText:
        run, helper = (invert, "invert") if node.op == "!" else (negate, "negate")
        if head.constant:
            with suppress(NotFoldedError):
                value = self.folding.run(run, head.value)
                return self.constant(value, kind(value))
        self.place(node.at)
        text = self.named(head)
        if node.op == "!":
            quick = f"not {text}" if head.type == "bool" else f"{text} is False"
            test = "" if head.type == "bool" else f" if type({text}) is bool else {helper}({text})"
            return self.let(quick + test, "bool")
        return self.let(f"{helper}({text})", head.type)

    def _method(self, node: Method, head: CodeText, *, out: bool) -> CodeText:
        macro = macros.find(node)
        if macro is not None:
            if self.crowded:
                return self.elsewhere(lambda: macro(self, node, head, out), head)
            return macro(self, node, head, out)
        if node.name in macros.WANTED:
            rule = f"{node.name}() wants {macros.WANTED[node.name]} arguments"
            raise self.source.error(node.at, f"{rule}, not {len(node.args)}")
        return self._invoke(node, node.name, True, [head, *map(self.value, node.args)])

    def _call(self, node: CallExpression) -> CodeText:
        if node.name == "dyn" and len(node.args) == 1:
            code = self.value(node.args[0])
            return self.let(code.text, special=code.special) if code.constant else code
        return self._invoke(node, node.name, False, list(map(self.value, node.args)))

    def _invoke(
        self, node: CallExpression | Method, name: str, method: bool, args: list[CodeText]
    ) -> CodeText:
        function = LIBRARY.find(name, method, len(args))
        if function is None:
            message, hint = LIBRARY.why_not(name, method, len(args), (*macros.NAMES, "dyn"))
            raise self.source.error(node.at, message, hint)
        if name == "matches" and args[1].constant:
            return self._matches(node, args)
        special = int(function.special) * (2 if function.result in ("", "list", "map") else 1)
        if function.pure and not function.costly and all(arg.constant for arg in args):
            with suppress(NotFoldedError):
                value = self.folding.run(
                    function.run, *(arg.value for arg in args), spends=function.spends
                )
                return self.constant(value, function.result, special)
        self.place(node.at)
        return self.let(self._called(function, args), function.result, special)

    def _called(self, function: Function, args: list[CodeText]) -> str:
        names = [self.named(arg) for arg in args]
        if function.spends:
            self.budgeted = True
            return f"{self.keep(function.run)}({', '.join(('B', *names))})"
        run = f"{self.keep(function.run)}({', '.join(names)})"
        if function.special:
            self.weight += 1
        if function.costly and function.result not in ("bool", "int"):
            self.budgeted = True
            return f"charge(B, {run})"
        if self.loops and function.costly and function.result == "int":
            return f"charge(B, {run})"
        if not function.inline:
            return run
        tests = [
            _takes(arg, name, type_)
            for arg, name, type_ in zip(args, names, function.takes, strict=True)
        ]
        if None in tests:
            return run
        test = " and ".join(filter(None, tests))
        quick = function.inline.format(*names)
        return f"{quick} if {test} else {run}" if test else quick

    def _matches(self, node: CallExpression | Method, args: list[CodeText]) -> CodeText:
        """Return a pattern that stands in the text is read now, and rejected now."""
        text, pattern = args
        try:
            find = self.keep(search(pattern.value) if pattern.type == "string" else None)
        except CelError as fault:
            raise self.source.error(node.args[-1].at, str(fault)) from None
        self.place(node.at)
        function = LIBRARY.find("matches", False, 2)
        if function is None:
            raise RuntimeError("the library has no function matches")
        slow = f"{self.keep(function.run)}({text.text}, {pattern.text})"
        test = self.is_exact(text, "string")
        if pattern.type != "string" or test is None:
            return self.let(slow, "bool")
        given = f"charge(B, {text.text})" if self.loops else text.text
        return self.let(
            f"{find}({given}) if {test} else {slow}" if test else f"{find}({given})", "bool"
        )

    def _items(self, node: Items, *, out: bool) -> CodeText:
        start = len(self.reads)
        codes = [
            self.value(item, out=out and number not in node.optional)
            for number, item in enumerate(node.items)
        ]
        special = 2 if any(code.special for code in codes) else 0
        if not out and not node.optional and all(code.constant for code in codes):
            with suppress(NotFoldedError):
                values = self.folding.run(lambda *parts: [*parts], *(code.value for code in codes))
                return self.constant(values, "list", special)
        self.weight += 2 + len(codes) // 4
        self.place(node.at)
        made = [
            f"*{self.keep(items_of)}({code.text})" if number in node.optional else code.text
            for number, code in enumerate(codes)
        ]
        return self._built(f"[{', '.join(made)}]", "list", special, start)

    def _entries(self, node: Entries, *, out: bool) -> CodeText:
        start = len(self.reads)
        pairs = [
            (self._key(key), self.value(value, out=out and number not in node.optional))
            for number, (key, value) in enumerate(node.entries)
        ]
        self.place(node.at)
        self.weight += 5 + 2 * len(pairs)
        special = 2 if any(key.special or value.special for key, value in pairs) else 0
        texts = [key.value for key, _ in pairs if key.constant and key.type == "string"]
        if node.optional:
            return self._optional_entries(node, pairs, start)
        if len(texts) == len(pairs) == len(set(texts)):
            made = ", ".join(f"{key.text}: {value.text}" for key, value in pairs)
            return self._built(f"{{{made}}}", "map", special, start)
        made = ", ".join(f"({key.text}, {value.text})" for key, value in pairs)
        for key, value in node.entries:
            self._note_bare(key, value)
        names = tuple(key.name if isinstance(key, Name) else "" for key, _ in node.entries)
        shown = f", {names!r}" if any(names) else ""
        return self._built(f"build_map([{made}]{shown})", "map", special, start)

    def _built(self, text: str, type_: str, special: int, start: int) -> CodeText:
        code = self.let(text, type_, special)
        self.weigh(code.text, start)
        return code

    def _optional_entries(
        self, node: Entries, pairs: list[tuple[CodeText, CodeText]], start: int
    ) -> CodeText:
        """Write a map some of whose entries may not be there."""
        made = [
            f"*{self.keep(entries_of)}({key.text}, {value.text})"
            if number in node.optional
            else f"({key.text}, {value.text})"
            for number, (key, value) in enumerate(pairs)
        ]
        return self._built(f"build_map([{', '.join(made)}])", "map", 2, start)

    def _note_bare(self, key: Node, value: Node) -> None:
        """Note a key such as that of `{id: self.id}`: its name is an expression, not a text."""
        if not isinstance(key, Name) or key.rooted or key.name in self.scope:
            return
        same = isinstance(value, Select) and value.field == key.name
        if same or (isinstance(value, Name) and value.name == key.name):
            actual = f"the key {key.name} is an expression, whose value becomes the key"
            hint = f"If it is a text, put it in quotes: {{'{key.name}': …}}"
            self.hints.append(self.source.error(key.at, actual, hint))

    def _logic(self, node: Logic, out: bool) -> CodeText:
        """Any operand may decide: `false` for `&&`, `true` for `||`; it then forgives failures."""
        decides = node.op == "||"
        result, error = self.fresh(), self.fresh()
        self.line(f"{error} = None")
        with self.block("while True:"):
            for operand in node.operands:
                macros.forgiving(self, error, lambda: self._operand(node, operand, decides, result))  # noqa: B023
            self.place(node.at)
            macros.unforgiven(self, error)
            self.line(f"{result} = {not decides}")
            self.line("break")
        self.line(f"{error} = None")
        return CodeText(result, "bool")

    def _operand(self, node: Logic, operand: Node, decides: bool, result: str) -> None:
        code = self.value(operand)
        name = self.named(code)
        with self.block(f"if {name} is {decides}:"):
            self.line(f"{result} = {decides}")
            self.line("break")
        if code.type != "bool":
            self.place(node.at)
            self.line(f"if {name} is not {not decides}: raise not_bool({name}, {node.op!r})")

    def _ternary(self, node: Ternary, out: bool) -> CodeText:
        condition = self.value(node.condition)
        name, result = self.named(condition), self.fresh()
        codes: list[CodeText] = []
        for branch, value in ((node.yes, True), (node.no, False)):
            with self.block(f"{'if' if value else 'elif'} {name} is {value}:"):
                code = self.value(branch, out=out)
                self.line(f"{result} = {code.text}")
                codes.append(code)
        self.place(node.at)
        self.line(f"else: raise not_bool({name}, '?')")
        same = codes[0].type if codes[0].type == codes[1].type else ""
        return CodeText(result, same, max(code.special for code in codes))


_SIZED: Final = ("string", "bytes", "list", "map")


def _takes(code: CodeText, name: str, form: str) -> str | None:
    """Return the test that lets the inline form of a function take this argument."""
    if form == "sized":
        return "" if code.type in _SIZED else None if code.type else f"type({name}) in SIZED"
    if code.type:
        return "" if code.type == form else None
    return f"type({name}) is {EXACT[form]}"


def _long_type(node: Select) -> Type | None:
    """Return the type that `google.protobuf.Timestamp` and its like name."""
    package = node.head
    if isinstance(package, Select) and package.field == "protobuf":
        root = package.head
        name = f"google.protobuf.{node.field}"
        if isinstance(root, Name) and root.name == "google" and name in LONG_NAMES.values():
            return Type(name)
    return None
