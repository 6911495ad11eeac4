"""The macros, as loops: over the elements of a list or the keys of a map, or over pairs of both.

Those with two variables walk indexes and elements of a list, or keys and values of a map.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from heddle.extensions.languages.cel.access import merged, pairs
from heddle.extensions.languages.cel.body import CodeText, FunctionBody
from heddle.extensions.languages.cel.library.lists import sort_by
from heddle.extensions.languages.cel.optional_macros import (
    either,
    opt_flat_map,
    opt_map,
    or_value,
)
from heddle.extensions.languages.cel.syntax import Method, Name, Node

_Macro: TypeAlias = Callable[[FunctionBody, Method, CodeText, bool], CodeText]


def find(node: Method) -> _Macro | None:
    """Return the macro that a call names, by its name and number of arguments."""
    return _MACROS.get((node.name, len(node.args)))


def _variables(body: FunctionBody, node: Method, count: int) -> list[str]:
    names: list[str] = []
    for given in node.args[:count]:
        if not isinstance(given, Name) or given.rooted:
            variables, shown = ("a variable", "x") if count == 1 else ("two variables", "i, x")
            raise body.source.error(
                given.at,
                f"{node.name}() wants {variables} first",
                f'As in "list.{node.name}({shown}, …)"',
            )
        names.append(given.name)
    return names


class _Loop:
    """A loop over what a macro walks, with its variables in scope: one, or two for pairs."""

    def __init__(
        self, body: FunctionBody, node: Method, head: CodeText, variables: int = 1
    ) -> None:
        names = _variables(body, node, variables)
        self._body = body
        body.place(node.at)
        source = body.named(head)
        items = source if head.type == "list" and variables == 1 else body.fresh()
        if variables == 2:
            body.line(f"{items} = {body.keep(pairs)}(B, {source})")
        elif head.type != "list":
            body.line(f"{items} = {source} if type({source}) is list else elements({source})")
        body.budgeted = body.visits = True
        self._pay = body.later()
        body.line("if B[0] < 0: raise exhausted()")
        self.items = items
        self.each = 1
        self.weight = 0
        # What stands inside an element may be as special as what stands inside the whole.
        special = 2 if head.special == 2 else 0
        copies = body.reads.copies(body.start)
        self._scope = {
            name: CodeText(body.fresh(), special=special, copies=copies) for name in names
        }
        if len(self._scope) < len(names):
            raise body.source.error(
                node.args[1].at, f"{node.name}() wants two names, not one twice"
            )

    def walk(self, items: str, write: Callable[[], None], *, keeps: bool = False) -> None:
        """Write the loop; `write` writes what is done for each element, and may keep what it reads."""
        body = self._body
        start = len(body.reads)
        outer, above = body.scope, body.weight
        body.scope = {**outer, **self._scope}
        body.loops += 1
        # What each turn makes is paid for before the first one, at no cost to any of them.
        body.weight = 1 + self.weight
        variables = ", ".join(code.text for code in self._scope.values())
        with body.block(f"for {variables} in {items}:"):
            write()
        body.loops -= 1
        self.each, body.weight = body.weight, above
        each = f" * {self.each}" if self.each > 1 else ""
        self._pay(f"B[0] -= len({self.items}){each}")
        body.scope = outer
        if keeps:
            body.reads.repeat(start, self._scope)
        else:
            body.reads.forget(start)

    @property
    def element(self) -> CodeText:
        """The variable that holds the element; of a pair, its second half."""
        return [*self._scope.values()][-1]

    @property
    def key(self) -> CodeText:
        """The variable that holds the index or key."""
        return next(iter(self._scope.values()))


def _check(body: FunctionBody, code: CodeText, subject: str) -> None:
    """Write the rejection of a condition that is neither true nor false."""
    if code.type != "bool":
        name = body.named(code)
        body.line(
            f"if {name} is not True and {name} is not False: raise not_bool({name}, {subject!r})"
        )


def forgiving(body: FunctionBody, error: str, write: Callable[[], None]) -> None:
    """Write something whose first failure is set aside in a variable."""
    with body.block("try:"):
        write()
    body.line("except Exhausted: raise")
    with body.block("except Exception as x:"):
        body.line(f"if {error} is None: {error} = x")


def unforgiven(body: FunctionBody, error: str) -> None:
    """Write what raises the failure that was set aside, if there is one."""
    with body.block(f"if {error} is not None:"):
        # The frame must not keep an error whose traceback keeps the frame.
        body.line(f"try: raise {error}")
        body.line(f"finally: {error} = None")


def _quantifier(body: FunctionBody, node: Method, head: CodeText, out: bool) -> CodeText:
    """`all` stops at the first false, `exists` at the first true; both then forgive failures."""
    stop = node.name == "exists"
    loop = _Loop(body, node, head, len(node.args) - 1)
    walker, error, result = body.fresh(), body.fresh(), body.fresh()
    body.line(f"{walker} = iter({loop.items})")
    body.line(f"{error} = None")
    body.line(f"{result} = {not stop}")

    refunds: list[Callable[[str], None]] = []

    def each() -> None:
        forgiving(body, error, test)

    def test() -> None:
        code = body.value(node.args[-1])
        with body.block(f"if {body.named(code)} is {stop}:"):
            body.line(f"{result} = {stop}")
            refunds.append(body.later())
            body.line("break")
        _check(body, code, f"{node.name}()")

    loop.walk(walker, each)
    for refund in refunds:
        refund(f"B[0] += {walker}.__length_hint__() * {loop.each}")
    with body.block("else:"):
        unforgiven(body, error)
    body.line(f"{error} = None")
    return CodeText(result, "bool")


def _exists_one(body: FunctionBody, node: Method, head: CodeText, out: bool) -> CodeText:
    loop = _Loop(body, node, head, len(node.args) - 1)
    count = body.fresh()
    body.line(f"{count} = 0")

    def each() -> None:
        code = body.value(node.args[-1])
        body.line(f"if {body.named(code)} is True: {count} += 1")
        _check(body, code, f"{node.name}()")

    loop.walk(loop.items, each)
    return body.let(f"{count} == 1", "bool")


def _gather(
    body: FunctionBody,
    node: Method,
    head: CodeText,
    test: Node | None,
    make: Node | None,
    out: bool,
) -> CodeText:
    """Return the list of what `make` gives (or of the elements) if `test` holds (or everywhere)."""
    loop = _Loop(body, node, head, 2 if node.name == "transformList" else 1)
    result = body.fresh()
    special = 0
    body.line(f"{result} = []")

    def keep() -> None:
        nonlocal special
        code = loop.element if make is None else body.value(make, out=out)
        special = 2 if code.special else 0
        body.line(f"{result}.append({code.text})")

    loop.walk(loop.items, lambda: _where(body, node, test, keep), keeps=make is not None)
    body.weigh(result, body.start)
    return CodeText(result, "list", special)


def _where(body: FunctionBody, node: Method, test: Node | None, keep: Callable[[], None]) -> None:
    """Write what is done for each element for which the test holds, if there is one."""
    if test is None:
        keep()
        return
    code = body.value(test)
    _check(body, code, f"{node.name}()")
    with body.block(f"if {body.named(code)} is True:"):
        keep()


def _transform_list(body: FunctionBody, node: Method, head: CodeText, out: bool) -> CodeText:
    test = node.args[2] if len(node.args) == 4 else None
    return _gather(body, node, head, test, node.args[-1], out)


def _transform_map(body: FunctionBody, node: Method, head: CodeText, out: bool) -> CodeText:
    """Return a map of what is made of each value, under its key; or of the entries that are made."""
    loop = _Loop(body, node, head, 2)
    loop.weight += 3
    result = body.fresh()
    special = 0
    body.line(f"{result} = {{}}")

    def keep() -> None:
        nonlocal special
        code = body.value(node.args[-1], out=out)
        special = 2 if code.special or head.special else 0
        if node.name == "transformMap":
            body.line(f"{result}[{loop.key.text}] = {code.text}")
        else:
            body.place(node.at)
            body.line(f"{body.keep(merged)}({result}, {body.named(code)})")

    test = node.args[2] if len(node.args) == 4 else None
    loop.walk(loop.items, lambda: _where(body, node, test, keep), keeps=True)
    body.weigh(result, body.start)
    return CodeText(result, "map", special)


def _sort_by(body: FunctionBody, node: Method, head: CodeText, out: bool) -> CodeText:
    loop = _Loop(body, node, head)
    loop.weight += 3
    keys = body.fresh()
    body.line(f"{keys} = []")
    loop.walk(loop.items, lambda: body.line(f"{keys}.append({body.value(node.args[1]).text})"))
    body.place(node.at)
    made = f"{body.keep(sort_by)}({loop.items}, {keys})"
    return body.let(made, "list", 2 if head.special else 0)


def _map(body: FunctionBody, node: Method, head: CodeText, out: bool) -> CodeText:
    return _gather(body, node, head, None, node.args[1], out)


def _map_where(body: FunctionBody, node: Method, head: CodeText, out: bool) -> CodeText:
    return _gather(body, node, head, node.args[1], node.args[2], out)


def _filter(body: FunctionBody, node: Method, head: CodeText, out: bool) -> CodeText:
    return _gather(body, node, head, node.args[1], None, out=False)


_MACROS: Final[dict[tuple[str, int], _Macro]] = {
    ("all", 2): _quantifier,
    ("all", 3): _quantifier,
    ("exists", 2): _quantifier,
    ("exists", 3): _quantifier,
    ("exists_one", 2): _exists_one,
    ("exists_one", 3): _exists_one,
    ("existsOne", 2): _exists_one,
    ("existsOne", 3): _exists_one,
    ("filter", 2): _filter,
    ("map", 2): _map,
    ("optFlatMap", 2): opt_flat_map,
    ("optMap", 2): opt_map,
    ("or", 1): either,
    ("orValue", 1): or_value,
    ("map", 3): _map_where,
    ("sortBy", 2): _sort_by,
    ("transformList", 3): _transform_list,
    ("transformList", 4): _transform_list,
    ("transformMap", 3): _transform_map,
    ("transformMap", 4): _transform_map,
    ("transformMapEntry", 3): _transform_map,
    ("transformMapEntry", 4): _transform_map,
}

NAMES: Final = frozenset(name for name, _ in _MACROS) | {"has"}
"""The names of all macros."""

WANTED: Final = {
    name: " or ".join(str(count) for known, count in sorted(_MACROS) if known == name)
    for name in sorted({name for name, _ in _MACROS})
}
"""How many arguments each takes."""
