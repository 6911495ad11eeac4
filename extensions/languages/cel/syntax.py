"""Syntax is what the parser found: a tree of frozen nodes, each with its place in the text."""

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(slots=True, frozen=True, eq=False, repr=False)
class Literal:
    """A value that was written down; `type` is its CEL type."""

    at: int
    value: Any
    type: str


@dataclass(slots=True, frozen=True, eq=False, repr=False)
class Name:
    """A name; `rooted` (`.name`) passes by the variables of macros."""

    at: int
    name: str
    rooted: bool = False


@dataclass(slots=True, frozen=True, eq=False, repr=False)
class Select:
    """`head.field`, or `head.?field`."""

    at: int
    head: "Node"
    field: str
    optional: bool = False


@dataclass(slots=True, frozen=True, eq=False, repr=False)
class Has:
    """`has(head.field)`."""

    at: int
    head: "Node"
    field: str


@dataclass(slots=True, frozen=True, eq=False, repr=False)
class IndexExpression:
    """`head[key]`, or `head[?key]`."""

    at: int
    head: "Node"
    key: "Node"
    optional: bool = False


@dataclass(slots=True, frozen=True, eq=False, repr=False)
class CallExpression:
    """`name(args)`."""

    at: int
    name: str
    args: "tuple[Node, ...]"


@dataclass(slots=True, frozen=True, eq=False, repr=False)
class Method:
    """`head.name(args)`: a function of the receiver, or a macro."""

    at: int
    head: "Node"
    name: str
    args: "tuple[Node, ...]"


@dataclass(slots=True, frozen=True, eq=False, repr=False)
class Unary:
    """`!head` or `-head`."""

    at: int
    op: str
    head: "Node"


@dataclass(slots=True, frozen=True, eq=False, repr=False)
class Binary:
    """`head op right`, for every operator but `&&` and `||`."""

    at: int
    op: str
    head: "Node"
    right: "Node"


@dataclass(slots=True, frozen=True, eq=False, repr=False)
class Logic:
    """All operands of a run of `&&`, or of `||`, which the parser may still add to."""

    at: int
    op: str
    operands: "list[Node]"


@dataclass(slots=True, frozen=True, eq=False, repr=False)
class Ternary:
    """`condition ? yes : no`."""

    at: int
    condition: "Node"
    yes: "Node"
    no: "Node"


@dataclass(slots=True, frozen=True, eq=False, repr=False)
class Items:
    """`[a, b]`; `optional` are the places of those with a question mark."""

    at: int
    items: "tuple[Node, ...]"
    optional: frozenset[int] = frozenset()


@dataclass(slots=True, frozen=True, eq=False, repr=False)
class Entries:
    """`{key: value}`; `optional` are the places of those with a question mark."""

    at: int
    entries: "tuple[tuple[Node, Node], ...]"
    optional: frozenset[int] = frozenset()


Headed: TypeAlias = Select | Has | IndexExpression | Method | Unary | Binary
"""Nodes whose `head` is evaluated first: a long chain of them is walked without recursion."""

Node: TypeAlias = Headed | Literal | Name | CallExpression | Logic | Ternary | Items | Entries
