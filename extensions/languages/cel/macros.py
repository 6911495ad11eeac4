"""The macros `all exists exists_one filter map`, as loops."""

from collections.abc import Callable
from typing import Final, TypeAlias

from heddle.extensions.languages.cel.body import Body, Code
from heddle.extensions.languages.cel.syntax import Method, Name, Node

_Macro: TypeAlias = Callable[[Body, Method, Code, bool], Code]


def find(node: Method) -> _Macro | None:
    """The macro that a call names, by its name and number of arguments."""
    return _MACROS.get((node.name, len(node.args)))


def _variable(body: Body, node: Method) -> str:
    first = node.args[0]
    if isinstance(first, Name) and not first.rooted:
        return first.name
    raise body.source.error(
        first.at,
        f"{node.name}() wants a variable first",
        f'As in "list.{node.name}(x, …)"',
    )


class _Loop:
    """A loop over what a macro walks, with its variable in scope."""

    def __init__(self, body: Body, node: Method, head: Code) -> None:
        name = _variable(body, node)
        self._body = body
        body.place(node.at)
        source = body.named(head)
        items = source if head.type == "list" else body.fresh()
        if head.type != "list":
            body.line(f"{items} = {source} if type({source}) is list else elements({source})")
        body.budgeted = True
        body.line(f"B[0] -= len({items})")
        body.line("if B[0] < 0: raise exhausted()")
        self.items = items
        self._variable = body.fresh()
        # What stands inside an element may be as special as what stands inside the whole.
        self._code = Code(self._variable, special=2 if head.special == 2 else 0)
        self._name = name

    def walk(self, items: str, write: Callable[[], None]) -> None:
        """Write the loop; `write` writes what is done for each element."""
        body = self._body
        outer = body.scope
        body.scope = {**outer, self._name: self._code}
        body.loops += 1
        with body.block(f"for {self._variable} in {items}:"):
            write()
        body.loops -= 1
        body.scope = outer

    @property
    def element(self) -> Code:
        """The variable that holds the element."""
        return self._code


def _check(body: Body, code: Code, what: str) -> None:
    """Write the refusal of a condition that is neither true nor false."""
    if code.type != "bool":
        name = body.named(code)
        body.line(
            f"if {name} is not True and {name} is not False: raise not_bool({name}, {what!r})"
        )


def forgiving(body: Body, error: str, write: Callable[[], None]) -> None:
    """Write something whose first failure is set aside in a variable."""
    with body.block("try:"):
        write()
    body.line("except Exhausted: raise")
    with body.block("except Exception as x:"):
        body.line(f"if {error} is None: {error} = x")


def unforgiven(body: Body, error: str) -> None:
    """Write what raises the failure that was set aside, if there is one."""
    with body.block(f"if {error} is not None:"):
        # The frame must not keep an error whose traceback keeps the frame.
        body.line(f"try: raise {error}")
        body.line(f"finally: {error} = None")


def _quantifier(body: Body, node: Method, head: Code, out: bool) -> Code:
    """`all` stops at the first false, `exists` at the first true; both then forgive failures."""
    stop = node.name == "exists"
    loop = _Loop(body, node, head)
    walker, error, result = body.fresh(), body.fresh(), body.fresh()
    body.line(f"{walker} = iter({loop.items})")
    body.line(f"{error} = None")
    body.line(f"{result} = {not stop}")

    def each() -> None:
        forgiving(body, error, test)

    def test() -> None:
        code = body.value(node.args[1])
        with body.block(f"if {body.named(code)} is {stop}:"):
            body.line(f"{result} = {stop}")
            body.line(f"B[0] += {walker}.__length_hint__()")
            body.line("break")
        _check(body, code, f"{node.name}()")

    loop.walk(walker, each)
    with body.block("else:"):
        unforgiven(body, error)
    body.line(f"{error} = None")
    return Code(result, "bool")


def _exists_one(body: Body, node: Method, head: Code, out: bool) -> Code:
    loop = _Loop(body, node, head)
    count = body.fresh()
    body.line(f"{count} = 0")

    def each() -> None:
        code = body.value(node.args[1])
        body.line(f"if {body.named(code)} is True: {count} += 1")
        _check(body, code, "exists_one()")

    loop.walk(loop.items, each)
    return body.let(f"{count} == 1", "bool")


def _gather(
    body: Body, node: Method, head: Code, test: Node | None, make: Node | None, out: bool
) -> Code:
    """The list of what `make` gives (or of the elements) where `test` holds (or everywhere)."""
    loop = _Loop(body, node, head)
    result = body.fresh()
    special = 0
    body.line(f"{result} = []")

    def each() -> None:
        if test is not None:
            code = body.value(test)
            _check(body, code, f"{node.name}()")
            with body.block(f"if {body.named(code)} is True:"):
                keep()
        else:
            keep()

    def keep() -> None:
        nonlocal special
        code = loop.element if make is None else body.value(make, out=out)
        special = 2 if code.special else 0
        body.line(f"{result}.append({code.text})")

    loop.walk(loop.items, each)
    return Code(result, "list", special)


def _map(body: Body, node: Method, head: Code, out: bool) -> Code:
    return _gather(body, node, head, None, node.args[1], out)


def _map_where(body: Body, node: Method, head: Code, out: bool) -> Code:
    return _gather(body, node, head, node.args[1], node.args[2], out)


def _filter(body: Body, node: Method, head: Code, out: bool) -> Code:
    return _gather(body, node, head, node.args[1], None, out=False)


_MACROS: Final[dict[tuple[str, int], _Macro]] = {
    ("all", 2): _quantifier,
    ("exists", 2): _quantifier,
    ("exists_one", 2): _exists_one,
    ("filter", 2): _filter,
    ("map", 2): _map,
    ("map", 3): _map_where,
}

NAMES: Final = frozenset(name for name, _ in _MACROS) | {"has"}
"""The names of all macros."""

WANTED: Final = {"all": "2", "exists": "2", "exists_one": "2", "filter": "2", "map": "2 or 3"}
"""How many arguments each takes."""
