"""Operators as Python text: short cuts for exact types, and the exact helpers for all else."""

from typing import Final

from heddle.extensions.languages.cel.body import PLAIN_TYPES, CodeText, FunctionBody
from heddle.extensions.languages.cel.folding import NotFoldedError
from heddle.extensions.languages.cel.operators import ARITHMETIC, ORDER, contains, equal, unequal
from heddle.extensions.languages.cel.syntax import Binary
from heddle.extensions.languages.cel.values import INT_MAX, INT_MIN, kind

HELPERS: Final = {
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "/": "divide",
    "%": "modulo",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
    "==": "equal",
    "!=": "unequal",
    "in": "contains",
}
"""The names under which generated code finds the helpers."""

RUN: Final = {**ARITHMETIC, **ORDER, "==": equal, "!=": unequal, "in": contains}

LONG: Final = 4096
"""Characters from which a sum of two texts outside of macros is paid for."""

_EXACT_INT: Final = 2**53
"""Up to here a double stands for one whole number only, so Python compares as CEL does."""


def binary(body: FunctionBody, node: Binary, a: CodeText, b: CodeText) -> CodeText:
    """Write one binary operator over two computed values."""
    if a.constant and b.constant and (code := _folded(body, node.op, a, b)) is not None:
        return code
    body.place(node.at)
    if node.op in ARITHMETIC:
        return _arithmetic(body, node.op, a, b)
    if node.op in ORDER:
        return _order(body, node.op, a, b)
    if node.op == "in":
        return _membership(body, a, b)
    return _equality(body, node.op, a, b)


def _folded(body: FunctionBody, op: str, a: CodeText, b: CodeText) -> CodeText | None:
    try:
        value = body.folding.run(RUN[op], a.value, b.value)
    except NotFoldedError:
        return None
    name = kind(value)
    special = 0 if name in PLAIN_TYPES else max(1, a.special, b.special)
    return body.constant(value, name, special)


def _arithmetic(body: FunctionBody, op: str, a: CodeText, b: CodeText) -> CodeText:
    name = body.fresh()
    slow = f"{HELPERS[op]}({a.text}, {b.text})"
    if op == "+" and _may_grow(a, b):
        body.budgeted = True
        slow = f"charge(B, {slow})"
    branches = [*_int_branch(body, op, name, slow, a, b), *_other_branches(body, op, name, a, b)]
    word = "if"
    for test, lines in branches:
        if not test:
            break
        with body.block(f"{word} {test}:"):
            for line in lines:
                body.line(line)
        word = "elif"
    else:
        lines, test = [f"{name} = {slow}"], ""
    if word == "if":
        for line in lines:
            body.line(line)
    else:
        with body.block("else:"):
            for line in lines:
                body.line(line)
    return CodeText(name, _sum_type(a, b), _sum_special(a, b))


def _may_grow(a: CodeText, b: CodeText) -> bool:
    """Return whether a sum of these may be a text or a list."""
    numbers = ("int", "double", "uint", "timestamp", "duration")
    return a.type not in numbers and b.type not in numbers


_Branches = list[tuple[str, list[str]]]


def _int_branch(
    body: FunctionBody, op: str, name: str, slow: str, a: CodeText, b: CodeText
) -> _Branches:
    test = _both(body, a, b, "int")
    if test is None:
        return []
    if op in "+-*":
        check = f"if not {INT_MIN} <= {name} <= {INT_MAX}: {name} = {slow}"
        return [(test, [f"{name} = {a.text} {op} {b.text}", check])]
    # Python rounds down if CEL cuts off; for positive numbers both agree.
    positive = [f"{a.text} >= 0", f"{b.text} > 0"] if not b.constant else [f"{a.text} >= 0"]
    if b.constant and b.value <= 0:
        return []
    sign = "//" if op == "/" else "%"
    tests = " and ".join(filter(None, (test, *positive)))
    return [(tests, [f"{name} = {a.text} {sign} {b.text}"])]


def _other_branches(body: FunctionBody, op: str, name: str, a: CodeText, b: CodeText) -> _Branches:
    entries: _Branches = []
    line = [f"{name} = {a.text} {op} {b.text}"]
    if op in "+-*":
        test = _both(body, a, b, "double")
        if test is None and _small(b):
            test = body.is_exact(a, "double")
        if test is not None:
            entries.append((test, line))
    if op == "+" and not body.loops:
        test = _both(body, a, b, "string")
        if test is not None:
            body.budgeted = True
            entries.append((test, [*line, f"if len({name}) > {LONG}: charge(B, {name})"]))
    return entries


def _both(body: FunctionBody, a: CodeText, b: CodeText, type_: str) -> str | None:
    first, second = body.is_exact(a, type_), body.is_exact(b, type_)
    if first is None or second is None:
        return None
    return " and ".join(filter(None, (first, second)))


def _small(code: CodeText) -> bool:
    return code.constant and code.type == "int" and -_EXACT_INT < code.value < _EXACT_INT


def _sum_type(a: CodeText, b: CodeText) -> str:
    if a.type == b.type and a.type in ("int", "double", "string"):
        return a.type
    if "string" in (a.type, b.type):
        return "string"
    if {a.type, b.type} == {"int", "double"} or (
        "double" in (a.type, b.type) and "" in (a.type, b.type)
    ):
        return "double"
    return ""


def _sum_special(a: CodeText, b: CodeText) -> int:
    if a.type in PLAIN_TYPES or b.type in PLAIN_TYPES:
        return 0
    return max(1, a.special, b.special)


_ORDERED: Final = ("int", "double", "string", "bytes", "bool")


def _order(body: FunctionBody, op: str, a: CodeText, b: CodeText) -> CodeText:
    quick = f"{a.text} {op} {b.text}"
    slow = f"{HELPERS[op]}({a.text}, {b.text})"
    known = a.type or b.type
    if known and known not in _ORDERED:
        return body.let(slow, "bool")
    if _small(a) or _small(b):
        other = a if _small(b) else b
        test = f"(type({other.text}) is int or type({other.text}) is float)"
        if other.type:
            test = "" if other.type in ("int", "double") else "False"
    elif known:
        test = _both(body, a, b, known) or ("" if a.type == b.type else "False")
    else:
        test = f"type({a.text}) is type({b.text}) and type({a.text}) in ORDERED"
    if test == "False":
        return body.let(slow, "bool")
    return body.let(f"{quick} if {test} else {slow}" if test else quick, "bool")


def _equality(body: FunctionBody, op: str, a: CodeText, b: CodeText) -> CodeText:
    if a.constant:
        a, b = b, a
    if b.type in ("null_type", "bool") and b.constant:
        word = "is" if op == "==" else "is not"
        return body.let(f"{body.named(a)} {word} {b.text}", "bool")
    quick = f"{a.text} {op} {b.text}"
    other = f"charge(B, {b.text})" if body.loops else b.text
    slow = f"{HELPERS[op]}({a.text}, {other})"
    # Python never takes a text for something else, nor a number: except that True is 1.
    if "string" in (a.type, b.type) or (_small(b) and b.value not in (0, 1)):
        return body.let(quick, "bool")
    known = a.type or b.type
    if known in ("int", "double", "bytes", "bool"):
        test = _both(body, a, b, known)
        if test is None:
            return body.let(slow, "bool")
    elif known:
        return body.let(slow, "bool")
    else:
        test = f"type({a.text}) is type({b.text}) and type({a.text}) in SCALARS"
    return body.let(f"{quick} if {test} else {slow}" if test else quick, "bool")


def _membership(body: FunctionBody, a: CodeText, b: CodeText) -> CodeText:
    where = f"charge(B, {b.text})" if body.loops and not b.constant else b.text
    slow = f"contains({a.text}, {where})"
    test = body.is_exact(a, "string")
    if test is None:
        return body.let(slow, "bool")
    if b.constant and b.type == "list" and all(type(item) is str for item in b.value):
        quick = f"{a.text} in {body.keep(frozenset(b.value))}"
    elif not b.type:
        quick = f"{a.text} in {b.text}"
        test = " and ".join(filter(None, (f"type({b.text}) is dict", test)))
    else:
        return body.let(slow, "bool")
    return body.let(f"{quick} if {test} else {slow}" if test else quick, "bool")
