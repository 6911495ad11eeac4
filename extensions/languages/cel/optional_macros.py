"""The macros of optional values: what they do not need is not computed."""

from collections.abc import Callable

from heddle.extensions.languages.cel.body import CodeText, FunctionBody
from heddle.extensions.languages.cel.optionals import checked, held, of
from heddle.extensions.languages.cel.syntax import Method, Name
from heddle.extensions.languages.cel.values import ABSENT, NONE


def _opened(body: FunctionBody, node: Method, head: CodeText) -> str:
    """Write what finds the value of the receiver; return its variable, which may be ABSENT."""
    body.place(node.at)
    opened = body.fresh()
    body.line(f"{opened} = {body.keep(held)}({body.named(head)}, {node.name!r})")
    return opened


def or_value(body: FunctionBody, node: Method, head: CodeText, out: bool) -> CodeText:
    """`a.orValue(b)`: `b` is computed if `a` has no value."""
    opened = _opened(body, node, head)
    with body.block(f"if {opened} is {body.keep(ABSENT)}:"):
        body.line(f"{opened} = {body.value(node.args[0]).text}")
    return CodeText(opened, special=2)


def either(body: FunctionBody, node: Method, head: CodeText, out: bool) -> CodeText:
    """`a.or(b)`: `b`, which is optional as well, is computed if `a` has no value."""
    opened = _opened(body, node, head)
    body.line(f"{opened} = {body.named(head)} if {opened} is not {body.keep(ABSENT)} else None")
    with body.block(f"if {opened} is None:"):
        other = body.value(node.args[0])
        body.place(node.at)
        body.line(f"{opened} = {body.keep(checked)}({body.named(other)}, 'or')")
    return CodeText(opened, special=2)


def opt_map(body: FunctionBody, node: Method, head: CodeText, out: bool) -> CodeText:
    """`a.optMap(x, f)`: `f` of the value, as an optional value."""
    return _mapped(body, node, head, lambda made: f"{body.keep(of)}({made})")


def opt_flat_map(body: FunctionBody, node: Method, head: CodeText, out: bool) -> CodeText:
    """`a.optFlatMap(x, f)`: `f` of the value, which is an optional value itself."""
    return _mapped(body, node, head, lambda made: f"{body.keep(checked)}({made}, 'optFlatMap')")


def _mapped(
    body: FunctionBody, node: Method, head: CodeText, write: Callable[[str], str]
) -> CodeText:
    variable = node.args[0]
    if not isinstance(variable, Name) or variable.rooted:
        raise body.source.error(
            variable.at,
            f"{node.name}() wants a variable first",
            f'As in "a.?b.{node.name}(x, …)"',
        )
    copies = body.reads.copies(body.start)
    opened = _opened(body, node, head)
    result = body.fresh()
    body.line(f"{result} = {body.keep(NONE)}")
    outer = body.scope
    body.scope = {**outer, variable.name: CodeText(opened, special=2, copies=copies)}
    with body.block(f"if {opened} is not {body.keep(ABSENT)}:"):
        made = body.value(node.args[1])
        body.place(node.at)
        body.line(f"{result} = {write(body.named(made))}")
    body.scope = outer
    return CodeText(result, special=2)
